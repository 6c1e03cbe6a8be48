"""The box that dlib's own face detector would have given, from another detector's face.

dlib's landmark predictor starts from a mean face placed in the square that dlib's HOG detector
gives, so it must be shown a square of that convention. Boxes of other detectors differ in centre
and size; the five landmarks that all of them give agree much better, so the square is placed by
these: by their centroid and spread.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections

NAME = "landmark-box-v1"

# Medians over 313 faces that both MTCNN and dlib's HOG detector find in 337 photos of CelebA;
# ``python -m benchmarks.vision.alignment fit`` prints them.
_SIDE = 1.650  # of the square, in units of the landmarks' spread
_OFFSET = np.array([-0.010, -0.019])  # of its centre from the centroid, in units of the side


def predictor_rects(detections: Detections) -> NDArray[np.float64]:
    """Squares float64 (n, 4) left, top, right, bottom, in pixels, as dlib's predictor wants them.

    Where the landmarks of a face all but coincide, its box is used; no square is smaller than a
    pixel. Raises ValueError for boxes or landmarks that are not finite.
    """
    boxes = detections.boxes.astype(np.float64)
    landmarks = detections.landmarks.astype(np.float64)
    if not (np.isfinite(boxes).all() and np.isfinite(landmarks).all()):
        raise ValueError("expected finite boxes and landmarks; drop such detections before")
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    centroid = landmarks.mean(axis=1)
    spread = np.sqrt(((landmarks - centroid[:, None]) ** 2).sum(axis=(1, 2)))
    side = _SIDE * spread
    centre = centroid + _OFFSET * side[:, None]
    collapsed = side < 0.1 * extent.max(axis=1, initial=0)
    side = np.where(collapsed, np.sqrt(extent.prod(axis=1)), side)
    centre = np.where(collapsed[:, None], (boxes[:, :2] + boxes[:, 2:]) / 2, centre)
    half = np.maximum(side, 1)[:, None] / 2
    return np.concatenate([centre - half, centre + half], axis=1)
