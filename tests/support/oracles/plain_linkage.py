"""Linkages under constraints, written out: every distance, every pair, every time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import ResolvedConstraints


def plain_linkage(
    vectors: NDArray[np.float32],
    resolved: ResolvedConstraints,
    between: Callable[[NDArray[np.float64]], np.float64] = np.mean,
) -> tuple[list[float], list[frozenset[int]]]:
    """Always merge the nearest two groups that may: heights, and the group each merge makes.

    ``between`` is what counts of all distances of their members.
    """
    points = vectors.astype(np.float64)
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    groups = [frozenset([row]) for row in range(len(points))]
    heights: list[float] = []
    made: list[frozenset[int]] = []

    def merge(one: frozenset[int], two: frozenset[int], height: float) -> None:
        groups.remove(one)
        groups.remove(two)
        groups.append(one | two)
        heights.append(height)
        made.append(one | two)

    for first, second in resolved.joined.tolist():
        one = next(group for group in groups if first in group)
        two = next(group for group in groups if second in group)
        merge(one, two, 0.0)
    apart = sets_apart(resolved)
    while True:
        allowed = [
            (float(between(distances[np.ix_(sorted(one), sorted(two))])), one, two)
            for one, two in combinations(groups, 2)
            if not any(one & each and two & each for each in apart)
        ]
        if not allowed:
            return heights, made
        height, one, two = min(allowed, key=lambda each: each[0])
        merge(one, two, height)


def sets_apart(resolved: ResolvedConstraints) -> list[frozenset[int]]:
    """The sets no two of whose members may be merged."""
    starts, members = resolved.apart.member_starts, resolved.apart.members
    return [frozenset(members[start:end].tolist()) for start, end in pairwise(starts)]
