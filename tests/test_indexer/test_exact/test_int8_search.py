"""Certified search equals exact search, whatever is done to its bound."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.exact import int8_screen, int8_search
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.exact.int8_search import CertifiedSearch, is_available, search_blocks
from indexer.types import MAX_NEIGHBOURS, Block
from support.examples import examples
from support.search import Search, blocks, nearest_by_loops, require_equal, searches
from support.vectors import unit_vectors

pytestmark = pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")

GALLERY = unit_vectors(500, 24, seed=0)
IDS = np.random.default_rng(0).permutation(500).astype(np.int64)


def require_exact(
    vectors: NDArray[np.floating],
    queries: NDArray[np.float32],
    k: int,
    threads: int = 2,
    ids: NDArray[np.int64] | None = None,
) -> None:
    """The answers are those of exact search."""
    if ids is None:
        ids = np.random.default_rng(1).permutation(len(vectors)).astype(np.int64)
    found = CertifiedSearch(ids, vectors, threads).search(queries, k)
    require_equal(found, exact_search([Block(ids, vectors.astype(np.float32))], queries, k))


@given(search=searches(), threads=st.integers(1, 3))
@examples(75, 150)
def test_equals_plain_loops(search: Search, threads: int) -> None:
    index = CertifiedSearch(search.ids, search.vectors, threads)
    assert len(index) == len(search.ids)
    require_equal(index.search(search.queries, search.k), nearest_by_loops(search))


@given(search=searches(), rows=st.integers(1, 30))
@examples(30, 60)
def test_blocks_are_searched_as_one_gallery(search: Search, rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(int8_search, "_WORTH_CODES", 0)
        found = search_blocks(
            blocks(search.ids, search.vectors, rows), search.queries, search.k, threads=1
        )
    require_equal(found, nearest_by_loops(search))


@given(
    count=st.integers(1, 900),
    dimension=st.integers(1, 600),
    queries=st.sampled_from([1, 2, 6, 7, 40]),
    k=st.integers(1, 30),
    half=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@examples(30, 60)
def test_any_dimension(
    *, count: int, dimension: int, queries: int, k: int, half: bool, seed: int
) -> None:
    vectors = unit_vectors(count, dimension, seed)
    stored = vectors.astype(np.float16) if half else vectors
    asked = unit_vectors(queries, dimension, seed + 1)
    asked[::2] = vectors[np.random.default_rng(seed).integers(0, count, len(asked[::2]))]
    require_exact(stored, asked, k)


@given(
    seed=st.integers(0, 2**32 - 1),
    near=st.sampled_from([0.0, 6e-8, 1e-6, 1e-4, 1e-2]),
    k=st.sampled_from([1, 3, 20]),
)
@examples(25, 40)
def test_near_ties(seed: int, near: float, k: int) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_vectors(4, 64, seed)[random.integers(0, 4, 2000)]
    vectors += np.float32(near) * random.standard_normal(vectors.shape, np.float32) / 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if near > 1e-6 else np.float32(1)
    require_exact(vectors, np.concatenate([vectors[:8], unit_vectors(2, 64, seed + 1)]), k)


def test_all_equal_and_one_hot_vectors() -> None:
    equal = np.repeat(GALLERY[:1], 3000, axis=0)
    require_exact(equal, GALLERY[:9], 5)
    one_hot = np.eye(300, dtype=np.float32)[np.random.default_rng(0).integers(0, 300, 4000)]
    require_exact(one_hot, np.concatenate([one_hot[:5], unit_vectors(5, 300, seed=1)]), 12)
    require_exact(-one_hot, one_hot[:5], 12)


def test_outliers_in_a_narrow_gallery() -> None:
    random = np.random.default_rng(0)
    narrow = GALLERY[:1] + np.float32(0.02) * random.standard_normal((5000, 24), np.float32)
    narrow /= np.linalg.norm(narrow, axis=1, keepdims=True)
    narrow[::1700] = GALLERY[1:4]
    narrow[1::1700] = -GALLERY[:1]
    require_exact(narrow, np.concatenate([GALLERY[:9], -GALLERY[:1], narrow[:5]]), 6)


def test_vectors_that_are_not_quite_of_unit_length() -> None:
    random = np.random.default_rng(0)
    lengths = random.uniform(0.9985, 1.0015, (3000, 1)).astype(np.float32)
    vectors = unit_vectors(3000, 32, seed=1) * lengths
    require_exact(vectors, vectors[:40], 10)


@pytest.mark.parametrize("k", [499, 500, 501, 2000])
def test_as_many_neighbours_as_vectors_or_more(k: int) -> None:
    require_exact(GALLERY, GALLERY[:7], k, ids=IDS)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("queries", [1, 251, 252, 253, 700])
def test_blocks_and_threads_change_nothing(queries: int, threads: int) -> None:
    vectors = unit_vectors(1500, 16, seed=2)
    require_exact(vectors, unit_vectors(queries, 16, seed=3), 4, threads)


def test_more_candidates_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_search, "_PAIRS", 1)
    vectors = np.concatenate([GALLERY, np.repeat(GALLERY[:1], 700, axis=0)])
    require_exact(vectors, np.concatenate([GALLERY[:5], GALLERY[:5]]), 9)


def test_a_bound_that_excludes_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = int8_search._prepare
    monkeypatch.setattr(
        int8_search, "_prepare", lambda *given: prepare(*given)._replace(scale=0.0, shifts=NOTHING)
    )
    require_exact(GALLERY, GALLERY[:20], 7)


NOTHING = np.full(20, -(2.0**40))


def test_a_bound_that_excludes_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = int8_search._prepare

    def wrong(*given: object) -> int8_screen.ScreenQueries:
        block = prepare(*given)
        return block._replace(reaches=block.reaches - 0.3)

    monkeypatch.setattr(int8_search, "_prepare", wrong)
    with pytest.raises(AssertionError):
        require_exact(unit_vectors(3000, 24, seed=1), GALLERY[:50], 7)


def test_few_pairs_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def counting(*given: object) -> tuple[int, int, int]:
        tile, found, measured = int8_screen.screen(*given)
        counted.append(measured)
        return tile, found, measured

    monkeypatch.setattr(int8_search, "screen", counting)
    vectors = unit_vectors(20_000, 64, seed=0)
    require_exact(vectors, vectors[:50], 5, threads=1)
    assert 50 * 5 <= sum(counted) < 50 * 150


def test_empty_gallery_and_no_queries() -> None:
    empty = CertifiedSearch(IDS[:0], GALLERY[:0])
    found = empty.search(GALLERY[:2], 3)
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert np.isposinf(found.distances).all()
    assert empty.bytes_each == 0
    assert CertifiedSearch(IDS, GALLERY).search(GALLERY[:0], 3).ids.shape == (0, 3)


def nan() -> NDArray[np.float32]:
    vectors = GALLERY.copy()
    vectors[400, 3] = np.nan
    return vectors


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        (IDS, GALLERY.astype(np.float64), "float32 or float16"),
        (IDS[0], GALLERY[0], r"\(n, d\)"),
        (IDS, nan(), "unit length"),
        (IDS, GALLERY * np.float32(1e-20), "unit length"),
        (IDS, GALLERY * np.float32(1e20), "unit length"),
        (IDS[1:], GALLERY, "one a vector"),
        (IDS.astype(np.int32), GALLERY, "int64"),
    ],
)
def test_refused_galleries(
    ids: NDArray[np.integer], vectors: NDArray[np.floating], message: str
) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        CertifiedSearch(ids, vectors)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (GALLERY.astype(np.float64), 1, "float32"),
        (GALLERY * 2, 1, "unit length"),
        (np.full((1, 24), np.nan, np.float32), 1, "unit length"),
        (unit_vectors(2, 7, seed=0), 1, "24 components"),
        (GALLERY, 0, "k of 1 or more"),
        (GALLERY, MAX_NEIGHBOURS + 1, "k of at most 65536"),
    ],
)
def test_refused_queries(queries: NDArray[np.floating], k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CertifiedSearch(IDS, GALLERY).search(queries, k)


def test_too_many_components() -> None:
    assert not is_available(20_000)
    with pytest.raises(RuntimeError, match="use exact_search"):
        CertifiedSearch(IDS[:1], np.eye(1, 20_000, dtype=np.float32))


def test_processors_without_the_instructions_are_recognised() -> None:
    program = "from indexer.exact.int8_search import is_available; print(is_available(128))"
    ran = subprocess.run(
        [sys.executable, "-c", program], env={"NUMBA_CPU_NAME": "generic"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "False\n"
