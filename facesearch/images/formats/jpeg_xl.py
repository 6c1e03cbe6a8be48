"""JPEG XL by the plugin pillow-jxl-plugin, which decodes at once: the size is looked at before.

The size is in the first bytes of the code stream (ISO/IEC 18181-1, section D.2), which lies in the
file as it is or in a box (18181-2).
"""

from __future__ import annotations

import importlib
import io
from typing import Any, BinaryIO

from facesearch.images.formats.extras import require_reader
from facesearch.images.formats.picture import PillowPicture, Reading

_HEAD_BYTES = 1 << 16
_STREAM = b"\xff\x0a"
_SIZE_BITS = (9, 13, 18, 30)
# Width by height, for ratios 1 to 7.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class JpegXl:
    """A JPEG XL file. ``size`` is what it declares, not turned."""

    def __init__(self, stream: BinaryIO) -> None:
        require_reader("JXL", "a JPEG XL image")
        self._stream = stream
        stream.seek(0)
        self.size = declared_size(stream.read(_HEAD_BYTES))

    def read(self, max_side: int | None) -> Reading:
        """All pixels; they are turned already where the file was not made of a JPEG."""
        plugin: Any = importlib.import_module("pillow_jxl.JpegXLImagePlugin")  # an extra
        plugin.DECODE_THREADS = 0  # the workers are the parallelism
        self._stream.seek(0)
        try:
            image = plugin.JXLImageFile(io.BytesIO(self._stream.read()))
        except RuntimeError as error:
            raise ValueError(f"it cannot be decoded: {error}") from error
        made_of_jpeg = bool(image.jpeg)
        reading = PillowPicture(image).read(max_side)
        if made_of_jpeg:
            return reading
        return Reading(reading.pixels, 1, reading.taken_at)


def declared_size(head: bytes) -> tuple[int, int]:
    """Width and height by the first bytes of a file; raises EOFError where they are not there."""
    bits = _Bits(_code_stream(head)[2:])
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height * across // down, height
    return _side(bits, small), height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (1 + bits.take(5))
    return 1 + bits.take(_SIZE_BITS[bits.take(2)])


def _code_stream(head: bytes) -> bytes:
    if head.startswith(_STREAM):
        return head
    at = 0
    while at + 16 <= len(head):
        length, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        start = at + 8
        if length == 1:
            length, start = int.from_bytes(head[start : start + 8], "big"), start + 8
        if kind == b"jxlc":
            return head[start:]
        if kind == b"jxlp":
            return head[start + 4 :]  # after the number of the part
        if length < 8:
            break
        at += length
    raise EOFError("unexpected end: the file has no code stream in its first bytes")


class _Bits:
    """Bits of bytes, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:16], "little")
        self._left = 8 * len(data[:16])

    def take(self, count: int) -> int:
        if count > self._left:
            raise EOFError("unexpected end: the file has no size")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value
