"""Any of Pillow's pixel modes to RGB uint8: depth scaled, not clipped, transparency on white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesearch.errors import PhotoError

Pixels = NDArray[np.uint8]

# Modes with one channel of more than eight bits.
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_PLAIN_MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

# TIFF tags: bits of each sample, and whether 0 means white.
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262


def to_rgb(image: Image.Image) -> Pixels:
    """``image``, which must be loaded, as an array of shape (h, w, 3), not always writable.

    Raises PhotoError("unsupported") for a mode that is none of Pillow's documented ones.
    """
    if image.mode in _DEEP_MODES:
        bits = None if image.mode == "F" else min(16, _tag(image, _BITS_PER_SAMPLE, 16))
        grey = scaled_to_bytes(np.asarray(image), bits)
        if _zero_is_white(image):
            grey = 255 - grey
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode not in _PLAIN_MODES:
        raise PhotoError("unsupported", f"pixel mode {image.mode}")
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _on_white(image: Image.Image) -> Pixels:
    coloured = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(coloured, mask=coloured.getchannel("A"))
    return np.asarray(canvas)


def scaled_to_bytes(values: NDArray[np.generic], bits: int | None = None) -> Pixels:
    """Samples of any depth as uint8, rounded; outliers and NaN are bound.

    ``bits`` are those that count of whole numbers, by default all of the type. Black is 0, or the
    lowest number of the type where some are negative; white is its highest number, and for floats
    and 32 bits and more what :func:`_range` says. Rows are converted in strips, so that a large
    photo does not exist once more as floats.
    """
    black, white = _range(values, bits)
    pixels = np.empty(values.shape, np.uint8)
    strip = max(1, (1 << 20) // max(1, values[:1].size))
    for top in range(0, len(values), strip):
        part = (values[top : top + strip].astype(np.float64) - black) * (255.0 / (white - black))
        part = np.nan_to_num(part, nan=0.0, posinf=255.0, neginf=0.0)
        pixels[top : top + strip] = np.clip(part + 0.5, 0.0, 255.0)
    return pixels


def _range(values: NDArray[np.generic], bits: int | None) -> tuple[float, float]:
    """The values that mean black and white."""
    if values.dtype.kind == "f":
        return 0.0, _float_white(values)
    depth = 8 * values.dtype.itemsize if bits is None else bits
    lowest, highest = (int(values.min()), int(values.max())) if values.size else (0, 0)
    if values.dtype.kind == "i" and bits is None:
        # Whole numbers of 32 bits almost never use their range; take the smallest usual one.
        usual = [depth] if depth <= 16 else [each for each in (16, 32, 64) if each <= depth]
        if lowest < 0:
            half = next(2.0 ** (each - 1) for each in usual if -lowest <= 2 ** (each - 1) > highest)
            return -half, half - 1
        depth -= 1
    if depth <= 16:
        return 0.0, float(2**depth - 1)
    return 0.0, next((float(top) for top in (255, 65535) if highest <= top), 2.0**depth - 1)


def _float_white(values: NDArray[np.generic]) -> float:
    """Floats have no agreed white: 1, 255 or 65535, the first that holds all, else the highest."""
    finite = values[np.isfinite(values)]
    highest = float(finite.max()) if finite.size else 1.0
    return next((top for top in (1.0, 255.0, 65535.0) if highest <= top), highest)


def _zero_is_white(image: Image.Image) -> bool:
    # Pillow inverts such TIFFs itself at up to eight bits, but not above.
    return _tag(image, _PHOTOMETRIC, 1) == 0


def _tag(image: Image.Image, tag: int, default: int) -> int:
    tags = getattr(image, "tag_v2", None)
    value = tags.get(tag, default) if tags is not None else default
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else default
