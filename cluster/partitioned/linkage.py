"""Average linkage over the edges of a graph that no worker holds whole.

Rounds of three steps: groups are given to partitions, each makes all its good merges
(:mod:`cluster.partitioned.good_merges`), and the others learn the new names. With fewer groups left
there are fewer partitions, and the last round has one. Every merge is (1 + epsilon)-good, so the
dendrogram is one of (1 + epsilon)-approximate average linkage over the graph: taken in order of
their levels, each merge is of two groups at most 1 + epsilon times as far apart as the nearest two
then are. With epsilon 0 it is that of :func:`cluster.linkage.graph_average_linkage`, ties aside.
And when it ends, no two groups that the graph joins are within the distance where merging stops,
unless a constraint keeps them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.linkage.average_linkage import Linkage, as_scipy_rows
from cluster.linkage.minimum_spanning_forest import check_places
from cluster.partitioned.assignment import assign_groups
from cluster.partitioned.graph_partition import (
    GraphPartition,
    GroupMap,
    NearestEnds,
    merge_partition,
    relabelled_partition,
    split_partition,
)
from cluster.partitioned.initial import GraphSlice, initial_partition, joined_groups, slice_vectors
from cluster.partitioned.runner import Handle, LocalRunner, PartitionRunner
from cluster.union_find import Rows

EPSILON = 0.05
MOST_VECTORS = 1 << 31  # two rows make one number of 64 bits


@dataclass(frozen=True)
class PartitionedMerges:
    """Rows as scipy writes them, how many rounds it took, and bytes of the largest partition."""

    linkage: Linkage
    rounds: int
    largest_bytes: int


def partitioned_linkage(
    slices: Sequence[Handle],
    count: int,
    stop: float,
    constraints: Constraints | ResolvedConstraints | None = None,
    *,
    most: int,
    epsilon: float = EPSILON,
    runner: PartitionRunner | None = None,
) -> PartitionedMerges:
    """The merges of ``count`` vectors at mean squared distances of at most ``stop``.

    ``slices`` are handles of :class:`GraphSlice`, which have all vectors in order. A worker holds
    at most about ``most`` groups: 4 d + 40 bytes each, and 20 for each of their edges of at most
    ``stop``, three times over while they move. This process holds some 50 bytes a group, and the
    merges. Rows are those of :func:`cluster.linkage.average_linkage.average_linkage`; must-linked
    vectors are merged first, at 0. Equal input gives equal output. Raises ValueError for epsilon
    below 0, fewer than 2 groups, more than 2**31 vectors, or constraints of other vectors.
    """
    if count > MOST_VECTORS:
        raise ValueError(
            f"expected at most {MOST_VECTORS:,} vectors, since two rows are kept in 64 bits, got "
            f"{count:,}; cluster them in several galleries"
        )
    if epsilon < 0 or most < 2:
        raise ValueError(
            f"expected epsilon of 0 or more, and 2 or more groups, got {epsilon} and {most}"
        )
    runner = LocalRunner() if runner is None else runner
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), count)
    first, names = joined_groups(constraints.joined, count)
    work = _Rounds(runner, float(stop), 1.0 + epsilon)
    work.begin(slices, names, constraints)
    work.run(most)
    members = np.concatenate([first, *work.members])
    levels = np.concatenate([np.zeros(len(first)), *work.levels])
    order = np.argsort(levels, kind="stable")  # of equal ones the earlier was made first
    rows: Linkage = as_scipy_rows(members[order], levels[order], count)
    return PartitionedMerges(rows, work.rounds, work.largest)


class _Rounds:
    """The partitions as they are now, and the merges so far."""

    def __init__(self, runner: PartitionRunner, stop: float, factor: float) -> None:
        self._runner = runner
        self._stop = stop
        self._factor = factor
        self._partitions: list[Handle] = []
        self._nearest: list[NearestEnds] = []
        self.members: list[Rows] = []
        self.levels: list[NDArray[np.float64]] = []
        self.rounds = 0
        self.largest = 0

    def begin(
        self, slices: Sequence[Handle], names: GroupMap, constraints: ResolvedConstraints
    ) -> None:
        """A partition of each slice; groups that must-links made are with their least vector."""
        runner = self._runner
        apart, known = runner.put(constraints.apart), runner.put(names)
        moved = [runner.call(slice_vectors, each, known)[0] for each in slices]
        made = [
            runner.call(initial_partition, each, self._stop, known, apart, *moved, count=2)
            for each in slices
        ]
        self._partitions = [partition for partition, _ in made]
        self._nearest = runner.get([nearest for _, nearest in made])

    def run(self, most: int) -> None:
        """Rounds until no edge is left."""
        while any(len(each.roots) for each in self._nearest):
            before = sum(float(each.bounds.sum(dtype=np.float64)) for each in self._nearest)
            merged = self._round(most)
            after = sum(float(each.bounds.sum(dtype=np.float64)) for each in self._nearest)
            self.rounds += 1
            if not merged and before == after:
                most *= 2  # rounding, or ties beyond counting: together they are no problem

    def _round(self, most: int) -> int:
        """How many merges there were."""
        runner = self._runner
        owners, count = assign_groups(self._nearest, most)
        known = runner.put(owners)
        pieces = [
            runner.call(split_partition, each, known, count, count=count)
            for each in self._partitions
        ]
        self._partitions = []  # the pieces have it all
        made = [
            runner.call(
                merge_partition,
                self._stop,
                self._factor,
                *(each[number] for each in pieces),
                count=3,
            )
            for number in range(count)
        ]
        members: list[Rows] = runner.get([each[1] for each in made])
        self.members += members
        self.levels += runner.get([each[2] for each in made])
        names = runner.put(_renamed(owners.roots, np.concatenate(members)))
        renamed = [
            runner.call(relabelled_partition, partition, names, count=2) for partition, _, _ in made
        ]
        self._partitions = [partition for partition, _ in renamed]
        self._nearest = runner.get([nearest for _, nearest in renamed])
        sizes = [runner.call(_bytes_of, each)[0] for each in self._partitions]
        self.largest = max([self.largest, *runner.get(sizes)])
        return sum(len(each) for each in members)


def _renamed(roots: Rows, members: Rows) -> GroupMap:
    """The root that each of ``roots`` has after the merges ``members`` (m, 2), in order."""
    _, names = joined_groups(np.searchsorted(roots, members), len(roots))
    values = np.arange(len(roots))
    values[names.roots] = names.values
    return GroupMap(roots, roots[values])


def _bytes_of(partition: GraphPartition) -> int:
    return partition.bytes


def graph_slices(
    vectors: NDArray[Any], neighbours: NDArray[np.int32], distances: NDArray[np.float32], parts: int
) -> list[GraphSlice]:
    """``parts`` slices of about equally many vectors (n, d) and lines (n, k) of their graph."""
    check_places(neighbours)
    cuts = np.linspace(0, len(vectors), parts + 1).astype(np.int64)
    return [
        GraphSlice(
            start,
            np.ascontiguousarray(vectors[start:end], np.float32),
            neighbours[start:end].astype(np.int64),
            distances[start:end],
        )
        for start, end in pairwise(cuts.tolist())
    ]
