"""What a crop and a preview show of a decoded photo, and the file names that say so."""

from __future__ import annotations

import hashlib
import io

from PIL import Image

from facesearch.album.model import AlbumFace
from facesearch.images import DecodedPhoto

CROP_SIDE = 160
CROP_MARGIN = 0.35  # of the face's longer side, on each of the four sides
CROP_QUALITY = 80
PREVIEW_SIDE = 2048
STILL_SIDE = 1024  # of a video's frames there are many
PREVIEW_QUALITY = 85

Box = tuple[float, float, float, float]


def crop_square(box: Box, size: tuple[int, int]) -> Box:
    """The square around ``box`` with its margin, moved and shrunk to lie inside the photo.

    ``box`` is x0, y0, x1, y1 and may reach beyond the photo of ``size`` (width, height).
    """
    x0, y0, x1, y1 = box
    side = min((1.0 + 2.0 * CROP_MARGIN) * max(x1 - x0, y1 - y0, 1.0), *size)
    left = min(max((x0 + x1 - side) / 2.0, 0.0), size[0] - side)
    top = min(max((y0 + y1 - side) / 2.0, 0.0), size[1] - side)
    return left, top, left + side, top + side


def cut_crop(photo: DecodedPhoto, box: Box) -> bytes:
    """The JPEG of the face at ``box`` (pixels of the full-size photo), CROP_SIDE a side."""
    height, width = photo.pixels.shape[:2]
    across, down = width / photo.width, height / photo.height
    left, top, right, bottom = crop_square(box, (photo.width, photo.height))
    image = Image.fromarray(photo.pixels)
    square = (
        left * across,
        top * down,
        min(right * across, width),
        min(bottom * down, height),
    )
    crop = image.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.LANCZOS, square, reducing_gap=3.0)
    return _jpeg(crop, CROP_QUALITY)


def cut_preview(photo: DecodedPhoto, side: int = PREVIEW_SIDE) -> bytes:
    """The JPEG of the whole photo, at most ``side`` pixels a side."""
    image = Image.fromarray(photo.pixels)
    image.thumbnail((side, side))
    return _jpeg(image, PREVIEW_QUALITY)


def crop_name(face: AlbumFace, stamp: str) -> str:
    """Where the crop of ``face`` lies below the report's folder.

    The name holds for the photo's content and the face's box, and the time of a video's still;
    ``stamp`` stands in for the content where its digest is not known.
    """
    box = " ".join(f"{edge:.3f}" for edge in face.box)
    width, height = face.photo_size
    kind = f"{CROP_SIDE} {CROP_MARGIN} {CROP_QUALITY}{_still(face)}"
    return f"crops/{_key(face.sha256 or stamp, f'{width} {height}', box, kind)}.jpg"


def preview_name(face: AlbumFace, stamp: str) -> str:
    """Where the preview of the photo, or still, of ``face`` lies below the report's folder."""
    side = PREVIEW_SIDE if face.span is None else STILL_SIDE
    kind = f"{side} {PREVIEW_QUALITY}{_still(face)}"
    return f"previews/{_key(face.sha256 or stamp, kind)}.jpg"


def _still(face: AlbumFace) -> str:
    return "" if face.span is None else f" {face.span.still_us}"


def _key(*parts: str) -> str:
    # Paths among the parts may hold bytes that are not UTF-8, as lone surrogates.
    text = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest()[:32]


def _jpeg(image: Image.Image, quality: int) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=quality, optimize=True)
    return data.getvalue()
