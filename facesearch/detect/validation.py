"""Checks that every detector makes of its settings and photos."""

from __future__ import annotations

import numpy as np

from facesearch.detect.types import Pixels
from facesearch.errors import InputError


def check_photo(photo: Pixels) -> None:
    """Raise InputError unless ``photo`` is uint8 (h, w, 3) with at least one pixel."""
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or photo.size == 0:
        raise InputError(
            f"expected a photo uint8 (height, width, 3) with pixels, "
            f"got {photo.dtype} {photo.shape}; convert it to RGB first"
        )


def check_score(setting: str, value: float) -> None:
    """Raise InputError unless ``value`` is in [0, 1)."""
    if not 0 <= value < 1:
        raise InputError(f"expected {setting} in [0, 1), got {value}")
