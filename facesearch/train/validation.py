"""VAL at FAR 0.001 on people whom training never sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from facesearch.encoders.paper_networks.layers import Size
from facesearch.evaluate.all_pairs import all_pairs
from facesearch.train.data.batches import TrainingSet
from facesearch.train.data.crop_file import Crops
from facesearch.train.losses.distillation import DistillationLoss

FAR = 1e-3

_PIECE = 64


@dataclass(frozen=True)
class Validation:
    """``rate``: VAL at FAR 0.001 over every two faces; its ``threshold``, a squared distance.

    ``teacher_cosine``: mean cosine with the teacher's vectors; None without a teacher.
    """

    rate: float
    threshold: float
    teacher_cosine: float | None


def standardised(chips: Crops, device: torch.device | None = None) -> torch.Tensor:
    """Chips uint8 (n, rows, columns, 3) as float32 (n, 3, rows, columns): (value - 127.5) / 128."""
    # The order of the bytes is already that of torch's channels_last.
    pixels = torch.from_numpy(chips).to(device).permute(0, 3, 1, 2).to(torch.float32)
    return pixels.sub_(127.5).div_(128)


def embed_chips(network: nn.Module, chips: Crops) -> NDArray[np.float32]:
    """Unit vectors float32 (n, d) of chips uint8 RGB (n, rows, columns, 3), in fp32."""
    device = next(network.parameters()).device
    with torch.no_grad():
        pieces = [
            functional.normalize(
                network(standardised(chips[start : start + _PIECE], device)), dim=1
            )
            for start in range(0, len(chips), _PIECE)
        ]
    return torch.cat(pieces).cpu().numpy()


class HeldOutFaces:
    """The faces of people who were held out, on which a network is judged at intervals.

    At most ``most`` of them, person by person. Without two people who have two faces nothing can
    be measured, and :meth:`measure` gives None.
    """

    def __init__(
        self,
        training: TrainingSet,
        held: NDArray[np.bool_],
        most: int,
        distillation: DistillationLoss | None,
    ) -> None:
        rows = np.flatnonzero(held)
        rows = rows[np.argsort(training.person[rows], kind="stable")][:most]
        self._training, self._rows = training, rows
        self._distillation = distillation
        counts = np.unique(training.person[rows], return_counts=True)[1]
        self._enough = len(counts) > 1 and bool((counts > 1).any())

    def __len__(self) -> int:
        return len(self._rows)

    def measure(self, network: nn.Module, size: Size) -> Validation | None:
        """Judge a network that is in evaluation mode."""
        if not self._enough:
            return None
        pieces = [
            embed_chips(network, self._training.chips(self._rows[start : start + _PIECE], size))
            for start in range(0, len(self._rows), _PIECE)
        ]
        vectors = np.concatenate(pieces)
        figures = all_pairs(vectors, self._training.person[self._rows], fars=(FAR,)).at_far[0]
        cosine = None
        if self._distillation is not None:
            targets = self._distillation.targets(self._rows).cpu().numpy()
            cosine = float((vectors * targets).sum(1).mean())
        return Validation(figures.validation_rate, figures.threshold, cosine)
