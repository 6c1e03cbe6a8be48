"""SCRFD (Guo et al. 2021, "Sample and Computation Redistribution for Efficient Face Detection").

From an ONNX file that the user has, with five points, such as scrfd_500m_bnkps.onnx; run by
OpenVINO. The files that InsightFace publishes are licensed for research only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from facesearch.detect.boxes import nms
from facesearch.detect.padded_network import PaddedNetwork, padded
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_min_face, check_photo, check_score
from facesearch.errors import WeightsError
from facesearch.model_files.compiled_model import openvino_core

STRIDES = (8, 16, 32)
_ANCHORS = 2  # a cell
_OVERLAP = 0.4  # non-maximum suppression, as its authors have it
_MEAN, _DIVISOR = 127.5, 128.0
# Outputs by how many numbers each anchor has; InsightFace's files have nameless ones in this order.
_NUMBERS = (1, 4, 10)


def is_scrfd(path: Path) -> bool:
    """Whether an ONNX file has the nine outputs of an SCRFD with five points."""
    try:
        return len(openvino_core().read_model(str(path)).outputs) == len(STRIDES) * len(_NUMBERS)
    except RuntimeError:
        return False


class ScrfdDetector:
    """SCRFD from an ONNX file.

    Boxes whose longer side is under ``min_face`` pixels and scores under ``min_score`` in [0, 1)
    are dropped. ``name`` carries the first 12 digits of the file's SHA-256. ``callers`` threads may
    call at once, each on ``threads`` cores.

    Raises InputError for settings out of range; WeightsError for a file that is no such network.
    """

    def __init__(
        self,
        model: Path,
        min_face: int = 20,
        min_score: float = 0.5,
        *,
        threads: int | None = None,
        callers: int = 1,
    ) -> None:
        check_min_face(min_face)
        check_score("min_score", min_score)
        try:
            data = model.read_bytes()
            read = openvino_core().read_model(str(model))
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"cannot read the SCRFD file {model}: {error}") from error
        self.name = f"scrfd-{hashlib.sha256(data).hexdigest()[:12]}"
        self.min_face = min_face
        self.min_score = min_score
        self._network = PaddedNetwork(
            lambda _, height, width: _prepared(read, height, width, model), threads, callers
        )
        self.detect([np.zeros((64, 64, 3), np.uint8)])  # so that a wrong file is refused at once

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        return [self._detect(photo) for photo in photos]

    def _ordered(self, outputs: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Outputs by what they hold and, within, by stride: the finest has the most anchors."""
        ordered = sorted(outputs, key=lambda each: (_NUMBERS.index(each.shape[-1]), -each.size))
        return ordered

    def _detect(self, photo: Pixels) -> Detections:
        outputs = self._network([photo])
        found = decoded(self._ordered(outputs), padded(photo.shape[1]), self.min_score)
        large = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) >= self.min_face
        kept = np.flatnonzero(large)
        return found.rows(kept[nms(found.boxes[kept], found.scores[kept], _OVERLAP)])


def decoded(outputs: Sequence[NDArray[np.float32]], width: int, min_score: float) -> Detections:
    """What all anchors found with at least ``min_score``, not yet suppressed.

    ``outputs``: for each stride scores (m, 1), then for each boxes (m, 4) as distances to left,
    top, right and bottom, then points (m, 10), both in strides from the anchor's cell. Anchors go
    by rows of cells; ``width`` is the padded photo's.
    """
    parts = []
    for number, stride in enumerate(STRIDES):
        scores, boxes, points = (
            each.reshape(-1, numbers)
            for each, numbers in zip(outputs[number :: len(STRIDES)], _NUMBERS, strict=True)
        )
        rows = np.flatnonzero(scores[:, 0] >= min_score)
        cells, columns = rows // _ANCHORS, width // stride
        at = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
        ends = np.concatenate([at - boxes[rows, :2], at + boxes[rows, 2:]], axis=1)
        places = points[rows].reshape(-1, 5, 2) + at[:, None]
        parts.append((ends * stride, places * stride, np.clip(scores[rows, 0], 0, 1)))
    return Detections(
        *(np.concatenate(each).astype(np.float32) for each in zip(*parts, strict=True))
    )


def _prepared(read: Any, height: int, width: int, path: Path) -> Any:
    """The model for photos of that size, with scaling, and outputs by kind and stride."""
    model = read.clone()
    try:
        model.reshape(openvino.PartialShape([1, 3, height, width]))
    except RuntimeError as error:
        raise WeightsError(f"{path} does not take photos of any size: {error}") from error
    process = PrePostProcessor(model)
    process.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    process.input().preprocess().convert_element_type(openvino.Type.f32).mean(_MEAN).scale(_DIVISOR)
    process.input().model().set_layout(openvino.Layout("NCHW"))
    return process.build()
