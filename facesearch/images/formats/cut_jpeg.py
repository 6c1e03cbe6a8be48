"""JPEGs that end early: all pixels of one that lacks only its end marker, else what has arrived.

libjpeg reads on from an end marker that comes too soon: what is missing becomes grey. Which rows
these are shows by reading the file twice, once with other data in the place of what is missing.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from PIL import ImageFile, JpegImagePlugin

from facesearch.images.exif import read_exif
from facesearch.images.formats.picture import Reading, load
from facesearch.images.to_rgb import to_rgb

_END = b"\xff\xd9"
# Entropy-coded data that is no marker: decoded into anything but the even grey of missing data.
_OTHER_DATA = bytes(np.random.default_rng(1).integers(0, 255, 512, dtype=np.uint8))


class CutJpeg:
    """A JPEG file without an end. ``size`` as in :class:`facesearch.images.formats.picture`."""

    def __init__(self, stream: BinaryIO) -> None:
        stream.seek(0)
        self._data = stream.read().rstrip(b"\xff")  # half a marker is none
        self._image = _opened(self._data + _END)
        self.size = self._image.size

    def read(self, max_side: int | None) -> Reading:
        """What is there. Raises EOFError where that is no row of pixels at all."""
        image = load(self._image, max_side)
        pixels = to_rgb(image)
        other = to_rgb(load(_opened(self._data + _OTHER_DATA + _END), max_side))
        wrong = np.flatnonzero((pixels != other).any(axis=(1, 2)))
        orientation, taken_at = read_exif(image)
        if not len(wrong):
            return Reading(pixels, orientation, taken_at)
        progressive = bool(image.info.get("progressive"))
        if not (wrong[0] or progressive) or (pixels == pixels[0, 0]).all():
            raise EOFError("the file ends before the first row of its pixels")
        return Reading(pixels, orientation, taken_at, _text(int(wrong[0]) / len(pixels)))


def _text(complete: float) -> str:
    return f"JPEG: the file ends early: the upper {complete:.0%} is complete, the rest is not"


def _opened(data: bytes) -> ImageFile.ImageFile:
    return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
