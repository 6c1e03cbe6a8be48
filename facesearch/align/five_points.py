"""Chips on which a detector's five landmarks lie where an encoder was trained to see them."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.align.similarity import similarity
from facesearch.detect.types import Detections, Pixels
from facesearch.detect.validation import check_photo
from facesearch.encoders.catalogue.templates import Template

_REDUCED_BELOW = 0.5  # scale of chip to photo under which bilinear sampling would skip pixels


class FivePointAligner:
    """Cuts the square that the least-squares similarity from landmarks to a template gives.

    The similarity turns the face upright whatever its roll, and never mirrors or shears it. Faces
    that are much larger than their chip are first reduced by averaging areas. Thread-safe, and runs
    without the GIL.
    """

    def __init__(self, template: Template, size: int, also: str = "") -> None:
        """``size`` is the side of a chip in pixels; ``also`` ends the name."""
        self.size = size
        self.name = f"five-points-{template.name}-{size}{also}"
        self._points = np.array(template.points, np.float64) * size

    def align(self, photo: Pixels, detections: Detections) -> NDArray[np.uint8]:
        """Chips uint8 RGB (n, size, size, 3), black where they reach beyond ``photo``.

        ``photo`` RGB uint8 (height, width, 3) with the pixels that the detections count in.
        Landmarks that all but coincide give a black chip. Raises ValueError for a photo of another
        kind, and for landmarks that are not finite.
        """
        check_photo(photo)
        landmarks = detections.landmarks.astype(np.float64)
        if not np.isfinite(landmarks).all():
            raise ValueError("expected finite landmarks; drop such detections before")
        chips = np.zeros((len(landmarks), self.size, self.size, 3), np.uint8)
        for chip, points in zip(chips, landmarks, strict=True):
            if np.ptp(points, axis=0).max() >= 1:
                chip[:] = self._chip(photo, points)
        return chips

    def _chip(self, photo: Pixels, points: NDArray[np.float64]) -> NDArray[np.uint8]:
        a, b, c, d = similarity(points, self._points)
        part, left, top = self._surroundings(photo, (a, b, c, d))
        if part.size == 0:
            return np.zeros((self.size, self.size, 3), np.uint8)
        # Pixel centres are whole numbers here as in the landmarks and the template.
        matrix = np.array([[a, -b, c], [b, a, d]])
        matrix[:, 2] += matrix[:, 0] * left + matrix[:, 1] * top
        if math.hypot(a, b) < _REDUCED_BELOW:
            part, matrix = _reduced(part, matrix, math.hypot(a, b) / _REDUCED_BELOW)
        size = (self.size, self.size)
        return np.asarray(cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR), np.uint8)

    def _surroundings(
        self, photo: Pixels, transform: tuple[float, float, float, float]
    ) -> tuple[Pixels, int, int]:
        """The part of ``photo`` that a chip can show, and the left and top of it."""
        a, b, c, d = transform
        inverse = np.linalg.inv(np.array([[a, -b, c], [b, a, d], [0.0, 0.0, 1.0]]))
        ends = (-1.0, float(self.size))
        corners = inverse @ np.array([[x, y, 1.0] for x in ends for y in ends]).T
        margin = 2 / math.hypot(a, b) + 1
        height, width = photo.shape[:2]
        left, right = np.clip(_reach(corners[0], margin), 0, width)
        top, bottom = np.clip(_reach(corners[1], margin), 0, height)
        return np.ascontiguousarray(photo[top:bottom, left:right]), int(left), int(top)


def _reach(values: NDArray[np.float64], margin: float) -> NDArray[np.int64]:
    ends = np.array([np.floor(values.min() - margin), np.ceil(values.max() + margin)])
    return np.asarray(np.clip(ends, -1e9, 1e9), np.int64)


def _reduced(
    part: Pixels, matrix: NDArray[np.float64], scale: float
) -> tuple[Pixels, NDArray[np.float64]]:
    """``part`` at about ``scale`` of its size, and the matrix that takes it from there."""
    size = np.maximum(np.round(np.array(part.shape[1::-1]) * scale), 1).astype(int)
    ratio = size / np.array(part.shape[1::-1])
    small = np.asarray(cv2.resize(part, size.tolist(), interpolation=cv2.INTER_AREA), np.uint8)
    # A reduced image's pixel i averages those around (i + 0.5) / ratio - 0.5.
    step, shift = 1 / ratio, 0.5 / ratio - 0.5
    turned = matrix.copy()
    turned[:, :2] = matrix[:, :2] * step
    turned[:, 2] = matrix[:, :2] @ shift + matrix[:, 2]
    return small, turned
