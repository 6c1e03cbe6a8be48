"""One photo file to upright RGB pixels, or to one PhotoError that says why not."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from facesearch.errors import PhotoError
from facesearch.images.decode_errors import photo_error
from facesearch.images.exif import read_exif
from facesearch.images.file_access import photo_stream
from facesearch.images.sniff import HEAD_BYTES, describe, sniff
from facesearch.images.to_rgb import Pixels, to_rgb
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


def decode_photo(
    path: Path, *, max_side: int | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> DecodedPhoto:
    """The photo at ``path``, upright, its long side at most ``max_side`` pixels, never enlarged.

    Raises PhotoError, with a reason of ``REASONS``, for whatever is wrong with the file.
    """
    with photo_stream(path, limits.file_bytes) as stream:
        return decode_stream(stream, max_side=max_side, limits=limits)


def decode_stream(
    stream: BinaryIO, *, max_side: int | None = None, limits: DecodeLimits = DEFAULT_LIMITS
) -> DecodedPhoto:
    """As ``decode_photo``, of the photo that fills a seekable ``stream`` of bytes."""
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
        return _decode(_OPENERS[kind](stream), max_side, limits)
    except Exception as error:  # Pillow's plugins throw whatever their parsing runs into
        raise photo_error(error, kind, stream) from error


def _decode(image: ImageFile.ImageFile, max_side: int | None, limits: DecodeLimits) -> DecodedPhoto:
    width, height = image.size
    if width < 1 or height < 1:
        raise PhotoError("corrupt", f"declares a size of {width} x {height} pixels")
    if width * height > limits.pixels:
        raise PhotoError(
            "too-large",
            f"{width} x {height} pixels are {width * height}, the limit is {limits.pixels}",
        )
    if max_side is not None and isinstance(image, JpegImagePlugin.JpegImageFile):
        # libjpeg scales by 1/2, 1/4 or 1/8 while decoding; draft takes the smallest such size
        # that is no smaller than asked. The other side is set to 1, which never decides.
        image.draft(None, (max_side, 1) if width >= height else (1, max_side))
    image.load()
    # Only after loading: PNG may keep EXIF after the pixels, and Pillow turns TIFFs itself,
    # removing the tag. (It reports TIFF sizes turned from the start.)
    orientation, taken_at = read_exif(image)
    if orientation >= 5:
        width, height = height, width
    pixels = to_rgb(image)
    image.close()
    pixels = upright(_limited(pixels, max(width, height), max_side), orientation)
    return DecodedPhoto(np.require(pixels, np.uint8, ["C", "W"]), width, height, taken_at)


def _limited(pixels: Pixels, long_side: int, max_side: int | None) -> Pixels:
    """Reduced by area averaging to ``max_side``, of a photo whose full ``long_side`` is given."""
    height, width = pixels.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return pixels
    side = min(max_side, long_side)
    factor = side / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Pixels turned as EXIF orientation 1 to 8 asks (CIPA DC-008, section 4.6.4)."""
    return np.asarray(_TURNS[orientation](pixels), np.uint8)


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


def _open_heif(stream: BinaryIO) -> ImageFile.ImageFile:
    # Imported at the first HEIC photo: most folders have none, and libheif is large.
    import pillow_heif  # noqa: PLC0415

    pillow_heif.options.DECODE_THREADS = 1  # the workers are the parallelism
    image: ImageFile.ImageFile = pillow_heif.HeifImageFile(stream)  # type: ignore[no-untyped-call]
    return image


def _open_avif(stream: BinaryIO) -> ImageFile.ImageFile:
    try:
        from PIL import AvifImagePlugin  # noqa: PLC0415
    except ImportError as error:
        raise PhotoError(
            "unsupported", "AVIF is read by Pillow 11.3 or newer: pip install -U Pillow"
        ) from error
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return AvifImagePlugin.AvifImageFile(stream)


# The plugins are called by name, not through Image.open: nothing but these formats can be tried
# (no PostScript interpreter is ever run), and the pixel limit is ours rather than a global.
_OPENERS: dict[str, Callable[[BinaryIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "HEIF": _open_heif,
    "AVIF": _open_avif,
}
