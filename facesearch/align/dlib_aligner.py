"""Chips for dlib's recognition network, from any detector's faces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.align.box_mapping import NAME as BOX_MAPPING
from facesearch.align.box_mapping import predictor_rects
from facesearch.align.chips import face_chips
from facesearch.align.shape_predictor import ShapePredictor, five_point_predictor, rounded
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_photo

SIZE = 150  # pixels, the side of a chip
PADDING = 0.25  # of the face's size, on each side
_MOST_ROLL = 30.0  # degrees that dlib's trees stand
_LEANING_SPREAD = 150.0  # pixels of the landmarks' spread that a piece turned back has at most


class DlibAligner:
    """Finds dlib's five landmarks in each face and cuts the chip that they define.

    Detections' boxes and landmarks only tell where to look: they are mapped to the box that dlib's
    own detector would have given. Thread-safe, and runs without the GIL.
    """

    name = f"dlib-5-point-{SIZE}-{PADDING}+{BOX_MAPPING}"
    size = SIZE

    def __init__(self, predictor: ShapePredictor | None = None) -> None:
        """``predictor``: the packaged 5-point one unless given (WeightsError if not there)."""
        self._predictor = predictor or five_point_predictor()

    def align(self, photo: Pixels, detections: Detections) -> NDArray[np.uint8]:
        """Chips uint8 RGB (n, 150, 150, 3), black where they reach beyond ``photo``.

        ``photo`` RGB uint8 (height, width, 3) with the pixels that the detections count in; it may
        be read-only or not contiguous. Raises InputError for a photo of another kind, ValueError
        for boxes or landmarks that are not finite.
        """
        check_photo(photo)
        photo = np.ascontiguousarray(photo)
        rects = predictor_rects(detections)
        landmarks = rounded(self._predictor.predict(photo, rects))
        leaning = np.flatnonzero(np.abs(roll_of(detections.landmarks)) > _MOST_ROLL)
        for row in leaning.tolist():
            landmarks[row] = self._leaning(photo, detections.rows(slice(row, row + 1)))
        return face_chips(photo, landmarks, SIZE, PADDING)

    def _leaning(self, photo: Pixels, face: Detections) -> NDArray[np.float64]:
        """The landmarks (5, 2) of one face that leans, found in a piece of the photo turned back.

        dlib's trees were grown on faces that stand about upright.
        """
        turn = np.radians(roll_of(face.landmarks)[0])
        points = face.landmarks[0].astype(np.float64)
        spread = float(np.linalg.norm(points - points.mean(axis=0)))
        scale = min(1.0, _LEANING_SPREAD / max(spread, 1.0))
        cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
        matrix = np.array([[cosine, sine], [-sine, cosine]])
        side = int(np.ceil(4 * scale * max(spread, 1.0)))
        shift = np.full(2, side / 2) - matrix @ points.mean(axis=0)
        piece = cv2.warpAffine(
            photo, np.column_stack([matrix, shift]), (side, side), flags=cv2.INTER_LINEAR
        )
        upright = (points @ matrix.T + shift).astype(np.float32)[None]
        box = np.array([[0, 0, side, side]], np.float32)
        rects = predictor_rects(Detections(box, upright, face.scores))
        found = rounded(self._predictor.predict(np.asarray(piece, np.uint8), rects))[0]
        return np.asarray((found - shift) @ np.linalg.inv(matrix).T, np.float64)


def roll_of(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """By how many degrees each face leans clockwise in the image, float64 (n,) in (-180, 180].

    ``landmarks`` are (n, 5, 2) as Detections has them.
    """
    points = np.asarray(landmarks, np.float64)
    down = points[:, 3:].mean(axis=1) - points[:, :2].mean(axis=1)
    across = points[:, 1] - points[:, 0]
    # Both say where the face's right is; together they are steadier than either.
    right = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    right += np.stack([down[:, 1], -down[:, 0]], axis=1) / np.maximum(
        np.linalg.norm(down, axis=1, keepdims=True), 1e-9
    )
    return np.asarray(np.degrees(np.arctan2(right[:, 1], right[:, 0])), np.float64)
