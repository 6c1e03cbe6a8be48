"""The nearest groups of vectors, by the mean squared distance to their members, among very many.

With the mean m and the mean squared length q of a group's vectors, x is q + |x|^2 - 2 m . x away.
That is the squared distance of (x, 0) from (m, sqrt(q - |m|^2)), a vector of one more dimension,
and of unit length where the members are. So groups are searched as vectors are, by bytes first
where that pays (:mod:`indexer.exact.int8_search`), and the answer is exact.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_search import search_blocks
from indexer.types import Block, Neighbours

Vectors = NDArray[np.float32]


def nearest_clusters(points: Vectors, means: Vectors, squares: Vectors, k: int) -> Neighbours:
    """The ``k`` groups nearest to each of ``points`` (m, d), unit length, as rows of ``means``.

    ``means`` (g, d) and mean squared ``squares`` (g,) are those of
    :func:`cluster.review.silhouette.moments`. Distances are mean squared distances to all members;
    lines end in -1 and +inf where there are fewer groups. Raises ValueError for vectors that are
    not of unit length.
    """
    spread = squares - np.einsum("ij,ij->i", means, means)
    groups = np.concatenate([means, np.sqrt(np.maximum(spread, 0))[:, None]], axis=1)
    queries = np.concatenate([points, np.zeros((len(points), 1), np.float32)], axis=1)
    return search_blocks([Block(np.arange(len(groups)), groups)], queries, k)
