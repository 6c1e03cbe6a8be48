"""Union-find with pairs of groups that may not be joined: kernels.

A group is a tree of ``parents`` int64 (n,), named by its root, its least vector. Its members also
form a ring, ``following`` int64 (n,), so that the smaller of two groups can be walked through
without another being touched. Only ``sizes`` int64 (n,) of roots mean anything.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.runtime.numba_jit import jit

Rows = NDArray[np.int64]


class CannotLinks(NamedTuple):
    """Sets of vectors no two of which may be in one group.

    Set s is ``members[member_starts[s] : member_starts[s + 1]]``; vector v is in the sets
    ``sets[set_starts[v] : set_starts[v + 1]]``. All int64, starts one longer than what they index.
    """

    set_starts: Rows
    sets: Rows
    member_starts: Rows
    members: Rows


class Forest(NamedTuple):
    """Groups of n vectors, and what may not be in one; see the module."""

    parents: Rows
    following: Rows
    sizes: Rows
    apart: CannotLinks


def forest_of(count: int, apart: CannotLinks) -> Forest:
    """``count`` groups of one."""
    return Forest(np.arange(count), np.arange(count), np.ones(count, np.int64), apart)


@jit
def root(parents: Rows, node: int) -> int:
    """The group of ``node``; the path to it is halved."""
    while parents[node] != node:
        parents[node] = parents[parents[node]]
        node = parents[node]
    return node


@jit
def join(forest: Forest, kept: int, gone: int) -> None:
    """Make root ``kept`` the root of both groups."""
    forest.parents[gone] = kept
    forest.sizes[kept] += forest.sizes[gone]
    after = forest.following[kept]
    forest.following[kept] = forest.following[gone]
    forest.following[gone] = after


@jit
def excluded(forest: Forest, one: int, two: int) -> bool:
    """Whether the groups with roots ``one`` and ``two`` have members of one set.

    The smaller group is walked through, so all checks that a merge follows look at each vector
    log2(n) times at most.
    """
    parents, following, sizes, apart = forest
    if len(apart.sets) == 0:
        return False
    small, large = (one, two) if sizes[one] <= sizes[two] else (two, one)
    vector = small
    while True:
        for at in range(apart.set_starts[vector], apart.set_starts[vector + 1]):
            each = apart.sets[at]
            for place in range(apart.member_starts[each], apart.member_starts[each + 1]):
                if root(parents, apart.members[place]) == large:
                    return True
        vector = following[vector]
        if vector == small:
            return False
