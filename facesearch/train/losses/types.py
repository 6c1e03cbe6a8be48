"""What a batch of vectors is judged by.

A loss takes unit vectors float32 (n, d), the rows of the faces in the training set and their
persons, and gives its value with figures to watch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True)
class LossValue:
    """``value``: scalar with gradient; ``figures``: what progress shows, by name."""

    value: Tensor
    figures: dict[str, float] = field(default_factory=dict)


class Loss(nn.Module):
    """Base of losses; some have weights of their own, which are trained with the network."""

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """The loss of unit vectors (n, d) of the faces in ``rows`` (n,), persons (n,)."""
        raise NotImplementedError
