"""One photo file to upright RGB pixels, or to one PhotoError that says why not."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from facesearch.errors import PhotoError
from facesearch.images.decode_errors import photo_error
from facesearch.images.file_access import photo_stream
from facesearch.images.formats.cut_jpeg import CutJpeg
from facesearch.images.formats.openers import open_picture
from facesearch.images.formats.orientation import upright
from facesearch.images.formats.picture import Picture
from facesearch.images.sniff import HEAD_BYTES, describe, sniff
from facesearch.images.to_rgb import Pixels
from facesearch.images.types import DecodedPhoto

# Pillow warns of every oddity of a file; what matters arrives as an exception. A filter around
# each decode would not do, as Python's warning filters belong to the process, not the thread.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class DecodeLimits:
    """What a photo may cost. ``pixels`` are those the file declares, checked before decoding;
    ``file_bytes`` its size; ``memory_bytes`` the address space of a decoding worker (0: any),
    which must hold the photo three times over at four bytes a pixel."""

    pixels: int = 200_000_000
    file_bytes: int = 512 * 2**20
    memory_bytes: int = 6 * 2**30


DEFAULT_LIMITS = DecodeLimits()
_MOST_TIMES = 8  # by how much a wide picture may be longer than others


def decode_photo(
    path: Path, *, max_side: int | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> DecodedPhoto:
    """The photo at ``path``, upright, its long side at most ``max_side`` pixels, never enlarged.

    Of a wide picture the short side is at most half of that (:func:`longest_side`).
    Raises PhotoError, with a reason of ``REASONS``, for whatever is wrong with the file.
    """
    with photo_stream(path, limits.file_bytes) as stream:
        return decode_stream(stream, max_side=max_side, limits=limits, suffix=path.suffix)


def decode_stream(
    stream: BinaryIO,
    *,
    max_side: int | None = None,
    limits: DecodeLimits = DEFAULT_LIMITS,
    suffix: str = "",
) -> DecodedPhoto:
    """As ``decode_photo``, of the photo that fills a seekable ``stream`` of bytes.

    ``suffix`` is that of its file's name, which tells raw files from TIFFs.
    """
    if max_side is not None and max_side < 1:
        raise ValueError(f"expected max_side of at least 1 pixel, got {max_side}")
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    if not head:
        raise PhotoError("empty", "the file has no bytes")
    kind = sniff(head)
    if kind is None:
        raise PhotoError(*describe(head))
    try:
        return _decode(open_picture(kind, stream, suffix), max_side, limits)
    except Exception as error:  # Pillow's plugins throw whatever their parsing runs into
        refused = photo_error(error, kind, stream)
        if kind != "JPEG" or refused.reason != "truncated":
            raise refused from error
    try:
        return _decode(CutJpeg(stream), max_side, limits)
    except Exception as error:  # nothing is there to show, so the first reason stands
        raise refused from error


def _decode(picture: Picture, max_side: int | None, limits: DecodeLimits) -> DecodedPhoto:
    width, height = picture.size
    if width < 1 or height < 1:
        raise PhotoError("corrupt", f"declares a size of {width} x {height} pixels")
    if width * height > limits.pixels:
        raise PhotoError(
            "too-large",
            f"{width} x {height} pixels are {width * height}, the limit is {limits.pixels}",
        )
    long_side = None if max_side is None else longest_side(width, height, max_side)
    reading = picture.read(long_side)
    if reading.orientation >= 5:
        width, height = height, width
    pixels = _limited(reading.pixels, max(width, height), long_side)
    pixels = np.require(upright(pixels, reading.orientation), np.uint8, ["C", "W"])
    return DecodedPhoto(pixels, width, height, reading.taken_at, reading.partial)


def longest_side(width: int, height: int, max_side: int) -> int:
    """How long a picture may be that is decoded to ``max_side``, in pixels.

    One that is wider than twice its height (or higher) may have a short side of half of that, so
    that reducing it loses as little of its faces as reducing another; at most eight times as long.
    """
    long, short = max(width, height), min(width, height)
    if long <= 2 * short:
        return max_side
    return max(1, min(_MOST_TIMES * max_side, round(max_side * long / (2 * short))))


def _limited(pixels: Pixels, long_side: int, max_side: int | None) -> Pixels:
    """Reduced by area averaging to ``max_side``, of a photo whose full ``long_side`` is given."""
    height, width = pixels.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return pixels
    side = min(max_side, long_side)
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
