"""Rules for tests, and what they say by plain loops."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from cluster.adaptive.impostor_law import FACES, MIXED, PLACES, ImpostorLaw
from cluster.adaptive.merge_rule import (
    CENTRE,
    LOOSEST,
    MOST_COUNTED,
    MOST_WRONG,
    TIGHTEST,
    MergeRule,
)

RULE = MergeRule(ImpostorLaw(-1.1, 0.27), 0.14, -1.7, -1.0, 4.0, -0.5, 0.6)


@st.composite
def rules(draw: st.DrawFn) -> MergeRule:
    """Any rule that a gallery may give."""
    return MergeRule(
        ImpostorLaw(draw(st.floats(-1.5, 0.8)), draw(st.floats(0.05, 0.6))),
        beyond=0.14,
        usual=-1.7,
        intercept=draw(st.floats(-12, 6)),
        slope=draw(st.floats(0.5, 9)),
        smaller=draw(st.floats(-1.2, 1.2)),
        larger=draw(st.floats(-1.2, 1.8)),
    )


def plain_excess(rule: MergeRule, distance: float, one: int, two: int) -> float:
    """The definition, in the order of the docstrings."""
    small, large = sorted((one, two))
    share = PLACES + MIXED * (1 / small + 1 / large) / 2 + FACES / (small * large)
    z = (math.log(distance) - rule.law.mean) / (rule.law.deviation * math.sqrt(share))
    odds_at_centre = (
        rule.intercept
        + rule.smaller * math.log(min(small, MOST_COUNTED))
        + rule.larger * math.log(min(large, MOST_COUNTED))
    )
    cut = CENTRE + (odds_at_centre - math.log((1 - MOST_WRONG) / MOST_WRONG)) / rule.slope
    return z - min(max(cut, TIGHTEST), LOOSEST)


def mean_distance(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], one: list[int], two: list[int]
) -> float:
    """The mean corrected squared distance of all pairs of two groups, pair by pair."""
    total = 0.0
    for a in one:
        for b in two:
            gap = vectors[a].astype(np.float64) - vectors[b].astype(np.float64)
            total += weights[a] * weights[b] * float(gap @ gap)
    return max(total / (len(one) * len(two)), 1e-9)


def expected_merges(pairs: float, low: float, high: float) -> float:
    """Merges of impostors between two z."""
    return pairs * float(ndtr(high) - ndtr(low))
