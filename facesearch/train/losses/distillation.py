"""Learning another encoder's vectors, for which no labels are needed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facesearch.errors import InputError
from facesearch.train.losses.types import Loss, LossValue


class DistillationLoss(Loss):
    """1 - cosine between a vector and the teacher's of the same face.

    ``teacher`` float32 (faces, d): unit vectors by row of the training set. Where they have more
    numbers than the network's ``dimension``, the first principal components of the ``usable``
    bool (faces,) ones stand for them, without centring, which keeps cosines best; the components
    are state of the loss, so that faces added to a run are projected as those before. Raises
    :class:`InputError` where they have fewer.
    """

    projection: Tensor | None

    def __init__(
        self, teacher: NDArray[np.float32], usable: NDArray[np.bool_], dimension: int
    ) -> None:
        super().__init__()
        if teacher.shape[1] < dimension:
            raise InputError(
                f"expected teacher vectors of at least {dimension} numbers, as the network's, got "
                f"{teacher.shape[1]}; take another teacher"
            )
        self._teacher = teacher
        exact = teacher.shape[1] == dimension
        components = None if exact else principal_components(teacher[usable], dimension)
        self.register_buffer("projection", components)

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """The unit vectors float32 (n, dimension) that the faces in ``rows`` should get."""
        wanted = torch.from_numpy(self._teacher[rows])
        if self.projection is None:
            return wanted
        return functional.normalize(wanted.to(self.projection.device) @ self.projection, dim=1)

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        cosine = (vectors * self.targets(rows).to(vectors.device)).sum(1).mean()
        return LossValue(1 - cosine, {"teacher_cosine": float(cosine.detach())})


def principal_components(vectors: NDArray[np.float32], count: int) -> Tensor:
    """The directions float32 (d, count) in which vectors (n, d) are longest, longest first."""
    exact = vectors.astype(np.float64)
    directions = np.linalg.eigh(exact.T @ exact)[1][:, ::-1][:, :count]
    # An eigenvector's sign is arbitrary: the largest number is made positive.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(0)[None], axis=0)
    return torch.from_numpy((directions * np.sign(largest)).astype(np.float32))
