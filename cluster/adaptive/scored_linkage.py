"""Agglomeration in the order of a rule's excess: groups that are surest to be one merge first.

The excess depends on the mean distance of all pairs of two groups and on their sizes, so larger
groups may merge at distances at which single vectors may not. Such an order is not reducible: as a
group grows, its excess to others may fall. So edges are taken in rounds of rising excess; within a
round they are looked at as they were measured, nearest first, and measured again before anything
merges, and between rounds all edges of groups that changed are measured anew. Merging ends when no
edge within the stop is left. A round is short near the cut, where order counts, and long far from
it (``tests/test_cluster/test_adaptive`` compares with always merging the pair of least excess). Of
very many edges, those far beyond the stop are measured anew in every fourth round only.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import MergeRule, RuleParameters, excess_of
from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import KnnGraph
from cluster.union_find import Forest, Rows, excluded, forest_of, join, root
from cluster.vectors import check_vectors, squared_lengths
from indexer.runtime.cores import available_cores
from indexer.runtime.numba_jit import jit, jit_fastmath

MOST_COMPLETE = 2048  # vectors all pairs of which are edges; of more, those of a graph
_STEP = 0.1  # of excess that a round takes near the cut
_SHARE = 0.2  # of how far from the cut it is, that a round takes elsewhere
_PART = 2**15  # edges that a thread measures at a time
_MANY = 2**21  # edges, of more than which not all are measured in each round
_ROUNDS = 4  # after which all are
_NEAR = 1.0  # of excess beyond the stop, within which edges are measured in each round


class WeightedMeans(NamedTuple):
    """Of n groups: mean weighted vectors float32 (n, d), and mean weights float64 (n,)."""

    points: NDArray[np.float32]
    weights: NDArray[np.float64]


class ScoredGroups(NamedTuple):
    """The groups so far, the rule that scores pairs of them, and which ``changed``, bool (n,) by
    root, since all edges were measured."""

    means: WeightedMeans
    forest: Forest
    rule: RuleParameters
    changed: NDArray[np.bool_]


class ScoredEdges(NamedTuple):
    """Pairs of vectors, int32 (m,) each, and the excess float32 (m,) of their groups."""

    one: NDArray[np.int32]
    two: NDArray[np.int32]
    excess: NDArray[np.float32]


class MergeHistory(NamedTuple):
    """What merged, in order: a vector of both groups int64 (m, 2), the excess float64 (m,) reached
    by then, and the sizes of both int64 (m, 2). The first ``given`` were must-linked.
    ``vectors`` is how many there are."""

    members: Rows
    excess: NDArray[np.float64]
    sizes: Rows
    given: int
    vectors: int


def scored_linkage(
    vectors: NDArray[Any],
    weights: NDArray[np.float64],
    rule: MergeRule,
    stop: float,
    *,
    graph: KnnGraph | None = None,
    constraints: Constraints | ResolvedConstraints | None = None,
    threads: int | None = None,
) -> MergeHistory:
    """The merges of unit ``vectors`` (n, d) up to an excess of ``stop``, the least first.

    ``weights`` float64 (n,) are those of :mod:`cluster.adaptive.crowding`. Without a ``graph``
    every pair is an edge. Groups that ``constraints`` keep apart never merge; what must be joined
    is joined first, whatever its excess. Equal input gives equal output. Raises ValueError for
    vectors that are not floating and finite, or a graph or constraints of others.
    """
    check_vectors(vectors)
    means = _weighted(vectors, weights)
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    forest = forest_of(len(vectors), constraints.apart)
    first, first_sizes = _join_given(means, constraints.joined, forest)
    edges = _edges(vectors, weights, graph, rule.farthest(stop))
    groups = ScoredGroups(means, forest, rule.parameters(), np.ones(len(vectors), np.bool_))
    with ThreadPoolExecutor(threads or available_cores()) as pool:
        members, excess, sizes = _merge_in_rounds(groups, edges, stop, pool)
    least = excess[0] if len(excess) else 0.0
    return MergeHistory(
        np.concatenate([first, members]),
        np.concatenate([np.full(len(first), least), excess]),
        np.concatenate([first_sizes, sizes]),
        len(first),
        len(vectors),
    )


def _weighted(vectors: NDArray[Any], weights: NDArray[np.float64]) -> WeightedMeans:
    points = np.array(vectors, np.float32, order="C")
    squared_lengths(points)  # raises for what is not finite
    points *= weights.astype(np.float32)[:, None]
    return WeightedMeans(points, np.array(weights, np.float64))


def _edges(
    vectors: NDArray[Any], weights: NDArray[np.float64], graph: KnnGraph | None, farthest: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Each pair that is within the ``farthest`` corrected distance, once; int32 (m,) each."""
    if graph is None:
        points = np.asarray(vectors, np.float32)
        near = (2 - 2 * (points @ points.T)) * weights[:, None] * weights <= farthest
        one, two = np.nonzero(np.triu(near, 1))
        return one.astype(np.int32), two.astype(np.int32)
    if len(graph) != len(vectors):
        raise ValueError(f"expected a graph of {len(vectors)} vectors, got one of {len(graph)}")
    ends: tuple[NDArray[np.int32], NDArray[np.int32]] = _edges_of_graph(
        graph.rows, graph.distances, weights, farthest
    )
    return ends


@jit
def _edges_of_graph(
    rows: NDArray[np.int32],
    distances: NDArray[np.float32],
    weights: NDArray[np.float64],
    farthest: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    found = 0
    for write in range(2):
        if write:
            first, second = np.empty(found, np.int32), np.empty(found, np.int32)
            found = 0
        for one in range(len(rows)):
            for column in range(rows.shape[1]):
                two = rows[one, column]
                if two < 0 or two == one:
                    continue
                if distances[one, column] * weights[one] * weights[two] > farthest:
                    continue
                if two < one and one in rows[two]:
                    continue  # counted there
                if write:
                    first[found], second[found] = one, two
                found += 1
    return first, second


def _merge_in_rounds(
    groups: ScoredGroups,
    ends: tuple[NDArray[np.int32], NDArray[np.int32]],
    stop: float,
    pool: ThreadPoolExecutor,
) -> tuple[Rows, NDArray[np.float64], Rows]:
    """Every merge up to ``stop``; overwrites the groups."""
    edges = ScoredEdges(*ends, np.empty(len(ends[0]), np.float32))
    _flatten(groups.forest.parents)
    parts: list[tuple[Rows, NDArray[np.float64], Rows]] = []
    level, end, rounds = -np.inf, -np.inf, 0
    near = np.empty(0, np.int64)  # the edges that this round looks at
    while True:
        if rounds:
            _in_parts(pool, partial(_measure_some, groups, edges, near), len(near))
            near = near[np.isfinite(edges.excess[near])]
        if rounds == 0 or not (edges.excess[near] <= stop).any():
            _in_parts(pool, partial(_measure_all, groups, edges), len(edges.one))
            groups.changed[:] = False
            kept = np.isfinite(edges.excess)
            edges = ScoredEdges(edges.one[kept], edges.two[kept], edges.excess[kept])
            near = np.flatnonzero(edges.excess <= stop + _NEAR)
        least = float(edges.excess[near].min(initial=np.inf))
        if least > stop:
            break
        many = len(edges.one) > _MANY
        rounds = (rounds + 1) % (_ROUNDS if many else 1)
        # What is found late may be far below: of very many edges, rounds go on from the last.
        end = _round_end(max(least, end) if many else least, stop)
        picked = near[edges.excess[near] <= end]
        picked = picked[np.argsort(edges.excess[picked], kind="stable")]
        made = _merge_round(groups, edges, picked, end)
        heights = np.maximum.accumulate(np.maximum(made[1], level))
        level = float(heights[-1]) if len(heights) else level
        parts.append((made[0], heights, made[2]))
        _flatten(groups.forest.parents)
    none = (np.empty((0, 2), np.int64), np.empty(0), np.empty((0, 2), np.int64))
    members, excess, sizes = zip(none, *parts, strict=True)
    return np.concatenate(members), np.concatenate(excess), np.concatenate(sizes)


def _in_parts(pool: ThreadPoolExecutor, measure: Callable[[int], None], count: int) -> None:
    """Call ``measure`` with where each part of ``count`` edges begins."""
    for _ in pool.map(measure, range(0, count, _PART)):
        pass


def _round_end(least: float, stop: float) -> float:
    """Up to which excess a round goes that begins at the ``least``."""
    return min(stop, least + max(_STEP, _SHARE * -least))


@jit
def _flatten(parents: Rows) -> None:
    """Make every vector point to its root."""
    for vector in range(len(parents)):
        parents[vector] = root(parents, vector)


@jit_fastmath
def weighted_distance(means: WeightedMeans, one: int, two: int) -> float:
    """The mean corrected squared distance between two groups."""
    points, weights = means
    product = np.float32(0)
    for column in range(points.shape[1]):
        product += points[one, column] * points[two, column]
    return float(max(2.0 * (weights[one] * weights[two] - product), 0.0))


@jit
def _measure_all(groups: ScoredGroups, edges: ScoredEdges, start: int) -> None:
    """Measure the edges of a part; see :func:`_measure`."""
    for edge in range(start, min(start + _PART, len(edges.one))):
        _measure(groups, edges, edge)


@jit
def _measure_some(groups: ScoredGroups, edges: ScoredEdges, some: Rows, start: int) -> None:
    """Measure those of ``some`` edges that are in a part."""
    for place in range(start, min(start + _PART, len(some))):
        _measure(groups, edges, some[place])


@jit
def _measure(groups: ScoredGroups, edges: ScoredEdges, edge: int) -> None:
    """Measure an edge if one of its groups changed; +inf for what is one group now.

    Every vector points to its root.
    """
    means, forest, rule, changed = groups
    one, two = forest.parents[edges.one[edge]], forest.parents[edges.two[edge]]
    if one == two:
        edges.excess[edge] = np.inf
    elif changed[one] or changed[two]:
        distance = weighted_distance(means, one, two)
        sizes = float(forest.sizes[one]), float(forest.sizes[two])
        edges.excess[edge] = excess_of(rule, distance, sizes[0], sizes[1])


@jit_fastmath
def _merge_weighted(means: WeightedMeans, sizes: Rows, kept: int, gone: int) -> None:
    """Make ``kept`` the mean of both groups; ``sizes`` are those before the merge."""
    points, weights = means
    share = sizes[gone] / (sizes[kept] + sizes[gone])
    for column in range(points.shape[1]):
        one, two = np.float64(points[kept, column]), np.float64(points[gone, column])
        points[kept, column] = one + share * (two - one)
    weights[kept] += share * (weights[gone] - weights[kept])


@jit
def _merge_round(
    groups: ScoredGroups, edges: ScoredEdges, picked: Rows, end: float
) -> tuple[Rows, NDArray[np.float64], Rows]:
    """Merge by the edges ``picked``, of ascending excess, up to ``end``; notes what changed.

    Returns a vector of both groups (m, 2), the excess of each merge and both sizes (m, 2). What is
    found farther than it was measured waits for its turn in a heap; what keeps apart for ever
    leaves with an infinite excess, as does what merged.
    """
    means, forest, rule, changed = groups
    parents, sizes = forest.parents, forest.sizes
    room = min(len(picked), len(parents))
    members, merged = np.empty((room, 2), np.int64), np.empty((room, 2), np.int64)
    heights, count, seen = np.empty(room, np.float64), 0, 0
    waiting = [(np.float64(np.inf), np.int64(-1))]
    while seen < len(picked) or len(waiting) > 1:
        if seen < len(picked) and edges.excess[picked[seen]] <= waiting[0][0]:
            edge, excess = picked[seen], np.float64(edges.excess[picked[seen]])
            seen += 1
        else:
            excess, edge = heapq.heappop(waiting)
        one, two = root(parents, edges.one[edge]), root(parents, edges.two[edge])
        edges.excess[edge] = np.inf
        if one == two:
            continue
        distance = weighted_distance(means, one, two)
        score = np.float32(excess_of(rule, distance, float(sizes[one]), float(sizes[two])))
        now = np.float64(score)  # as it is kept, so that equal distances stay equal
        if now > excess:
            if now <= end:
                heapq.heappush(waiting, (now, np.int64(edge)))
            else:
                edges.excess[edge] = now
        elif not excluded(forest, one, two):
            kept, gone = min(one, two), max(one, two)
            members[count, 0], members[count, 1] = kept, gone
            merged[count, 0], merged[count, 1] = sizes[kept], sizes[gone]
            heights[count] = now
            _merge_weighted(means, sizes, kept, gone)
            join(forest, kept, gone)
            changed[kept] = True
            count += 1
    return members[:count], heights[:count], merged[:count]


@jit
def _join_given(means: WeightedMeans, joined: Rows, forest: Forest) -> tuple[Rows, Rows]:
    """Merge the groups of each pair of ``joined`` (m, 2); the roots merged and both sizes."""
    members, sizes = np.empty((len(joined), 2), np.int64), np.empty((len(joined), 2), np.int64)
    count = 0
    for pair in range(len(joined)):
        one, two = root(forest.parents, joined[pair, 0]), root(forest.parents, joined[pair, 1])
        if one != two:
            kept, gone = min(one, two), max(one, two)
            sizes[count, 0], sizes[count, 1] = forest.sizes[kept], forest.sizes[gone]
            _merge_weighted(means, forest.sizes, kept, gone)
            join(forest, kept, gone)
            members[count, 0], members[count, 1] = kept, gone
            count += 1
    return members[:count], sizes[:count]
