"""Extended XMP: the part of a JPEG's XMP that does not fit into one segment of 64 KiB.

By the XMP Specification, Part 3, section 1.1.3.1: APP1 segments of a signature, the 32 digits of
the GUID that the packet names (``xmpNote:HasExtendedXMP``), the length of the whole, where a piece
belongs in it, and the piece. Pieces may come in any order; those of another GUID are of no use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

MOST_BYTES = 16 << 20
_MOST_SEGMENTS = 20_000  # before the pixels; a file of 16 MiB of pieces has some 260
_SIGNATURE = b"http://ns.adobe.com/xmp/extension/\0"
_GUID_DIGITS = 32
_HEAD_BYTES = len(_SIGNATURE) + _GUID_DIGITS + 8
_NAMED = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']\s*|>\s*)([0-9A-Fa-f]{32})\s*[\"'<]")
_APP1, _START_OF_SCAN, _END = 0xE1, 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))


@dataclass(frozen=True)
class ExtendedXmp:
    """``packet``: the XMP that continues the one named; b"" where there is none, or ``problem``
    says why it cannot be used."""

    packet: bytes = b""
    problem: str = ""


NO_EXTENSION = ExtendedXmp()


@dataclass(frozen=True)
class _Piece:
    """``data`` of the packet from byte ``start`` on, which is to have ``length`` bytes in all."""

    length: int
    start: int
    data: bytes

    @property
    def end(self) -> int:
        return self.start + len(self.data)


def read_extended_xmp(stream: BinaryIO, packet: bytes) -> ExtendedXmp:
    """What continues the XMP ``packet`` of the JPEG in ``stream``.

    At most ``MOST_BYTES``, whole or not at all; damage is no error but a ``problem``.
    """
    named = _NAMED.search(packet)
    wanted = named[1].upper() if named else b""
    pieces: list[_Piece] = []
    others, held = 0, 0
    for segment in _extensions(stream):
        at = len(_SIGNATURE) + _GUID_DIGITS
        if segment[len(_SIGNATURE) : at].upper() != wanted:
            others += 1
            continue
        length, start = (int.from_bytes(segment[at + n : at + n + 4], "big") for n in (0, 4))
        held += len(segment) - _HEAD_BYTES
        if max(length, held) > MOST_BYTES:
            return ExtendedXmp(problem=f"its extended XMP has more than {MOST_BYTES} bytes")
        pieces.append(_Piece(length, start, segment[_HEAD_BYTES:]))
    if pieces:
        return _joined(pieces)
    if named:
        found = f"{others} of another number" if others else "none"
        return ExtendedXmp(problem=f"expected pieces of its extended XMP, found {found}")
    if others:
        return ExtendedXmp(problem=f"{others} pieces of extended XMP that its XMP does not name")
    return NO_EXTENSION


def _joined(pieces: Sequence[_Piece]) -> ExtendedXmp:
    length, end = pieces[0].length, 0
    problem = ""
    ordered = sorted(pieces, key=lambda piece: (piece.start, piece.end))
    for piece in ordered:
        if piece.length != length:
            problem = f"pieces of a whole of {length} and of {piece.length} bytes"
        elif piece.start < end:
            problem = f"two pieces for byte {piece.start}"
        elif piece.start > end:
            problem = f"bytes {end} to {piece.start} are missing"
        elif piece.end > length:
            problem = f"a piece that ends at byte {piece.end} of {length}"
        if problem:
            break
        end = piece.end
    if not problem and end < length:
        problem = f"bytes {end} to {length} are missing"
    if problem:
        return ExtendedXmp(problem=f"its extended XMP is damaged: {problem}")
    return ExtendedXmp(b"".join(piece.data for piece in ordered))


def _extensions(stream: BinaryIO) -> Iterator[bytes]:
    """The segments of extended XMP before the pixels, each whole, without its marker."""
    stream.seek(2)
    for _ in range(_MOST_SEGMENTS):
        marker = _next_marker(stream)
        if marker in (None, _START_OF_SCAN, _END):
            return
        if marker in _WITHOUT_LENGTH:
            continue
        size = int.from_bytes(stream.read(2), "big") - 2
        if size < 0:
            return
        if marker != _APP1 or size < _HEAD_BYTES:
            stream.seek(size, 1)
            continue
        segment = stream.read(size)
        if len(segment) == size and segment.startswith(_SIGNATURE):
            yield segment


def _next_marker(stream: BinaryIO) -> int | None:
    """The marker that comes next, after any number of fill bytes; None where there is none."""
    if stream.read(1) != b"\xff":
        return None
    for _ in range(_MOST_SEGMENTS):
        byte = stream.read(1)
        if byte != b"\xff":
            return byte[0] if byte else None
    return None
