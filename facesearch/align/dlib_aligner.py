"""Chips for dlib's recognition network, from any detector's faces."""

from __future__ import annotations

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
        return face_chips(photo, landmarks, SIZE, PADDING)
