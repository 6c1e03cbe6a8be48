"""Compiled decoding of long runs of dlib's packed integers (numba is imported only with this)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexer.runtime.numba_jit import jit


@jit
def unpack_ints(
    data: NDArray[np.uint8], start: int, out: NDArray[np.int64]
) -> tuple[int, bool]:  # pragma: no cover - compiled
    """Fill ``out`` from the packed integers at ``data[start:]``.

    Gives the position after the last integer and True, or the position of the first integer
    that is cut short, malformed, or does not fit int64, and False.
    """
    position = start
    for i in range(len(out)):
        if position >= len(data):
            return position, False
        control = data[position]
        size = int(control & 0x0F)
        if control & 0x70 or size == 0 or size > 8 or position + 1 + size > len(data):
            return position, False
        value = np.uint64(0)
        for k in range(size, 0, -1):
            value = (value << np.uint64(8)) | np.uint64(data[position + k])
        if value >> np.uint64(63):
            return position, False
        out[i] = -np.int64(value) if control & 0x80 else np.int64(value)
        position += 1 + size
    return position, True
