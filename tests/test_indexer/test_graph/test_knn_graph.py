"""The k-NN graph: equal to plain loops, built or extended, and refused when it is not whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError, StaleIndexError
from indexer.exact.brute_force import exact_search
from indexer.graph import build
from indexer.graph.build import MAX_K, GraphReport, Growth, build_graph
from indexer.graph.knn_graph import EXACT, GraphAccuracy, GraphCoverage, KnnGraphFile
from indexer.index.flat import FlatIndex
from indexer.types import Neighbours, Vectors
from support.search import Search, blocks, nearest_by_loops, searches
from support.vectors import unit_vectors

SHARDS = {"00000000.h5": "a" * 64}
NO_TIME = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Exact:
    """An index over vectors in memory; ``searched`` counts queries."""

    def __init__(self, ids: NDArray[np.int64], vectors: Vectors) -> None:
        self.ids, self.vectors = ids, vectors
        self.searched = 0

    def search(self, queries: Vectors, k: int) -> Neighbours:
        self.searched += len(queries)
        return exact_search(blocks(self.ids, self.vectors, 7), queries, k)


def write(
    path: Path,
    ids: NDArray[np.int64],
    vectors: Vectors,
    k: int,
    growth: Growth | None = None,
    *,
    accuracy: GraphAccuracy = EXACT,
) -> GraphReport:
    covered = GraphCoverage(ids, SHARDS, str(len(ids)))
    index = Exact(ids, vectors)
    return build_graph(
        path, covered, blocks(ids, vectors, 11), index, k=k, accuracy=accuracy, growth=growth
    )


def require_right(path: Path, ids: NDArray[np.int64], vectors: Vectors, k: int) -> None:
    """Each line is the nearest by loops, the vector itself left out."""
    expected = nearest_by_loops(Search(ids, vectors, vectors, len(ids) + k))
    with KnnGraphFile.open(path) as graph:
        np.testing.assert_array_equal(graph.covered.ids, ids)
        assert (len(graph), graph.k) == (len(ids), k)
        lines = list(graph.blocks(5))
        assert [part.first for part in lines] == list(range(0, len(ids), 5))
    for part in lines:
        for line in range(len(part.neighbours)):
            row = part.first + line
            others = expected.ids[row] != ids[row]
            found = part.neighbours[line]
            named = np.where(found >= 0, ids[found], -1)
            np.testing.assert_array_equal(named, expected.ids[row][others][:k])
            np.testing.assert_array_equal(part.distances[line], expected.distances[row][others][:k])


@given(search=searches(), small=st.booleans())
@NO_TIME
def test_equals_plain_loops(tmp_path: Path, search: Search, small: bool) -> None:
    ids, k = np.sort(search.ids), min(search.k, 20)
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(build, "BLOCK_ROWS", 4)
        report = write(tmp_path / "g.h5", ids, search.vectors, k)
    assert (report.count, report.searched, report.updated) == (len(ids), len(ids), 0)
    require_right(tmp_path / "g.h5", ids, search.vectors, k)


@given(search=searches(), data=st.data())
@NO_TIME
def test_extended_equals_built(tmp_path: Path, search: Search, data: st.DataObject) -> None:
    """Vectors come and go anywhere among those that stay."""
    ids, k = np.sort(search.ids), min(search.k, 12)
    kinds = st.lists(st.sampled_from("bbbna"), min_size=len(ids), max_size=len(ids))
    kind = np.array(data.draw(kinds), "U1")
    old, now = kind != "a", kind != "n"  # before only: n; after only: a
    write(tmp_path / "old.h5", ids[old], search.vectors[old], k)
    fresh = now & ~old
    with KnnGraphFile.open(tmp_path / "old.h5") as before:
        growth = Growth(before, Exact(ids[fresh], search.vectors[fresh]))
        report = write(tmp_path / "new.h5", ids[now], search.vectors[now], k, growth)
    assert report.searched + report.updated == now.sum() and report.searched >= fresh.sum()
    require_right(tmp_path / "new.h5", ids[now], search.vectors[now], k)


@pytest.mark.parametrize(
    ("before", "index", "after"),
    [
        (EXACT, EXACT, EXACT),
        (GraphAccuracy(False, 0.9), EXACT, GraphAccuracy(False, 0.9)),
        (EXACT, GraphAccuracy(False, 0.9), GraphAccuracy(False, 0.9)),
        (GraphAccuracy(False, 0.9), GraphAccuracy(False, 0.8), GraphAccuracy(False, 0.8)),
        (GraphAccuracy(False, 1.0), EXACT, GraphAccuracy(False, 1.0)),
        (GraphAccuracy(False, 0.9), GraphAccuracy(False, np.nan), GraphAccuracy(False, np.nan)),
    ],
)
def test_a_graph_says_how_accurate_it_is(
    tmp_path: Path, before: GraphAccuracy, index: GraphAccuracy, after: GraphAccuracy
) -> None:
    vectors, ids = unit_vectors(30, 8, seed=0), np.arange(30)
    write(tmp_path / "old.h5", ids[:20], vectors[:20], 3, accuracy=before)
    with KnnGraphFile.open(tmp_path / "old.h5") as old:
        assert same(old.accuracy, before)
        growth = Growth(old, Exact(ids[20:], vectors[20:]))
        report = write(tmp_path / "new.h5", ids, vectors, 3, growth, accuracy=index)
    with KnnGraphFile.open(tmp_path / "new.h5") as new:
        assert same(new.accuracy, after) and same(report.accuracy, after)


def same(one: GraphAccuracy, other: GraphAccuracy) -> bool:
    return one.exact == other.exact and np.array_equal(one.recall, other.recall, equal_nan=True)


@pytest.mark.parametrize(("exact", "recall"), [(True, 0.9), (False, 1.1), (True, np.nan)])
def test_accuracies_that_are_none(exact: bool, recall: float) -> None:
    with pytest.raises(ValueError, match="expected a recall"):
        GraphAccuracy(exact, recall)


def test_only_new_vectors_are_searched_for_among_all(tmp_path: Path) -> None:
    vectors, ids = unit_vectors(300, 8, seed=0), np.arange(300)
    write(tmp_path / "old.h5", ids[:280], vectors[:280], 5)
    index, fresh = Exact(ids, vectors), Exact(ids[280:], vectors[280:])
    with KnnGraphFile.open(tmp_path / "old.h5") as before:
        report = build_graph(
            tmp_path / "new.h5",
            GraphCoverage(ids, SHARDS, ""),
            blocks(ids, vectors, 90),
            index,
            k=5,
            growth=Growth(before, fresh),
        )
    assert (report.searched, report.updated) == (index.searched, fresh.searched) == (20, 280)


def test_a_saved_index_serves(tmp_path: Path) -> None:
    vectors, ids = unit_vectors(200, 8, seed=0), np.arange(200) * 7
    index = FlatIndex.build(blocks(ids, vectors, 90), 8)
    covered = GraphCoverage(ids, SHARDS, "")
    seen: list[tuple[int, int]] = []
    build_graph(
        tmp_path / "g.h5",
        covered,
        blocks(ids, vectors, 90),
        index,
        k=9,
        progress=lambda done, total: seen.append((done, total)),
    )
    require_right(tmp_path / "g.h5", ids, vectors, 9)
    assert seen == [(90, 200), (180, 200), (200, 200)]


def test_staleness(tmp_path: Path) -> None:
    write(tmp_path / "g.h5", np.arange(30), unit_vectors(30, 8, seed=0), 3)
    with KnnGraphFile.open(tmp_path / "g.h5") as graph:
        graph.require_covers({**SHARDS, "00000001.h5": "b"}, "30")
        for shards, state in ((SHARDS, "31"), ({"00000000.h5": "b" * 64}, "30")):
            with pytest.raises(StaleIndexError, match="stale"):
                graph.require_covers(shards, state)


def test_a_crash_leaves_the_old_graph(tmp_path: Path) -> None:
    vectors, ids = unit_vectors(30, 8, seed=0), np.arange(30)
    write(tmp_path / "g.h5", ids, vectors, 3)

    class Broken:
        def search(self, queries: Vectors, k: int) -> Neighbours:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        build_graph(
            tmp_path / "g.h5", GraphCoverage(ids, {}, ""), blocks(ids, vectors, 9), Broken(), k=4
        )
    require_right(tmp_path / "g.h5", ids, vectors, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["g.h5"]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        where = file["neighbours"].id.get_chunk_info(0).byte_offset
    data[where + 10] ^= 0xFF
    path.write_bytes(bytes(data))


def rewritten(name: str, change: Callable[[NDArray[np.int32]], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            values = file[name][()]
            change(values)
            file[name][...] = values

    return apply


def set_attribute(name: str, value: object) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            file.attrs[name] = value

    return apply


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        flipped,
        lambda path: path.write_bytes(b"rubbish"),
        lambda path: path.unlink(),
        rewritten("neighbours", lambda values: values.fill(30)),
        rewritten("neighbours", lambda values: values.fill(-2)),
        rewritten("ids", lambda values: values.fill(3)),
        rewritten("shards", lambda values: values.fill(65)),
        set_attribute("version", np.int64(1)),
        set_attribute("exact", np.int64(2)),
        set_attribute("exact", np.bytes_("yes")),
        set_attribute("recall", np.float64(0.5)),
        set_attribute("recall", np.bytes_("much")),
        set_attribute("format", np.bytes_("other")),
    ],
)
def test_damage_means_rebuilding(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write(tmp_path / "g.h5", np.arange(30), unit_vectors(30, 8, seed=0), 3)
    damage(tmp_path / "g.h5")
    with (
        pytest.raises(StaleIndexError, match="build it"),
        KnnGraphFile.open(tmp_path / "g.h5") as graph,
    ):
        list(graph.blocks())


def test_wrong_input_is_refused(tmp_path: Path) -> None:
    vectors, ids, path = unit_vectors(30, 8, seed=0), np.arange(30), tmp_path / "g.h5"
    for k in (0, MAX_K + 1):
        with pytest.raises(ValueError, match="k of 1 to"):
            write(path, ids, vectors, k)
    with pytest.raises(ValueError, match="ascend"):
        GraphCoverage(ids[::-1], {}, "")
    covered, index = GraphCoverage(ids, {}, ""), Exact(ids, vectors)
    for wrong in (blocks(ids[:20], vectors[:20], 9), blocks(ids + 1, vectors, 9)):
        with pytest.raises(InvalidVectorsError, match="ids"):
            build_graph(path, covered, wrong, index, k=3)
    others = Exact(ids + 100, vectors)
    with pytest.raises(InvalidVectorsError, match="index of the ids covered"):
        build_graph(path, covered, blocks(ids, vectors, 9), others, k=3)
    write(path, ids, vectors, 3)
    with (
        KnnGraphFile.open(path) as before,
        pytest.raises(ValueError, match="graph of 4 neighbours"),
    ):
        write(tmp_path / "other.h5", ids, vectors, 4, Growth(before, index))
