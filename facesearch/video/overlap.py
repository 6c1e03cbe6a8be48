"""Which tracks of a video are seen at one time: these are never one person."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.int64]


def overlapping(video: NDArray[np.int64], seen: NDArray[np.int64]) -> Pairs:
    """Pairs of rows int64 (c, 2), ascending in each, of tracks of one ``video`` that overlap.

    ``video`` int64 (n,) numbers the video of each track and ``seen`` int64 (n, 2) says from when to
    when it lasts; rows with negative times are no tracks. Times that only touch are one frame in
    both, so they overlap.
    """
    rows = np.flatnonzero(seen[:, 0] >= 0)
    order = rows[np.lexsort((rows, seen[rows, 0], video[rows]))]
    videos, starts, ends = video[order], seen[order, 0], seen[order, 1]
    pairs = []
    # By start: those that a track overlaps with and that start no earlier lie right behind it.
    last = np.searchsorted(videos, videos, "right")
    for at in range(len(order)):
        end = at + 1 + int(np.searchsorted(starts[at + 1 : last[at]], ends[at], "right"))
        pairs.append(np.stack([np.full(end - at - 1, order[at]), order[at + 1 : end]], axis=1))
    if not pairs:
        return np.zeros((0, 2), np.int64)
    return np.sort(np.concatenate(pairs).astype(np.int64), axis=1)
