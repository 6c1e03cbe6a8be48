"""The minimum spanning forest of edges, by Kruskal's algorithm: kernels.

An edge is a key int64: the bits of its squared distance, a float32, above the number of its place
in ``rows`` (n, k), read line by line. So keys in ascending order are edges in ascending order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster.union_find import Forest, Rows, excluded, join, root
from indexer.runtime.numba_jit import jit

LARGEST_KEYS = 2**32


def check_places(rows: NDArray[np.int32]) -> None:
    """Raise ValueError where there are more places than keys can number."""
    if rows.size >= LARGEST_KEYS:
        raise ValueError(f"expected n k below 2^32 in the graph, got {rows.size}")


@jit
def edge_keys(
    rows: NDArray[np.int32], distances: NDArray[np.float32], least: NDArray[np.float32]
) -> Rows:
    """A key for each edge with a finite distance, in no order.

    The distance is the greatest of the edge's own in ``distances`` (n, k) and the ``least`` (n,)
    of its ends.
    """
    count, width = rows.shape
    keys, found = np.empty(rows.size, np.int64), 0
    for one in range(count):
        for column in range(width):
            two = rows[one, column]
            if two < 0 or two == one:
                continue
            reach = max(distances[one, column], least[one], least[two], np.float32(0))
            if reach < np.inf:
                bits = np.int64(np.float32(reach).view(np.int32))
                keys[found] = (bits << 32) | (one * width + column)
                found += 1
    return keys[:found].copy()


@jit
def spanning_forest(
    rows: NDArray[np.int32], keys: Rows, forest: Forest
) -> tuple[Rows, NDArray[np.float64]]:
    """Merges by ``keys``, ascending: a vector of both groups (m, 2), and squared distances (m,).

    Groups that ``forest`` has excluded are left apart.
    """
    parents, width = forest.parents, rows.shape[1]
    room = max(len(parents) - 1, 0)
    members, squares, made = np.empty((room, 2), np.int64), np.empty(room, np.float64), 0
    for key in keys:
        place = key & 0xFFFFFFFF
        one, two = root(parents, place // width), root(parents, rows[place // width, place % width])
        if one != two and not excluded(forest, one, two):
            join(forest, min(one, two), max(one, two))
            members[made, 0], members[made, 1] = one, two
            squares[made] = np.int32(key >> 32).view(np.float32)
            made += 1
    return members[:made].copy(), squares[:made].copy()
