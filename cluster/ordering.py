"""Vectors in an order in which neighbours lie near each other, so that memory is read in turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Resolved
from cluster.forest import Apart
from indexer.compiled import compiled

Rows = NDArray[np.int64]
Lines = NDArray[np.int32]


@compiled
def near_order(rows: Lines) -> Rows:
    """An order int64 (n,) of the vectors of a graph with ``rows`` (n, k): depth-first through it.

    After each vector comes the first of its line that has not come yet, or else that of the last
    before it that has one.
    """
    count, width = rows.shape
    order, path = np.empty(count, np.int64), np.empty(count, np.int64)
    came, column = np.zeros(count, np.bool_), np.zeros(count, np.int32)
    found = 0
    for start in range(count):
        following, length = start, 0
        while not came[start] or length:
            if not came[following]:
                came[following] = True
                order[found], path[length] = following, following
                found, length = found + 1, length + 1
            last = path[length - 1]
            if column[last] == width:
                length -= 1
                continue
            if rows[last, column[last]] >= 0:
                following = rows[last, column[last]]
            column[last] += 1
    return order


def places_in(order: Rows) -> Lines:
    """The place in ``order`` (n,) of each row, int32 (n + 1,), and at the end -1 for row -1."""
    places = np.full(len(order) + 1, -1, np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    return places


@compiled
def lines_in(order: Rows, places: Lines, rows: Lines) -> Lines:
    """The lines of ``rows`` (n, k) in that order, with places for rows."""
    lines = np.empty_like(rows)
    for line in range(len(order)):
        for column in range(rows.shape[1]):
            lines[line, column] = places[rows[order[line], column]]
    return lines


def constraints_in(order: Rows, places: Lines, constraints: Resolved) -> Resolved:
    """The same constraints with places for rows; contradictions are left as they are."""
    apart = constraints.apart
    counts = np.diff(apart.set_starts)[order]
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    of_each = np.repeat(apart.set_starts[order] - starts[:-1], counts)
    moved = Apart(
        starts,
        apart.sets[of_each + np.arange(starts[-1])],
        apart.member_starts,
        places[apart.members].astype(np.int64),
    )
    joined = places[constraints.joined].astype(np.int64)
    return Resolved(joined, moved, constraints.contradictions)
