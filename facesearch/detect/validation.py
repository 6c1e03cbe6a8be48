"""Checks that detectors and aligners make of their settings and photos."""

from __future__ import annotations

import numpy as np

from facesearch.argument_checks import number, whole_number
from facesearch.detect.types import Pixels
from facesearch.errors import InputError


def check_photo(photo: Pixels) -> None:
    """Raise InputError unless ``photo`` is RGB uint8 (h, w, 3) of 1 to 2^31 - 1 pixels."""
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or photo.size == 0:
        raise InputError(
            f"expected a photo RGB uint8 (height, width, 3) with pixels, "
            f"got {photo.dtype} {photo.shape}; convert it to RGB first"
        )
    if photo.shape[0] * photo.shape[1] >= 2**31:
        raise InputError(f"expected a photo below 2^31 pixels, got {photo.shape}; shrink it first")


def check_score(setting: str, value: float) -> None:
    """Raise InputError unless ``value`` is in [0, 1)."""
    if number(value, setting, 0, 1) == 1:
        raise InputError(f"expected {setting} in [0, 1), got {value}")


def check_min_face(pixels: int) -> None:
    """Raise InputError unless ``pixels``, the smallest face to find, is at least 1."""
    whole_number(pixels, "min_face in pixels", 1)
