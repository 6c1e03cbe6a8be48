"""At which distance two groups merge: where a merge is more likely wrong than is worth it.

Distances are read against the law of impostors (:mod:`cluster.adaptive.impostor_law`): z is by how
many deviations, for their sizes, two groups are farther than impostors are on average. Of
impostors, pairs at z are as many as there are pairs of groups times the normal density; right
merges fall off exponentially as z rises. So with u = CENTRE - z a merge of groups of a and b faces,
a <= b, is right with odds of

    exp(intercept + slope u + u^2 / 2 + smaller log a + larger log b) prior(a, b),

where the prior is one in as many as there are to choose from: of groups of at least a faces,
1 / G(a), and of two single faces (G(2) / G(1)) / G(1), as most of them may be nobody's second face.
So strangers beside an album make the cut of single faces stricter, not that of its people. What is
left, which :mod:`cluster.adaptive.rule_fit` learns, is much the same in all galleries. Where the
odds are worth a merge lies the cut of each pair of sizes. The *excess* of two groups is their z
less that cut: they may merge at 0 or below.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.crowding import crowding
from cluster.adaptive.impostor_law import (
    FACES,
    FULL_GROUP,
    LEAST_DISTANCE,
    MIXED,
    PLACES,
    ImpostorLaw,
)
from indexer.runtime.numba_jit import jit_fastmath

CENTRE = -3.5  # the z at which intercept and slope are
MOST_COUNTED = 48  # faces of a group; more tell no more of its odds
COUNTED_SIZES = (1, 2, 4, 8, 16, 32)  # of at least so many faces groups are counted
# The chance of being wrong at which a merge is no longer made. F is greatest where that is
# 1 - F / 2, half or a little more (Lipton, Elkan and Narayanaswamy 2014).
MOST_WRONG = 0.5
TIGHTEST, LOOSEST = -8.0, -1.8  # where cuts lie at all

Floats = NDArray[np.float64]

_LOG_SIZES = np.log(COUNTED_SIZES)
_NEEDED = math.log((1 - MOST_WRONG) / MOST_WRONG)  # logarithm of the odds of a merge worth it


@dataclass(frozen=True)
class MergeRule:
    """``law`` of impostors, and the odds that a merge is right: see the module.

    ``beyond`` and ``usual`` are what crowding is measured by: the squared distance beyond which
    others are strangers, and its mean in the gallery (:mod:`cluster.adaptive.crowding`).
    ``groups`` are G of :data:`COUNTED_SIZES`; between them its logarithm is linear in that of the
    size.
    """

    law: ImpostorLaw
    beyond: float
    usual: float
    intercept: float
    slope: float
    smaller: float
    larger: float
    groups: tuple[float, ...] = (1.0,) * len(COUNTED_SIZES)

    def weights(self, vectors: NDArray[Any], among: NDArray[Any] | None = None) -> Floats:
        """Float64 (n,): those that distances of ``vectors`` (n, d) are corrected by.

        They are measured ``among`` the vectors themselves, or others.
        """
        if not len(vectors):
            return np.zeros(0)
        return crowding(vectors, self.beyond, among).weights(self.usual)

    def z(self, distance: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """Deviations from the mean of impostors, of corrected mean squared distances."""
        return self.law.z(distance, one, two)

    def prior(self, one: Floats | float, two: Floats | float) -> Any:
        """The logarithm of the prior odds that groups of these sizes are of one person."""
        groups = self._log_groups()
        among = np.interp(np.log(np.minimum(one, two)), _LOG_SIZES, groups)
        return np.where(np.maximum(one, two) < 2, groups[1] - groups[0], 0.0) - among

    def cut(self, one: Floats | float, two: Floats | float) -> Any:
        """The z up to which groups of these sizes merge."""
        small = np.log(np.minimum(np.minimum(one, two), MOST_COUNTED))
        large = np.log(np.minimum(np.maximum(one, two), MOST_COUNTED))
        odds = self.intercept + self.smaller * small + self.larger * large + self.prior(one, two)
        within = np.maximum(self.slope**2 - 2 * (odds - _NEEDED), 0)
        return np.clip(CENTRE + self.slope - np.sqrt(within), TIGHTEST, LOOSEST)

    def excess(self, distance: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """By how much z is beyond the cut; 0 or less: they merge."""
        return self.z(distance, one, two) - self.cut(one, two)

    def distance(self, one: float, two: float) -> float:
        """The mean squared distance up to which groups merge, where it is as crowded as usual."""
        return float(self.law.distance(self.cut(one, two), one, two))

    def farthest(self, excess: float) -> float:
        """The corrected distance beyond which groups of any sizes have more than this excess."""
        sizes = np.append(np.arange(1.0, MOST_COUNTED + 1), np.inf)
        one, two = np.meshgrid(sizes, sizes)
        return float(self.law.distance(self.cut(one, two) + excess, one, two).max())

    def parameters(self) -> RuleParameters:
        """What kernels need."""
        return RuleParameters(
            self.law.mean,
            self.law.deviation,
            self.law.resemblance,
            self.intercept - _NEEDED,
            self.slope,
            self.smaller,
            self.larger,
            self._log_groups(),
        )

    def as_dict(self) -> dict[str, float]:
        """All of it by name, for a file; :meth:`of` reads it."""
        law = dict(zip(LAW_NAMES, asdict(self.law).values(), strict=True))
        groups = dict(zip(GROUP_NAMES, self.groups, strict=True))
        rest = {k: v for k, v in asdict(self).items() if k not in ("law", "groups")}
        return law | rest | groups

    @classmethod
    def of(cls, values: dict[str, float]) -> MergeRule:
        """The rule that :meth:`as_dict` wrote; raises KeyError or TypeError for another."""
        law = ImpostorLaw(*(float(values[name]) for name in LAW_NAMES))
        groups = tuple(float(values[name]) for name in GROUP_NAMES)
        rest = {
            name: float(value)
            for name, value in values.items()
            if name not in (*LAW_NAMES, *GROUP_NAMES)
        }
        return cls(law=law, groups=groups, **rest)

    def _log_groups(self) -> Floats:
        logs: Floats = np.log(np.maximum(np.asarray(self.groups, np.float64), 1))
        return logs


class RuleParameters(NamedTuple):
    """A :class:`MergeRule` in numbers; ``groups`` float64 (6,) are logarithms."""

    mean: float
    deviation: float
    resemblance: float
    intercept: float
    slope: float
    smaller: float
    larger: float
    groups: Floats


LAW_NAMES = ("law_mean", "law_deviation", "law_resemblance")
GROUP_NAMES = tuple(f"groups_of_{size}" for size in COUNTED_SIZES)
_LOG_2, _LOG_FULL = math.log(2), math.log(FULL_GROUP)


@jit_fastmath
def excess_of(rule: RuleParameters, distance: float, one: float, two: float) -> float:
    """:meth:`MergeRule.excess` of one pair, for kernels."""
    a, b = min(one, two), max(one, two)
    factor = math.sqrt(PLACES + MIXED * 0.5 * (1.0 / a + 1.0 / b) + FACES / (a * b))
    z = (math.log(max(distance, LEAST_DISTANCE)) - rule.mean) / (rule.deviation * factor)
    small, large = math.log(min(a, float(MOST_COUNTED))), math.log(min(b, float(MOST_COUNTED)))
    z -= rule.resemblance * min(small / _LOG_FULL, 1.0)
    odds = rule.intercept + rule.smaller * small + rule.larger * large
    if b < 2:
        odds += rule.groups[1] - rule.groups[0]
    last = len(rule.groups) - 1
    place = min(small / _LOG_2, float(last))
    level = min(int(place), last - 1)
    odds -= rule.groups[level] + (place - level) * (rule.groups[level + 1] - rule.groups[level])
    cut = CENTRE + rule.slope - math.sqrt(max(rule.slope * rule.slope - 2.0 * odds, 0.0))
    return z - min(max(cut, TIGHTEST), LOOSEST)
