"""Classification with a margin between people: ArcFace and CosFace."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from facesearch.errors import InputError
from facesearch.train.losses.types import Loss, LossValue

ARCFACE, COSFACE = "arcface", "cosface"
KINDS = (ARCFACE, COSFACE)

_LIMIT = 1 - 1e-7  # the slope of acos is infinite at 1


class MarginSoftmaxLoss(Loss):
    """Cross entropy over people, after the true one's cosine was lowered by a margin.

    "arcface": cos(angle + margin) (Deng et al., "ArcFace", CVPR 2019, equation 3; beyond
    pi - margin, where that rises again, the cosine less margin * sin(margin), as their code has
    it); "cosface": cosine - margin (Wang et al., "CosFace", CVPR 2018, equation 4). Cosines are
    multiplied by ``scale``. ``classes`` int64 (people,): the class of each person of the training
    set, -1 for those who have none; faces without a class are passed over.
    """

    def __init__(
        self,
        classes: NDArray[np.int64],
        dimension: int,
        kind: str = ARCFACE,
        scale: float = 64.0,
        margin: float = 0.5,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise InputError(f"expected one of {', '.join(KINDS)}, got {kind!r}")
        self._kind, self._scale, self._margin = kind, scale, margin
        self._classes = np.append(classes, -1)  # of person -1
        count = int(classes.max(initial=-1)) + 1
        if count < 2:
            raise InputError(f"expected at least 2 people to tell apart, got {count}")
        self.weight = nn.Parameter(torch.randn(count, dimension) * 0.01)

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        classes = torch.from_numpy(self._classes[persons]).to(vectors.device)
        known = classes >= 0
        if not bool(known.any()):
            return LossValue(vectors.sum() * 0 + self.weight.sum() * 0, {"named": 0.0})
        cosines = functional.linear(vectors[known], functional.normalize(self.weight, dim=1))
        wanted = classes[known]
        logits = self._scale * self._lowered(cosines, wanted)
        right = (cosines.detach().argmax(1) == wanted).float().mean()
        return LossValue(functional.cross_entropy(logits, wanted), {"named": float(right)})

    def _lowered(self, cosines: Tensor, wanted: Tensor) -> Tensor:
        true = cosines.gather(1, wanted[:, None])
        if self._kind == COSFACE:
            lowered = true - self._margin
        else:
            angle = torch.acos(true.clamp(-_LIMIT, _LIMIT))
            rising = true - self._margin * math.sin(self._margin)
            beyond = true <= math.cos(math.pi - self._margin)
            lowered = torch.where(beyond, rising, torch.cos(angle + self._margin))
        return cosines.scatter(1, wanted[:, None], lowered)
