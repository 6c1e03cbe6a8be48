"""Pictures stored turned, as cameras store them."""

from __future__ import annotations

from PIL import Image

# What undoes each orientation but 1, which turns nothing.
_UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def stored_turned(upright: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """``upright`` as stored with the EXIF ``orientation``, 1 to 8, and EXIF that states it."""
    stored = upright if orientation == 1 else upright.transpose(_UNDO[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return stored, exif
