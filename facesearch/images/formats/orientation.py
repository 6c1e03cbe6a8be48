"""Pixels and boxes turned as EXIF says (orientations of CIPA DC-008, section 4.6.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.images.to_rgb import Pixels

Box = tuple[float, float, float, float]


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels turned as EXIF orientation 1 to 8 asks."""
    return np.asarray(_TURNS[orientation](pixels), np.uint8)


def stored_box(shares: Box, orientation: int) -> Box:
    """Where a box of the upright picture is in the picture as stored.

    Both are x0, y0, x1, y1 as shares of their picture's width and height.
    """
    x0, y0, x1, y1 = shares
    if orientation in (5, 6, 7, 8):
        x0, y0, x1, y1 = y0, x0, y1, x1
    if orientation in (2, 3, 7, 8):
        x0, x1 = 1 - x1, 1 - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = 1 - y1, 1 - y0
    return x0, y0, x1, y1


def upright_box(shares: Box, orientation: int) -> Box:
    """Where a box of the picture as stored is in the upright one: :func:`stored_box` undone."""
    return stored_box(shares, _UNDONE_BY.get(orientation, orientation))


# Quarter turns are undone by the other quarter turn, all else by itself.
_UNDONE_BY = {6: 8, 8: 6}


_TURNS: dict[int, Callable[[Pixels], NDArray[Any]]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: lambda pixels: cv2.transpose(pixels),  # noqa: PLW0108 (its overloads confuse mypy)
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.flip(cv2.transpose(pixels), -1),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
