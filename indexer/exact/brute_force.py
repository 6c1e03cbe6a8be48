"""Exact search over a stream of blocks: the oracle that every index is compared with.

Memory is bounded by the size of a block and of the answer; the gallery is never loaded.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexer.exact.distances import (
    check_dimension,
    check_queries,
    pair_distances,
    quick_distances,
    slack,
)
from indexer.types import Block, Ids, Neighbours, Vectors

_TILE_QUERIES = 256
_TILE_ROWS = 8192


def exact_search(blocks: Iterable[Block], queries: Vectors, k: int) -> Neighbours:
    """The ``k`` nearest vectors of each of ``queries`` float32 (q, d), unit length.

    Distances are accurate to float32 rounding, ties go to the smaller id, and neither depends on
    how vectors come in blocks or queries in batches. Ids must be distinct and not negative. Raises
    InvalidVectorsError for queries that no gallery vector can be compared with, ValueError for k
    that is not in [1, MAX_NEIGHBOURS].
    """
    check_queries(queries, k)
    best = TopK.none(len(queries), k)
    for block in blocks:
        check_dimension(queries, block.vectors.shape[1])
        for first in range(0, len(queries), _TILE_QUERIES):
            rows = slice(first, first + _TILE_QUERIES)
            _search_block(block, queries[rows], best.part(rows))
    return best.neighbours()


class TopK:
    """The best so far of each query: float32 distances and int64 ids (q, k), ascending."""

    def __init__(self, ids: Ids, distances: NDArray[np.float32]) -> None:
        self._ids = ids
        self._distances = distances

    @classmethod
    def none(cls, queries: int, k: int) -> TopK:
        """Nothing found yet."""
        ids = np.full((queries, k), -1, np.int64)
        return cls(ids, np.full((queries, k), np.inf, np.float32))

    def part(self, rows: slice) -> TopK:
        """A view of some queries: what is added to it is added here."""
        return TopK(self._ids[rows], self._distances[rows])

    @property
    def worst(self) -> NDArray[np.float32]:
        """The greatest distance that is still among the best, float32 (q,); inf until k found."""
        return self._distances[:, -1]

    @property
    def k(self) -> int:
        return int(self._ids.shape[1])

    def add(self, query: Ids, ids: Ids, distances: NDArray[np.float32]) -> None:
        """Offer pairs of a query row and an id with their distance, each (p,)."""
        touched = np.unique(query)
        held = np.repeat(touched, self.k)
        query = np.concatenate([held, query])
        ids = np.concatenate([self._ids[touched].ravel(), ids])
        distances = np.concatenate([self._distances[touched].ravel(), distances])
        # Padding has id -1 but distance inf, so it sorts last.
        order = np.lexsort((ids, distances, query))
        starts = np.searchsorted(query[order], touched)
        kept = order[starts[:, None] + np.arange(self.k)]
        self._ids[touched] = ids[kept]
        self._distances[touched] = distances[kept]

    def clear(self, query: int) -> None:
        """Forget what was found for one query row."""
        self._ids[query] = -1
        self._distances[query] = np.inf

    def neighbours(self) -> Neighbours:
        """The answer."""
        return Neighbours(self._ids, self._distances)


def _search_block(block: Block, queries: Vectors, best: TopK) -> None:
    for start in range(0, len(block), _TILE_ROWS):
        rows = slice(start, start + _TILE_ROWS)
        vectors = block.vectors[rows]
        query, row = _candidates(queries, vectors, best)
        if len(query):
            distances = pair_distances(queries, vectors, query, row)
            best.add(query, block.ids[rows][row], distances)


def _candidates(queries: Vectors, vectors: Vectors, best: TopK) -> tuple[Ids, Ids]:
    """Queries and rows of pairs among which are all that may be better than the best so far."""
    margin = slack(queries.shape[1])
    distances = quick_distances(queries, vectors)
    bound = best.worst + margin
    if best.k < len(vectors):
        # The tile's own k-th bounds too. Finding it costs more than the matrix product, so only
        # where the best so far lets too many through.
        many = np.flatnonzero((distances <= bound[:, None]).sum(axis=1) > 2 * best.k)
        if len(many):
            kth = np.partition(distances[many], best.k - 1, axis=1)[:, best.k - 1]
            bound[many] = np.minimum(bound[many], kth + 2 * margin)
    query, row = np.nonzero(distances <= bound[:, None])
    return query, row
