"""Clusters that grow: vectors that came later join the groups that are there, or form new ones.

Average linkage goes on from where it stopped. What is one group already is joined first, so its
mean counts as all its members; then the same merging follows (:mod:`cluster.sparse_linkage`) over
the edges from each new vector to the nearest groups and the nearest other new vectors. As every
edge begins at a new vector, no work is spent on what had been compared before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.confidence import UNRELATED, moments
from cluster.constraints import Constraints, Resolved, resolve
from cluster.graph import Graph
from cluster.labels import check_ids, ordered_labels
from cluster.linkage import check_vectors, cut
from cluster.sparse_linkage import sparse_average_linkage
from cluster.types import NOISE, Clustering

# Of each new vector: so many edges to groups, and so many to new vectors. Those to groups are
# kept apart, for where many vectors of one person are new each of them is nearer to others of
# these than to the mean of what was there before, and nothing would lead there.
GROUPS, NEW = 8, 24
_BLOCK_CELLS = 2**24

Rows = NDArray[np.int64]


def grown(
    before: Clustering,
    vectors: NDArray[Any],
    threshold: float,
    *,
    min_size: int = 1,
    constraints: Constraints | Resolved | None = None,
) -> Clustering:
    """The clusters of ``before`` after its noise, the new vectors, has joined them.

    ``vectors`` (n, d), unit length, are those of all its ids. A cluster of before is never taken
    apart, but new vectors may bring two together. ``threshold``, ``min_size`` and ``constraints``
    are as :func:`cluster.agglomerative.agglomerative` has them; groups that ``constraints`` keep
    apart must be apart in ``before``. Time grows with the new vectors times all groups. The
    confidence of clustered vectors stays what it was. Raises ValueError on wrong shapes.
    """
    check_vectors(vectors)
    check_ids(before.ids, vectors)
    if not isinstance(constraints, Resolved):
        constraints = resolve(constraints or Constraints(), len(vectors))
    points = np.ascontiguousarray(vectors, np.float32)
    graph = _new_edges(points, before.labels, threshold)
    chained = np.concatenate([_chains(before.labels), constraints.joined])
    linkage = sparse_average_linkage(points, graph, threshold, replace(constraints, joined=chained))
    labels = ordered_labels(before.ids, cut(linkage, len(points), threshold), min_size)
    confidence = np.where(labels == NOISE, np.float32(0), before.confidence)
    new = np.flatnonzero((before.labels == NOISE) & (labels != NOISE))
    confidence[new] = _confidence(points, labels, new, threshold)
    return Clustering(before.ids, labels, confidence)


def _chains(labels: NDArray[np.int32]) -> Rows:
    """Pairs of rows (m, 2) that together join what has one label."""
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] != NOISE]
    same = labels[order[1:]] == labels[order[:-1]]
    pairs: Rows = np.stack([order[:-1][same], order[1:][same]], axis=1).astype(np.int64)
    return pairs


def _new_edges(points: NDArray[np.float32], labels: NDArray[np.int32], threshold: float) -> Graph:
    """From each new vector to the nearest groups and new vectors; a group stands at a member."""
    new, kept = np.flatnonzero(labels == NOISE), np.flatnonzero(labels != NOISE)
    means = np.zeros((0, points.shape[1]), np.float32)
    squares, members = np.zeros(0, np.float32), np.zeros(0, np.intp)
    if len(kept):
        _, members, dense = np.unique(labels[kept], return_index=True, return_inverse=True)
        means, squares = moments(points, dense.astype(np.int32), kept)
        members = kept[members]
    lengths = np.einsum("ij,ij->i", points[new], points[new])
    centres, squares = np.concatenate([means, points[new]]), np.concatenate([squares, lengths])
    ends = np.concatenate([members, new]).astype(np.int32)
    rows = np.full((len(points), GROUPS + NEW), -1, np.int32)
    distances = np.full((len(points), GROUPS + NEW), np.inf, np.float32)
    step = max(1, _BLOCK_CELLS // max(len(centres), 1))
    for start in range(0, len(new), step):
        block = new[start : start + step]
        far = lengths[start : start + step, None] + squares - 2 * (points[block] @ centres.T)
        far[np.arange(len(block)), len(means) + start + np.arange(len(block))] = np.inf
        np.maximum(far, 0, out=far)
        for part, first, width in (
            (slice(0, len(means)), 0, GROUPS),
            (slice(len(means), None), GROUPS, NEW),
        ):
            line, place, (column, near) = _nearest(far[:, part], threshold, width)
            rows[block[line], first + place] = ends[part][column]
            distances[block[line], first + place] = near
    return Graph(rows, distances)


def _nearest(
    far: NDArray[np.float32], threshold: float, width: int
) -> tuple[Rows, Rows, tuple[Rows, NDArray[np.float32]]]:
    """Lines of the least ``width`` cells of each line of ``far`` within ``threshold``.

    With the place of each among those of its line, and its column and value.
    """
    line, column = np.nonzero(far <= threshold)
    value = far[line, column]
    order = np.lexsort((column, value, line))
    line, column, value = line[order], column[order], value[order]
    place = np.arange(len(line)) - np.searchsorted(line, line)
    kept = place < width
    return line[kept], place[kept], (column[kept], value[kept])


def _confidence(
    points: NDArray[np.float32], labels: NDArray[np.int32], new: Rows, threshold: float
) -> NDArray[np.float32]:
    """Silhouettes (m,) of ``new`` rows, as :func:`cluster.confidence.confidence` has them."""
    result = np.zeros(len(new), np.float32)
    kept = np.flatnonzero(labels != NOISE)
    if not len(new):
        return result
    means, squares = moments(points, labels[kept], kept)
    sizes = np.bincount(labels[kept]).astype(np.float32)
    step = max(1, _BLOCK_CELLS // len(means))
    for start in range(0, len(new), step):
        rows = new[start : start + step]
        own, each = labels[rows], np.arange(len(rows))
        lengths = np.einsum("ij,ij->i", points[rows], points[rows])
        far = lengths[:, None] + squares - 2 * (points[rows] @ means.T)
        within = np.maximum(far[each, own] * sizes[own] / np.maximum(sizes[own] - 1, 1), 0)
        within = np.where(sizes[own] > 1, within, np.float32(threshold))
        far[each, own] = np.inf
        beyond = far.min(axis=1) if len(sizes) > 1 else np.full(len(rows), UNRELATED, np.float32)
        largest = np.maximum(np.maximum(within, beyond), np.finfo(np.float32).tiny)
        result[start : start + step] = np.clip((beyond - within) / largest, 0, 1)
    return result
