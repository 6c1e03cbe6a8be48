"""Accurate distances for the answers of an approximate index, from the vectors themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.distances import pair_distances
from indexer.types import MAX_NEIGHBOURS, Ids, Neighbours, Searcher, Vectors

SPARE = 8  # neighbours beyond k that are looked at


@dataclass(frozen=True)
class Reranked:
    """The neighbours that ``searcher`` finds, ranked by true distances, ties by id.

    ``vectors`` gives those of ids int64 (n,), which ascend, float32 (n, d).
    """

    searcher: Searcher
    vectors: Callable[[Ids], Vectors]

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """The ``k`` nearest of what is found; errors are those of the searcher."""
        found = self.searcher.search(queries, min(k + SPARE, MAX_NEIGHBOURS) if k > 0 else k)
        query, place = np.nonzero(found.ids >= 0)
        ids, rows = np.unique(found.ids[query, place], return_inverse=True)
        distances = np.full(found.ids.shape, np.inf, np.float32)
        if len(ids):
            distances[query, place] = pair_distances(queries, self.vectors(ids), query, rows)
        order = np.lexsort((found.ids, distances), axis=1)[:, :k]
        return Neighbours(
            np.take_along_axis(found.ids, order, 1), np.take_along_axis(distances, order, 1)
        )
