"""Notices that all faces are getting one vector, and stops the run while something can be done."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from facesearch.errors import TrainingCollapsedError


@dataclass(frozen=True)
class CollapseLimits:
    """A run has collapsed once ``spread`` stayed below ``least_spread`` for ``steps`` steps."""

    least_spread: float = 0.02
    steps: int = 20


def spread(vectors: Tensor) -> float:
    """Variance of unit vectors (n, d): 1 - |mean|^2, half the mean squared distance of two.

    1 for vectors in all directions, 0 for vectors that are all the same.
    """
    return float(1 - vectors.detach().mean(0).square().sum())


class CollapseWatch:
    """Counts the steps in a row whose batches are too near to one vector."""

    def __init__(self, limits: CollapseLimits, count: int = 0) -> None:
        self._limits = limits
        self.count = count

    def check(self, step: int, spread: float, active: float | None) -> None:
        """Judge one step's batch; raises :class:`TrainingCollapsedError` when it is enough.

        ``active`` is the share of triplets above zero, None where there are none.
        """
        self.count = self.count + 1 if spread < self._limits.least_spread else 0
        if self.count < self._limits.steps:
            return
        share = "" if active is None else f", {active:.0%} of the triplets are above zero"
        raise TrainingCollapsedError(
            f"step {step}: the network has collapsed: for {self.count} steps the variance of its "
            f"vectors was below {self._limits.least_spread} (now {spread:.4f}{share}). Choose "
            "semi-hard negatives, a lower rate, or larger batches; or begin with distillation or "
            "classification, and triplets from those weights (network.start)"
        )
