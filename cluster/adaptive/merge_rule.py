"""At which distance two groups merge: where a merge is more likely wrong than is worth it.

Distances are read against the law of impostors (:mod:`cluster.adaptive.impostor_law`): z is by how
many deviations, for their sizes, two groups are nearer than impostors are on average. A merge is
right with odds of exp(intercept - slope (z - CENTRE) + smaller log a + larger log b), a <= b, which
:mod:`cluster.adaptive.rule_fit` learns from the gallery; where those odds are worth a merge lies
the cut of each pair of sizes. The *excess* of two groups is their z less that cut: they may merge
at 0 or below.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.crowding import crowding
from cluster.adaptive.impostor_law import FACES, MIXED, PLACES, ImpostorLaw, size_factor
from indexer.runtime.numba_jit import jit_fastmath

CENTRE = -3.5  # where intercepts are of
MOST_COUNTED = 48  # faces of a group; more tell no more of its odds
# The chance of being wrong at which a merge is no longer made. F is greatest where that is
# 1 - F / 2, half or a little more (Lipton, Elkan and Narayanaswamy 2014).
MOST_WRONG = 0.5
TIGHTEST, LOOSEST = -8.0, -1.8  # where cuts lie at all

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MergeRule:
    """``law`` of impostors, and the odds that a merge is right: see the module.

    ``beyond`` and ``usual`` are what crowding is measured by: the squared distance beyond which
    others are strangers, and its mean in the gallery (:mod:`cluster.adaptive.crowding`).
    """

    law: ImpostorLaw
    beyond: float
    usual: float
    intercept: float
    slope: float
    smaller: float
    larger: float

    def weights(self, vectors: NDArray[Any], among: NDArray[Any] | None = None) -> Floats:
        """Float64 (n,): those that distances of ``vectors`` (n, d) are corrected by.

        They are measured ``among`` the vectors themselves, or others.
        """
        if not len(vectors):
            return np.zeros(0)
        return crowding(vectors, self.beyond, among).weights(self.usual)

    def z(self, distance: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """Deviations from the mean of impostors, of corrected mean squared distances."""
        scale = self.law.deviation * size_factor(one, two)
        return (np.log(np.maximum(distance, _LEAST)) - self.law.mean) / scale

    def cut(self, one: Floats | float, two: Floats | float) -> Any:
        """The z up to which groups of these sizes merge."""
        small = np.log(np.minimum(np.minimum(one, two), MOST_COUNTED))
        large = np.log(np.minimum(np.maximum(one, two), MOST_COUNTED))
        needed = math.log((1 - MOST_WRONG) / MOST_WRONG)
        odds = self.intercept + self.smaller * small + self.larger * large
        return np.clip(CENTRE + (odds - needed) / self.slope, TIGHTEST, LOOSEST)

    def excess(self, distance: Floats | float, one: Floats | float, two: Floats | float) -> Any:
        """By how much z is beyond the cut; 0 or less: they merge."""
        return self.z(distance, one, two) - self.cut(one, two)

    def distance(self, one: float, two: float) -> float:
        """The mean squared distance up to which groups merge, where it is as crowded as usual."""
        scale = self.law.deviation * float(size_factor(one, two))
        return math.exp(self.law.mean + scale * float(self.cut(one, two)))

    def chance_right(self, excess: Floats | float) -> Any:
        """The chance that groups of this excess are of one person; 1 - MOST_WRONG at 0."""
        needed = math.log((1 - MOST_WRONG) / MOST_WRONG)
        return 1 / (1 + np.exp(np.clip(self.slope * np.asarray(excess) - needed, -50, 50)))

    def farthest(self, excess: float) -> float:
        """The corrected distance beyond which groups of any sizes have more than this excess."""
        sizes = np.arange(1, MOST_COUNTED + 1, dtype=np.float64)
        one, two = np.meshgrid(sizes, sizes)
        scale = self.law.deviation * size_factor(one, two)
        reach = self.law.mean + scale * (self.cut(one, two) + excess)
        # Groups beyond the sizes counted have the same cut and a slightly lesser deviation.
        limit = self.law.mean + self.law.deviation * math.sqrt(PLACES) * (
            self.cut(MOST_COUNTED, MOST_COUNTED) + excess
        )
        return math.exp(max(float(reach.max()), float(limit)))

    def parameters(self) -> RuleParameters:
        """What kernels need."""
        needed = math.log((1 - MOST_WRONG) / MOST_WRONG)
        return RuleParameters(
            self.law.mean,
            self.law.deviation,
            CENTRE + (self.intercept - needed) / self.slope,
            self.smaller / self.slope,
            self.larger / self.slope,
        )

    def as_dict(self) -> dict[str, float]:
        """All of it by name, for a file; :meth:`of` reads it."""
        law = {f"law_{name}": value for name, value in asdict(self.law).items()}
        rest = {name: value for name, value in asdict(self).items() if name != "law"}
        return law | rest

    @classmethod
    def of(cls, values: dict[str, float]) -> MergeRule:
        """The rule that :meth:`as_dict` wrote; raises KeyError or TypeError for another."""
        rest = {name: float(value) for name, value in values.items() if name[:4] != "law_"}
        return cls(
            law=ImpostorLaw(float(values["law_mean"]), float(values["law_deviation"])), **rest
        )


class RuleParameters(NamedTuple):
    """A :class:`MergeRule` in numbers; ``base``, ``small`` and ``large`` are of the cut."""

    mean: float
    deviation: float
    base: float
    small: float
    large: float


_LEAST = 1e-9  # squared distance, whose logarithm is taken


@jit_fastmath
def excess_of(rule: RuleParameters, distance: float, one: float, two: float) -> float:
    """:meth:`MergeRule.excess` of one pair, for kernels."""
    a, b = min(one, two), max(one, two)
    factor = math.sqrt(PLACES + MIXED * 0.5 * (1.0 / a + 1.0 / b) + FACES / (a * b))
    z = (math.log(max(distance, _LEAST)) - rule.mean) / (rule.deviation * factor)
    cut = (
        rule.base
        + rule.small * math.log(min(a, float(MOST_COUNTED)))
        + rule.large * math.log(min(b, float(MOST_COUNTED)))
    )
    return z - min(max(cut, TIGHTEST), LOOSEST)
