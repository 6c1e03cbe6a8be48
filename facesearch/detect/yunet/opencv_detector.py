"""YuNet from an ONNX file of the user's, run by OpenCV."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.scaling import shrunk, sight_scale
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_min_face, check_photo, check_score
from facesearch.errors import WeightsError
from facesearch.model_files.first_reading import require_survived

_OVERLAP = 0.3  # non-maximum suppression, OpenCV's default
_MOST_CANDIDATES = 5000
_COLUMNS = 15  # of a row that FaceDetectorYN returns
# What is done with a file here, on photos of several sizes.
_FIRST_READING = """
import sys
import cv2
import numpy
data = numpy.frombuffer(sys.stdin.buffer.read(), numpy.uint8)
none = numpy.zeros(0, numpy.uint8)
for width, height in ((64, 64), (97, 75), (320, 240)):
    detector = cv2.FaceDetectorYN.create("onnx", data, none, (width, height), 0.1, 0.3, 5000)
    for grey in (0, 128):
        detector.detect(numpy.full((height, width, 3), grey, numpy.uint8))
"""


class OpenCvYuNetDetector:
    """YuNet from an ONNX file that the user has.

    Boxes whose longer side is under ``min_face`` pixels and scores under ``min_score`` in [0, 1)
    are dropped; the network itself sees faces from about 10 pixels. Where only large faces are
    looked for, photos are reduced for it (:mod:`facesearch.detect.scaling`).

    Raises InputError for settings out of range; WeightsError for a file that is missing, or that
    OpenCV cannot read as a YuNet network, or crashes on. ``name`` carries the first 12 digits of
    its SHA-256.
    """

    def __init__(self, model: Path, min_face: int = 20, min_score: float = 0.7) -> None:
        check_min_face(min_face)
        check_score("min_score", min_score)
        data = _read(model)
        self.name = f"yunet-{hashlib.sha256(data).hexdigest()[:12]}"
        self.min_face = min_face
        self.min_score = min_score
        self._model = model
        self._data = np.frombuffer(data, np.uint8)
        require_survived(data, model, _FIRST_READING)
        self._detect(np.zeros((64, 64, 3), np.uint8))  # so that a wrong file is refused at once

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        """Faces of each photo (RGB uint8 (h, w, 3)), best score first.

        Raises InputError for a photo of another shape or dtype.
        """
        for photo in photos:
            check_photo(photo)
        return [self._detect(photo) for photo in photos]

    def _detect(self, photo: Pixels) -> Detections:
        # OpenCV's detector keeps its input size as state, so each call has one of its own: the
        # network is small (under 1 MB) to parse, and threads then never share one.
        scale = sight_scale(photo, self.min_face)
        shown = shrunk(photo, scale)
        size = (shown.shape[1], shown.shape[0])
        bgr = np.ascontiguousarray(shown[:, :, ::-1])
        try:
            detector = cv2.FaceDetectorYN.create(
                "onnx", self._data, np.zeros(0, np.uint8), size, self.min_score, _OVERLAP,
                _MOST_CANDIDATES,
            )  # fmt: skip
            rows = detector.detect(bgr)[1]
        except cv2.error as error:
            raise self._refusal(str(error)) from error
        if rows is not None and rows.shape[1:] != (_COLUMNS,):
            raise self._refusal(f"it answers with rows of shape {rows.shape[1:]}")
        return from_rows(rows, self.min_face * scale).scaled(1 / scale)

    def _refusal(self, reason: str) -> WeightsError:
        return WeightsError(
            f"OpenCV cannot use {self._model} as a YuNet network ({reason.strip()}); expected a "
            "file such as face_detection_yunet_2023mar.onnx of the OpenCV model zoo"
        )


def from_rows(rows: NDArray[Any] | None, min_face: float) -> Detections:
    """Detections from FaceDetectorYN's rows (n, 15), or None where it found nothing.

    A row is x, y, width, height; x and y of the subject's right eye, left eye, nose tip, right and
    left mouth corner; score. The subject's right is the image's left, so the order is already that
    of :class:`Detections`.
    """
    if rows is None:
        return Detections.none()
    rows = np.asarray(rows, np.float32).reshape(-1, _COLUMNS)
    rows = rows[rows[:, 2:4].max(axis=1, initial=0) >= min_face]
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    return Detections(boxes, rows[:, 4:14].reshape(-1, 5, 2), np.clip(rows[:, 14], 0, 1))


def _read(model: Path) -> bytes:
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"cannot read the YuNet file {model}: {error.strerror or error}; give the path of an "
            "ONNX file such as face_detection_yunet_2023mar.onnx of the OpenCV model zoo"
        ) from error
