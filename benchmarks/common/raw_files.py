"""Minimal DNG files: a sensor's mosaic of a picture, and a preview as cameras embed it."""

from __future__ import annotations

import io
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Entry = tuple[int, str, tuple[int, ...] | bytes]  # tag, type as struct has it, values

_BAYER = np.array([[0, 1], [1, 2]])  # red, green; green, blue
_WHITE = 4095
# From CIE XYZ to a camera whose colours are those of sRGB, times 10,000.
_XYZ_TO_SRGB = (32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570)
_TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "II": 5, "ii": 10}


def dng(picture: Pixels, preview: bytes = b"", orientation: int = 1) -> bytes:
    """A DNG of ``picture`` (h, w, 3), sides even, as the sensor has it (not turned).

    ``preview`` is a JPEG, its size the caller's choice; without one the file has a thumbnail of 8 x
    8 black pixels. ``orientation`` is that of EXIF, for the picture and the preview.
    """
    height, width = picture.shape[:2]
    channels = np.tile(_BAYER, (height // 2, width // 2))
    linear = (picture / 255.0) ** 2.2
    mosaic = np.take_along_axis(linear, channels[..., None], 2)[..., 0] * _WHITE
    sensor = mosaic.astype("<u2").tobytes()
    shown = preview or bytes(8 * 8 * 3)
    size = Image.open(io.BytesIO(preview)).size if preview else (8, 8)
    sensor_at = 8 + len(shown) + len(shown) % 2
    raw_at = sensor_at + len(sensor)
    raw = _directory(raw_at, _sensor_tags(width, height, sensor_at, len(sensor)))
    first_at = raw_at + len(raw)
    tags = _preview_tags(size, bool(preview), len(shown)) + _file_tags(orientation, raw_at)
    first = _directory(first_at, tags)
    padding = bytes(sensor_at - 8 - len(shown))
    return b"II*\0" + struct.pack("<I", first_at) + shown + padding + sensor + raw + first


def _sensor_tags(width: int, height: int, at: int, length: int) -> list[Entry]:
    return [
        (254, "I", (0,)),
        (256, "I", (width,)),
        (257, "I", (height,)),
        (258, "H", (16,)),
        (259, "H", (1,)),
        (262, "H", (32803,)),
        (273, "I", (at,)),
        (277, "H", (1,)),
        (278, "I", (height,)),
        (279, "I", (length,)),
        (33421, "H", (2, 2)),
        (33422, "B", (0, 1, 1, 2)),
        (50717, "I", (_WHITE,)),
    ]


def _preview_tags(size: tuple[int, int], is_jpeg: bool, length: int) -> list[Entry]:
    return [
        (254, "I", (1,)),
        (256, "I", (size[0],)),
        (257, "I", (size[1],)),
        (258, "H", (8, 8, 8)),
        (259, "H", (7 if is_jpeg else 1,)),
        (262, "H", (6 if is_jpeg else 2,)),
        (273, "I", (8,)),
        (277, "H", (3,)),
        (278, "I", (size[1],)),
        (279, "I", (length,)),
    ]


def _file_tags(orientation: int, raw_at: int) -> list[Entry]:
    return [
        (271, "s", b"Test\0"),
        (272, "s", b"Test camera\0"),
        (274, "H", (orientation,)),
        (306, "s", b"2021:05:06 07:08:09\0"),
        (330, "I", (raw_at,)),
        (50706, "B", (1, 4, 0, 0)),
        (50707, "B", (1, 1, 0, 0)),
        (50708, "s", b"Test camera\0"),
        (50721, "ii", tuple(part for each in _XYZ_TO_SRGB for part in (each, 10000))),
        (50728, "II", (1, 1, 1, 1, 1, 1)),
        (50778, "H", (21,)),
    ]


def _directory(at: int, entries: list[Entry]) -> bytes:
    """A directory of a little-endian TIFF that lies ``at`` a place, and what it refers to."""
    beyond = at + 2 + 12 * len(entries) + 4
    lines, values = b"", b""
    for tag, kind, value in sorted(entries):
        data = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{kind[0]}", *value)
        if len(data) > 4:
            place = struct.pack("<I", beyond + len(values))
            values += data + bytes(len(data) % 2)
        else:
            place = data.ljust(4, b"\0")
        lines += struct.pack("<HHI", tag, _TYPES[kind], len(value) // len(kind)) + place
    page = struct.pack("<H", len(entries)) + lines + bytes(4) + values
    return page + bytes(len(page) % 2)
