"""What a photo's file says of its picture besides the pixels: its orientation, and its XMP packet.

Pixels are decoded only where nothing can be known without: JPEG XL, and PNGs whose metadata come
after the pixels.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, TiffImagePlugin

from facesearch.errors import PhotoError
from facesearch.images.decode_errors import photo_error
from facesearch.images.exif import exif_facts, read_exif
from facesearch.images.file_access import photo_stream
from facesearch.images.formats.deep_tiff import DeepTiff
from facesearch.images.formats.extended_xmp import NO_EXTENSION, ExtendedXmp, read_extended_xmp
from facesearch.images.formats.iso_turns import turns_itself
from facesearch.images.formats.jpeg_xl import JpegXl
from facesearch.images.formats.openers import open_picture
from facesearch.images.formats.picture import Picture, PillowPicture
from facesearch.images.formats.raw import RawPicture
from facesearch.images.sniff import HEAD_BYTES, describe, sniff

MOST_BYTES = 512 * 2**20
_MOST_PIXELS = 200_000_000  # of what must be decoded to be known
_XMP_TAG = 700
_PNG_HEAD = 8


@dataclass(frozen=True)
class PhotoMetadata:
    """``size``: width and height of the upright picture in pixels.

    ``orientation`` (1 to 8) is the one by which a program that turns pictures by their EXIF data
    turns what it finds stored. Regions in metadata are of the stored picture in this sense: a HEIC
    of a phone, which turns itself and has the same orientation in EXIF, is the picture of before
    that turn. ``xmp`` is the packet in the file, b"" where there is none; ``extended``
    continues it in JPEGs.
    """

    size: tuple[int, int]
    orientation: int
    xmp: bytes
    extended: ExtendedXmp = NO_EXTENSION


def read_metadata(path: Path, most_bytes: int = MOST_BYTES) -> PhotoMetadata:
    """What the photo at ``path``, of at most ``most_bytes``, says of itself.

    Raises PhotoError, with a reason of ``REASONS``, for what cannot be read.
    """
    with photo_stream(path, most_bytes) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        kind = sniff(head)
        if kind is None:
            raise PhotoError(*describe(head))
        try:
            return _read(kind, open_picture(kind, stream, path.suffix), stream)
        except Exception as error:  # Pillow's plugins throw whatever their parsing runs into
            raise photo_error(error, kind, stream) from error


def _read(kind: str, picture: Picture, stream: BinaryIO) -> PhotoMetadata:
    if isinstance(picture, PillowPicture):
        return _of_pillow(kind, picture, stream)
    if isinstance(picture, RawPicture):  # its size is turned already
        return PhotoMetadata(picture.size, picture.orientation, _xmp_of_tiff(stream))
    if isinstance(picture, DeepTiff):
        orientation = picture.orientation
        return PhotoMetadata(_turned(picture.size, orientation), orientation, _xmp_of_tiff(stream))
    if isinstance(picture, JpegXl):
        width, height = picture.size
        if width * height > _MOST_PIXELS:
            raise PhotoError("too-large", f"{width} x {height} pixels")
        reading = picture.read(None)
        decoded = reading.pixels.shape[1], reading.pixels.shape[0]
        return PhotoMetadata(_turned(decoded, reading.orientation), reading.orientation, b"")
    raise PhotoError("unsupported", f"{kind}: its metadata are not read")


def _of_pillow(kind: str, picture: PillowPicture, stream: BinaryIO) -> PhotoMetadata:
    image = picture.image
    if kind == "HEIF":
        stated = image.info.get("original_orientation") or 1
        orientation = stated if 1 <= stated <= 8 and turns_itself(stream) else 1
        return PhotoMetadata(image.size, orientation, _packet(image))
    if kind == "AVIF":
        turned = read_exif(image)[0]  # by the file itself, whatever EXIF says
        stated = _stated_in_avif(image)
        size = _turned(image.size, turned)
        return PhotoMetadata(size, stated if turned != 1 else 1, _packet(image))
    if kind == "PNG" and _more_after_pixels(stream):
        if image.size[0] * image.size[1] > _MOST_PIXELS:
            raise PhotoError("too-large", f"{image.size[0]} x {image.size[1]} pixels")
        image.load()
    # Of a PNG without EXIF Pillow would read the pixels in search for it.
    known = kind != "PNG" or "exif" in image.info or "Raw profile type exif" in image.info
    orientation = read_exif(image)[0] if known else 1
    if orientation == 1:
        orientation = picture.elsewhere[0]
    # Pillow reports the sizes of TIFFs turned already.
    size = image.size if kind == "TIFF" else _turned(image.size, orientation)
    packet = _packet(image)
    extended = read_extended_xmp(stream, packet) if kind == "JPEG" else NO_EXTENSION
    return PhotoMetadata(size, orientation, packet, extended)


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size if orientation < 5 else size[::-1]


def _packet(image: ImageFile.ImageFile) -> bytes:
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    if not found and isinstance(image, TiffImagePlugin.TiffImageFile):
        found = image.tag_v2.get(_XMP_TAG)
    if isinstance(found, tuple):
        found = found[0] if len(found) == 1 else bytes(found)
    if isinstance(found, str):
        found = found.encode("utf-8", "surrogateescape")
    return found if isinstance(found, bytes) else b""


def _xmp_of_tiff(stream: BinaryIO) -> bytes:
    """The packet of a file that is a TIFF, at least in its structure, as most raw files are."""
    stream.seek(0)
    try:
        return _packet(TiffImagePlugin.TiffImageFile(io.BytesIO(stream.read())))
    except Exception:  # a raw file of another structure
        return b""


def _stated_in_avif(image: ImageFile.ImageFile) -> int:
    """The orientation in EXIF, in whose place Pillow puts that of the container."""
    exif = Image.Exif()
    try:
        exif.load(image._decoder.get_info()[4])  # type: ignore[attr-defined]
    except Exception:  # there is none, or another version of Pillow
        return 1
    return exif_facts(exif)[0]


def _more_after_pixels(stream: BinaryIO) -> bool:
    """Whether a PNG has text or EXIF after its pixels (PNG, third edition, section 5.6)."""
    at, seen_pixels = _PNG_HEAD, False
    while True:
        stream.seek(at)
        head = stream.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return False
        if head[4:] == b"IDAT":
            seen_pixels = True
        elif seen_pixels and head[4:] in (b"eXIf", b"iTXt", b"tEXt", b"zTXt"):
            return True
        at += 12 + int.from_bytes(head[:4], "big")
