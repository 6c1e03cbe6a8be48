"""Exact average linkage over squared Euclidean distances, in memory linear in the vectors.

The mean squared distance between two groups needs no pair of their members: with the means m and
the mean squared lengths q of their vectors, it is q(A) + q(B) - 2 m(A) . m(B), exactly. The
nearest-neighbour chain (Murtagh 1983, "A survey of recent advances in hierarchical clustering
algorithms", section 3.1) then builds the whole dendrogram from O(n) scans over the group means.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.compiled import compiled_reordering

Linkage = NDArray[np.float64]


def average_linkage(vectors: NDArray[Any], stop: float = np.inf) -> Linkage:
    """The dendrogram of ``vectors`` (n, d) floating point, as scipy writes it.

    Returns float64 (m, 4): the two groups merged (below n a vector, else n + an earlier row, the
    lower first), the mean squared Euclidean distance between their members, and the size of the
    new group; distances ascend. m is n - 1, or fewer with ``stop``: merges above it are left
    out, which is quicker, since groups that nothing comes near are then settled early.

    Distances are computed from float32 means and are right to about 1e-6 for unit vectors. Time
    grows as n^2 d (a scan over all groups for each merge), memory is one float32 copy of
    ``vectors``. Raises ValueError unless ``vectors`` is two-dimensional, floating and finite.
    """
    check_vectors(vectors)
    means = np.array(vectors, dtype=np.float32, order="C")
    squares = np.einsum("ij,ij->i", means, means, dtype=np.float64)
    if not np.isfinite(squares).all():
        row = int(np.argmin(np.isfinite(squares)))
        raise ValueError(f"expected finite vectors, got row {row} with nan or infinity")
    members, heights = _merge_by_chain(means, squares, float(stop))
    order = np.argsort(heights, kind="stable")
    rows: Linkage = _as_scipy_rows(members[order], heights[order], len(means))
    return rows


def cut(linkage: Linkage, count: int, threshold: float) -> NDArray[np.int32]:
    """Groups int32 (count,) of the ``count`` vectors after all merges at most ``threshold``.

    Numbers are arbitrary but the same for the same input. ``linkage`` is that of
    :func:`average_linkage` with a ``stop`` of at least ``threshold``.
    """
    rows = linkage[: np.searchsorted(linkage[:, 2], threshold, side="right")]
    groups: NDArray[np.int32] = _groups(rows[:, :2].astype(np.int64), count)
    return groups


def check_vectors(vectors: NDArray[Any]) -> None:
    """Raise ValueError unless ``vectors`` is (n, d) of a floating-point dtype."""
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError(
            f"expected floating-point vectors of shape (n, d), got {vectors.dtype} {vectors.shape}"
        )


@compiled_reordering
def _distance(
    means: NDArray[np.float32], squares: NDArray[np.float64], one: int, two: int
) -> float:
    product = np.float32(0)
    for column in range(means.shape[1]):
        product += means[one, column] * means[two, column]
    return float(max(squares[one] + squares[two] - 2.0 * product, 0.0))


@compiled_reordering
def _nearest(
    means: NDArray[np.float32],
    squares: NDArray[np.float64],
    active: int,
    tip: int,
    previous: int,
) -> tuple[int, float]:
    """The group nearest to ``tip`` and its distance; ``previous`` (-1: none) wins ties."""
    best, best_distance, previous_distance = -1, np.inf, np.inf
    for other in range(active):
        if other != tip:
            distance = _distance(means, squares, tip, other)
            if distance < best_distance:
                best, best_distance = other, distance
            if other == previous:
                previous_distance = distance
    if previous_distance == best_distance and previous >= 0:
        best = previous
    return best, best_distance


@compiled_reordering
def _merge_pair(
    means: NDArray[np.float32],
    squares: NDArray[np.float64],
    sizes: NDArray[np.int64],
    kept: int,
    gone: int,
) -> float:
    """Make group ``kept`` the union of both; returns their distance, summed in float64."""
    share = sizes[gone] / (sizes[kept] + sizes[gone])
    product = 0.0
    for column in range(means.shape[1]):
        one, two = np.float64(means[kept, column]), np.float64(means[gone, column])
        product += one * two
        means[kept, column] = one + share * (two - one)
    distance = float(max(squares[kept] + squares[gone] - 2.0 * product, 0.0))
    squares[kept] += share * (squares[gone] - squares[kept])
    sizes[kept] += sizes[gone]
    return distance


@compiled_reordering
def _merge_by_chain(
    means: NDArray[np.float32], squares: NDArray[np.float64], stop: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Every merge at most ``stop``, in no order: a vector of each group (m, 2), and distances.

    Overwrites ``means`` and ``squares``. The groups still open are kept in the first ``active``
    rows, so a scan reads no gap: the last row moves into one that falls free.
    """
    count = len(means)
    members = np.empty((max(count - 1, 0), 2), np.int64)
    heights = np.empty(max(count - 1, 0), np.float64)
    sizes, vector_of = np.ones(count, np.int64), np.arange(count)
    chain, place = np.empty(count, np.int64), np.full(count, -1, np.int64)
    active, length, merges = count, 0, 0
    while active > 1:
        if length == 0:
            chain[0], place[0], length = 0, 0, 1
        tip = chain[length - 1]
        previous = chain[length - 2] if length > 1 else -1
        near, distance = _nearest(means, squares, active, tip, previous)
        if near == previous:
            kept, gone = min(tip, near), max(tip, near)
            members[merges, 0], members[merges, 1] = vector_of[kept], vector_of[gone]
            heights[merges] = _merge_pair(means, squares, sizes, kept, gone)
            place[tip], place[near] = -1, -1
            length, merges = length - 2, merges + 1
        elif length == 1 and distance > stop:
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
            sizes[gone], vector_of[gone] = sizes[active], vector_of[active]
            place[gone], place[active] = place[active], -1
            if place[gone] >= 0:
                chain[place[gone]] = gone
    return members[:merges], heights[:merges]


@compiled_reordering
def _root(parents: NDArray[np.int64], node: int) -> int:
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@compiled_reordering
def _as_scipy_rows(
    members: NDArray[np.int64], heights: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Rows of a linkage from merges in ascending order, each given by a vector of both groups."""
    rows = np.empty((len(members), 4), np.float64)
    parents, sizes = np.arange(count + len(members)), np.ones(count + len(members), np.int64)
    for row in range(len(members)):
        one, two = _root(parents, members[row, 0]), _root(parents, members[row, 1])
        new = count + row
        parents[one], parents[two], sizes[new] = new, new, sizes[one] + sizes[two]
        rows[row, 0], rows[row, 1] = min(one, two), max(one, two)
        rows[row, 2], rows[row, 3] = heights[row], sizes[new]
    return rows


@compiled_reordering
def _groups(pairs: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """Group numbers int32 (count,), counted in the order in which the vectors show them."""
    parents = np.arange(count + len(pairs))
    for row in range(len(pairs)):
        parents[pairs[row, 0]], parents[pairs[row, 1]] = count + row, count + row
    numbers, groups, found = np.full(len(parents), -1, np.int32), np.empty(count, np.int32), 0
    for vector in range(count):
        root = _root(parents, vector)
        if numbers[root] < 0:
            numbers[root], found = found, found + 1
        groups[vector] = numbers[root]
    return groups
