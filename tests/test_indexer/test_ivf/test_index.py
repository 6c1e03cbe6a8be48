"""The index by cells: equal to plain distances from its codes, and near exact search."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from indexer.errors import InvalidVectorsError
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_kernel import LANES
from indexer.ivf.build import build_ivf, learn
from indexer.ivf.index import DTYPES, IvfRecipe, IvfSqIndex, ivf_available
from indexer.ivf.scalar_quantizer import ScalarQuantizer, decode
from indexer.storage.safetensors_file import ArrayFileError, read_arrays, write_arrays
from indexer.types import MAX_NEIGHBOURS, Block
from support.examples import examples
from support.search import blocks, require_equal
from support.vectors import grouped_vectors, unit_vectors

pytestmark = pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")

VECTORS, PEOPLE = grouped_vectors(60, 20, seed=0)
IDS = np.arange(len(VECTORS)) + 2**33
RECIPE = IvfRecipe(16, 64, 12)


def built(
    folder: Path,
    vectors: NDArray[np.float32] = VECTORS,
    ids: NDArray[np.int64] = IDS,
    *,
    recipe: IvfRecipe = RECIPE,
    rows: int = 300,
    threads: int = 2,
) -> IvfSqIndex:
    path = folder / "index"
    learnt = learn(vectors, recipe, len(vectors), threads)
    build_ivf(path, lambda: blocks(ids, vectors, rows), learnt, threads)
    return IvfSqIndex.open(path, threads)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("components", [8, 32, 64])
def test_searching_all_cells_ranks_by_the_codes(tmp_path: Path, bits: int, components: int) -> None:
    index = built(tmp_path, recipe=IvfRecipe(16, components, bits))
    index.rerank = False
    queries = unit_vectors(40, 64, seed=5)
    queries[::2] = VECTORS[:400:20]
    found = index.search(queries, 7)
    plain = plain_distances(index, queries)
    ids = IDS[index._members[: len(VECTORS)]]
    expected = np.sort(plain, axis=1)[:, :7]
    accuracy = index.coding.unit + 1e-5  # terms are whole units
    # Sums of bytes are allowed three standard deviations of error, so one in a thousand is missed.
    assert (found.distances >= expected - accuracy).all()
    assert (found.distances <= expected + accuracy).mean() > 0.985
    for line, line_ids, distances in zip(found.ids, plain, found.distances, strict=True):
        rows = np.searchsorted(ids, line, sorter=np.argsort(ids))
        np.testing.assert_allclose(line_ids[np.argsort(ids)[rows]], distances, atol=accuracy)


def plain_distances(index: IvfSqIndex, queries: NDArray[np.float32]) -> NDArray[np.float64]:
    """From what the codes stand for, and the rest as if at right angles."""
    rows, coding = index._scan.rows, index.coding
    kept = decode(coding, rows.codes, rows.fine, 0, len(VECTORS)).astype(np.float64)
    components, rest = coding.project(queries)
    members = VECTORS[index._members[: len(VECTORS)]]
    left_out = coding.project(members)[1]
    differences = components[:, None].astype(np.float64) - kept
    return np.square(differences).sum(axis=2) + rest[:, None] + left_out


def test_codes_are_near_what_they_code() -> None:
    for bits in (8, 10, 12):
        coding = ScalarQuantizer.fit(VECTORS, 64, bits)
        step = coding.step / 2 ** (bits - 8)
        index_rows = coding.project(VECTORS)[0]
        inside = np.abs(index_rows).max(axis=1) < 127 * coding.step
        assert inside.mean() > 0.99
        kept = coded(coding)
        assert np.abs(kept - index_rows)[inside].max() <= step / 2 * 1.001


def coded(coding: ScalarQuantizer) -> NDArray[np.float32]:
    from indexer.ivf.scalar_quantizer import encode
    from indexer.ivf.scan import empty_rows

    components, rest = coding.project(VECTORS)
    rows = empty_rows(len(VECTORS), coding)
    places = np.random.default_rng(0).permutation(len(VECTORS))
    encode(components, rest, places, coding.step, coding.unit, rows.codes, rows.fine, rows.terms)
    return decode(coding, rows.codes, rows.fine, 0, len(VECTORS))[places]


def test_all_cells_and_all_components_find_the_nearest(tmp_path: Path) -> None:
    index = built(tmp_path)
    queries, _ = grouped_vectors(60, 3, seed=0, spread=0.35)
    truth = exact_search([Block(IDS, VECTORS)], queries, 1)
    index.rerank = False
    found = index.search(queries, 1)
    assert (found.ids == truth.ids).mean() > 0.98
    assert np.abs(found.distances - truth.distances).max() < 2e-3
    index.rerank = True
    stored = VECTORS.astype(np.float16).astype(np.float32)
    require_equal(index.search(queries, 3), exact_search([Block(IDS, stored)], queries, 3))


def test_as_many_as_asked_for_are_found_in_few_cells(tmp_path: Path) -> None:
    index = built(tmp_path)
    index.probes = 1
    everything = index.search(VECTORS[:3], len(IDS))
    np.testing.assert_array_equal(np.sort(everything.ids, axis=1), np.tile(IDS, (3, 1)))
    index.hide(IDS[:-40])  # whole cells are empty now
    found = index.search(VECTORS[:50], 30).ids
    assert (found >= 0).all() and np.isin(found, IDS[-40:]).all()
    assert ((index.search(VECTORS[:5], 60).ids >= 0).sum(axis=1) == 40).all()


def test_few_cells_find_nearly_all_of_a_person(tmp_path: Path) -> None:
    index = built(tmp_path)
    index.probes = 4
    found = index.search(VECTORS, 5)
    assert (PEOPLE[found.ids - IDS[0]] == PEOPLE[:, None]).mean() > 0.95


@given(
    count=st.integers(1, 400),
    dimension=st.integers(1, 40),
    cells=st.integers(1, 24),
    components=st.sampled_from([4, 8, 36]),
    bits=st.sampled_from([8, 10, 12]),
    queries=st.sampled_from([0, 1, 2, 7, 80]),
    k=st.integers(1, 30),
    rows=st.integers(1, 500),
    seed=st.integers(0, 2**32 - 1),
)
@examples(25, 40)
def test_any_gallery(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    count: int,
    dimension: int,
    cells: int,
    components: int,
    bits: int,
    queries: int,
    k: int,
    rows: int,
    seed: int,
) -> None:
    """Every vector is in, once; answers depend on blocks, batches and threads by rounding alone."""
    random = np.random.default_rng(seed)
    vectors = unit_vectors(count, dimension, seed)[random.integers(0, count, count)]
    ids = np.sort(random.choice(5 * count, count, replace=False)).astype(np.int64)
    folder = tmp_path_factory.mktemp("cells")
    recipe = IvfRecipe(cells, components, bits)
    index = built(folder, vectors, ids, recipe=recipe, rows=rows)
    assert len(index) == count
    np.testing.assert_array_equal(index.ids.all(), ids)
    everything = index.search(vectors[:1], count)
    np.testing.assert_array_equal(np.sort(everything.ids[0]), ids)
    asked = unit_vectors(queries, dimension, seed + 1)
    found = index.search(asked, k)
    assert found.ids.shape == (queries, k)
    assert ((found.ids >= 0).sum(axis=1) == min(k, count)).all()
    other = built(folder, vectors, ids, recipe=recipe, rows=500, threads=3)
    one_by_one = [other.search(query[None], k) for query in asked]
    for line, single in enumerate(one_by_one):
        np.testing.assert_allclose(found.distances[line], single.distances[0], atol=1e-5)


def test_hidden_vectors_are_never_found(tmp_path: Path) -> None:
    index = built(tmp_path)
    gone = IDS[::3]
    index.hide(np.concatenate([gone, [1, 2**50]]))
    assert len(index) == len(IDS) - len(gone)
    np.testing.assert_array_equal(index.ids.all(), np.setdiff1d(IDS, gone))
    for asked in (VECTORS, VECTORS[:1]):
        assert not np.isin(index.search(asked, len(IDS)).ids, gone).any()
    found = index.search(VECTORS[:1], len(IDS)).ids
    np.testing.assert_array_equal(np.sort(found[found >= 0]), np.setdiff1d(IDS, gone))
    index.hide(gone)
    assert len(index) == len(IDS) - len(gone)
    # The file is as it was.
    assert len(IvfSqIndex.open(tmp_path / "index")) == len(IDS)


def test_blocks_that_are_no_gallery_are_refused(tmp_path: Path) -> None:
    learnt = learn(VECTORS, IvfRecipe(4, 8, 8), 1200)

    def build(*parts: Block) -> None:
        build_ivf(tmp_path / "index", lambda: parts, learnt)

    first, second = Block(IDS[:10], VECTORS[:10]), Block(IDS[10:20], VECTORS[10:20])
    with pytest.raises(InvalidVectorsError, match="ascend"):
        build(second, first)
    with pytest.raises(InvalidVectorsError, match="ascend"):
        build(first, first)
    with pytest.raises(InvalidVectorsError, match="64 components, got 8"):
        build(first, Block(IDS[10:12], unit_vectors(2, 8, 0)))
    with pytest.raises(InvalidVectorsError, match="no vectors"):
        learn(VECTORS[:0], IvfRecipe(4, 8, 8), 0)
    with pytest.raises(ValueError, match="multiple of 4"):
        learn(VECTORS, IvfRecipe(4, 6, 8), 1200)
    with pytest.raises(ValueError, match="9 bits"):
        learn(VECTORS, IvfRecipe(4, 8, 9), 1200)


def test_an_empty_gallery(tmp_path: Path) -> None:
    build_ivf(tmp_path / "index", lambda: [], learn(VECTORS, IvfRecipe(4, 8, 8), 1200))
    index = IvfSqIndex.open(tmp_path / "index")
    assert len(index) == 0 and not index.ids.count
    found = index.search(VECTORS[:2], 3)
    assert (found.ids == -1).all() and np.isinf(found.distances).all()


def test_questions_that_cannot_be_answered(tmp_path: Path) -> None:
    index = built(tmp_path)
    with pytest.raises(InvalidVectorsError, match="64 components"):
        index.search(unit_vectors(2, 8, 0), 1)
    with pytest.raises(InvalidVectorsError, match="unit length"):
        index.search(2 * VECTORS[:2], 1)
    for k in (0, MAX_NEIGHBOURS + 1):
        with pytest.raises(ValueError, match="expected k"):
            index.search(VECTORS[:2], k)
    assert not ivf_available(0)


@pytest.fixture(scope="module")
def folder_of_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cells")
    built(folder)
    return folder


@given(data=st.data())
@examples(30, 60)
def test_arrays_that_do_not_fit_each_other_are_refused_or_harmless(
    folder_of_index: Path, data: st.DataObject
) -> None:
    """As a file of the right digest from someone who means harm."""
    folder = folder_of_index
    arrays, metadata = read_arrays(folder / "index", DTYPES)
    changed = {name: np.array(array) for name, array in arrays.items()}
    name = data.draw(st.sampled_from(sorted(changed)))
    array = changed[name].reshape(-1)
    at = data.draw(st.integers(0, len(array) - 1))
    values = {
        "u1": st.integers(0, 255),
        "i4": st.integers(-(2**31), 2**31 - 1),
        "i8": st.integers(-(2**63), 2**63 - 1),
        "f4": st.floats(width=32),
        "f2": st.floats(width=16),
    }
    array[at] = data.draw(values[DTYPES[name]])
    how = data.draw(st.sampled_from(["value", "short", "count"]))
    shapes = {each: (changed[each].shape, DTYPES[each]) for each in changed}
    if how == "short":
        changed[name] = changed[name][:-1]
        shapes[name] = (changed[name].shape, DTYPES[name])
    if how == "count":
        metadata["count"] = str(data.draw(st.integers(-5, 2**40)))
    try:
        with write_arrays(folder / "other", shapes, metadata) as room:
            for each, values_ in changed.items():
                room[each][...] = values_
    except ValueError:  # arrays that would not be aligned cannot be written
        return
    try:
        index = IvfSqIndex.open(folder / "other")
    except ArrayFileError as error:
        assert "other" in str(error)
    else:
        found = index.search(VECTORS[:70], 5)
        assert np.isin(found.ids, [*index.ids.all(), -1]).all()


def test_an_index_of_other_processors_is_refused(tmp_path: Path) -> None:
    built(tmp_path)
    arrays, metadata = read_arrays(tmp_path / "index", DTYPES)
    shapes = {name: (array.shape, DTYPES[name]) for name, array in arrays.items()}
    for made_for in ({"tile_rows": "48"}, {"greatest_query": "31"}):
        with write_arrays(tmp_path / "other", shapes, metadata | made_for) as room:
            for name, array in arrays.items():
                room[name][...] = array
        with pytest.raises(ArrayFileError, match="made for processors that"):
            IvfSqIndex.open(tmp_path / "other")


def test_searches_of_several_threads_leave_matrix_products_as_they_were(tmp_path: Path) -> None:
    index = built(tmp_path)

    def threads() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    with threadpool_limits(2, "blas"):  # the suite itself runs with one
        assert {*threads()} == {2}
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda at: index.search(VECTORS[at : at + 40], 3), range(0, 1000, 20)))
        assert {*threads()} == {2}


def test_blocks_that_change_between_the_passes_are_refused(tmp_path: Path) -> None:
    passes = iter([blocks(IDS, VECTORS, 300), blocks(IDS[:900], VECTORS[:900], 290)])
    with pytest.raises(InvalidVectorsError, match="must not change"):
        build_ivf(tmp_path / "index", lambda: next(passes), learn(VECTORS, RECIPE, 1200))


BOUNDED = """
import sys
from pathlib import Path
import numpy as np
from indexer.ivf.build import build_ivf, learn
from indexer.ivf.index import IvfRecipe
from indexer.types import Block

def gallery(count):
    for first in range(0, count, 8192):
        random = np.random.default_rng(first)
        vectors = random.standard_normal((min(8192, count - first), 256), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        yield Block(np.arange(first, first + len(vectors)), vectors)

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

learnt = learn(next(gallery(8192)).vectors, IvfRecipe(64, 16, 8), 8192)
path = Path(sys.argv[1])
build_ivf(path, lambda: gallery(9000), learnt)
Path("/proc/self/clear_refs").write_text("5")
before = memory("VmRSS")
build_ivf(path, lambda: gallery(200_000), learnt)
print(memory("VmHWM") - before, path.stat().st_size / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded_by_blocks(tmp_path: Path) -> None:
    """195 MiB of vectors; what is mapped of the file may stay in memory, but need not."""
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, str(tmp_path / "index")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    grown, size = map(float, done.stdout.split())
    assert grown < size + 50 < 195
