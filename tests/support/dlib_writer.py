"""dlib's serialization written in plain Python: the oracle that its reader is tested against."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray


def pack_int(value: int) -> bytes:
    """A packed integer: sign and size, then the magnitude, least significant byte first."""
    magnitude = abs(value)
    size = max(1, (magnitude.bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + magnitude.to_bytes(size, "little")


def pack_float(value: float, digits: int = 53) -> bytes:
    """A packed float: integers mantissa and exponent (24 digits for float, 53 for double)."""
    if math.isnan(value):
        return pack_int(0) + pack_int(32002)
    if math.isinf(value):
        return pack_int(0) + pack_int(32000 if value > 0 else 32001)
    fraction, exponent = math.frexp(value)
    return pack_int(int(fraction * 2**digits)) + pack_int(exponent - digits)


def pack_string(text: str) -> bytes:
    return pack_int(len(text)) + text.encode("ascii")


def pack_matrix(values: NDArray[np.float64]) -> bytes:
    rows, columns = values.shape
    items = b"".join(pack_float(float(value)) for value in values.ravel())
    return pack_int(-rows) + pack_int(-columns) + items


def pack_tensor(values: NDArray[np.float32]) -> bytes:
    sizes = b"".join(pack_int(size) for size in values.shape)
    raw = struct.pack(f"<{values.size}f", *values.ravel())
    return pack_int(2) + sizes + raw
