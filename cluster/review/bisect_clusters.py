"""Bisect each cluster by spherical 2-means."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.types import NOISE
from indexer.runtime.numba_jit import jit_fastmath

_ROUNDS = 24  # of moving vectors; most clusters are still after five


def bisect_clusters(vectors: NDArray[Any], labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which half of its cluster each of ``vectors`` (n, d) is in, bool (n,): True is the smaller.

    The halves are those of 2-means with centres on the sphere (Dhillon and Modha 2001, "Concept
    decompositions for large sparse text data using clustering"), begun at two members that are
    far from each other: the one farthest from the mean, and the one farthest from that. Clusters
    of one, noise, and clusters whose members are all equal have no smaller half. Time grows with
    n; the same input gives the same halves.
    """
    kept = np.flatnonzero(labels != NOISE)
    order = kept[np.argsort(labels[kept], kind="stable")]
    starts = np.append(np.flatnonzero(np.diff(labels[order], prepend=NOISE)), len(order))
    points = np.ascontiguousarray(vectors[order], np.float32)
    result = np.zeros(len(labels), np.bool_)
    result[order] = _halves(points, starts)
    return result


@jit_fastmath
def _farthest(points: NDArray[np.float32], centre: NDArray[Any]) -> int:
    """The row of ``points`` with the least product with ``centre``."""
    best, least = 0, np.inf
    for row in range(len(points)):
        product = 0.0
        for column in range(points.shape[1]):
            product += points[row, column] * centre[column]
        if product < least:
            best, least = row, product
    return best


@jit_fastmath
def _move(
    points: NDArray[np.float32], centres: NDArray[np.float64], second: NDArray[np.bool_]
) -> bool:
    """Each of ``points`` to the nearer of two ``centres``; whether any moved."""
    moved = False
    for row in range(len(points)):
        difference = 0.0
        for column in range(points.shape[1]):
            difference += points[row, column] * (centres[1, column] - centres[0, column])
        there = difference > 0
        moved |= there != second[row]
        second[row] = there
    return moved


@jit_fastmath
def _recentre(
    points: NDArray[np.float32], second: NDArray[np.bool_], centres: NDArray[np.float64]
) -> None:
    """The direction of each half's sum, as its centre."""
    centres[:] = 0
    for row in range(len(points)):
        half = 1 if second[row] else 0
        for column in range(points.shape[1]):
            centres[half, column] += points[row, column]
    for half in range(2):
        length = 0.0
        for column in range(points.shape[1]):
            length += centres[half, column] ** 2
        for column in range(points.shape[1]):
            centres[half, column] /= max(np.sqrt(length), 1e-30)


@jit_fastmath
def _halves(points: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The smaller half of each of the clusters ``points[starts[i] : starts[i + 1]]``."""
    second = np.zeros(len(points), np.bool_)
    centres = np.empty((2, points.shape[1]), np.float64)
    for cluster in range(len(starts) - 1):
        members = points[starts[cluster] : starts[cluster + 1]]
        there = second[starts[cluster] : starts[cluster + 1]]
        _recentre(members, there, centres)  # all are in the first half yet
        one = _farthest(members, centres[0])
        two = _farthest(members, members[one])
        for column in range(points.shape[1]):
            centres[0, column], centres[1, column] = members[one, column], members[two, column]
        for _ in range(_ROUNDS):
            if not _move(members, centres, there):
                break
            _recentre(members, there, centres)
        count = there.sum()
        if count == len(members):
            there[:] = False
        elif 2 * count > len(members):
            there[:] = ~there
    return second
