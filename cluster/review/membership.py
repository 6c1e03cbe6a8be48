"""How well vectors belong to their clusters, and clusters hold together.

Everything is known from the clusters' vector sums. For unit vectors the mean squared distance
between two groups is 2 - 2 m(A) . m(B) with their mean vectors m, and that of one vector to the
others of its own cluster 2 - 2 x . (s - x) / (n - 1) with the sum s of its n members.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.graph.approximate_knn import approximate_knn_graph
from cluster.graph.knn_graph import exact_knn_graph
from cluster.review.silhouette import moments
from cluster.types import NOISE

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]

# Other clusters that are looked at from each.
NEAREST = 8
# Up to here all clusters are compared with all.
MOST_COMPARED = 20_000

_ROWS = 2**14


@dataclass(frozen=True)
class Clusters:
    """k clusters: sizes int64 (k,), mean vectors float32 (k, d), and which others are near each.

    ``nearest`` int32 (k, m) are the clusters whose means' directions are nearest, the nearest
    first, -1 where there are no more.
    """

    sizes: NDArray[np.int64]
    means: Floats
    nearest: NDArray[np.int32]

    @property
    def cohesion(self) -> Floats:
        """|sum|^2 / n^2 of each, float32 (k,): 1 where all members are equal, 1 / n at random."""
        cohesion: Floats = np.einsum("ij,ij->i", self.means, self.means)
        return cohesion

    def distances(self, one: NDArray[Any], two: NDArray[Any]) -> Floats:
        """Mean squared distances (p,) between the members of clusters ``one`` and ``two`` (p,)."""
        products = np.einsum("ij,ij->i", self.means[one], self.means[two])
        distances: Floats = np.maximum(2 - 2 * products, 0)
        return distances


@dataclass(frozen=True)
class Membership:
    """Of n vectors: mean squared distances to the own cluster and the next, float32 (n,).

    ``own`` is to the other members of the cluster; NaN for noise and clusters of one. ``next`` is
    to the members of cluster ``next_label`` int32 (n,), the nearest of those near the own; NaN
    and -1 for noise and where there is no other cluster. ``towards`` is the squared distance to
    the direction of the other members' mean, which tells wrong vectors best; NaN as ``own``.
    """

    within: Floats
    next: Floats
    next_label: Labels
    towards: Floats

    @property
    def margin(self) -> Floats:
        """How much farther the next cluster is than the own, float32 (n,), NaN where unknown."""
        margin: Floats = self.next - self.within
        return margin


def clusters_of(vectors: NDArray[Any], labels: Labels, near: int = NEAREST) -> Clusters:
    """The clusters of unit ``vectors`` (n, d) by ``labels`` (n,), from 0 without gaps, -1 noise.

    Time grows with n, and with the number of clusters as that of
    :func:`approximate_knn_graph`. Raises ValueError for labels of other vectors.
    """
    if labels.shape != vectors.shape[:1]:
        raise ValueError(f"expected labels ({len(vectors)},), one a vector, got {labels.shape}")
    kept = np.flatnonzero(labels != NOISE)
    if not len(kept):
        none = np.zeros((0, near), np.int32)
        return Clusters(np.zeros(0, np.int64), np.zeros((0, vectors.shape[1]), np.float32), none)
    means, _ = moments(vectors, labels[kept], kept)
    return Clusters(np.bincount(labels[kept]), means, _nearest(means, near))


def membership_of(
    vectors: NDArray[Any],
    labels: Labels,
    clusters: Clusters,
    cannot: NDArray[np.int64] | None = None,
) -> Membership:
    """How near each of ``vectors`` is to the cluster it is in, and to the next.

    The next is never the cluster of a vector that it cannot link with, by pairs ``cannot`` (c, 2).
    """
    within, following, towards = (np.full(len(labels), np.nan, np.float32) for _ in range(3))
    next_label = np.full(len(labels), NOISE, np.int32)
    kept = np.flatnonzero(labels != NOISE)
    barred = _barred(labels, len(clusters.sizes), cannot)
    for start in range(0, len(kept), _ROWS):
        rows = kept[start : start + _ROWS]
        points, label = np.asarray(vectors[rows], np.float32), labels[rows]
        several = clusters.sizes[label] > 1
        within[rows[several]], towards[rows[several]] = _distances_within(
            points[several], clusters.means[label[several]], clusters.sizes[label[several]]
        )
        if clusters.nearest.shape[1]:
            near = clusters.nearest[label]
            if len(barred):
                keys = rows[:, None] * len(clusters.sizes) + near
                near = np.where(np.isin(keys, barred), NOISE, near)
            following[rows], next_label[rows] = _to_next(points, near, clusters)
    return Membership(within, following, next_label, towards)


def _distances_within(
    points: Floats, means: Floats, sizes: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Mean squared distance to the others, and squared distance to the direction of their mean."""
    share = (sizes / (sizes - 1))[:, None].astype(np.float32)
    others = means * share - points * (share - 1)
    products = np.einsum("ij,ij->i", points, others)
    lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float32).tiny)
    return np.maximum(2 - 2 * products, 0), np.maximum(2 - 2 * products / lengths, 0)


def _barred(labels: Labels, count: int, cannot: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Row times ``count`` plus label, of each vector and each cluster that it cannot be of."""
    if cannot is None:
        return np.zeros(0, np.int64)
    both = np.concatenate([cannot, cannot[:, ::-1]])
    label = labels[both[:, 1]].astype(np.int64)
    keys: NDArray[np.int64] = (both[:, 0] * count + label)[label != NOISE]
    return keys


def _to_next(points: Floats, near: Labels, clusters: Clusters) -> tuple[Floats, Labels]:
    """Mean squared distance to the nearest of the clusters ``near`` (m, p), and which it is."""
    products = np.full(near.shape, -np.inf, np.float32)
    for column in range(near.shape[1]):
        there = near[:, column] >= 0
        means = clusters.means[near[there, column]]
        products[there, column] = np.einsum("ij,ij->i", points[there], means)
    best = products.argmax(axis=1)
    each = np.arange(len(near))
    found = np.isfinite(products[each, best])
    distances = np.where(found, np.maximum(2 - 2 * products[each, best], 0), np.nan)
    return distances.astype(np.float32), np.where(found, near[each, best], NOISE).astype(np.int32)


def _nearest(means: Floats, near: int) -> NDArray[np.int32]:
    """The other clusters nearest by the direction of their means, int32 (k, near)."""
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    # A mean of length 0 has no direction; any will do, as nothing is near it.
    lost = lengths[:, 0] < 1e-6
    directions = means / np.where(lost[:, None], 1, lengths)
    directions[lost, 0] = 1
    directions[lost, 1:] = 0
    wanted = min(near, len(means) - 1)
    found = np.full((len(means), near), NOISE, np.int32)
    if wanted > 0:
        few = len(means) <= MOST_COMPARED
        graph = (exact_knn_graph if few else approximate_knn_graph)(directions, wanted)
        found[:, :wanted] = graph.rows
    return found
