"""Which groups go to which partition: nearest ones together, as many as a worker can hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cluster.partitioned.graph_partition import GroupMap, NearestEnds, least_of_each
from cluster.union_find import Rows, root
from indexer.id_lookup import positions_of
from indexer.runtime.numba_jit import jit


def assign_groups(nearest: Sequence[NearestEnds], most: int) -> tuple[GroupMap, int]:
    """The partition of each group that has an edge, and how many partitions there are.

    Each has at most about ``most`` groups. Every group is to be with its nearest, by components of
    at most so many that grow along these edges, the nearest first; so the nearest two of all are
    always together. Memory is some 50 bytes a group.
    """
    # Partitions know of each other's groups too; what is nearest of all that is known counts.
    least = least_of_each(
        np.concatenate([each.roots for each in nearest]),
        np.concatenate([each.nearest for each in nearest]),
        np.concatenate([each.bounds for each in nearest]),
    )
    roots, near, bounds = least.roots, least.nearest, least.bounds
    count = max(1, -(-len(roots) // most))
    if count == 1:
        return GroupMap(roots, np.zeros(len(roots), np.int64)), 1
    other = positions_of(near, roots, ascending=True)
    components = _components(other, np.argsort(bounds, kind="stable"), max(2, most))
    numbers, dense, sizes = np.unique(components, return_inverse=True, return_counts=True)
    owners = _packed(sizes[np.argsort(-sizes, kind="stable")], count)
    of_component = np.empty(len(numbers), np.int64)
    of_component[np.argsort(-sizes, kind="stable")] = owners
    return GroupMap(roots, of_component[dense]), count


@jit
def _components(near: Rows, order: Rows, most: int) -> Rows:
    """The component of each group: joined with its nearest where both are ``most`` or fewer."""
    count = len(near)
    parents, sizes = np.arange(count), np.ones(count, np.int64)
    for group in order:
        if near[group] < 0:
            continue
        one, two = root(parents, group), root(parents, near[group])
        if one != two and sizes[one] + sizes[two] <= most:
            parents[two] = one
            sizes[one] += sizes[two]
    found = np.empty(count, np.int64)
    for group in range(count):
        found[group] = root(parents, group)
    return found


@jit
def _packed(sizes: Rows, count: int) -> NDArray[np.int64]:
    """The bin of each of ``sizes``, which descend: always the one with the least in it."""
    bins, filled = np.empty(len(sizes), np.int64), np.zeros(count, np.int64)
    for item in range(len(sizes)):
        bins[item] = np.argmin(filled)
        filled[bins[item]] += sizes[item]
    return bins
