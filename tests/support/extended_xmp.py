"""JPEGs with extended XMP, made by hand from the specification, whole and damaged."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from PIL import Image

STANDARD = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
MOST_OF_A_PIECE = 65_400  # as the specification has it


def guid_of(packet: bytes) -> bytes:
    """The number of extended XMP: its MD5."""
    return hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()


def naming_packet(guid: bytes, body: str = "") -> bytes:
    """A packet that names its extension, with ``body`` in its description."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:xmpNote="http://ns.adobe.com/xmp/note/" '
        'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmpNote:HasExtendedXMP="{guid.decode()}">{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()


def piece(guid: bytes, length: int, start: int, data: bytes) -> bytes:
    """One piece of extended XMP, without its marker."""
    return EXTENSION + guid + length.to_bytes(4, "big") + start.to_bytes(4, "big") + data


def pieces_of(packet: bytes, cuts: Sequence[int] | None = None) -> list[bytes]:
    """All pieces of ``packet``, cut at ``cuts``; by default as large as may be."""
    if cuts is None:
        cuts = range(MOST_OF_A_PIECE, len(packet), MOST_OF_A_PIECE)
    edges = [0, *sorted({*cuts} & {*range(1, len(packet))}), len(packet)]
    guid = guid_of(packet)
    return [piece(guid, len(packet), start, packet[start:end]) for start, end in pairwise(edges)]


def plain_jpeg(pixels: np.ndarray | None = None) -> bytes:
    """A JPEG without metadata."""
    shown = np.full((24, 32, 3), 120, np.uint8) if pixels is None else pixels
    data = io.BytesIO()
    Image.fromarray(shown).save(data, "JPEG", quality=95)
    return data.getvalue()


def jpeg_with(packet: bytes, pieces: Sequence[bytes], jpeg: bytes | None = None) -> bytes:
    """``jpeg`` with an XMP ``packet``, unless that is b"", and segments of ``pieces``."""
    jpeg = plain_jpeg() if jpeg is None else jpeg
    contents = [*([STANDARD + packet] if packet else []), *pieces]
    segments = [b"\xff\xe1" + (len(each) + 2).to_bytes(2, "big") + each for each in contents]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]
