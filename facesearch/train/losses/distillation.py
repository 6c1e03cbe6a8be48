"""Learning another encoder's vectors, for which no labels are needed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesearch.errors import InputError
from facesearch.train.losses.types import Loss, LossValue


class DistillationLoss(Loss):
    """1 - cosine between a vector and the teacher's of the same face: needs no labels.

    ``teacher`` float32 (faces, d): unit vectors by row of the training set. Raises
    :class:`InputError` at a batch whose vectors have another dimension.
    """

    def __init__(self, teacher: NDArray[np.float32]) -> None:
        super().__init__()
        self._teacher = teacher

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        target = torch.from_numpy(self._teacher[rows])
        if target.shape != vectors.shape:
            raise InputError(
                f"expected teacher vectors of {vectors.shape[1]} numbers as the network's, got "
                f"{target.shape[1]}"
            )
        cosine = (vectors * target).sum(1).mean()
        return LossValue(1 - cosine, {"teacher_cosine": float(cosine.detach())})
