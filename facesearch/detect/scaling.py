"""Photos reduced for detection: no larger than it takes to see the smallest faces wanted."""

from __future__ import annotations

import cv2
import numpy as np

from facesearch.detect.types import Pixels

# Pixels that a face has at least in what YuNet is shown, where larger ones are wanted: chosen on
# 60 photos of benchmarks/vision/large_faces.py, which reports on others.
SIGHT = 28
# Pixels of a photo's longer side that are always shown: less saves little time, and a face that
# fills its photo is found less often.
SHORTEST = 256


def sight_scale(photo: Pixels, min_face: int, sight: int = SIGHT) -> float:
    """By how much YuNet reduces a photo to look for faces of ``min_face`` pixels or more.

    Time goes with the pixels, and what makes a face is seen in ``sight`` of them.
    """
    return float(min(1.0, max(sight / min_face, SHORTEST / max(photo.shape[:2]))))


def shrinking(photo: Pixels, side: int) -> float:
    """By how much a photo is reduced that may be at most ``side`` long."""
    return float(min(1.0, side / max(photo.shape[:2])))


def shrunk(photo: Pixels, scale: float) -> Pixels:
    """A photo reduced by ``scale``, at most 1, averaging areas."""
    if scale >= 1:
        return photo
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
