"""The square crop with a margin that FaceNet checkpoints were trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_photo
from facesearch.errors import InputError


class MarginAligner:
    """Cuts each face's box, grown by a margin and clipped to the photo, and resizes it.

    What facenet-pytorch's ``extract_face`` does with an array: ``margin`` is in pixels of the
    resized crop, half of it on each side, and the crop is squeezed into a square, whatever the
    shape of the box. Resizing averages areas. A box beyond the photo gives a black chip.
    """

    def __init__(self, size: int = 160, margin: int = 0, also: str = "") -> None:
        """``size`` of the chip and ``margin``, both in pixels, 0 <= margin < size.

        ``also`` ends the name.
        """
        if not 0 <= margin < size:
            raise InputError(f"expected 0 <= margin < size, got margin {margin} and size {size}")
        self.size = size
        self.margin = margin
        self.name = f"box-{size}-margin-{margin}{also}"

    def align(self, photo: Pixels, detections: Detections) -> NDArray[np.uint8]:
        """Chips uint8 RGB (n, size, size, 3) of ``photo``, RGB uint8 (height, width, 3).

        Raises InputError for a photo of another kind, ValueError for boxes that are not finite.
        """
        check_photo(photo)
        chips = np.zeros((len(detections), self.size, self.size, 3), np.uint8)
        for chip, (x0, y0, x1, y1) in zip(chips, self._crops(photo, detections), strict=True):
            if x0 < x1 and y0 < y1:
                crop = np.ascontiguousarray(photo[y0:y1, x0:x1])
                chip[:] = cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return chips

    def _crops(self, photo: Pixels, detections: Detections) -> NDArray[np.int64]:
        """Boxes int64 (n, 4) with their margin, clipped to the photo and cut to whole pixels."""
        boxes = detections.boxes.astype(np.float64)
        if not np.isfinite(boxes).all():
            raise ValueError("expected finite boxes; drop such detections before")
        grown = (boxes[:, 2:] - boxes[:, :2]) * (self.margin / (self.size - self.margin)) / 2
        boxes = boxes + np.concatenate([-grown, grown], axis=1)
        height, width = photo.shape[:2]
        limits = np.array([width, height, width, height], np.float64)
        return np.asarray(boxes.clip(0, limits), np.int64)
