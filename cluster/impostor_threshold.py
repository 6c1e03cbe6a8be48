"""A clustering threshold from the distances of different people in the gallery itself.

Squared distances of faces of two people, drawn at random, have a logarithm that is nearly normal,
so the law can be fitted where impostors are many and be used where they are few. Where the people
are known (``benchmarks/clustering/threshold.py``) it has the tail of made faces within a factor of
two down to shares of 1e-5; in LFW, where some people stand under two names, 2.5 times as many pairs
lie where it has 1e-4, and six times as many where it has 1e-5. It is fitted to random pairs of the
gallery beyond a distance at which hardly two faces are one person's, as it is not known yet who is
who.

The threshold of n vectors is the distance t within which a share

    p(n) = SHARE * (AT / n) ** POWER

of impostor pairs lie. The more vectors, the more impostors within any distance of each, so t falls
as n grows; and by how much it must fall says the law, that is the gallery, not its number alone.
``SHARE`` and ``POWER`` were chosen as those of the highest F, pairwise and BCubed together, on
half of the people of LFW and made galleries of 20,000 to 200,000 faces, and are reported on others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

SHARE = 2.5e-4
AT = 2000
POWER = 0.1

LEAST_VECTORS = 2000  # fewer are of too few people, or pairs
MOST_NEAR = 0.02  # share of pairs that may be of one person, for the rest to be impostors
_ROWS, _OTHERS = 1024, 32_768  # drawn, each of the first paired with each of the second
_BLOCK = 128
_LEVELS = np.geomspace(0.01, 0.1, 12)  # of the pairs beyond, where the law is fitted
_ROUNDS = 4
_SEED = 0


@dataclass(frozen=True)
class ImpostorLaw:
    """Logarithms of squared distances of impostors: normal, of this ``mean`` and ``deviation``."""

    mean: float
    deviation: float

    def share_within(self, distance: float) -> float:
        """The share of pairs of two people at most a squared ``distance``, above 0, apart."""
        return float(ndtr((math.log(distance) - self.mean) / self.deviation))

    def distance_of(self, share: float) -> float:
        """The squared distance within which a ``share``, in (0, 1), of pairs of two people lie."""
        return math.exp(self.mean + self.deviation * float(ndtri(share)))


def gallery_threshold(vectors: NDArray[Any], loosest: float) -> float | None:
    """The threshold for ``vectors`` (n, d), unit length, of many people; at most ``loosest``.

    ``loosest``, a squared distance above 0, is the encoder's, for albums: beyond it hardly two
    faces are of one person. None where it cannot be estimated: for fewer than
    :data:`LEAST_VECTORS`, or where more than :data:`MOST_NEAR` of all pairs are nearer than
    ``loosest``, which means few people, whose own pairs would be taken for impostors. Equal input
    gives equal output.
    """
    law = impostor_law(vectors, loosest)
    return None if law is None else min(loosest, law.distance_of(allowed_share(len(vectors))))


def allowed_share(count: int) -> float:
    """The share p(n) of impostor pairs that may lie within the threshold of ``count`` vectors."""
    return float(SHARE * (AT / count) ** POWER)


def impostor_law(vectors: NDArray[Any], beyond: float) -> ImpostorLaw | None:
    """The law of impostors among ``vectors`` (n, d), from pairs ``beyond`` a squared distance.

    Shares of the pairs beyond are shares of all impostors after those the law itself has nearer,
    so it is fitted again with them, a few times. None as :func:`gallery_threshold` has it.
    """
    if len(vectors) < LEAST_VECTORS:
        return None
    distances, near = _pairs_beyond(vectors, beyond)
    if near > MOST_NEAR or len(distances) < LEAST_VECTORS:
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


def _pairs_beyond(vectors: NDArray[Any], beyond: float) -> tuple[NDArray[np.float32], float]:
    """Squared distances of random pairs that exceed ``beyond``, and the share that does not."""
    rng = np.random.default_rng(_SEED)
    rows, others = (np.sort(rng.permutation(len(vectors))[:count]) for count in (_ROWS, _OTHERS))
    right = np.asarray(vectors[others], np.float32)
    kept, pairs = [], 0
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        distances = 2 - 2 * (np.asarray(vectors[block], np.float32) @ right.T)
        different = block[:, None] != others
        pairs += int(different.sum())
        kept.append(distances[different & (distances > beyond)])
    found = np.concatenate(kept)
    return found, 1 - len(found) / pairs
