"""How crowded the space around each vector is: some faces are near to everybody.

A small, blurred or average face lies nearer to all strangers than a distinctive one does. Speaker
verification corrects its scores for that by each side's distances to a cohort of others (symmetric
score normalisation; Auckenthaler, Carey and Lloyd-Thomas 2000, "Score normalization for
text-independent speaker verification systems"; Matejka et al. 2017, adaptive s-norm). Here it is a
weight of each vector, so that distances of groups stay products of means: the corrected distance of
x and y is w(x) w(y) |x - y|^2, and its mean over all pairs of two groups of unit vectors is

    2 (mean w)(mean w) - 2 (mean w x) . (mean w y).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Weights are the distance to the nearest strangers to the power of minus this: 1 would call all
# places alike, 0 corrects nothing (chosen on the people that docs/performance.md names).
STRENGTH = 0.5
COHORT = 1024  # vectors drawn, with which each is compared
NEAREST = 0.01  # share of the cohort, beyond one person's distance, that counts as near
_LEAST_NEAREST = 5
_BLOCK = 4096
_SEED = 3
_FARTHEST = 4.0  # squared distance of two unit vectors
_LEAST = 1e-6


class Crowding(NamedTuple):
    """Of n vectors float64 (n,): the logarithm of their ``distance`` to the nearest strangers.

    ``usual`` is the mean, of which weights are 1.
    """

    distance: NDArray[np.float64]
    usual: float

    def weights(self, usual: float | None = None) -> NDArray[np.float64]:
        """Float64 (n,): more than 1 where strangers are near; ``usual`` another gallery's mean."""
        about = self.usual if usual is None else usual
        result: NDArray[np.float64] = np.exp(-STRENGTH * (self.distance - about))
        return result


def crowding(vectors: NDArray[Any], beyond: float, among: NDArray[Any] | None = None) -> Crowding:
    """How near strangers are to each of ``vectors`` (n, d), unit length, n of 1 or more.

    Strangers are those of a cohort drawn from the vectors, or from those ``among`` which they are
    to be judged, that are farther than ``beyond``, a squared distance within which two may be of
    one person. Where there are none the farthest distance counts. Time is that of n times
    :data:`COHORT` distances. Equal input gives equal output.
    """
    rng = np.random.default_rng(_SEED)
    drawn_from = vectors if among is None else among
    cohort = np.sort(rng.permutation(len(drawn_from))[:COHORT])
    others = np.ascontiguousarray(drawn_from[cohort], np.float32).T
    near = min(len(cohort), max(_LEAST_NEAREST, int(NEAREST * len(cohort))))
    distance = np.empty(len(vectors), np.float64)
    for start in range(0, len(vectors), _BLOCK):
        part = slice(start, start + _BLOCK)
        apart = 2 - 2 * (np.asarray(vectors[part], np.float32) @ others)
        apart[apart <= beyond] = _FARTHEST
        nearest = np.partition(apart, near - 1, axis=1)[:, :near]
        distance[part] = np.log(np.maximum(nearest.mean(axis=1, dtype=np.float64), _LEAST))
    return Crowding(distance, float(distance.mean()) if len(distance) else math.log(_FARTHEST))
