"""Build a k-NN graph, and update one without searching for all vectors again.

Vectors are searched for block by block, so memory is bounded by a block, the ids, and what the
index takes. The file is replaced when the new one is whole.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.exact.distances import nearest_first
from indexer.graph.knn_graph import (
    BLOCK_ROWS,
    EXACT,
    FORMAT,
    VERSION,
    GraphAccuracy,
    GraphCoverage,
    GraphRows,
    KnnGraphFile,
)
from indexer.id_lookup import drop_self, positions_of
from indexer.protocols import Searcher
from indexer.storage.hdf5_writer import new_array, replacing_hdf5, write_array
from indexer.types import MAX_NEIGHBOURS, Block, Ids, Vectors

MAX_K = MAX_NEIGHBOURS - 1  # one more is searched for: a vector finds itself

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Growth:
    """A graph of fewer vectors, or partly others, and the ``fresh`` vectors it does not know."""

    before: KnnGraphFile
    fresh: Searcher


@dataclass(frozen=True)
class GraphReport:
    """``searched`` vectors were searched for among all, ``updated`` among the fresh ones only.

    ``accuracy`` is that of all neighbours, those kept from before among them.
    """

    count: int
    k: int
    searched: int
    updated: int
    accuracy: GraphAccuracy


def build_graph(
    path: Path,
    covered: GraphCoverage,
    blocks: Iterable[Block],
    index: Searcher,
    *,
    k: int,
    accuracy: GraphAccuracy = EXACT,
    growth: Growth | None = None,
    progress: Progress = lambda done, total: None,
) -> GraphReport:
    """Write the ``k`` nearest neighbours of all vectors of ``blocks``, which ``index`` holds too.

    ``blocks`` bring exactly the ids ``covered``, ascending. With ``growth``, a graph of the same
    ``k`` (and equal vectors for equal ids), new vectors and those that lost a neighbour are
    searched for in ``index``; all others keep their neighbours and are searched for among the
    fresh ones alone. The result is the same, ties by id. ``progress`` is called with the vectors
    done and their number. ``accuracy`` is that of ``index``; the graph says it of its neighbours,
    or less where those of ``growth`` are less accurate.

    Raises ValueError for k not in [1, MAX_K] or a graph of another k, InvalidVectorsError where
    ids are not those covered. A graph that was there stays until the new one is whole.
    """
    if not 1 <= k <= MAX_K:
        raise ValueError(f"expected k of 1 to {MAX_K}, got {k}")
    if growth is not None and growth.before.k != k:
        raise ValueError(f"expected a graph of {k} neighbours to go on from, got {growth.before.k}")
    if growth is not None:
        accuracy = accuracy.beside(growth.before.accuracy)
    work = _Work(covered.ids, index, k, growth)
    with replacing_hdf5(path, FORMAT, VERSION) as file:
        _write_header(file, covered, accuracy)
        _write_lines(file, len(covered.ids), k, work.rows(blocks), progress)
    return GraphReport(len(covered.ids), k, work.searched, work.updated, accuracy)


class _Work:
    """The neighbours of block after block."""

    def __init__(self, ids: Ids, index: Searcher, k: int, growth: Growth | None) -> None:
        self._ids = ids
        self._index = index
        self._k = k
        self._growth = growth
        self._known = np.zeros(0, np.int64) if growth is None else growth.before.covered.ids
        # The row that each known vector has now, -1 where it is gone.
        self._moved = positions_of(self._known, ids, ascending=True)
        self.searched = self.updated = 0

    def rows(self, blocks: Iterable[Block]) -> Iterator[GraphRows]:
        """The lines of the graph, in order."""
        first = 0
        for block in blocks:
            if not np.array_equal(block.ids, self._ids[first : first + len(block)]):
                raise InvalidVectorsError("expected blocks of exactly the ids covered, in order")
            for start in range(0, len(block), BLOCK_ROWS):
                part = slice(start, start + BLOCK_ROWS)
                yield self._lines(first + start, block.vectors[part])
            first += len(block)
        if first != len(self._ids):
            raise InvalidVectorsError(f"expected vectors of {len(self._ids)} ids, got {first}")

    def _lines(self, first: int, vectors: Vectors) -> GraphRows:
        """The lines of ``vectors``, which begin at row ``first``."""
        kept, before = self._kept(self._ids[first : first + len(vectors)])
        neighbours = np.empty((len(vectors), self._k), np.int32)
        distances = np.empty((len(vectors), self._k), np.float32)
        to_search = np.flatnonzero(~kept)
        if len(to_search):
            found = self._index.search(vectors[to_search], self._k + 1)
            others = drop_self(found, self._ids[first + to_search])
            neighbours[to_search], distances[to_search] = self._rows(others.ids), others.distances
        if before is not None and self._growth is not None:
            found = self._growth.fresh.search(vectors[kept], self._k)
            fresh = GraphRows(0, self._rows(found.ids), found.distances)
            neighbours[kept], distances[kept] = _nearest(before, fresh, self._k)
        self.searched += len(to_search)
        self.updated += int(kept.sum())
        return GraphRows(first, neighbours, distances)

    def _kept(self, ids: Ids) -> tuple[NDArray[np.bool_], GraphRows | None]:
        """Which of ``ids`` keep all the neighbours they had, and their lines with present rows."""
        kept = np.zeros(len(ids), np.bool_)
        known = positions_of(ids, self._known, ascending=True)
        there = np.flatnonzero(known >= 0)
        if not len(there) or self._growth is None:
            return kept, None
        first, end = int(known[there[0]]), int(known[there[-1]]) + 1
        lines = self._growth.before.rows(first, end)
        old = lines.neighbours[known[there] - first]
        moved = np.where(old >= 0, self._moved[old], -1).astype(np.int32)
        whole = ((moved >= 0) == (old >= 0)).all(axis=1)
        kept[there[whole]] = True
        distances = lines.distances[known[there] - first]
        return kept, GraphRows(first, moved[whole], distances[whole]) if whole.any() else None

    def _rows(self, ids: Ids) -> NDArray[np.int32]:
        rows = positions_of(ids, self._ids, ascending=True)
        if ((rows < 0) & (ids >= 0)).any():
            raise InvalidVectorsError("expected an index of the ids covered, got one with others")
        return rows.astype(np.int32)


def _nearest(
    one: GraphRows, other: GraphRows, k: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of both, line by line, ties by row."""
    neighbours = np.concatenate([one.neighbours, other.neighbours], axis=1)
    distances = np.concatenate([one.distances, other.distances], axis=1)
    return nearest_first(neighbours, distances, k)


def _write_header(file: h5py.File, covered: GraphCoverage, accuracy: GraphAccuracy) -> None:
    file.attrs["state"] = np.bytes_(covered.state.encode())
    file.attrs["exact"] = np.int64(accuracy.exact)
    file.attrs["recall"] = np.float64(accuracy.recall)
    shards = json.dumps(dict(covered.shards), sort_keys=True).encode()
    write_array(file, "ids", covered.ids.astype("<i8", copy=False))
    write_array(file, "shards", np.frombuffer(shards, np.uint8))


def _write_lines(
    file: h5py.File, count: int, k: int, lines: Iterator[GraphRows], progress: Progress
) -> None:
    neighbours = new_array(file, "neighbours", (count, k), "<i4")
    distances = new_array(file, "distances", (count, k), "<f4")
    for part in lines:
        end = part.first + len(part.neighbours)
        neighbours[part.first : end] = part.neighbours
        distances[part.first : end] = part.distances
        progress(end, count)
