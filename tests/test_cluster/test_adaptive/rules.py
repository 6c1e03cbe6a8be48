"""Rules for tests, and what they say by plain loops."""

from __future__ import annotations

import itertools
import math

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from cluster.adaptive.impostor_law import FACES, FULL_GROUP, MIXED, PLACES, ImpostorLaw
from cluster.adaptive.merge_rule import (
    CENTRE,
    COUNTED_SIZES,
    LOOSEST,
    MOST_COUNTED,
    MOST_WRONG,
    TIGHTEST,
    MergeRule,
)

RULE = MergeRule(
    ImpostorLaw(-1.1, 0.27), 0.14, -1.7, 6.0, 4.5, -0.8, 0.2, (500.0, 90.0, 60.0, 40.0, 20.0, 9.0)
)


@st.composite
def rules(draw: st.DrawFn) -> MergeRule:
    """Any rule that a gallery may give."""
    groups = draw(st.lists(st.floats(0, 1e6), min_size=6, max_size=6))
    return MergeRule(
        ImpostorLaw(*(draw(st.floats(*ends)) for ends in ((-1.5, 0.8), (0.05, 0.6), (-2, 0)))),
        beyond=0.14,
        usual=-1.7,
        intercept=draw(st.floats(-12, 20)),
        slope=draw(st.floats(2, 9)),
        smaller=draw(st.floats(-1.8, 1.2)),
        larger=draw(st.floats(-1.2, 1.8)),
        groups=tuple(sorted(groups, reverse=True)),
    )


def log_groups(rule: MergeRule, size: int) -> float:
    """The logarithm of how many groups are at least so large, between the sizes counted."""
    logs = [math.log(max(each, 1)) for each in rule.groups]
    for place, (low, high) in enumerate(itertools.pairwise(COUNTED_SIZES)):
        if low <= size <= high:
            share = math.log(size / low) / math.log(high / low)
            return (1 - share) * logs[place] + share * logs[place + 1]
    return logs[-1]


def log_odds(rule: MergeRule, z: float, one: int, two: int) -> float:
    """The logarithm of the odds that a merge at z is right."""
    small, large = sorted((one, two))
    u = CENTRE - z
    odds = rule.intercept + rule.slope * u + u**2 / 2 - log_groups(rule, small)
    odds += rule.smaller * math.log(min(small, MOST_COUNTED))
    odds += rule.larger * math.log(min(large, MOST_COUNTED))
    if large == 1:
        odds += log_groups(rule, 2) - log_groups(rule, 1)
    return odds


def plain_excess(rule: MergeRule, distance: float, one: int, two: int) -> float:
    """The definition, in the order of the docstrings."""
    small, large = sorted((one, two))
    share = PLACES + MIXED * (1 / small + 1 / large) / 2 + FACES / (small * large)
    z = (math.log(distance) - rule.law.mean) / (rule.law.deviation * math.sqrt(share))
    z -= rule.law.resemblance * min(math.log(small) / math.log(FULL_GROUP), 1)
    needed = math.log((1 - MOST_WRONG) / MOST_WRONG)

    def lacking(at: float) -> float:
        return needed - log_odds(rule, at, one, two)

    loosest, tightest = LOOSEST, TIGHTEST
    if lacking(loosest) <= 0:
        return z - loosest
    if lacking(tightest) >= 0:
        return z - tightest
    return z - float(brentq(lacking, tightest, loosest, xtol=1e-13, rtol=1e-13))


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
