"""Losses that keep a new version's vectors comparable with the vectors of an old one.

"harmonic": triplets that mix both versions, as the FaceNet paper's appendix has it (section 9,
"Harmonic Triplet Loss"). "bct": besides its own loss, the new version's vectors are classified by
the old version's classifier, here the mean old vector of each person, which needs no more than the
old vectors (Shen et al., "Towards Backward-Compatible Representation Learning", CVPR 2020,
section 3.2; prototypes instead of a classifier as in section 3.3).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facesearch.errors import InputError
from facesearch.train.losses.triplets import (
    Triplets,
    TripletSettings,
    mine_triplets,
    squared_distances,
    triplet_loss,
)
from facesearch.train.losses.types import Loss, LossValue


class HarmonicTripletLoss(Loss):
    """Triplets over a batch's new vectors and the old vectors of the same faces.

    ``old`` float32 (faces, d): unit vectors of the old version by row of the training set.
    Anchors, positives and negatives may each be of either version; triplets of old vectors alone,
    which nothing can change, are left out.
    """

    def __init__(self, old: NDArray[np.float32], settings: TripletSettings) -> None:
        super().__init__()
        self._old, self._settings = old, settings

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        old = torch.from_numpy(self._old[rows]).to(vectors.device)
        if old.shape != vectors.shape:
            raise InputError(
                f"expected old vectors of {vectors.shape[1]} numbers as the network's, got "
                f"{old.shape[1]}: versions can only be compatible in one dimension"
            )
        count = len(vectors)
        distances = squared_distances(torch.cat([vectors, old]))
        both = torch.from_numpy(np.concatenate([persons, persons])).to(vectors.device)
        mined = mine_triplets(distances.detach(), both, self._settings.mining_at(step))
        new = (mined.anchors < count) | (mined.positives < count) | (mined.negatives < count)
        kept = Triplets(mined.anchors[new], mined.positives[new], mined.negatives[new])
        value = triplet_loss(distances, kept, self._settings.margin_at(step))
        cosine = float((vectors.detach() * old).sum(1).mean()) if count else 0.0
        return LossValue(value.value, {**value.figures, "old_cosine": cosine})


class BackwardCompatibleLoss(Loss):
    """Cross entropy of new vectors under the old version's mean vectors of people.

    ``old`` float32 (faces, d), unit vectors by row; ``persons`` int64 (faces,); ``usable`` bool
    (faces,): whose faces make the means. Faces of other people are passed over.
    """

    def __init__(
        self,
        old: NDArray[np.float32],
        persons: NDArray[np.int64],
        usable: NDArray[np.bool_],
        scale: float,
    ) -> None:
        super().__init__()
        rows = np.flatnonzero(usable & (persons >= 0))
        if not len(rows):
            raise InputError("expected people with old vectors, found none: label the crops")
        people, number = np.unique(persons[rows], return_inverse=True)
        sums = np.zeros((len(people), old.shape[1]))
        np.add.at(sums, number, old[rows])
        self._prototypes = functional.normalize(torch.from_numpy(sums.astype(np.float32)), dim=1)
        self._class = np.full(int(persons.max()) + 2, -1, np.int64)  # the last is person -1's
        self._class[people] = np.arange(len(people))
        self._scale = scale

    def forward(
        self, vectors: Tensor, rows: NDArray[np.int64], persons: NDArray[np.int64], step: int
    ) -> LossValue:
        """See :class:`~facesearch.train.losses.types.Loss`."""
        classes = torch.from_numpy(self._class[persons]).to(vectors.device)
        known = classes >= 0
        if not bool(known.any()):
            return LossValue(vectors.sum() * 0, {"old_named": 0.0})
        cosines = vectors[known] @ self._prototypes.to(vectors.device).T
        wanted = classes[known]
        right = (cosines.detach().argmax(1) == wanted).float().mean()
        loss = functional.cross_entropy(self._scale * cosines, wanted)
        return LossValue(loss, {"old_named": float(right)})
