"""Average-linkage clustering cut at a threshold, and how surely each vector belongs.

Time grows with the square of the number of vectors: with 128 dimensions on one AMD EPYC core, about
half a second for 5,000, four for 13,000 and forty for 30,000 (``benchmarks/clustering.py``). Memory
grows with their number: a few copies of the vectors, and blocks of fixed size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.labels import check_ids, ordered_labels
from cluster.linkage import average_linkage, check_vectors, cut
from cluster.types import NOISE, Clustering

# The mean squared distance of unit vectors that have nothing to do with one another: with no
# other cluster to compare with, a cluster is compared with this.
UNRELATED = 2.0

_BLOCK_CELLS = 2**22


def agglomerative(
    ids: NDArray[np.int64], vectors: NDArray[Any], threshold: float, *, min_size: int = 1
) -> Clustering:
    """Clusters of ``vectors`` (n, d) whose members are on average at most ``threshold`` apart.

    ``threshold`` is a mean squared Euclidean distance, in [0, 4] for unit vectors. A vector that
    joins no other is a cluster of one, as a person with one photo is still a person; clusters of
    fewer than ``min_size`` members are noise. The confidence is that of :func:`confidence`.
    Raises ValueError on a wrong shape, dtype, threshold or size.
    """
    check_vectors(vectors)
    check_ids(ids, vectors)
    if not 0 <= threshold <= 4:
        raise ValueError(f"expected a threshold (squared distance) in [0, 4], got {threshold}")
    if min_size < 1:
        raise ValueError(f"expected a min_size of at least 1, got {min_size}")
    groups = cut(average_linkage(vectors, stop=threshold), len(vectors), threshold)
    labels = ordered_labels(ids, groups, min_size)
    return Clustering(ids, labels, confidence(vectors, labels, threshold))


def confidence(
    vectors: NDArray[Any], labels: NDArray[np.int32], threshold: float
) -> NDArray[np.float32]:
    """How much nearer each vector is to its own cluster than to the next: float32 (n,) in [0, 1].

    The silhouette of Rousseeuw (1987) over squared distances, negative values cut off: with a the
    mean squared distance to the other members of the own cluster, and b the least mean squared
    distance to another cluster, it is (b - a) / max(a, b). For a cluster of one, a is
    ``threshold``, beyond which others had to be for it to stay alone; without another cluster, b
    is :data:`UNRELATED`. Noise has 0 and is no cluster.
    """
    result = np.zeros(len(labels), np.float32)
    kept = np.flatnonzero(labels != NOISE)
    if not len(kept):
        return result
    own = labels[kept]
    sizes = np.bincount(own).astype(np.float32)
    means, squares = moments(vectors, own, kept)
    rows = max(1, _BLOCK_CELLS // len(sizes))
    for start in range(0, len(kept), rows):
        block, label = kept[start : start + rows], own[start : start + rows]
        points = np.asarray(vectors[block], np.float32)
        lengths = np.einsum("ij,ij->i", points, points)
        distances = lengths[:, None] + squares[None] - 2 * (points @ means.T)
        each = np.arange(len(block))
        # The mean over all members counts the vector's distance to itself, 0; leave it out.
        size = sizes[label]
        within = distances[each, label] * size / np.maximum(size - 1, 1)
        within = np.where(size > 1, np.maximum(within, 0), np.float32(threshold))
        distances[each, label] = np.inf
        beyond = distances.min(axis=1) if len(sizes) > 1 else np.float32(UNRELATED)
        largest = np.maximum(np.maximum(within, beyond), np.finfo(np.float32).tiny)
        result[block] = np.clip((beyond - within) / largest, 0, 1)
    return result


def moments(
    vectors: NDArray[Any], labels: NDArray[np.int32], rows: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean vector (k, d) and the mean squared length (k,) of each of k clusters.

    ``labels`` int32 (m,), from 0 without gaps, are those of ``rows`` of ``vectors``.
    """
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=-1))
    sizes = np.bincount(labels).astype(np.float32)
    points = np.asarray(vectors[rows[order]], np.float32)
    sums = np.add.reduceat(points, starts, axis=0, dtype=np.float64)
    lengths = np.add.reduceat(np.einsum("ij,ij->i", points, points), starts, dtype=np.float64)
    return (sums / sizes[:, None]).astype(np.float32), (lengths / sizes).astype(np.float32)
