"""Whether a HEIF or AVIF file turns its picture itself (ISO/IEC 23008-12, sections 6.5.10, 6.5.12).

A property ``irot`` or ``imir`` turns the picture, and every decoder follows it. EXIF's orientation
is for information only there; phones write both, with one meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

_MOST_BYTES = 1 << 24  # of the box that describes the pictures, which holds none of their pixels
_HEADER = 16
# Files have a few boxes, however large; others would be walked through for minutes.
_MOST_BOXES, _LONGEST = 10_000, 1 << 48


def turns_itself(stream: BinaryIO) -> bool:
    """Whether a property of the file in ``stream`` turns or mirrors a picture."""
    meta = _described(stream)
    for kind, content in _boxes(meta[4:]):  # after the version
        if kind != b"iprp":
            continue
        for below, properties in _boxes(content):
            if below == b"ipco" and any(map(_turns, _boxes(properties))):
                return True
    return False


def _turns(box: tuple[bytes, bytes]) -> bool:
    kind, content = box
    return kind == b"imir" or (kind == b"irot" and bool(content[:1]) and content[0] & 3 != 0)


def _described(stream: BinaryIO) -> bytes:
    """The content of the first box ``meta``; nothing where there is none of a sound size."""
    at = 0
    for _ in range(_MOST_BOXES):
        stream.seek(at)
        head = stream.read(_HEADER)
        if len(head) < 8:
            return b""
        length, kind, start = int.from_bytes(head[:4], "big"), head[4:8], 8
        if length == 1:
            length, start = int.from_bytes(head[8:16], "big"), 16
        if kind == b"meta":
            stream.seek(at + start)
            return stream.read(length - start) if start <= length <= _MOST_BYTES else b""
        if not start <= length <= _LONGEST:  # up to the end of the file, or damage
            return b""
        at += length
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in ``data``."""
    at = 0
    while at + 8 <= len(data):
        length, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 0:
            length = len(data) - at
        elif length == 1:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        if length < start - at:
            return
        yield data[at + 4 : at + 8], data[start : at + length]
        at += length
