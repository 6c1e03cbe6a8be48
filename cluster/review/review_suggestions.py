"""What a person should look at: clusters that may be one, clusters that may be several, doubtful
faces; in the order of what looking is expected to put right.

Each probability is a logistic function of a few distances and sizes, fitted on galleries of faces
whose people are known and measured on galleries of other people
(``benchmarks/clustering/suggestions.py``, which prints the constants). Distances are divided by
``scale``, the mean squared distance at which the encoder's clusters are cut by default, so that
other encoders are served as well as may be. What is gained is what the faces that change places are
worth: the smaller side of a merge or a split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from cluster.constraints import Constraints
from cluster.review.bisect_clusters import bisect_clusters
from cluster.review.membership import Clusters, Membership, clusters_of, membership_of
from cluster.types import NOISE
from indexer.id_lookup import distinct

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int32]

# Less likely ones waste the reader's time, and so do more than a few evenings' worth.
LEAST_PROBABILITY = 0.1
MOST = 1000
# How often a cluster that may be several people is halved to tell how many of it are one.
MOST_HALVINGS = 6


@dataclass(frozen=True)
class Logistic:
    """A fitted probability: ``intercept`` and one weight a feature."""

    intercept: float
    weights: tuple[float, ...]

    def probabilities(self, features: Floats) -> Floats:
        """Of features (p, w), float64 (p,)."""
        result: Floats = expit(self.intercept + features @ np.array(self.weights))
        return result


# Printed by: python -m benchmarks.clustering.suggestions --vectors LFW.npz
SAME = Logistic(17.887, (-8.706, -5.950, -1.047, 0.360, -1.032))
MIXED = Logistic(-19.071, (10.451, 8.116, 0.621, 1.068, -0.382, 0.735))
WRONG = Logistic(-10.940, (-1.638, 11.166, -2.696, -0.351, 0.397))


@dataclass(frozen=True)
class MergeSuggestion:
    """Clusters ``one`` < ``two`` that may be one person; ``distance`` is the mean squared one."""

    one: int
    two: int
    distance: float
    probability: float
    gain: float


@dataclass(frozen=True)
class MixtureSuggestion:
    """Cluster ``label`` may be two people: ``rows`` int64 of its vectors are the smaller part, or
    the one without confirmed vectors where one part has some; ``distance`` the mean squared one
    from them to the others."""

    label: int
    rows: NDArray[np.int64]
    distance: float
    probability: float
    gain: float


@dataclass(frozen=True)
class Suggestions:
    """What to look at, the greatest expected gain first, and how good n vectors and k clusters are.

    ``doubt`` float32 (n,) is the probability that a vector is in the wrong cluster; NaN where there
    is nothing to tell it by: noise and clusters of one; 0 for confirmed vectors. ``quality``
    float32 (k,) is the expected share of a cluster's vectors that are right, NaN for clusters of
    one; ``cohesion`` and ``margin`` (k,) are |sum|^2 / n^2 and the mean of what the next cluster is
    farther.
    """

    merges: tuple[MergeSuggestion, ...]
    mixtures: tuple[MixtureSuggestion, ...]
    belonging: Membership
    doubt: NDArray[np.float32]
    quality: NDArray[np.float32]
    cohesion: NDArray[np.float32]
    margin: NDArray[np.float32]


def suggest(
    vectors: NDArray[Any],
    labels: Labels,
    scale: float,
    constraints: Constraints | None = None,
    *,
    worth: Floats | None = None,
    confirmed: NDArray[np.bool_] | None = None,
    least: float = LEAST_PROBABILITY,
) -> Suggestions:
    """Suggestions for unit ``vectors`` (n, d) clustered as ``labels`` int32 (n,), -1 noise.

    Clusters with vectors of one photo, or of a cannot-link pair, are not suggested for merging, and
    no vector is doubted for being nearer to a cluster that it cannot link with.
    ``worth`` (n,) is what it is worth to put each vector right, by default 1: gains add it up.
    Vectors that are ``confirmed``, bool (n,), are known to be in the right cluster, so those of one
    cluster are of one person: they are not doubted, and no mixture has some in both parts.
    Time grows near-linearly with vectors and clusters. Raises ValueError for a ``scale`` that is
    not positive, for labels and constraints of other vectors. At most :data:`MOST` of each kind.
    """
    if not 0 < scale <= 4:
        raise ValueError(f"expected a scale (squared distance) in (0, 4], got {scale}")
    clusters = clusters_of(vectors, labels)
    constraints = constraints or Constraints()
    constraints.check(len(vectors))
    worth = np.ones(len(vectors)) if worth is None else worth
    belonging = membership_of(vectors, labels, clusters, constraints.cannot)
    doubt = WRONG.probabilities(wrong_features(belonging, labels, clusters, scale))
    confirmed = np.zeros(len(vectors), bool) if confirmed is None else confirmed & (labels != NOISE)
    doubt = np.where(confirmed, 0, doubt)
    half_labels, split = parted(vectors, labels, confirmed)
    by_halving = _by_halving(
        vectors, half_labels, len(clusters.sizes), scale, confirmed, MOST_HALVINGS
    )
    return Suggestions(
        _merges(labels, clusters, scale, constraints, worth, least),
        _mixtures(vectors, half_labels, split, len(clusters.sizes), scale, worth, confirmed, least),
        belonging,
        doubt.astype(np.float32),
        _quality(doubt, labels, len(clusters.sizes), by_halving, split),
        clusters.cohesion,
        _mean_of_members(belonging.margin, labels, len(clusters.sizes)),
    )


def candidates(labels: Labels, clusters: Clusters, constraints: Constraints) -> NDArray[np.int64]:
    """Pairs of near clusters (p, 2), ascending in each, that nothing known keeps apart."""
    count, near = clusters.nearest.shape
    one, two = np.repeat(np.arange(count), near), clusters.nearest.ravel().astype(np.int64)
    there = two >= 0
    keys = distinct(np.minimum(one, two)[there] * max(count, 1) + np.maximum(one, two)[there])
    pairs = np.stack([keys // max(count, 1), keys % max(count, 1)], axis=1)
    if constraints.cannot is not None and len(constraints.cannot):
        apart = np.sort(labels[constraints.cannot].astype(np.int64), axis=1)
        pairs = pairs[~np.isin(keys, apart[:, 0] * count + apart[:, 1])]
    if constraints.photos is not None and len(pairs):
        shows = _photos_of(labels, constraints.photos, count)
        shared = shows[pairs[:, 0]].multiply(shows[pairs[:, 1]]).sum(axis=1)
        pairs = pairs[np.asarray(shared).ravel() == 0]
    return pairs


def _photos_of(labels: Labels, photos: NDArray[np.int64], count: int) -> sparse.csr_matrix:
    """Which cluster (row) is on which photo (column)."""
    known = np.flatnonzero((labels != NOISE) & (photos >= 0))
    numbers, columns = np.unique(photos[known], return_inverse=True)
    ones = np.ones(len(known), np.int32)
    return sparse.csr_matrix((ones, (labels[known], columns)), shape=(count, len(numbers)))


def same_features(clusters: Clusters, pairs: NDArray[np.int64], scale: float) -> Floats:
    """What tells whether pairs of clusters (p, 2) are one person, float64 (p, 5).

    The mean squared distance, that between the directions of the means, both by ``scale``; the
    logarithms of the smaller size, the larger size, and the number of clusters, as among more
    people there are more who look alike.
    """
    one, two = pairs[:, 0], pairs[:, 1]
    distances = clusters.distances(one, two).astype(np.float64)
    lengths = np.sqrt(np.maximum(clusters.cohesion, 1e-12))
    directions = 2 - (2 - distances) / (lengths[one] * lengths[two])
    sizes = np.sort(clusters.sizes[pairs], axis=1)
    return np.column_stack(
        [
            distances / scale,
            directions / scale,
            np.log(sizes[:, 0]),
            np.log(sizes[:, 1]),
            np.full(len(pairs), np.log(max(len(clusters.sizes), 1))),
        ]
    )


def mixed_features(halves: Clusters, count: int, scale: float) -> Floats:
    """What tells whether halves 2i and 2i + 1 of ``count`` clusters are two people, (p, 6).

    The mean squared distance between them, that between the directions of their means, that
    within the larger, all by ``scale``; the logarithms of both sizes, the smaller first, and of
    the number of clusters.
    """
    one, two = np.arange(0, len(halves.sizes), 2), np.arange(1, len(halves.sizes), 2)
    distances = halves.distances(one, two).astype(np.float64)
    lengths = np.sqrt(np.maximum(halves.cohesion, 1e-12))
    directions = 2 - (2 - distances) / (lengths[one] * lengths[two])
    size = halves.sizes[one]
    within = 2 * (1 - halves.cohesion[one]) * size / np.maximum(size - 1, 1)
    return np.column_stack(
        [
            distances / scale,
            directions / scale,
            within / scale,
            np.log(halves.sizes[two]),
            np.log(size),
            np.full(len(size), np.log(count)),
        ]
    )


def wrong_features(
    belonging: Membership, labels: Labels, clusters: Clusters, scale: float
) -> Floats:
    """What tells whether vectors are in a wrong cluster, float64 (n, 5); NaN where unknown.

    The squared distance to the direction of the others' mean, the mean squared distance to the
    others, the margin to the next cluster (without one, the scale), all by ``scale``; the
    logarithms of the cluster's size and of the number of clusters.
    """
    margin = np.where(belonging.next_label == NOISE, scale, belonging.margin)
    sizes = np.append(clusters.sizes, 1)[labels]  # label -1 takes the last
    count = np.full(len(labels), np.log(max(len(clusters.sizes), 1)))
    distances = [belonging.towards / scale, belonging.within / scale, margin / scale]
    return np.column_stack([*distances, np.log(sizes), count]).astype(np.float64)


def _merges(  # noqa: PLR0917 - what suggest was given
    labels: Labels,
    clusters: Clusters,
    scale: float,
    constraints: Constraints,
    worth: Floats,
    least: float,
) -> tuple[MergeSuggestion, ...]:
    pairs = candidates(labels, clusters, constraints)
    if not len(pairs):
        return ()
    probabilities = SAME.probabilities(same_features(clusters, pairs, scale))
    distances = clusters.distances(pairs[:, 0], pairs[:, 1])
    gains = probabilities * _totals(worth, labels, len(clusters.sizes))[pairs].min(axis=1)
    return tuple(
        MergeSuggestion(
            int(pairs[row, 0]),
            int(pairs[row, 1]),
            float(distances[row]),
            float(probabilities[row]),
            float(gains[row]),
        )
        for row in _best_first(gains, probabilities, least)
    )


def parted(
    vectors: NDArray[Any], labels: Labels, confirmed: NDArray[np.bool_] | None = None
) -> tuple[Labels, NDArray[np.int64]]:
    """Halves as clusters of their own, and the clusters (p,) that have two.

    Half labels int32 (n,): 2i and 2i + 1 are the larger and the smaller of the i-th of those
    clusters, -1 all other vectors. The ``confirmed`` of a cluster are all in one half.
    """
    second = bisect_clusters(vectors, labels)
    if confirmed is not None and confirmed.any():
        second = _together(second, labels, confirmed)
    split = np.unique(labels[second]).astype(np.int64)
    place = np.full(int(labels.max(initial=NOISE)) + 2, -1, np.int64)
    place[split] = np.arange(len(split))
    half_label = place[labels]  # noise takes the last place, which is -1
    return np.where(half_label < 0, NOISE, 2 * half_label + second).astype(np.int32), split


def _together(
    second: NDArray[np.bool_], labels: Labels, confirmed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Halves in which all confirmed vectors are where most of them were, the smaller ``True``."""
    count = int(labels.max(initial=NOISE)) + 1
    half_label = labels[confirmed]
    most = 2 * np.bincount(half_label, second[confirmed], count) > np.bincount(
        half_label, minlength=count
    )
    second = second.copy()
    second[confirmed] = most[half_label]
    kept = labels != NOISE
    sizes = np.bincount(labels[kept], minlength=count)
    larger = 2 * np.bincount(labels[kept], second[kept], count) > sizes
    second[kept] ^= larger[labels[kept]]
    return second


def _mixtures(  # noqa: PLR0917 - what suggest was given
    vectors: NDArray[Any],
    half_labels: Labels,
    split: NDArray[np.int64],
    count: int,
    scale: float,
    worth: Floats,
    confirmed: NDArray[np.bool_],
    least: float,
) -> tuple[MixtureSuggestion, ...]:
    """Of ``count`` clusters those ``split``, with ``half_labels`` as :func:`parted` gives them."""
    if not len(split):
        return ()
    halves = clusters_of(vectors, half_labels, near=0)
    probabilities = MIXED.probabilities(mixed_features(halves, count, scale))
    # Who was confirmed stays: then the other half, even a larger one, would leave.
    leaving = 1 - np.isin(2 * np.arange(len(split)) + 1, half_labels[confirmed])
    leaving += 2 * np.arange(len(split))
    gains = probabilities * _totals(worth, half_labels, len(halves.sizes))[1::2]
    order = np.argsort(half_labels, kind="stable")
    starts = np.searchsorted(half_labels[order], np.arange(len(halves.sizes) + 1))
    distances = halves.distances(
        np.arange(0, len(halves.sizes), 2), np.arange(1, len(halves.sizes), 2)
    )
    return tuple(
        MixtureSuggestion(
            int(split[row]),
            np.sort(order[starts[leaving[row]] : starts[leaving[row] + 1]]).astype(np.int64),
            float(distances[row]),
            float(probabilities[row]),
            float(gains[row]),
        )
        for row in _best_first(gains, probabilities, least)
    )


def _totals(worth: Floats, labels: Labels, count: int) -> Floats:
    """What the members of each cluster are worth together, float64 (count,)."""
    kept = labels != NOISE
    totals: Floats = np.bincount(labels[kept], worth[kept], minlength=count).astype(np.float64)
    return totals


def _best_first(gains: Floats, probabilities: Floats, least: float) -> list[int]:
    """Rows that are likely enough and worth anything, by falling gain, at most :data:`MOST`."""
    kept = np.flatnonzero((probabilities >= least) & (gains > 0))
    rows: list[int] = kept[np.argsort(-gains[kept], kind="stable")][:MOST].tolist()
    return rows


def _by_halving(  # noqa: PLR0917 - what suggest was given
    vectors: NDArray[Any],
    half_labels: Labels,
    count: int,
    scale: float,
    confirmed: NDArray[np.bool_],
    times: int,
) -> Floats:
    """The share of right members that halves tell of, float64 (p,), as :func:`parted` gives them.

    Where the halves are one person all members are right; where they are two, those of the larger
    half that are right in it, by its own halves in turn, at most so many ``times``.
    """
    halves = clusters_of(vectors, half_labels, near=0)
    if not len(halves.sizes):
        return np.zeros(0)
    two = MIXED.probabilities(mixed_features(halves, count, scale))
    within = np.ones(len(two))
    if times > 1:
        likely = np.append(two >= LEAST_PROBABILITY, False)
        larger = np.where(half_labels % 2 == 0, half_labels // 2, NOISE).astype(np.int32)
        larger = np.where(likely[larger], larger, np.int32(NOISE))
        inner, split = parted(vectors, larger, confirmed & (larger != NOISE))
        within[split] = _by_halving(vectors, inner, count, scale, confirmed, times - 1)
    share = halves.sizes[::2] / (halves.sizes[::2] + halves.sizes[1::2])
    shares: Floats = 1 - two + two * share * within
    return shares


def _quality(
    doubt: Floats, labels: Labels, count: int, halves: Floats, split: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The expected share of right members of each cluster, float32 (count,), NaN for none.

    A cluster's person is the one most members show, so however much its members doubt one another
    as many are right as ``halves`` (p,) of the clusters ``split`` tell.
    """
    quality = _mean_of_members(1 - doubt, labels, count)
    quality[split] = np.maximum(quality[split], halves)
    return quality


def _mean_of_members(values: Floats, labels: Labels, count: int) -> NDArray[np.float32]:
    """The mean of the known ``values`` (n,) of each cluster, float32 (count,), NaN for none."""
    known = np.flatnonzero((labels != NOISE) & ~np.isnan(values))
    totals = np.bincount(labels[known], values[known], minlength=count)
    numbers = np.bincount(labels[known], minlength=count)
    means = np.where(numbers > 0, totals / np.maximum(numbers, 1), np.nan)
    return means.astype(np.float32)
