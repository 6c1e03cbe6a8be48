"""One partition of a graph of groups: made, taken apart, put together, merged and relabelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cluster.linkage.average_linkage import Means
from cluster.partitioned.good_merges import OpenEdges, OpenGroups, merge_good
from cluster.union_find import CannotLinks, Forest, Rows, forest_of, root
from indexer.id_lookup import positions_of, values_at
from indexer.runtime.numba_jit import jit
from indexer.types import Vectors


@dataclass(frozen=True)
class GraphPartition:
    """m groups of vectors, and every edge that at least one of them is an end of.

    A group is named by its least vector: ``roots`` int64 (m,), ascending. ``points`` float32
    (m, d) and ``squares`` float64 (m,) are the means of its vectors and of their squared lengths,
    ``sizes`` int64 (m,), and ``levels`` float64 (m,) the greatest distance it was formed at. Group
    ``roots[i]`` may not merge with another that has one of the numbers ``sets[set_groups == i]``,
    int64 (s,). ``ends`` int64 (e, 2) are roots, the lesser first, each pair once, and ``bounds``
    float32 (e,) the least that they are apart.
    """

    roots: Rows
    points: Vectors
    squares: NDArray[np.float64]
    sizes: Rows
    levels: NDArray[np.float64]
    set_groups: Rows
    sets: Rows
    ends: Rows
    bounds: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.roots)

    @property
    def bytes(self) -> int:
        """Memory of the arrays."""
        return sum(int(getattr(self, each.name).nbytes) for each in fields(self))


@dataclass(frozen=True)
class NearestEnds:
    """Of each group with an edge (m,): its root, that of its nearest by bound, and the bound."""

    roots: Rows
    nearest: Rows
    bounds: NDArray[np.float32]


@dataclass(frozen=True)
class GroupMap:
    """What became of groups: ``roots`` int64 (m,), ascending, and a value int64 (m,) of each."""

    roots: Rows
    values: Rows

    def at(self, roots: Rows) -> Rows:
        """The values of ``roots``, all of which are there."""
        return self.values[positions_of(roots, self.roots, ascending=True)]


def split_partition(
    partition: GraphPartition, owners: GroupMap, count: int
) -> tuple[GraphPartition, ...]:
    """Pieces for ``count`` new partitions, those that ``owners`` gives groups to.

    ``owners`` knows every group that has an edge. One without is in no piece: nothing comes near it
    any more. An edge goes to the owners of both its ends.
    """
    at = positions_of(partition.roots, owners.roots, ascending=True)
    group_owner = values_at(owners.values, at, -1)
    edge_owners = owners.at(partition.ends)
    pieces = tuple(
        _picked(partition, group_owner == number, (edge_owners == number).any(axis=1))
        for number in range(count)
    )
    return pieces if count > 1 else pieces[0]  # type: ignore[return-value]


def merge_partition(
    stop: float, factor: float, *pieces: GraphPartition
) -> tuple[GraphPartition, Rows, NDArray[np.float64]]:
    """The pieces together with all their good merges made: roots (k, 2) and levels (k,) of these.

    Ends that are in other partitions keep the names they had.
    """
    partition = joined_partition(pieces)
    ends = positions_of(partition.ends, partition.roots, ascending=True)
    inner = (ends >= 0).all(axis=1)
    outer = np.full(len(partition), np.inf, np.float32)
    crossing = ends[~inner]
    np.minimum.at(outer, crossing.max(axis=1), partition.bounds[~inner])
    means = Means(partition.points.copy(), partition.squares.copy())
    plain = forest_of(len(partition), _cannot_links(partition))
    forest = Forest(plain.parents, plain.following, partition.sizes.copy(), plain.apart)
    levels, bounds = partition.levels.copy(), partition.bounds[inner]
    members, made = merge_good(
        OpenGroups(means, forest, levels, outer), OpenEdges(ends[inner], bounds), (stop, factor)
    )
    now = _roots_of(forest.parents)
    kept = np.flatnonzero(now == np.arange(len(now)))
    names = partition.roots
    alive = bounds < np.inf
    new_ends = np.concatenate(
        [
            names[now[ends[inner][alive]]],
            np.where(crossing >= 0, names[now[crossing]], partition.ends[~inner]),
        ]
    )
    merged = GraphPartition(
        names[kept],
        means.points[kept],
        means.squares[kept],
        forest.sizes[kept],
        levels[kept],
        *distinct_pairs(positions_of(now[partition.set_groups], kept), partition.sets),
        *distinct_edges(new_ends, np.concatenate([bounds[alive], partition.bounds[~inner]])),
    )
    return merged, names[members], made


def relabelled_partition(
    partition: GraphPartition, names: GroupMap
) -> tuple[GraphPartition, NearestEnds]:
    """The partition with the present names of all ends, and the nearest of each of its groups."""
    ends, bounds = distinct_edges(names.at(partition.ends), partition.bounds)
    renamed = replace(partition, ends=ends, bounds=bounds)
    return renamed, nearest_groups(renamed)


def nearest_groups(partition: GraphPartition) -> NearestEnds:
    """The nearest of each group at an end of an edge, by the edges of this partition."""
    ends, bounds = partition.ends, partition.bounds
    one = np.concatenate([ends[:, 0], ends[:, 1]])
    two = np.concatenate([ends[:, 1], ends[:, 0]])
    return least_of_each(one, two, np.concatenate([bounds, bounds]))


def least_of_each(one: Rows, two: Rows, apart: NDArray[np.float32]) -> NearestEnds:
    """Of pairs (p,) the nearest of each of ``one``, ties by root."""
    if not len(one):
        return NearestEnds(one, two, apart)
    order = np.argsort(one)
    one, two, apart = one[order], two[order], apart[order]
    starts = np.flatnonzero(np.append(True, one[1:] != one[:-1]))
    least = np.minimum.reduceat(apart, starts)
    nearest = apart == np.repeat(least, np.diff(starts, append=len(one)))
    roots = np.where(nearest, two, np.iinfo(np.int64).max)
    return NearestEnds(one[starts], np.minimum.reduceat(roots, starts), least)


def joined_partition(pieces: Sequence[GraphPartition]) -> GraphPartition:
    """Pieces of distinct groups as one partition."""
    roots = np.concatenate([piece.roots for piece in pieces])
    order = np.argsort(roots)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    starts = np.cumsum([0, *(len(piece) for piece in pieces)])
    groups = [piece.set_groups + start for piece, start in zip(pieces, starts, strict=False)]
    ends, bounds = distinct_edges(
        np.concatenate([piece.ends for piece in pieces]),
        np.concatenate([piece.bounds for piece in pieces]),
    )
    return GraphPartition(
        roots[order],
        np.concatenate([piece.points for piece in pieces])[order],
        np.concatenate([piece.squares for piece in pieces])[order],
        np.concatenate([piece.sizes for piece in pieces])[order],
        np.concatenate([piece.levels for piece in pieces])[order],
        place[np.concatenate(groups)],
        np.concatenate([piece.sets for piece in pieces]),
        ends,
        bounds,
    )


def _picked(
    partition: GraphPartition, groups: NDArray[np.bool_], edges: NDArray[np.bool_]
) -> GraphPartition:
    in_sets = groups[partition.set_groups]
    places = np.cumsum(groups) - 1
    return GraphPartition(
        partition.roots[groups],
        partition.points[groups],
        partition.squares[groups],
        partition.sizes[groups],
        partition.levels[groups],
        places[partition.set_groups[in_sets]],
        partition.sets[in_sets],
        partition.ends[edges],
        partition.bounds[edges],
    )


def distinct_edges(ends: Rows, bounds: NDArray[np.float32]) -> tuple[Rows, NDArray[np.float32]]:
    """Each pair once, the lesser end first, with its least bound; none of a group with itself."""
    apart = ends[:, 0] != ends[:, 1]
    if not apart.any():
        return ends[:0], bounds[:0]
    one, two, bounds = ends[apart, 0], ends[apart, 1], bounds[apart]
    # A pair is one number, which sorts far quicker than two: roots have less than 32 bits.
    pairs = (np.minimum(one, two) << 32) | np.maximum(one, two)
    order = np.argsort(pairs)
    pairs = pairs[order]
    starts = np.flatnonzero(np.append(True, pairs[1:] != pairs[:-1]))
    pairs = pairs[starts]
    found = np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1)
    return found, np.minimum.reduceat(bounds[order], starts)


def distinct_pairs(groups: Rows, sets: Rows) -> tuple[Rows, Rows]:
    """Each pair of a group and a set once."""
    order = np.lexsort((sets, groups))
    groups, sets = groups[order], sets[order]
    new = (groups[1:] != groups[:-1]) | (sets[1:] != sets[:-1])
    first = np.append(True, new)[: len(groups)]
    return groups[first], sets[first]


def _cannot_links(partition: GraphPartition) -> CannotLinks:
    """What the groups of a partition say of each other."""
    groups, sets = distinct_pairs(partition.set_groups, partition.sets)
    numbers, dense = np.unique(sets, return_inverse=True)
    dense = dense.astype(np.int64)
    return CannotLinks(
        _starts(groups, len(partition)),
        dense,
        _starts(dense, len(numbers)),
        groups[np.argsort(dense, kind="stable")],
    )


def _starts(numbers: Rows, count: int) -> Rows:
    """Where each of ``count`` numbers starts among ``numbers`` sorted; int64 (count + 1,)."""
    starts: Rows = np.append(0, np.cumsum(np.bincount(numbers, minlength=count))).astype(np.int64)
    return starts


@jit
def _roots_of(parents: Rows) -> Rows:
    roots = np.empty(len(parents), np.int64)
    for node in range(len(parents)):
        roots[node] = root(parents, node)
    return roots
