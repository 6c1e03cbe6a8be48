"""The merges that one partition may make without knowing what others do.

With M(A) the greatest distance that group A was formed at, a merge of A and B at distance d is
(1 + e)-good where max(M(A), M(B), d) <= (1 + e) min over all neighbours C of d(A, C) and d(B, C).
Any sequence of good merges is one of (1 + e)-approximate average linkage, in whatever order they
are made (Dhulipala et al. 2023, "TeraHAC: Hierarchical agglomerative clustering of trillion-edge
graphs", section 3, in terms of similarity). What a neighbour in another partition is apart can only
grow while that one merges it with others, as the mean distance to two groups is no less than the
smaller of both. So its distance at the beginning of the round is a bound that keeps merges good.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.linkage.average_linkage import Means, group_distance, merge_means
from cluster.linkage.edge_heap import distance_bits, sift_down
from cluster.union_find import Forest, Rows, excluded, join, root
from indexer.runtime.numba_jit import jit

# Distances are rounded, so what is equal may seem a little greater.
ROUNDING = 1e-6


class OpenGroups(NamedTuple):
    """The n groups of a partition: their means and forest, and of each, (n,):

    ``levels`` float64, the greatest distance it was formed at, and ``outer`` float32, the least
    that any group of another partition is apart from it (+inf: there is none).
    """

    means: Means
    forest: Forest
    levels: NDArray[np.float64]
    outer: NDArray[np.float32]


class OpenEdges(NamedTuple):
    """Pairs of groups of a partition, int64 (e, 2), and the least they are apart, float32 (e,)."""

    ends: Rows
    bounds: NDArray[np.float32]


@jit
def merge_good(
    groups: OpenGroups, edges: OpenEdges, limits: tuple[float, float]
) -> tuple[Rows, NDArray[np.float64]]:
    """Make all good merges: the roots of both groups (m, 2), and levels float64 (m,).

    A level is the distance of the merge, or of an earlier one within it that was greater.
    ``limits`` are the distance where merging stops, and 1 + e. Overwrites what it is given:
    afterwards bounds of +inf are edges that can merge nothing any more.

    The nearest edge comes first. Where it may not merge because of ``outer``, it may not later
    either: levels only grow, and ``outer`` only falls.
    """
    means, forest, levels, outer = groups
    ends, bounds = edges
    stop, factor = limits
    parents = forest.parents
    room = max(len(parents) - 1, 0)
    members, made, count = np.empty((room, 2), np.int64), np.empty(room, np.float64), 0
    heap, length = _heap_of(bounds), len(bounds)
    while length:
        edge = heap[0] & 0xFFFFFFFF
        one, two = root(parents, ends[edge, 0]), root(parents, ends[edge, 1])
        apart = np.float32(np.inf) if one == two else np.float32(group_distance(means, one, two))
        if apart <= stop and apart > bounds[edge]:
            bounds[edge] = apart
            heap[0] = (distance_bits(float(apart)) << 32) | edge
            sift_down(heap, 0, length)
            continue
        length -= 1
        heap[0] = heap[length]
        sift_down(heap, 0, length)
        if apart > stop or excluded(forest, one, two):
            bounds[edge] = np.inf
            continue
        level = max(levels[one], levels[two], np.float64(apart))
        if level > factor * min(outer[one], outer[two]) * (1 + ROUNDING):
            # It stays, and no less so than a neighbour elsewhere keeps both from farther ones.
            outer[one], outer[two] = min(outer[one], apart), min(outer[two], apart)
            continue
        bounds[edge] = np.inf
        kept, gone = min(one, two), max(one, two)
        level = max(level, merge_means(means, forest.sizes, kept, gone))
        join(forest, kept, gone)
        levels[kept] = level
        outer[kept] = min(outer[kept], outer[gone])
        members[count, 0], members[count, 1], made[count] = kept, gone, level
        count += 1
    return members[:count], made[:count]


@jit
def _heap_of(bounds: NDArray[np.float32]) -> Rows:
    """A key for each edge, bound and then number, as a heap with the least on top."""
    heap = np.empty(len(bounds), np.int64)
    for edge in range(len(bounds)):
        heap[edge] = (distance_bits(bounds[edge]) << 32) | edge
    for place in range(len(heap) // 2 - 1, -1, -1):
        sift_down(heap, place, len(heap))
    return heap
