"""The threshold by the number of faces alone, which was the rule before: to compare with.

The threshold of n vectors is the distance t within which a share

    p(n) = SHARE * (AT / n) ** POWER

of impostor pairs lie by their law (:mod:`cluster.adaptive.impostor_law`). The more vectors, the
more impostors within any distance of each, so t falls as n grows; it does not know how many photos
people have.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from cluster.adaptive.impostor_law import impostor_law

SHARE = 2.5e-4
AT = 2000
POWER = 0.1
LEAST_VECTORS = 2000  # fewer are of too few people, or pairs
MOST_NEAR = 0.02  # share of pairs that may be of one person, for the rest to be impostors


def gallery_threshold(vectors: NDArray[Any], loosest: float) -> float | None:
    """The threshold for ``vectors`` (n, d), unit length, of many people; at most ``loosest``.

    ``loosest``, a squared distance above 0, is the encoder's, for albums: beyond it hardly two
    faces are of one person. None where it cannot be told: for fewer than :data:`LEAST_VECTORS`, or
    where more than :data:`MOST_NEAR` of all pairs are nearer than ``loosest``, which means few
    people, whose own pairs would be taken for impostors. Equal input gives equal output.
    """
    if len(vectors) < LEAST_VECTORS:
        return None
    law = impostor_law(vectors, loosest, most_near=MOST_NEAR)
    return None if law is None else min(loosest, law.distance_of(allowed_share(len(vectors))))


def allowed_share(count: int) -> float:
    """The share p(n) of impostor pairs that may lie within the threshold of ``count`` vectors."""
    return float(SHARE * (AT / count) ** POWER)
