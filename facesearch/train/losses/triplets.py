"""Triplets within a batch: every anchor with every positive, and a negative chosen for each.

Section 3.2 of the FaceNet paper: within a large batch all anchor-positive pairs are used, and a
negative that is *semi-hard*, farther from the anchor than the positive, so that hard negatives,
which "can in practice lead to bad local minima early on in training, specifically it can result in
a collapsed model", are left alone. The nearest such negative is taken. Where none is farther than
the positive the paper does not say what is done; here it is the farthest negative, the least
hard one, as in TensorFlow's ``triplet_semihard_loss``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facesearch.errors import InputError
from facesearch.train.losses.types import Loss, LossValue

SEMI_HARD, HARDEST = "semi-hard", "hardest"
MINING = (SEMI_HARD, HARDEST)


@dataclass(frozen=True)
class Triplets:
    """Rows int64 (t,) of a batch: ``anchors``, ``positives``, ``negatives``."""

    anchors: Tensor
    positives: Tensor
    negatives: Tensor

    def __len__(self) -> int:
        return len(self.anchors)


def squared_distances(vectors: Tensor) -> Tensor:
    """Squared Euclidean distances (n, n), in [0, 4], of unit vectors (n, d)."""
    return (2 - 2 * vectors @ vectors.T).clamp(0, 4)


def mine_triplets(distances: Tensor, persons: Tensor, mining: str = SEMI_HARD) -> Triplets:
    """A triplet for each anchor and positive that have a negative, by anchor, then positive.

    ``distances`` float (n, n); ``persons`` int64 (n,), -1 where unknown: such a face is in no
    triplet. ``mining`` "semi-hard" takes the nearest negative that is farther than the positive, or
    the farthest of all where there is none; "hardest" the nearest negative. Of negatives as far
    the first is taken, or the last where it is the farthest that is wanted. No gradients.
    """
    if mining not in MINING:
        raise InputError(f"expected mining to be one of {', '.join(MINING)}, got {mining!r}")
    with torch.no_grad():
        known = persons >= 0
        same = (persons[:, None] == persons[None, :]) & known[:, None]
        negative = ~same & known[:, None] & known[None, :]
        positive = same & ~torch.eye(len(persons), dtype=torch.bool, device=persons.device)
        positive &= negative.any(1, keepdim=True)
        # Each anchor's negatives by distance; whoever is none goes to the end.
        ranked, order = distances.masked_fill(~negative, torch.inf).sort(dim=1, stable=True)
        anchors, positives = positive.nonzero(as_tuple=True)
        if mining == HARDEST:
            rank = torch.zeros_like(positives)
        else:
            farther = torch.searchsorted(ranked, distances.contiguous(), right=True)
            last = negative.sum(1, keepdim=True) - 1
            rank = torch.minimum(farther, last)[anchors, positives]
        return Triplets(anchors, positives, order[anchors, rank])


@dataclass(frozen=True)
class TripletSettings:
    """Margin and mining of triplets; with ``curriculum_steps`` they begin otherwise.

    ``margin``: squared distance by which a negative must be farther than the positive (the
    paper's alpha). Over the first ``curriculum_steps`` the margin goes from ``first_margin`` to
    ``margin`` evenly, and ``first_mining`` chooses the negatives.
    """

    margin: float = 0.2
    mining: str = SEMI_HARD
    curriculum_steps: int = 0
    first_margin: float = 0.2
    first_mining: str = SEMI_HARD

    def margin_at(self, step: int) -> float:
        """The margin of a step, from 0."""
        if step >= self.curriculum_steps:
            return self.margin
        return self.first_margin + (self.margin - self.first_margin) * step / self.curriculum_steps

    def mining_at(self, step: int) -> str:
        """How the negatives of a step, from 0, are chosen."""
        return self.first_mining if step < self.curriculum_steps else self.mining


class TripletLoss(Loss):
    """Mean of [d(a, p) - d(a, n) + margin]+ over the triplets where it is above zero.

    Equation 3 of the FaceNet paper, as a mean and no sum, so that the rate need not follow the
    size of the batch. Figures: ``active``, the share of triplets that are above zero, and
    ``triplets``. Without triplets the loss is zero.
    """

    def __init__(self, settings: TripletSettings) -> None:
        super().__init__()
        self._settings = settings

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        distances = squared_distances(vectors)
        mining = self._settings.mining_at(step)
        known = torch.from_numpy(persons).to(vectors.device)
        mined = mine_triplets(distances.detach(), known, mining)
        return triplet_loss(distances, mined, self._settings.margin_at(step))


def triplet_loss(distances: Tensor, mined: Triplets, margin: float) -> LossValue:
    """The loss of triplets that were mined; ``distances`` float (n, m) carry the gradient."""
    if not len(mined):
        return LossValue(distances.sum() * 0, {"active": 0.0, "triplets": 0.0})
    near = distances[mined.anchors, mined.positives]
    far = distances[mined.anchors, mined.negatives]
    excess = (near - far + margin).relu()
    active = excess > 0
    value = excess.sum() / active.sum().clamp(min=1)
    figures = {"active": float(active.float().mean()), "triplets": float(len(mined))}
    return LossValue(value, figures)
