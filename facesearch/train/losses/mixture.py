"""The losses that a configuration asks for, as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from facesearch.train.config import LossSettings
from facesearch.train.data.batches import TrainingSet
from facesearch.train.losses.compatible import BackwardCompatibleLoss, HarmonicTripletLoss
from facesearch.train.losses.distillation import DistillationLoss
from facesearch.train.losses.margin_softmax import MarginSoftmaxLoss
from facesearch.train.losses.triplets import TripletLoss, TripletSettings
from facesearch.train.losses.types import Loss, LossValue

_MARGINS = {"triplet": 0.2, "harmonic": 0.2, "arcface": 0.5, "cosface": 0.35}


class LossMixture(Loss):
    """A weighted sum; figures of all parts, under their names."""

    def __init__(self, parts: list[Loss], weights: list[float]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self._weights = weights

    @property
    def distillation(self) -> DistillationLoss | None:
        """The part that learns a teacher's vectors, if there is one."""
        return next((each for each in self.parts if isinstance(each, DistillationLoss)), None)

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        values = [part(vectors, rows, persons, step) for part in self.parts]
        total = sum(w * each.value for w, each in zip(self._weights, values, strict=True))
        figures = {name: value for each in values for name, value in each.figures.items()}
        return LossValue(total, figures)


def create_losses(
    settings: tuple[LossSettings, ...],
    training: TrainingSet,
    usable: NDArray[np.bool_],
    dimension: int,
) -> LossMixture:
    """The losses of ``settings``; classes are the people with ``usable`` (n,) faces."""
    parts = [_create(each, training, usable, dimension) for each in settings]
    return LossMixture(parts, [each.weight for each in settings])


def _create(
    settings: LossSettings, training: TrainingSet, usable: NDArray[np.bool_], dimension: int
) -> Loss:
    margin = _MARGINS.get(settings.kind, 0.0) if settings.margin is None else settings.margin
    match settings.kind:
        case "distillation":
            return DistillationLoss(training.vectors(settings.teacher), usable, dimension)
        case "triplet":
            return TripletLoss(_triplets(settings, margin))
        case "harmonic":
            old = training.vectors(settings.teacher)
            return HarmonicTripletLoss(old, _triplets(settings, margin))
        case "bct":
            old = training.vectors(settings.teacher)
            return BackwardCompatibleLoss(old, training.person, usable, settings.scale)
    classes = np.full(len(training.people), -1, np.int64)
    there = np.unique(training.person[usable & (training.person >= 0)])
    classes[there] = np.arange(len(there))
    return MarginSoftmaxLoss(classes, dimension, settings.kind, settings.scale, margin)


def _triplets(settings: LossSettings, margin: float) -> TripletSettings:
    return TripletSettings(
        margin,
        settings.mining,
        settings.curriculum_steps,
        settings.first_margin,
        settings.first_mining,
    )
