"""Whatever a decoder throws at a broken file, turned into one PhotoError with a reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO, Literal

from PIL import Image

from facesearch.errors import PhotoError
from facesearch.images.file_access import refusal

_DETAIL_CHARACTERS = 200

# Pieces of messages, lower case, of Pillow, libheif and their kin. They decide nothing but which
# reason is shown, so a message that changes with a release costs precision, not safety.
_TOO_LARGE = ("decompressed data too large", "decompression bomb", "security limit", "too many")
_UNSUPPORTED = (
    "support not installed",
    "unknown pixel mode",
    "unknown data organization",
    "unsupported",
    "not supported",
    "cannot handle",
    "unknown compression",
    "codec is unavailable",
)
_TRUNCATED = (
    "truncated",
    "end of file",
    "unexpected end",
    "not enough data",
    "not enough image data",
    "no more data",
)


def photo_error(error: Exception, kind: str, stream: BinaryIO) -> PhotoError:
    """The PhotoError for ``error``, raised while the ``kind`` file in ``stream`` was decoded."""
    if isinstance(error, PhotoError):
        return error
    if isinstance(error, MemoryError):
        return PhotoError("too-large", f"{kind}: decoding it takes more memory than there is")
    if isinstance(error, OSError) and error.errno is not None:
        return PhotoError("unreadable", refusal(error))
    message = " ".join(str(error).split())[:_DETAIL_CHARACTERS] or type(error).__name__
    return PhotoError(_reason(error, message.lower(), kind, stream), f"{kind}: {message}")


def _reason(error: Exception, message: str, kind: str, stream: BinaryIO) -> str:
    if isinstance(error, Image.DecompressionBombError) or _has(message, _TOO_LARGE):
        return "too-large"
    if isinstance(error, NotImplementedError) or _has(message, _UNSUPPORTED):
        return "unsupported"
    if isinstance(error, EOFError) or _has(message, _TRUNCATED) or _ends_early(kind, stream):
        return "truncated"
    return "corrupt"


def _has(message: str, pieces: tuple[str, ...]) -> bool:
    return any(piece in message for piece in pieces)


def _ends_early(kind: str, stream: BinaryIO) -> bool:
    """Whether the file is shorter than its own container says, for decoders that do not tell."""
    test = _END_TESTS.get(kind)
    if test is None:
        return False
    try:
        return test(stream, stream.seek(0, os.SEEK_END))
    except (OSError, ValueError):
        return False


def _integer(stream: BinaryIO, at: int, count: int, order: Literal["little", "big"]) -> int:
    stream.seek(at)
    return int.from_bytes(stream.read(count), order)


def _lacks_at_end(stream: BinaryIO, size: int, marker: bytes) -> bool:
    stream.seek(max(0, size - 64))  # some writers leave a few bytes after the end
    return marker not in stream.read(64)


def _tiff_ends_early(stream: BinaryIO, size: int) -> bool:
    """Whether a classic TIFF's first directory lies past the end of the file."""
    stream.seek(0)
    order: Literal["little", "big"] = "little" if stream.read(2) == b"II" else "big"
    directory = _integer(stream, 4, 4, order)
    if directory + 2 > size:
        return True
    return directory + 2 + 12 * _integer(stream, directory, 2, order) > size


def _boxes_end_early(stream: BinaryIO, size: int) -> bool:
    """Whether the last top-level box (ISO/IEC 14496-12, section 4.2) reaches past the end."""
    at = 0
    while at < size:
        length = _integer(stream, at, 4, "big")
        if length == 1:  # the length is in the eight bytes after the type
            length = _integer(stream, at + 8, 8, "big")
        if length == 0:  # to the end of the file, wherever that is
            return False
        if length < 8:
            return False  # nonsense, which is damage rather than a missing end
        at += length
    return at > size


def _jpeg_xl_ends_early(stream: BinaryIO, size: int) -> bool:
    """Of boxes the last is cut; a code stream alone (ISO/IEC 18181-1) does not say its length."""
    return _integer(stream, 0, 2, "big") != 0xFF0A and _boxes_end_early(stream, size)


def _jpeg_2000_ends_early(stream: BinaryIO, size: int) -> bool:
    """Of a code stream (ISO/IEC 15444-1, annex A) the end marker, of boxes the last is cut."""
    if _integer(stream, 0, 2, "big") == 0xFF4F:
        return _lacks_at_end(stream, size, b"\xff\xd9")
    return _boxes_end_early(stream, size)


_END_TESTS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "JPEG": lambda stream, size: _lacks_at_end(stream, size, b"\xff\xd9"),
    "PNG": lambda stream, size: _lacks_at_end(stream, size, b"IEND"),
    "GIF": lambda stream, size: _lacks_at_end(stream, size, b";"),
    "WEBP": lambda stream, size: size < 8 + _integer(stream, 4, 4, "little"),
    "BMP": lambda stream, size: size < _integer(stream, 2, 4, "little"),
    "TIFF": _tiff_ends_early,
    "HEIF": _boxes_end_early,
    "AVIF": _boxes_end_early,
    "JXL": _jpeg_xl_ends_early,
    "JPEG2000": _jpeg_2000_ends_early,
}
