"""Exact average linkage over squared Euclidean distances, in memory linear in the vectors.

The mean squared distance between two groups needs no pair of their members: with the means m and
the mean squared lengths q of their vectors, it is q(A) + q(B) - 2 m(A) . m(B), exactly. The
nearest-neighbour chain (Murtagh 1983, "A survey of recent advances in hierarchical clustering
algorithms", section 3.1) then builds the whole dendrogram from O(n) scans over the group means.
Groups that may not merge count as infinitely far apart: a group inherits all that its parts were
kept from, so average linkage stays reducible, and the chain still finds the dendrogram of always
merging the nearest two groups that may.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.union_find import Forest, Rows, excluded, forest_of, join, root
from cluster.vectors import check_vectors, squared_lengths
from indexer.runtime.numba_jit import jit_fastmath

Linkage = NDArray[np.float64]


class Means(NamedTuple):
    """Of n groups: mean vectors float32 (n, d), and mean squared lengths float64 (n,)."""

    points: NDArray[np.float32]
    squares: NDArray[np.float64]


class Open(NamedTuple):
    """Groups that may still merge: their means, sizes int64 (n,), and roots in the forest (n,)."""

    means: Means
    sizes: Rows
    roots: Rows


def average_linkage(
    vectors: NDArray[Any],
    stop: float = np.inf,
    constraints: Constraints | ResolvedConstraints | None = None,
) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) floating point, as scipy writes it.

    Returns float64 (m, 4): the two groups merged (below n a vector, else n + an earlier row, the
    lower first), the mean squared Euclidean distance between their members, and the size of the
    new group; distances ascend. m is n - 1, or fewer with ``stop``: merges above it are left
    out, which is quicker, since groups that nothing comes near are then settled early. Groups that
    may not merge also leave it with fewer; must-linked vectors are merged first, at 0.

    Distances are computed from float32 means and are right to about 1e-6 for unit vectors. Time
    grows as n^2 d (a scan over all groups for each merge), memory is one float32 copy of
    ``vectors``. Raises ValueError unless ``vectors`` is two-dimensional, floating and finite.
    """
    means = float32_means(vectors)
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    forest = forest_of(len(vectors), constraints.apart)
    first = join_first(means, constraints.joined, forest)
    roots = np.flatnonzero(forest.parents == np.arange(len(vectors)))
    if len(first):
        means = Means(means.points[roots], means.squares[roots])
    members, heights = _merge_by_chain(Open(means, forest.sizes[roots], roots), float(stop), forest)
    order = np.argsort(heights, kind="stable")
    rows: Linkage = as_scipy_rows(
        np.concatenate([first, members[order]]),
        np.concatenate([np.zeros(len(first)), heights[order]]),
        len(vectors),
    )
    return rows


def cut(linkage: Linkage, count: int, threshold: float) -> NDArray[np.int32]:
    """Groups int32 (count,) of the ``count`` vectors after all merges at most ``threshold``.

    Numbers are arbitrary but the same for the same input. ``linkage`` is that of
    :func:`average_linkage` with a ``stop`` of at least ``threshold``.
    """
    rows = linkage[: np.searchsorted(linkage[:, 2], threshold, side="right")]
    return groups_after(rows[:, :2].astype(np.int64), count)


def groups_after(pairs: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Groups int32 (count,) after the merges ``pairs`` (m, 2), counted as :func:`cut` has them."""
    groups: NDArray[np.int32] = _groups(pairs, count)
    return groups


def float32_means(vectors: NDArray[Any]) -> Means:
    """``vectors`` (n, d) as groups of one, in a copy.

    Raises ValueError unless they are two-dimensional, floating and finite.
    """
    check_vectors(vectors)
    points = np.array(vectors, dtype=np.float32, order="C")
    return Means(points, squared_lengths(points))


@jit_fastmath
def group_distance(means: Means, one: int, two: int) -> float:
    """The mean squared distance between two groups, from float32 products."""
    points, squares = means
    product = np.float32(0)
    for column in range(points.shape[1]):
        product += points[one, column] * points[two, column]
    return float(max(squares[one] + squares[two] - 2.0 * product, 0.0))


@jit_fastmath
def merge_means(means: Means, sizes: Rows, kept: int, gone: int) -> float:
    """Make ``kept`` the mean of both groups; returns their distance, summed in float64.

    ``sizes`` are those before the merge, and are left as they are.
    """
    points, squares = means
    share = sizes[gone] / (sizes[kept] + sizes[gone])
    product = 0.0
    for column in range(points.shape[1]):
        one, two = np.float64(points[kept, column]), np.float64(points[gone, column])
        product += one * two
        points[kept, column] = one + share * (two - one)
    distance = float(max(squares[kept] + squares[gone] - 2.0 * product, 0.0))
    squares[kept] += share * (squares[gone] - squares[kept])
    return distance


@jit_fastmath
def join_first(means: Means, joined: Rows, forest: Forest) -> Rows:
    """Merge the groups of each pair of ``joined`` (m, 2); the roots merged, (m or fewer, 2)."""
    members, merges = np.empty((len(joined), 2), np.int64), 0
    for pair in range(len(joined)):
        one, two = root(forest.parents, joined[pair, 0]), root(forest.parents, joined[pair, 1])
        if one != two:
            kept, gone = min(one, two), max(one, two)
            merge_means(means, forest.sizes, kept, gone)
            join(forest, kept, gone)
            members[merges, 0], members[merges, 1] = kept, gone
            merges += 1
    return members[:merges]


@jit_fastmath
def _nearest(
    groups: Open, active: int, tip: int, previous: int, forest: Forest
) -> tuple[int, float]:
    """The nearest group that may merge with ``tip`` (-1: none) and its distance (then infinite).

    ``previous`` (-1: none), which may, wins ties.
    """
    best, best_distance, previous_distance = -1, np.inf, np.inf
    for other in range(active):
        if other != tip:
            distance = group_distance(groups.means, tip, other)
            if distance < best_distance and not excluded(
                forest, groups.roots[tip], groups.roots[other]
            ):
                best, best_distance = other, distance
            if other == previous:
                previous_distance = distance
    if previous_distance == best_distance and previous >= 0:
        best = previous
    return best, best_distance


@jit_fastmath
def _merge_by_chain(
    groups: Open, stop: float, forest: Forest
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every merge at most ``stop``, in no order: the root of each group (m, 2), and distances.

    Overwrites what it is given. The groups still open are kept in the first ``active`` rows, so a
    scan reads no gap: the last row moves into one that falls free.
    """
    (means, squares), sizes, roots = groups
    count = len(means)
    members = np.empty((max(count - 1, 0), 2), np.int64)
    heights = np.empty(max(count - 1, 0), np.float64)
    chain, place = np.empty(count, np.int64), np.full(count, -1, np.int64)
    active, length, merges = count, 0, 0
    while active > 1:
        if length == 0:
            chain[0], place[0], length = 0, 0, 1
        tip = chain[length - 1]
        previous = chain[length - 2] if length > 1 else -1
        near, distance = _nearest(groups, active, tip, previous, forest)
        if near >= 0 and near == previous:
            kept, gone = min(tip, near), max(tip, near)
            members[merges, 0], members[merges, 1] = roots[kept], roots[gone]
            heights[merges] = merge_means(groups.means, sizes, kept, gone)
            join(forest, roots[kept], roots[gone])
            sizes[kept] += sizes[gone]
            place[tip], place[near] = -1, -1
            length, merges = length - 2, merges + 1
        elif length == 1 and (near < 0 or distance > stop):
            # Average linkage is reducible: no later merge brings anything nearer than this.
            gone, length, place[tip] = tip, 0, -1
        else:
            if place[near] >= 0:
                # Rounding after a merge broke the chain's order; begin again at its tip. There
                # is a merge before this can recur, so the loop ends.
                for step in range(length):
                    place[chain[step]] = -1
                chain[0], place[tip], length = tip, 0, 1
            chain[length], place[near], length = near, length, length + 1
            continue
        active -= 1
        if gone != active:
            means[gone], squares[gone] = means[active], squares[active]
            sizes[gone], roots[gone] = sizes[active], roots[active]
            place[gone], place[active] = place[active], -1
            if place[gone] >= 0:
                chain[place[gone]] = gone
    return members[:merges], heights[:merges]


@jit_fastmath
def as_scipy_rows(
    members: NDArray[np.int64], heights: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Rows of a linkage from merges in ascending order, each given by a vector of both groups."""
    rows = np.empty((len(members), 4), np.float64)
    parents, sizes = np.arange(count + len(members)), np.ones(count + len(members), np.int64)
    for row in range(len(members)):
        one, two = root(parents, members[row, 0]), root(parents, members[row, 1])
        new = count + row
        parents[one], parents[two], sizes[new] = new, new, sizes[one] + sizes[two]
        rows[row, 0], rows[row, 1] = min(one, two), max(one, two)
        rows[row, 2], rows[row, 3] = heights[row], sizes[new]
    return rows


@jit_fastmath
def _groups(pairs: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Group numbers int32 (count,), counted in the order in which the vectors show them."""
    parents = np.arange(count + len(pairs))
    for row in range(len(pairs)):
        parents[pairs[row, 0]], parents[pairs[row, 1]] = count + row, count + row
    numbers, groups, found = np.full(len(parents), -1, np.int32), np.empty(count, np.int32), 0
    for vector in range(count):
        group = root(parents, vector)
        if numbers[group] < 0:
            numbers[group], found = found, found + 1
        groups[vector] = numbers[group]
    return groups
