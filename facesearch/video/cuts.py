"""Cuts between shots, from how much small pictures of all frames change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (64, 36)  # width and height of the pictures that are compared

# Those of PySceneDetect's AdaptiveDetector: a cut changes a frame by 15 of 255 levels or more, and
# three times as much as the two frames on either side of it change, which a moving camera does not.
_LEAST_CHANGE = 15.0
_LEAST_RATIO = 3.0
_WINDOW = 2
# Key frames are seconds apart: there only much change counts (PySceneDetect's ContentDetector).
_CHANGE_OF_KEYFRAME = 27.0

Thing = TypeVar("Thing")
Thumbnail = NDArray[np.uint8]


def change(before: Thumbnail, after: Thumbnail) -> float:
    """How much two RGB pictures uint8 (h, w, 3) differ: the mean over hue, saturation and value.

    In levels, 0 to 255; hue counts around its circle.
    """
    one, two = (cv2.cvtColor(each, cv2.COLOR_RGB2HSV).astype(np.int16) for each in (before, after))
    differences = np.abs(one - two)
    hue = differences[..., 0]
    differences[..., 0] = np.minimum(hue, 180 - hue)
    return float(differences.mean())


def with_cuts(
    frames: Iterator[tuple[Thing, Thumbnail]], *, keyframes: bool = False
) -> Iterator[tuple[Thing, bool]]:
    """Each frame, and whether it is the first of a new shot.

    ``frames`` come with their thumbnails. Two frames are read ahead, for a cut is known by what
    comes after it; of key frames none.
    """
    window: deque[tuple[Thing, float]] = deque(maxlen=2 * _WINDOW + 1)
    before: Thumbnail | None = None
    count = 0
    for thing, thumbnail in frames:
        changed = 0.0 if before is None else change(before, thumbnail)
        before = thumbnail
        if keyframes:
            yield thing, changed >= _CHANGE_OF_KEYFRAME
            continue
        window.append((thing, changed))
        count += 1
        if count > _WINDOW:
            yield _judged(window, len(window) - 1 - _WINDOW)
    waiting = 0 if keyframes else min(count, _WINDOW)
    for place in range(len(window) - waiting, len(window)):
        yield _judged(window, place)


def _judged(window: deque[tuple[Thing, float]], place: int) -> tuple[Thing, bool]:
    """One frame of the window, and whether it changes much more than those around it."""
    thing, changed = window[place]
    near = range(max(0, place - _WINDOW), min(len(window), place + _WINDOW + 1))
    others = [window[each][1] for each in near if each != place]
    usual = sum(others) / len(others) if others else 0.0
    return thing, changed >= _LEAST_CHANGE and changed >= _LEAST_RATIO * usual
