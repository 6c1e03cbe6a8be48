"""Average linkage over the edges of a neighbour graph, in memory linear in the edges.

Between two groups counts the mean squared distance of *all* pairs of their members, as in
:mod:`cluster.linkage.average_linkage`, known exactly from the groups' mean vectors; the graph only
says which groups are looked at. Average linkage is reducible (Murtagh 1983): no merge brings
anything nearer than the nearer of the merged groups was. So what an edge's groups were apart when
last looked at can only have grown, and a queue of edges by that distance needs no lists of
neighbouring groups: the first edge is measured again, and either its groups merge or it goes back.
This is what lets reciprocal nearest neighbours merge in any order, in RAC (Sumengen et al. 2021,
"Scaling hierarchical agglomerative clustering to billion-sized datasets"), ParHAC (Dhulipala et al.
2022) and TeraHAC (2023); taken in order of distance, edges that the graph lacks cannot make the
result depend on anything but vectors and graph.

Groups that may not merge count as infinitely far apart. That stays reducible, since a group
inherits all that its parts were kept from, so the result is the one of always merging the nearest
two groups that may.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.average_linkage import (
    Linkage,
    Means,
    as_scipy_rows,
    float32_means,
    group_distance,
    join_first,
    merge_means,
)
from cluster.linkage.edge_heap import distance_bits, sift_down, sift_up
from cluster.linkage.minimum_spanning_forest import check_places
from cluster.union_find import Forest, Rows, excluded, forest_of, join, root
from indexer.runtime.cores import available_cores
from indexer.runtime.numba_jit import jit

_FEW = 2**16  # edges, that are one round
_SHARE = 1 / 32  # of more of them, that a round takes
_LINES = 2**14  # of the graph, that a thread reads at a time
_PART = 2**14  # edges, that a thread measures at a time


def graph_average_linkage(
    vectors: NDArray[Any],
    graph: KnnGraph,
    stop: float = np.inf,
    constraints: Constraints | ResolvedConstraints | None = None,
    *,
    threads: int | None = None,
) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) floating point over the edges of ``graph``.

    Rows are those of :func:`average_linkage`, which it equals where the graph has
    every pair, ties aside. Must-linked vectors are merged first, at 0. Where missing edges hid how
    near two groups were, the merge is entered at the distance reached by then; so distances
    ascend. Only edges of at most ``stop`` are looked at: where the graph has every pair, the cut of
    a dendrogram at a threshold is the run that stops there, else nearly so.

    The nearest edges are measured again in each round, in the order of the vectors and by all
    ``threads`` (by default, as many as there are cores to use), so that few are left to be looked
    at in order of distance; where vectors that are near lie near in memory the first is quicker.
    Memory is a float32 copy of ``vectors`` and 8 bytes for each edge of at most ``stop``. Raises
    ValueError for vectors that are not floating and finite, or a graph or constraints of others.
    """
    means = float32_means(vectors)
    if len(graph) != len(vectors):
        raise ValueError(f"expected a graph of {len(vectors)} vectors, got one of {len(graph)}")
    check_places(graph.rows)
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    forest = forest_of(len(vectors), constraints.apart)
    first = join_first(means, constraints.joined, forest)
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        edges = _edges(graph, float(stop), pool)
        groups = LinkageGroups(means, graph.rows, forest)
        members, heights = _merge_in_rounds(groups, edges, float(stop), pool)
    rows: Linkage = as_scipy_rows(
        np.concatenate([first, members]),
        np.concatenate([np.zeros(len(first)), heights]),
        len(vectors),
    )
    return rows


class Edges(NamedTuple):
    """Pairs of vectors that the graph joins: ``places`` uint32 (m,) in its rows, read line by line.

    ``bounds`` float32 (m,) are what their groups were apart when last measured, which they are at
    least for ever after; +inf for edges that can merge nothing any more.
    """

    places: NDArray[np.uint32]
    bounds: NDArray[np.float32]


class LinkageGroups(NamedTuple):
    """The groups so far: their means, the graph's rows of vectors int32 (n, k), and the forest."""

    means: Means
    rows: NDArray[np.int32]
    forest: Forest


def _edges(graph: KnnGraph, stop: float, pool: ThreadPoolExecutor) -> Edges:
    """Each pair of the graph at most ``stop`` apart, once."""
    find = partial(_edges_of, graph.rows, graph.distances, stop)
    found = list(pool.map(find, range(0, len(graph), _LINES)))
    none = (np.empty(0, np.uint32), np.empty(0, np.float32))
    places, bounds = zip(none, *found, strict=True)
    return Edges(np.concatenate(places), np.concatenate(bounds))


@jit
def _edges_of(
    rows: NDArray[np.int32], distances: NDArray[np.float32], stop: float, start: int
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    """Those of the ``_LINES`` lines from ``start`` on."""
    end, width = min(start + _LINES, len(rows)), rows.shape[1]
    room = (end - start) * width
    places, bounds, found = np.empty(room, np.uint32), np.empty(room, np.float32), 0
    for one in range(start, end):
        for column in range(width):
            two = rows[one, column]
            if two < 0 or two == one or not distances[one, column] <= stop:
                continue
            if two < one and one in rows[two]:
                continue  # counted there
            places[found] = one * width + column
            bounds[found] = max(distances[one, column], np.float32(0))
            found += 1
    return places[:found].copy(), bounds[:found].copy()


def _merge_in_rounds(
    groups: LinkageGroups, edges: Edges, stop: float, pool: ThreadPoolExecutor
) -> tuple[Rows, NDArray[np.float64]]:
    """Every merge at most ``stop``: the root vectors of both groups (m, 2), and distances.

    Overwrites all but the graph. The nearest edges are a round: they are measured in the order of
    the vectors, by all threads, and what is still among the nearest then merges one by one.
    """
    members, heights = [np.empty((0, 2), np.int64)], [np.empty(0, np.float64)]
    level = 0.0
    while len(edges.bounds):
        end = _round_end(edges.bounds)
        picked = np.flatnonzero(edges.bounds <= end)
        _flatten(groups.forest.parents)
        measure = partial(_measure, groups, edges, stop)
        for _ in pool.map(measure, np.array_split(picked, -(-len(picked) // _PART))):
            pass
        keys = _keys(edges.bounds, picked, end)
        keys.sort()
        made, at = _merge_round(groups, edges, keys, (end, stop, level))
        members.append(made)
        heights.append(at)
        level = float(at[-1]) if len(at) else level
        alive = edges.bounds < np.inf
        edges = Edges(edges.places[alive], edges.bounds[alive])
    return np.concatenate(members), np.concatenate(heights)


def _round_end(bounds: NDArray[np.float32]) -> float:
    """Up to where the next round goes: a share of the edges, estimated, or all if they are few."""
    if len(bounds) <= _FEW:
        return float(bounds.max())
    sample = bounds[:: len(bounds) // _FEW]
    share = int(len(sample) * _SHARE)
    return float(np.partition(sample, share)[share])


@jit
def _flatten(parents: Rows) -> None:
    """Make every vector point to its root."""
    for vector in range(len(parents)):
        parents[vector] = root(parents, vector)


@jit
def _measure(groups: LinkageGroups, edges: Edges, stop: float, picked: Rows) -> None:
    """Set the bounds of the edges ``picked`` to what their groups are apart now.

    Every vector points to its root.
    """
    means, rows, forest = groups
    places, bounds = edges
    parents, width = forest.parents, rows.shape[1]
    for edge in picked:
        place = np.int64(places[edge])
        one, two = parents[place // width], parents[rows[place // width, place % width]]
        distance = np.float32(group_distance(means, one, two)) if one != two else np.float32(np.inf)
        if distance > stop:
            bounds[edge] = np.inf
        elif distance > bounds[edge]:
            bounds[edge] = distance


@jit
def _keys(bounds: NDArray[np.float32], picked: Rows, end: float) -> Rows:
    """A key for each edge of ``picked`` with a bound of at most ``end``: bound, then number."""
    keys = np.empty(len(picked), np.int64)
    found = 0
    for edge in picked:
        if bounds[edge] <= end:
            keys[found] = (distance_bits(bounds[edge]) << 32) | edge
            found += 1
    return keys[:found]


@jit
def _merge_round(
    groups: LinkageGroups, edges: Edges, keys: Rows, limits: tuple[float, float, float]
) -> tuple[Rows, NDArray[np.float64]]:
    """Merge by the edges of ``keys``: the root vectors of both groups (m, 2), and distances.

    ``limits`` are where the round ends, where merging stops, and the distance reached before. Edges
    not seen yet are ``keys[seen:]``, ascending; those that went back are a heap in the room before
    them, ``keys[:waiting]``. Each leaves with a bound beyond the round.
    """
    end, stop, level = limits
    means, rows, forest = groups
    parents, width = forest.parents, rows.shape[1]
    room = min(len(keys), max(len(rows) - 1, 0))
    members, heights, count = np.empty((room, 2), np.int64), np.empty(room, np.float64), 0
    seen, waiting = 0, 0
    while seen < len(keys) or waiting:
        again = waiting > 0 and (seen == len(keys) or keys[0] < keys[seen])
        key = keys[0] if again else keys[seen]
        edge = key & 0xFFFFFFFF
        place = np.int64(edges.places[edge])
        one, two = root(parents, place // width), root(parents, rows[place // width, place % width])
        farther = np.int64(-1)
        edges.bounds[edge] = np.inf
        if one != two:
            apart_now = float(np.float32(group_distance(means, one, two)))
            if distance_bits(apart_now) > key >> 32:
                if apart_now <= end:
                    farther = (distance_bits(apart_now) << 32) | edge
                elif apart_now <= stop:
                    edges.bounds[edge] = apart_now
            elif not excluded(forest, one, two):
                kept, gone = min(one, two), max(one, two)
                level = max(level, merge_means(means, forest.sizes, kept, gone))
                join(forest, kept, gone)
                members[count, 0], members[count, 1] = kept, gone
                heights[count] = level
                count += 1
        if again:
            if farther >= 0:
                keys[0] = farther
            else:
                waiting -= 1
                keys[0] = keys[waiting]
            sift_down(keys, 0, waiting)
        else:
            seen += 1
            if farther >= 0:
                keys[waiting] = farther
                sift_up(keys, waiting)
                waiting += 1
    return members[:count], heights[:count]
