"""Search by torch equals exact search in every precision, on the CPU and on a GPU where one is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.exact import torch_products, torch_search
from indexer.exact.brute_force import exact_search
from indexer.exact.torch_products import PRECISIONS, Rounded, full_sums, product_error, products
from indexer.exact.torch_search import TorchSearch, search_blocks
from indexer.runtime.devices import torch_gpus
from indexer.types import MAX_NEIGHBOURS, Block
from support.search import Search, blocks, nearest_by_loops, require_equal, searches
from support.vectors import unit_vectors

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch_gpus(), reason="torch has no GPU")],
    ),
]
GALLERY = unit_vectors(500, 24, seed=0)
IDS = np.random.default_rng(0).permutation(500).astype(np.int64)

on_every_device = pytest.mark.parametrize("device", DEVICES)
in_every_precision = pytest.mark.parametrize("precision", PRECISIONS)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several tiles each way in galleries of hundreds."""
    monkeypatch.setattr(torch_search, "_TILES", {"cuda": (7, 300), "cpu": (7, 300)})


def require_exact(
    vectors: NDArray[np.floating],
    queries: NDArray[np.float32],
    k: int,
    device: str,
    precision: str | None = None,
) -> None:
    """The answers are those of exact search, by parts of the device's memory and by blocks."""
    ids = np.random.default_rng(1).permutation(len(vectors)).astype(np.int64)
    whole = vectors.astype(np.float32)
    expected = exact_search([Block(ids, whole)], queries, k)
    found = TorchSearch(ids, vectors, device, precision).search(queries, k)
    require_equal(found, expected)
    require_equal(search_blocks(blocks(ids, whole, 170), queries, k, device, precision), expected)


@on_every_device
@in_every_precision
@given(search=searches())
@settings(max_examples=40, deadline=None)
def test_equals_plain_loops(search: Search, device: str, precision: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch_search, "_TILES", {"cuda": (5, 11), "cpu": (5, 11)})
        index = TorchSearch(search.ids, search.vectors, device, precision)
        assert index.held == len(index) == len(search.ids)
        require_equal(index.search(search.queries, search.k), nearest_by_loops(search))


@on_every_device
@in_every_precision
@given(
    count=st.integers(1, 700),
    dimension=st.integers(1, 300),
    queries=st.sampled_from([1, 2, 7, 8, 20]),
    k=st.integers(1, 30),
    half=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_any_dimension(
    *, count: int, dimension: int, queries: int, k: int, half: bool, seed: int, device: str,
    precision: str,
) -> None:  # fmt: skip
    vectors = unit_vectors(count, dimension, seed)
    stored = vectors.astype(np.float16) if half else vectors
    asked = unit_vectors(queries, dimension, seed + 1)
    asked[::2] = vectors[np.random.default_rng(seed).integers(0, count, len(asked[::2]))]
    require_exact(stored, asked, k, device, precision)


@on_every_device
@in_every_precision
@given(
    seed=st.integers(0, 2**32 - 1),
    near=st.sampled_from([0.0, 6e-8, 1e-6, 1e-4, 1e-2]),
    k=st.sampled_from([1, 3, 20]),
)
@settings(max_examples=15, deadline=None)
def test_near_ties(seed: int, near: float, k: int, device: str, precision: str) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_vectors(4, 64, seed)[random.integers(0, 4, 900)]
    vectors += np.float32(near) * random.standard_normal(vectors.shape, np.float32) / 8
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) if near > 1e-6 else np.float32(1)
    queries = np.concatenate([vectors[:8], unit_vectors(2, 64, seed + 1)])
    require_exact(vectors, queries, k, device, precision)


@on_every_device
@in_every_precision
def test_equal_and_one_hot_vectors_outliers_and_lengths(device: str, precision: str) -> None:
    random = np.random.default_rng(0)
    require_exact(np.repeat(GALLERY[:1], 900, axis=0), GALLERY[:9], 5, device, precision)
    one_hot = np.eye(100, dtype=np.float32)[random.integers(0, 100, 900)]
    require_exact(one_hot, one_hot[:5], 12, device, precision)
    require_exact(-one_hot, one_hot[:5], 12, device, precision)
    narrow = GALLERY[:1] + np.float32(0.02) * random.standard_normal((900, 24), np.float32)
    narrow /= np.linalg.norm(narrow, axis=1, keepdims=True)
    narrow[::170] = -GALLERY[:1]
    require_exact(narrow, np.concatenate([GALLERY[:9], narrow[:5]]), 6, device, precision)
    lengths = random.uniform(0.9985, 1.0015, (900, 1)).astype(np.float32)
    vectors = unit_vectors(900, 32, seed=1) * lengths
    require_exact(vectors, vectors[:20], 10, device, precision)


@on_every_device
@pytest.mark.parametrize("k", [299, 300, 301, 499, 500, 501, 2000])
def test_as_many_neighbours_as_vectors_or_more(k: int, device: str) -> None:
    require_exact(GALLERY, GALLERY[:7], k, device)


@on_every_device
@pytest.mark.parametrize("memory", [0, 60_000, 10**9])
def test_galleries_beyond_the_devices_memory(memory: int, device: str) -> None:
    index = TorchSearch(IDS, GALLERY, device, memory=memory)
    assert index.held == {0: 0, 60_000: 300, 10**9: 500}[memory]
    expected = exact_search([Block(IDS, GALLERY)], GALLERY[:20], 4)
    require_equal(index.search(GALLERY[:20], 4), expected)


def test_more_candidates_than_are_measured_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_search, "_PAIRS", 50)
    monkeypatch.setattr(torch_search, "_MEASURED", 7)
    require_exact(np.repeat(GALLERY[:9], 40, axis=0), GALLERY[:12], 9, "cpu", "bf16")


def test_sums_whose_rounding_the_device_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    doubtful = []
    pair_distances = torch_search.pair_distances

    def counting(*given: NDArray[np.int64]) -> NDArray[np.float32]:
        doubtful.append(len(given[2]))
        return pair_distances(*given)

    monkeypatch.setattr(torch_search, "pair_distances", counting)
    monkeypatch.setattr(torch_search, "_UNIT", 1e-10)
    monkeypatch.setattr(torch_search, "_MEASURED", 5)
    require_exact(GALLERY, GALLERY[:9], 4, "cpu")
    assert sum(doubtful) > 10


def test_a_bound_that_excludes_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    of = Rounded.of

    def wrong(*given: object) -> Rounded:
        found = of(*given)
        return Rounded(found.numbers, found.squares, found.residuals - 0.2)

    monkeypatch.setattr(torch_products.Rounded, "of", wrong)
    with pytest.raises(AssertionError):
        require_exact(unit_vectors(900, 24, seed=1), GALLERY[:50], 7, "cpu", "bf16")


def test_few_pairs_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    distances = torch_search._distances
    monkeypatch.setattr(
        torch_search, "_distances", lambda *given: counts.append(len(given[2])) or distances(*given)
    )
    vectors = unit_vectors(5000, 64, seed=0)
    TorchSearch(np.arange(5000), vectors, "cpu", "bf16").search(vectors[:50], 5)
    assert 50 * 5 <= sum(counts) < 50 * 150


@on_every_device
@in_every_precision
@given(
    dimension=st.integers(1, 600),
    queries=st.sampled_from([1, 2, 33]),
    spread=st.sampled_from([1e-5, 1e-3, 0.9]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=15, deadline=None)
def test_products_err_within_their_bound(
    *, dimension: int, queries: int, spread: float, seed: int, device: str, precision: str
) -> None:
    where = torch.device(device)
    centre = unit_vectors(1, dimension, seed)[0]
    many = centre + np.float32(spread) * unit_vectors(queries + 90, dimension, seed + 1)
    many /= np.linalg.norm(many, axis=1, keepdims=True)
    with full_sums(where):
        vectors, middle = (torch.from_numpy(each.copy()).to(where) for each in (many, centre))
        found = Rounded.of(vectors, middle, precision)
        left, right = found.numbers[:queries], found.numbers[queries:]
        products_found = products(left, right).double()
        shifted = vectors.double() - middle.double()
        numbers = found.numbers.double()
        assert ((shifted - numbers).norm(dim=1) <= found.residuals.double()).all()
        squares = found.squares.double()
        quick = squares[:queries, None] + squares[queries:] - 2 * products_found
        true = (numbers[:queries, None] - numbers[queries:]).square().sum(dim=2)
        relative, absolute = product_error(precision, where, dimension)
        longest = torch.maximum(squares[:queries, None], squares[queries:])
        assert ((quick - true).abs() <= relative * longest + absolute).all()


def test_settings_of_the_process_are_put_back() -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        require_exact(GALLERY, GALLERY[:9], 4, "cpu")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")


def test_empty_gallery_and_no_queries() -> None:
    found = TorchSearch(IDS[:0], GALLERY[:0]).search(GALLERY[:2], 3)
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert np.isposinf(found.distances).all()
    assert TorchSearch(IDS, GALLERY).search(GALLERY[:0], 3).ids.shape == (0, 3)


def test_refused() -> None:
    with pytest.raises(InvalidVectorsError, match="unit length"):
        TorchSearch(IDS, GALLERY * 2)
    with pytest.raises(InvalidVectorsError, match="float32 or float16"):
        TorchSearch(IDS, GALLERY.astype(np.float64))
    with pytest.raises(ValueError, match="precision of fp32, bf16, fp16, got 'int8'"):
        TorchSearch(IDS, GALLERY, precision="int8")
    index = TorchSearch(IDS, GALLERY)
    for queries, k, message in (
        (GALLERY.astype(np.float64), 1, "float32"),
        (unit_vectors(2, 7, seed=0), 1, "24 components"),
        (GALLERY, 0, "k of 1 or more"),
        (GALLERY, MAX_NEIGHBOURS + 1, "at most 65536"),
    ):
        with pytest.raises(ValueError, match=message):
            index.search(queries, k)
    with pytest.raises(InvalidVectorsError, match="24 components"):
        search_blocks(blocks(IDS, GALLERY, 100), unit_vectors(2, 7, seed=0), 1)
