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
        grey = _deep_grey(np.asarray(image), _full_scale(image))
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


def _deep_grey(values: NDArray[np.generic], full_scale: float) -> Pixels:
    """Grey uint8 (h, w), rounded, from values in [0, full_scale]; outliers and NaN are bound.

    Rows are converted in strips, so that a large photo does not exist once more as floats.
    """
    grey = np.empty(values.shape, np.uint8)
    strip = max(1, (1 << 20) // max(1, values.shape[1]))
    for top in range(0, len(values), strip):
        part = values[top : top + strip].astype(np.float64) * (255.0 / full_scale)
        part = np.nan_to_num(part, nan=0.0, posinf=255.0, neginf=0.0)
        grey[top : top + strip] = np.clip(part + 0.5, 0.0, 255.0)
    return grey


def _full_scale(image: Image.Image) -> float:
    """The value that means white (or black, where zero is white)."""
    if image.mode == "F":
        return _float_scale(np.asarray(image))
    bits = _tag(image, _BITS_PER_SAMPLE, 16)
    if bits <= 16:
        return float(2**bits - 1)
    # Files of 32-bit integers almost never use their full range; take the smallest usual one.
    highest = int(np.asarray(image).max())
    return next((float(top) for top in (255, 65535) if highest <= top), float(2**31 - 1))


def _float_scale(values: NDArray[np.generic]) -> float:
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
