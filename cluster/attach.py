"""Vectors put to clusters that are already there, without moving anything in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import UNRELATED, moments
from cluster.labels import check_ids
from cluster.linkage import check_vectors
from cluster.types import NOISE, Clustering

_BLOCK_CELLS = 2**22


def attach(
    clustering: Clustering,
    vectors: NDArray[Any],
    ids: NDArray[np.int64],
    others: NDArray[Any],
    threshold: float,
) -> Clustering:
    """``clustering`` of ``vectors`` (n, d), and after it ``ids`` (m,) of ``others`` (m, d).

    Each of the others goes to the cluster whose members are on average nearest to it, if their
    mean squared distance is at most ``threshold``, and is noise if not. Nothing changes for what
    was clustered before, and the others do not count as members for one another. Their confidence
    is how much nearer that cluster is than the next, as :func:`cluster.agglomerative.confidence`
    has it. Raises ValueError on wrong shapes or dtypes, or an id that is there already.
    """
    check_vectors(others)
    check_ids(clustering.ids, vectors)
    check_ids(ids, others)
    if np.isin(ids, clustering.ids).any():
        raise ValueError("expected ids that are not clustered yet, got some that are")
    labels = np.full(len(ids), NOISE, np.int32)
    confidence = np.zeros(len(ids), np.float32)
    if clustering.count:
        kept = np.flatnonzero(clustering.labels != NOISE)
        means, squares = moments(vectors, clustering.labels[kept], kept)
        rows = max(1, _BLOCK_CELLS // clustering.count)
        for start in range(0, len(ids), rows):
            block = slice(start, start + rows)
            labels[block], confidence[block] = _nearest(others[block], means, squares, threshold)
    return Clustering(
        np.concatenate([clustering.ids, ids]),
        np.concatenate([clustering.labels, labels]),
        np.concatenate([clustering.confidence, confidence]),
    )


def _nearest(
    others: NDArray[Any],
    means: NDArray[np.float32],
    squares: NDArray[np.float32],
    threshold: float,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Label and confidence of each; clusters are given by mean vectors and mean squared lengths."""
    points = np.asarray(others, np.float32)
    lengths = np.einsum("ij,ij->i", points, points)
    distances = np.maximum(lengths[:, None] + squares[None] - 2 * (points @ means.T), 0)
    each = np.arange(len(points))
    label = distances.argmin(axis=1).astype(np.int32)
    own = distances[each, label]
    distances[each, label] = np.inf
    beyond = distances.min(axis=1) if len(means) > 1 else np.float32(UNRELATED)
    largest = np.maximum(np.maximum(own, beyond), np.finfo(np.float32).tiny)
    near = own <= threshold
    confidence = np.where(near, np.clip((beyond - own) / largest, 0, 1), 0)
    return np.where(near, label, NOISE).astype(np.int32), confidence.astype(np.float32)
