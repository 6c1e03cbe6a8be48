"""The law of the distance between two groups of two people: log-normal, narrower for larger groups.

Squared distances of two faces of two people have a logarithm that is nearly normal
(``benchmarks/clustering/threshold.py``), so its law can be fitted where impostors are many and be
used where they are few. Of groups of a and b faces the mean distance counts. Write each vector as a
person's place plus a face's own deviation; then the variance of the mean product of two groups has
three parts: that of two places, that of a place and a deviation, which shrinks with one size, and
that of two deviations, which shrinks with both:

    variance(a, b) = variance(1, 1) (PLACES + MIXED (1/a + 1/b) / 2 + FACES / (a b)).

The shares were measured on people with many photos who are in no reported set.

People of many photos may resemble each other more than all who are in the gallery do: a family
does, beside strangers. So pairs of full groups have a mean of their own
(:func:`with_resemblance`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

PLACES, MIXED, FACES = 0.59, 0.32, 0.09

FULL_GROUP = 4  # faces from which on a group shows whom its person resembles
LEAST_DISTANCE = 1e-9  # whose logarithm is taken

LEAST_VECTORS = 100  # fewer have too few pairs for the tail to show
MOST_NEAR = 0.25  # share of pairs that may be of one person, for the rest to be impostors
_ROWS, _OTHERS = 1024, 32_768  # drawn, each of the first paired with each of the second
_BLOCK = 128
_LEVELS = np.geomspace(0.01, 0.1, 12)  # of the pairs beyond, where the law is fitted
_ROUNDS = 4
# The tail of pairs of two groups goes up to where a share of them lies, and so many at least: fewer
# tell nothing of its slope.
_TAIL_TO, _LEAST_TO = 0.005, 4000
_KEPT = 0.04  # share of pairs whose distances are kept for it, the nearest
_LEAST_TAIL = 50  # pairs that are nearer than where its fit begins
_TAIL_ROUNDS = 20  # of counting those that merged by the fit before
_TAIL_LEVELS = 12
_GROUP_LEVELS = np.geomspace(0.02, 0.1, 8)  # of pairs of larger groups
_USUAL_GROUPS = 4  # as many count as much as what is usual, no resemblance
_SEED = 0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ImpostorLaw:
    """Logarithms of squared distances of impostors: normal, of this ``mean`` and ``deviation``.

    That is of single faces. People of many faces may resemble each other more than those of one,
    such as strangers beside a family: by ``resemblance`` deviations, negative where they do, groups
    of :data:`FULL_GROUP` faces and more are farther than that law says, smaller ones by less.
    """

    mean: float
    deviation: float
    resemblance: float = 0.0

    def z(self, distance: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """By how many deviations mean squared distances of groups of these sizes are farther than
        impostors are on average."""
        scale = self.deviation * size_factor(one, two)
        z = (np.log(np.maximum(distance, LEAST_DISTANCE)) - self.mean) / scale
        return z - self.resemblance * share_of_group(np.minimum(one, two))

    def distance(self, z: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """The mean squared distance of groups of these sizes that are at ``z``."""
        scale = self.deviation * size_factor(one, two)
        z = z + self.resemblance * share_of_group(np.minimum(one, two))
        return np.exp(self.mean + scale * z)

    def share_within(self, distance: float) -> float:
        """The share of pairs of two people at most a squared ``distance``, above 0, apart."""
        return float(ndtr((math.log(distance) - self.mean) / self.deviation))

    def distance_of(self, share: float) -> float:
        """The squared distance within which a ``share``, in (0, 1), of pairs of two people lie."""
        return math.exp(self.mean + self.deviation * float(ndtri(share)))


def size_factor(one: Floats | float, two: Floats | float) -> Any:
    """By what the deviation of single faces is multiplied for groups of these sizes."""
    return np.sqrt(PLACES + MIXED * 0.5 * (1 / one + 1 / two) + FACES / (one * two))


def share_of_group(size: Floats | float) -> Any:
    """How much of the resemblance of groups counts for those of this size: 0 for 1, up to 1."""
    return np.minimum(np.log(size) / math.log(FULL_GROUP), 1)


def impostor_law(
    vectors: NDArray[Any],
    beyond: float,
    weights: Floats | None = None,
    *,
    most_near: float = MOST_NEAR,
) -> ImpostorLaw | None:
    """The law of impostors among unit ``vectors`` (n, d), from pairs ``beyond`` a squared distance.

    With ``weights`` float64 (n,), that of distances times the weights of both. Shares of the pairs
    beyond are shares of all impostors after those the law itself has nearer, so it is fitted again
    with them, a few times. None for fewer than :data:`LEAST_VECTORS`, or where a share of more than
    ``most_near`` of all pairs is nearer than ``beyond``, which means few people, whose own
    pairs would be taken for impostors. Equal input gives equal output.
    """
    if len(vectors) < LEAST_VECTORS:
        return None
    distances, near = _pairs_beyond(vectors, beyond, weights)
    if near > most_near or len(distances) < LEAST_VECTORS:
        return None
    levels = np.log(np.quantile(distances, _LEVELS))
    within = 0.0
    law = None
    for _ in range(_ROUNDS):
        deviation, mean = np.polyfit(ndtri(within + (1 - within) * _LEVELS), levels, 1)
        if not (np.isfinite(mean) and deviation > 0):
            return None
        law = ImpostorLaw(float(mean), float(deviation))
        within = law.share_within(beyond)
    return law


def tail_law(
    vectors: NDArray[Any], weights: Floats, groups: NDArray[np.integer[Any]], cut: float
) -> ImpostorLaw | None:
    """The law near the ``cut``, where impostors of unit ``vectors`` (n, d) are about to merge.

    Tails need not be those of a log-normal law: some encoders' are heavier. Once vectors are in
    ``groups`` int (n,), cut at the corrected distance ``cut`` for single vectors, the distances of
    pairs of two groups beyond it are those of impostors far into the tail. The law is fitted from
    there to where a share of :data:`_TAIL_TO` of pairs lies. None where that is too few pairs.

    Impostors nearer than the cut that merged are pairs of two groups no more. As many have to be
    added as the law has nearer than the cut and are not there, so it is fitted again with them:
    without, a gallery of strangers would have the fewer impostors, the more of them merged.
    """
    distances, pairs = _pairs_of_groups(vectors, weights, groups)
    distances.sort()
    nearer = int(np.searchsorted(distances, cut))
    last = min(max(int(_TAIL_TO * pairs), _LEAST_TO), len(distances) - 1)
    merged = 0.0
    law: ImpostorLaw | None = None
    for _ in range(_TAIL_ROUNDS):
        first = max(nearer, math.ceil(merged), _LEAST_TAIL)
        if last < 2 * first:
            return law
        places = np.unique(np.geomspace(first, last, _TAIL_LEVELS).astype(np.int64))
        shares = (places + 0.5 + merged) / (pairs + merged)
        deviation, mean = np.polyfit(ndtri(shares), np.log(distances[places]), 1)
        if not (np.isfinite(mean) and deviation > 0):
            return law
        law = ImpostorLaw(float(mean), float(deviation))
        merged = max(law.share_within(cut) * pairs - nearer, 0.0)
    return law


def with_resemblance(
    law: ImpostorLaw,
    vectors: NDArray[Any],
    weights: Floats,
    sure: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]],
) -> ImpostorLaw:
    """``law`` with the resemblance of people who have many of the unit vectors (n, d).

    It is how much nearer than the law has them pairs of ``sure`` groups of these vectors are, int
    (n,), which are surely of one person each, where they are in two of the ``groups`` int (n,),
    which are as whole as can be. Few groups say less, and none that people resemble each other less
    than strangers do.
    """
    law = replace(law, resemblance=0.0)
    z, people = _full_groups_apart(law, (vectors, weights), sure, groups)
    if not len(z):
        return law
    nearer = float((np.quantile(z, _GROUP_LEVELS) - ndtri(_GROUP_LEVELS)).mean())
    return replace(law, resemblance=min(nearer * people / (people + _USUAL_GROUPS), 0.0))


def _full_groups_apart(
    law: ImpostorLaw,
    weighted: tuple[NDArray[Any], Floats],
    sure: NDArray[np.integer[Any]],
    groups: NDArray[np.integer[Any]],
) -> tuple[Floats, int]:
    """By ``law`` the z (p,) of pairs of full ``sure`` groups in two ``groups``, and how many of
    ``groups`` they are in. Of very many sure groups some are drawn."""
    vectors, weights = weighted
    sizes = np.bincount(sure)
    full = np.random.default_rng(_SEED).permutation(np.flatnonzero(sizes >= FULL_GROUP))[:_ROWS]
    place = np.full(len(sizes), -1)
    place[full] = np.arange(len(full))
    rows = np.flatnonzero(place[sure] >= 0)
    of = place[sure[rows]]
    counts = sizes[full].astype(np.float64)
    means = np.zeros((len(full), vectors.shape[1]))
    np.add.at(means, of, vectors[rows] * weights[rows, None])
    means /= counts[:, None]
    mean_weights = np.bincount(of, weights[rows], len(full)) / counts
    whole = np.empty(len(full), np.int64)
    whole[of] = groups[rows]
    one, two = np.triu_indices(len(full), 1)
    apart = whole[one] != whole[two]
    one, two = one[apart], two[apart]
    distances = 2 * (mean_weights[one] * mean_weights[two] - (means @ means.T)[one, two])
    return law.z(distances, counts[one], counts[two]), len(np.unique(whole))


def _pairs_of_groups(
    vectors: NDArray[Any], weights: Floats, groups: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], int]:
    """The least corrected distances of random pairs of two groups, and how many pairs there are."""
    rng = np.random.default_rng(_SEED)
    rows, others = (np.sort(rng.permutation(len(vectors))[:count]) for count in (_ROWS, _OTHERS))
    right = np.asarray(vectors[others], np.float32)
    scale = weights.astype(np.float32)
    kept, pairs = [], 0
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        distances = 2 - 2 * (np.asarray(vectors[block], np.float32) @ right.T)
        distances *= scale[block][:, None]
        distances *= scale[others]
        found = distances[groups[block][:, None] != groups[others]]
        pairs += len(found)
        count = min(len(found) - 1, int(_KEPT * len(found)) + 1)
        if count > 0:
            kept.append(np.partition(found, count)[: count + 1])
    return np.concatenate(kept) if kept else np.zeros(0, np.float32), pairs


def _pairs_beyond(
    vectors: NDArray[Any], beyond: float, weights: Floats | None
) -> tuple[NDArray[np.float32], float]:
    """Squared distances of random pairs that exceed ``beyond``, and the share that does not."""
    rng = np.random.default_rng(_SEED)
    rows, others = (np.sort(rng.permutation(len(vectors))[:count]) for count in (_ROWS, _OTHERS))
    right = np.asarray(vectors[others], np.float32)
    scale = np.ones(len(vectors), np.float32) if weights is None else weights.astype(np.float32)
    kept, pairs = [], 0
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        distances = 2 - 2 * (np.asarray(vectors[block], np.float32) @ right.T)
        distances *= scale[block][:, None]
        distances *= scale[others]
        differ = block[:, None] != others
        pairs += int(differ.sum())
        kept.append(distances[differ & (distances > beyond)])
    found = np.concatenate(kept)
    return found, 1 - len(found) / pairs
