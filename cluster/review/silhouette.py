"""Confidence of each vector in its cluster: a silhouette."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.nearest_clusters import nearest_clusters
from cluster.types import NOISE
from indexer.runtime.numba_jit import jit_fastmath

# The mean squared distance of unit vectors that have nothing to do with one another: with no
# other cluster to compare with, a cluster is compared with this.
UNRELATED = 2.0

_BLOCK_CELLS = 2**22
_ROWS = 2**14
_TOGETHER = 2**16  # vectors, whose means are computed at a time

GraphLines = tuple[int, NDArray[np.integer[Any]]]


def silhouette_confidence(
    vectors: NDArray[Any],
    labels: NDArray[np.int32],
    threshold: float,
    rows: NDArray[np.intp] | None = None,
) -> NDArray[np.float32]:
    """How much nearer each vector is to its own cluster than to the next: float32 (n,) in [0, 1].

    The silhouette of Rousseeuw (1987) over squared distances, negative values cut off: with a the
    mean squared distance to the other members of its cluster, and b the least mean squared distance
    to another cluster, it is (b - a) / max(a, b). For a cluster of one, a is ``threshold``, beyond
    which others had to be for it to stay alone; without another cluster, b is :data:`UNRELATED`.
    Noise has 0 and is no cluster. With ``rows`` int (m,) the result is for these rows of
    ``vectors`` (n, d), unit length, alone: (m,).
    """
    wanted = np.arange(len(labels)) if rows is None else rows
    result = np.zeros(len(wanted), np.float32)
    grouped = np.flatnonzero(labels[wanted] != NOISE)
    if not len(grouped):
        return result
    kept = np.flatnonzero(labels != NOISE)
    sizes = np.bincount(labels[kept]).astype(np.float32)
    means, squares = moments(vectors, labels[kept], kept)
    label = labels[wanted[grouped]]
    points = np.ascontiguousarray(vectors[wanted[grouped]], np.float32)
    near = nearest_clusters(points, means, squares, 2)
    beyond = np.where(near.ids[:, 0] == label, near.distances[:, 1], near.distances[:, 0])
    beyond[np.isinf(beyond)] = UNRELATED
    within = _to_means(points, means[label], squares[label])
    result[grouped] = _silhouettes(within, beyond, sizes[label], threshold)
    return result


def graph_silhouette_confidence(
    vectors: NDArray[Any],
    labels: NDArray[np.int32],
    threshold: float,
    neighbours: NDArray[np.int32],
) -> NDArray[np.float32]:
    """:func:`silhouette_confidence` in time that grows with the edges of a graph, not with the
    clusters.

    ``neighbours`` int32 (n, k) are its rows, as :class:`cluster.graph.knn_graph.KnnGraph` has them.

    The next cluster is the nearest of those that a vector's own neighbours are in and of the one
    that comes nearest to any member of its cluster. So it is too high where the graph does not
    show the next cluster, and the same where it has every pair.
    """
    return lines_silhouette_confidence(vectors, labels, threshold, [(0, neighbours)])


def lines_silhouette_confidence(
    vectors: NDArray[Any],
    labels: NDArray[np.int32],
    threshold: float,
    lines: Iterable[GraphLines],
    room: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """:func:`graph_silhouette_confidence` over a graph that comes in parts.

    ``lines`` are the row of the first of some vectors, and the neighbours of these (m, k). Means of
    clusters are put into ``room`` (clusters, d), which may be a file, as ``vectors`` may: then
    memory is some 30 bytes a vector, and one part of the graph.
    """
    result = np.zeros(len(labels), np.float32)
    kept = np.flatnonzero(labels != NOISE)
    if not len(kept):
        return result
    sizes = np.bincount(labels[kept]).astype(np.float32)
    means, squares = moments(vectors, labels[kept], kept, room)
    points = np.ascontiguousarray(vectors, np.float32)
    beyond = np.full(len(labels), np.inf, np.float32)
    nearest = np.full(len(means), np.inf, np.float32)
    rivals = np.full(len(means), -1, np.int64)
    for first, rows in lines:
        part = slice(first, first + len(rows))
        beyond[part] = _beyond_by_graph(
            (points[part], rows), labels, first, (means, squares), (nearest, rivals)
        )
    if len(sizes) > 1:
        hidden = np.flatnonzero(rivals < 0)
        rivals[hidden] = _nearest_means(hidden, means, squares)
    for start in range(0, len(kept), _ROWS):
        block = kept[start : start + _ROWS]
        label = labels[block]
        within = _to_means(points[block], means[label], squares[label])
        if len(sizes) > 1:
            rival = rivals[label]
            to_rival = _to_means(points[block], means[rival], squares[rival])
            next_one = np.minimum(beyond[block], to_rival)
        else:
            next_one = np.full(len(block), UNRELATED, np.float32)
        result[block] = _silhouettes(within, next_one, sizes[label], threshold)
    return result


def moments(
    vectors: NDArray[Any],
    labels: NDArray[np.int32],
    rows: NDArray[np.intp],
    room: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean vector (k, d) and the mean squared length (k,) of each of k clusters.

    ``labels`` int32 (m,), from 0 without gaps, are those of ``rows`` of ``vectors``. The means are
    put into ``room`` (k, d), if there is any.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.append(0, np.cumsum(np.bincount(labels)))
    count = len(starts) - 1
    means = np.empty((count, vectors.shape[1]), np.float32) if room is None else room
    squares = np.empty(count, np.float32)
    first = 0
    while first < count:
        reach = int(np.searchsorted(starts, starts[first] + _TOGETHER, side="right")) - 1
        groups = slice(first, max(first + 1, reach))
        members = rows[order[starts[groups.start] : starts[groups.stop]]]
        means[groups], squares[groups] = _moments(
            np.asarray(vectors[members], np.float32),
            starts[groups.start : groups.stop + 1] - starts[groups.start],
        )
        first = groups.stop
    return means, squares


@jit_fastmath
def _moments(
    points: NDArray[np.float32], starts: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Those of the groups ``points[starts[i] : starts[i + 1]]``, none empty, summed in float64."""
    count, width = len(starts) - 1, points.shape[1]
    means, squares = np.empty((count, width), np.float32), np.empty(count, np.float32)
    total = np.empty(width, np.float64)
    for group in range(count):
        total[:], length = 0, 0.0
        for row in range(starts[group], starts[group + 1]):
            for column in range(width):
                value = np.float64(points[row, column])
                total[column] += value
                length += value * value
        size = starts[group + 1] - starts[group]
        for column in range(width):
            means[group, column] = total[column] / size
        squares[group] = length / size
    return means, squares


def _silhouettes(
    within: NDArray[np.float32],
    beyond: NDArray[np.float32],
    sizes: NDArray[np.float32],
    threshold: float,
) -> NDArray[np.float32]:
    """Silhouettes (n,) from mean squared distances to all members of the own cluster, and to the
    next; ``sizes`` are those of the own."""
    # The mean over all members counts the vector's distance to itself, 0; leave it out.
    others = np.maximum(within * sizes / np.maximum(sizes - 1, 1), 0)
    within = np.where(sizes > 1, others, np.float32(threshold))
    largest = np.maximum(np.maximum(within, beyond), np.finfo(np.float32).tiny)
    silhouettes: NDArray[np.float32] = np.clip((beyond - within) / largest, 0, 1)
    return silhouettes


def _to_means(
    points: NDArray[np.float32], means: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean squared distance of each of ``points`` (n, d) to a cluster of its own line."""
    lengths = np.einsum("ij,ij->i", points, points)
    distances: NDArray[np.float32] = lengths + squares - 2 * np.einsum("ij,ij->i", points, means)
    return distances


@jit_fastmath
def _beyond_by_graph(
    lines: tuple[NDArray[np.float32], NDArray[np.integer[Any]]],
    labels: NDArray[np.int32],
    first: int,
    moments_of: tuple[NDArray[np.float32], NDArray[np.float32]],
    known: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> NDArray[np.float32]:
    """The least distance (m,) of each vector to another cluster that it has a neighbour in.

    ``lines`` are the vectors (m, d) from row ``first`` on, and their neighbours (m, k).
    ``known`` are for each cluster (k,) how near another comes to a member, and which, -1 where no
    neighbour of any is in another; it is brought up to date.
    """
    points, rows = lines
    means, squares = moments_of
    nearest, rivals = known
    beyond = np.full(len(points), np.inf, np.float32)
    for row in range(len(points)):
        its_label = labels[first + row]
        if its_label < 0:
            continue
        before, length = its_label, np.float32(0)
        for place in range(points.shape[1]):
            length += points[row, place] * points[row, place]
        for column in range(rows.shape[1]):
            other = labels[rows[row, column]] if rows[row, column] >= 0 else its_label
            if other < 0 or other in (its_label, before):
                continue
            before = other
            product = np.float32(0)
            for place in range(points.shape[1]):
                product += points[row, place] * means[other, place]
            distance = np.float32(max(length + squares[other] - 2 * product, 0))
            beyond[row] = min(beyond[row], distance)
            if distance < nearest[its_label]:
                nearest[its_label], rivals[its_label] = distance, other
    return beyond


def _nearest_means(
    clusters: NDArray[np.intp], means: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.int64]:
    """The other cluster nearest to each of ``clusters``, int64."""
    nearest = np.empty(len(clusters), np.int64)
    rows = max(1, _BLOCK_CELLS // len(means))
    for start in range(0, len(clusters), rows):
        block = clusters[start : start + rows]
        distances = squares[None] - 2 * (means[block] @ means.T)
        distances[np.arange(len(block)), block] = np.inf
        nearest[start : start + rows] = distances.argmin(axis=1)
    return nearest
