"""Edges in a heap by their distance: a key has the bits of the distance, and then the number."""

from __future__ import annotations

import numpy as np

from cluster.union_find import Rows
from indexer.runtime.numba_jit import jit


@jit
def distance_bits(number: float) -> np.int64:
    """A float32 of 0 or more as an integer of the same order."""
    return np.int64(np.float32(number).view(np.int32))


@jit
def sift_down(heap: Rows, place: int, length: int) -> None:
    """Put ``heap[place]`` in its place among those below it in ``heap[:length]``."""
    key = heap[place]
    while 2 * place + 1 < length:
        child = 2 * place + 1
        if child + 1 < length and heap[child + 1] < heap[child]:
            child += 1
        if key <= heap[child]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = key


@jit
def sift_up(heap: Rows, place: int) -> None:
    """Put the last of ``heap[: place + 1]``, otherwise a heap, in its place."""
    key = heap[place]
    while place and key < heap[(place - 1) // 2]:
        heap[place] = heap[(place - 1) // 2]
        place = (place - 1) // 2
    heap[place] = key
