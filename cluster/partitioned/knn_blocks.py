"""The exact k-NN graph by blocks: each slice of the vectors as queries to each slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from cluster.partitioned.initial import GraphSlice
from cluster.partitioned.runner import Handle, LocalRunner, PartitionRunner
from indexer.exact.brute_force import exact_search
from indexer.exact.distances import nearest_first
from indexer.exact.int8_search import CertifiedSearch, is_available
from indexer.id_lookup import drop_self
from indexer.types import Block, Neighbours, Vectors

_QUERIES = 4096
MANY_VECTORS = 50_000  # in a slice, so that coding them pays


@dataclass(frozen=True)
class VectorSlice:
    """Unit vectors float32 (m, d) from row ``first`` on."""

    first: int
    vectors: Vectors


def knn_slices(
    slices: Sequence[Handle], k: int, runner: PartitionRunner | None = None
) -> list[Handle]:
    """Handles of a :class:`GraphSlice` for each of ``slices``, handles of :class:`VectorSlice`.

    Lines are the ``k`` nearest others of each vector among all, ties by row: those of
    :func:`cluster.graph.knn_graph.exact_knn_graph`, to the last bit. A worker holds two slices, a
    byte for each component of one, and 12 (k + 1) bytes for each query, twice. Raises ValueError
    for k below 1.
    """
    if k < 1:
        raise ValueError(f"expected k of 1 or more, got {k}")
    runner = LocalRunner() if runner is None else runner
    lines = []
    for queries in slices:
        best: Handle = None
        for others in slices:  # one answer is held for each query, however many slices there are
            (best,) = runner.call(nearer_neighbours, queries, others, best, k + 1)
        (line,) = runner.call(graph_slice, queries, best)
        lines.append(line)
    return lines


def nearer_neighbours(
    queries: VectorSlice, others: VectorSlice, best: Neighbours | None, k: int
) -> Neighbours:
    """The ``k`` nearest of each query among ``others`` and those that are the ``best`` so far."""
    searched = _search_of(others)
    parts = [
        searched(queries.vectors[start : start + _QUERIES], k)
        for start in range(0, len(queries.vectors), _QUERIES)
    ]
    ids = np.concatenate([np.zeros((0, k), np.int64), *(part.ids for part in parts)])
    none = np.zeros((0, k), np.float32)
    distances = np.concatenate([none, *(part.distances for part in parts)])
    if best is None:
        return Neighbours(ids, distances)
    ids = np.concatenate([best.ids, ids], axis=1)
    return Neighbours(*nearest_first(ids, np.concatenate([best.distances, distances], axis=1), k))


def _search_of(part: VectorSlice) -> Callable[[Vectors, int], Neighbours]:
    """What finds the nearest in a slice: exact, and by bytes where there are many."""
    rows = np.arange(part.first, part.first + len(part.vectors))
    if len(rows) >= MANY_VECTORS and is_available(part.vectors.shape[1]):
        return CertifiedSearch(rows, part.vectors).search
    return partial(exact_search, [Block(rows, part.vectors)] if len(rows) else [])


def graph_slice(queries: VectorSlice, found: Neighbours) -> GraphSlice:
    """The lines of a slice, without each vector itself among ``found``."""
    rows = np.arange(queries.first, queries.first + len(queries.vectors))
    others = drop_self(found, rows)
    return GraphSlice(queries.first, queries.vectors, others.ids, others.distances)
