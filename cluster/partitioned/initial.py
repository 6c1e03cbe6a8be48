"""The first partitions: slices of the vectors and of their graph, must-links already followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.partitioned.graph_partition import (
    GraphPartition,
    GroupMap,
    NearestEnds,
    distinct_edges,
    distinct_pairs,
    nearest_groups,
)
from cluster.union_find import CannotLinks, Rows, root
from cluster.vectors import squared_lengths
from indexer.id_lookup import distinct, positions_of
from indexer.runtime.numba_jit import jit
from indexer.types import Vectors


@dataclass(frozen=True)
class GraphSlice:
    """Vectors float32 (m, d) from row ``first`` on, and their lines of the graph.

    ``neighbours`` int64 (m, k) are rows, -1 for none, and ``distances`` float32 (m, k) squared.
    """

    first: int
    vectors: Vectors
    neighbours: NDArray[np.int64]
    distances: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class MovedVectors:
    """Vectors (m, d) that must-links join with others, their rows, and these groups' roots."""

    rows: Rows
    roots: Rows
    vectors: Vectors


def joined_groups(joined: Rows, count: int) -> tuple[Rows, GroupMap]:
    """The merges of pairs (m, 2) in order, as roots (m or fewer, 2), and where they lead.

    The map has the vectors of all groups of two or more, and their least vectors.
    """
    parents = np.arange(count)
    members = _join_all(joined, parents)
    touched = distinct(joined)
    return members, GroupMap(touched, _roots(parents, touched))


def slice_vectors(part: GraphSlice, names: GroupMap) -> MovedVectors:
    """The vectors of a slice that are in groups of ``names``."""
    here = (names.roots >= part.first) & (names.roots < part.first + len(part))
    rows = names.roots[here]
    return MovedVectors(rows, names.values[here], part.vectors[rows - part.first])


def initial_partition(
    part: GraphSlice, stop: float, names: GroupMap, apart: CannotLinks, *moved: MovedVectors
) -> tuple[GraphPartition, NearestEnds]:
    """The groups whose least vector is in a slice, and their edges of at most ``stop``.

    ``moved`` are the vectors of all groups of several, from every slice. The edges are those of the
    lines of this slice, wherever their ends are; the first split takes them there.
    """
    rows = np.arange(part.first, part.first + len(part))
    roots = _named(rows, names)
    alone = positions_of(rows, names.roots, ascending=True) < 0
    groups = distinct(roots[roots == rows])
    points = np.empty((len(groups), part.vectors.shape[1]), np.float32)
    squares, sizes = np.zeros(len(groups)), np.ones(len(groups), np.int64)
    place = positions_of(rows[alone], groups, ascending=True)
    points[place] = part.vectors[alone]
    squares[place] = squared_lengths(part.vectors[alone])
    _put_means(groups, moved, points, squares, sizes)
    near = part.neighbours
    used = (near >= 0) & (part.distances <= stop)
    ends = np.stack([np.repeat(roots, used.sum(axis=1)), _named(near[used], names)], axis=1)
    bounds = np.maximum(part.distances[used], np.float32(0))
    members_of = np.concatenate([rows[alone], *(each.rows for each in moved)])
    set_groups, sets = _sets_of(members_of, names, groups, apart)
    partition = GraphPartition(
        groups,
        points,
        squares,
        sizes,
        np.zeros(len(groups)),
        set_groups,
        sets,
        *distinct_edges(ends, bounds),
    )
    return partition, nearest_groups(partition)


def _put_means(
    groups: Rows,
    moved: Sequence[MovedVectors],
    points: Vectors,
    squares: NDArray[np.float64],
    sizes: NDArray[np.int64],
) -> None:
    """Fill in the means of the ``groups`` that have ``moved`` vectors, in one pass over these."""
    roots = np.concatenate([each.roots for each in moved]) if moved else groups[:0]
    place = positions_of(roots, groups, ascending=True)
    here = np.flatnonzero(place >= 0)
    if not len(here):
        return
    order = here[np.argsort(place[here], kind="stable")]
    vectors = np.concatenate([each.vectors for each in moved])[order].astype(np.float64)
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    counts = np.diff(starts, append=len(order))
    there = place[order[starts]]
    points[there] = np.add.reduceat(vectors, starts) / counts[:, None]
    squares[there] = np.add.reduceat((vectors**2).sum(axis=1), starts) / counts
    sizes[there] = counts


def _named(rows: Rows, names: GroupMap) -> Rows:
    """The groups of vectors: as ``names`` has them, or themselves."""
    at = positions_of(rows, names.roots, ascending=True)
    if not len(names.roots):
        return rows
    return np.where(at >= 0, names.values[at], rows)


def _sets_of(rows: Rows, names: GroupMap, groups: Rows, apart: CannotLinks) -> tuple[Rows, Rows]:
    """The numbers of sets that the groups are in by their vectors ``rows``, each pair once."""
    counts = apart.set_starts[rows + 1] - apart.set_starts[rows]
    starts = np.repeat(apart.set_starts[rows], counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    place = positions_of(np.repeat(_named(rows, names), counts), groups, ascending=True)
    here = place >= 0
    return distinct_pairs(place[here], apart.sets[starts + within][here])


@jit
def _join_all(pairs: Rows, parents: Rows) -> Rows:
    members, count = np.empty((len(pairs), 2), np.int64), 0
    for pair in range(len(pairs)):
        one, two = root(parents, pairs[pair, 0]), root(parents, pairs[pair, 1])
        if one != two:
            kept, gone = min(one, two), max(one, two)
            parents[gone] = kept
            members[count, 0], members[count, 1] = kept, gone
            count += 1
    return members[:count]


@jit
def _roots(parents: Rows, nodes: Rows) -> Rows:
    found = np.empty(len(nodes), np.int64)
    for place in range(len(nodes)):
        found[place] = root(parents, nodes[place])
    return found
