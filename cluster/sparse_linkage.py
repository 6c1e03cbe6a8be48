"""Average linkage over the edges of a neighbour graph, in memory linear in the edges.

Between two groups counts the mean squared distance of *all* pairs of their members, as in
:mod:`cluster.linkage`, known exactly from the groups' mean vectors; the graph only says which
groups are looked at. Average linkage is reducible (Murtagh 1983): no merge brings anything nearer
than the nearer of the merged groups was. So what an edge's groups were apart when last looked at
can only have grown, and a queue of edges by that distance needs no lists of neighbouring groups:
the first edge is measured anew, and either its groups merge or it goes back. This is what lets
reciprocal nearest neighbours merge in any order, in RAC (Sumengen et al. 2021, "Scaling
hierarchical agglomerative clustering to billion-sized datasets"), ParHAC (Dhulipala et al. 2022)
and TeraHAC (2023); taken in order of distance, edges that the graph lacks cannot make the result
depend on anything but vectors and graph.

Groups that may not merge count as infinitely far apart. That stays reducible, since a group
inherits all that its parts were kept from, so the result is the one of always merging the nearest
two groups that may.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, Resolved, resolve
from cluster.forest import Forest, Rows, excluded, forest_of, join, root
from cluster.graph import Graph
from cluster.linkage import (
    Linkage,
    Means,
    as_scipy_rows,
    float32_means,
    group_distance,
    join_first,
    merge_means,
)
from indexer.compiled import compiled, compiled_reordering

_LARGEST_KEYS = 2**32


def sparse_average_linkage(
    vectors: NDArray[Any],
    graph: Graph,
    stop: float = np.inf,
    constraints: Constraints | Resolved | None = None,
) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) floating point over the edges of ``graph``.

    Rows are those of :func:`cluster.linkage.average_linkage`, which it equals where the graph has
    every pair, ties aside. Must-linked vectors are merged first, at 0. Where missing edges hid how
    near two groups were, the merge is entered at the distance reached by then; so distances
    ascend, and the cut of a dendrogram at a threshold is the run that stops there.

    Time is that of sorting the edges of at most ``stop``, and of measuring most of them once or
    twice. Memory is a float32 copy of ``vectors`` and 8 bytes for each of those edges. Raises
    ValueError for vectors that are not floating and finite, or a graph or constraints of others.
    """
    means = float32_means(vectors)
    if len(graph) != len(vectors):
        raise ValueError(f"expected a graph of {len(vectors)} vectors, got one of {len(graph)}")
    if graph.rows.size >= _LARGEST_KEYS:
        raise ValueError(f"expected n k below 2^32 in the graph, got {graph.rows.size}")
    if not isinstance(constraints, Resolved):
        constraints = resolve(constraints or Constraints(), len(vectors))
    keys = _keys(graph.rows, graph.distances, float(stop))
    keys.sort()
    forest = forest_of(len(vectors), constraints.apart)
    first = join_first(means, constraints.joined, forest)
    members, heights = _merge_by_edges(means, graph.rows, keys, float(stop), forest)
    rows: Linkage = as_scipy_rows(
        np.concatenate([first, members]),
        np.concatenate([np.zeros(len(first)), heights]),
        len(vectors),
    )
    return rows


@compiled
def _bits(number: float) -> np.int64:
    """A float32 of 0 or more as an integer of the same order."""
    return np.int64(np.float32(number).view(np.int32))


@compiled
def _keys(rows: NDArray[np.int32], distances: NDArray[np.float32], stop: float) -> Rows:
    """A key for each pair of the graph at most ``stop`` apart: distance, then place in ``rows``."""
    count, width = rows.shape
    found = 0
    keys = np.empty(0, np.int64)
    for filling in (False, True):
        if filling:
            keys = np.empty(found, np.int64)
            found = 0
        for one in range(count):
            for column in range(width):
                two = rows[one, column]
                if two < 0 or two == one or not distances[one, column] <= stop:
                    continue
                if two < one and one in rows[two]:
                    continue  # counted there
                if filling:
                    near = _bits(max(distances[one, column], np.float32(0)))
                    keys[found] = (near << 32) | (one * width + column)
                found += 1
    return keys


@compiled
def _sift_down(heap: Rows, length: int) -> None:
    """Put the first of ``heap[:length]``, otherwise a heap with the least on top, in its place."""
    key, place = heap[0], 0
    while 2 * place + 1 < length:
        child = 2 * place + 1
        if child + 1 < length and heap[child + 1] < heap[child]:
            child += 1
        if key <= heap[child]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key


@compiled
def _sift_up(heap: Rows, place: int) -> None:
    """Put the last of ``heap[: place + 1]``, otherwise a heap, in its place."""
    key = heap[place]
    while place and key < heap[(place - 1) // 2]:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = key


@compiled_reordering
def _merge_by_edges(
    means: Means, rows: NDArray[np.int32], keys: Rows, stop: float, forest: Forest
) -> tuple[Rows, NDArray[np.float64]]:
    """Every merge at most ``stop``: the root vectors of both groups (m, 2), and distances.

    Overwrites all but ``rows``. Edges not seen yet are ``keys[seen:]``, ascending; those that went
    back are a heap in the room before them, ``keys[:waiting]``.
    """
    parents, width = forest.parents, rows.shape[1]
    members = np.empty((max(len(rows) - 1, 0), 2), np.int64)
    heights = np.empty(max(len(rows) - 1, 0), np.float64)
    merges, level = 0, 0.0
    seen, waiting = 0, 0
    while seen < len(keys) or waiting:
        again = waiting > 0 and (seen == len(keys) or keys[0] < keys[seen])
        key = keys[0] if again else keys[seen]
        place = key & 0xFFFFFFFF
        one, two = root(parents, place // width), root(parents, rows[place // width, place % width])
        farther = np.int64(-1)
        if one != two:
            apart_now = group_distance(means, one, two)
            near = _bits(apart_now)
            if near > key >> 32:
                if apart_now <= stop:
                    farther = (near << 32) | place
            elif not excluded(forest, one, two):
                kept, gone = min(one, two), max(one, two)
                level = max(level, merge_means(means, forest.sizes, kept, gone))
                join(forest, kept, gone)
                members[merges, 0], members[merges, 1], heights[merges] = kept, gone, level
                merges += 1
        if again:
            if farther >= 0:
                keys[0] = farther
            else:
                waiting -= 1
                keys[0] = keys[waiting]
            _sift_down(keys, waiting)
        else:
            seen += 1
            if farther >= 0:
                keys[waiting] = farther
                _sift_up(keys, waiting)
                waiting += 1
    return members[:merges], heights[:merges]
