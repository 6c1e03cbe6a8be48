"""Smaller and smaller copies of a photo, and square crops sampled from the fitting one."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import Boxes
from facesearch.detect.mtcnn_weights import Floats
from facesearch.detect.types import Pixels
from indexer.runtime.numba_jit import jit_fastmath


@dataclass(frozen=True)
class Pyramid:
    """``levels[0]`` is the photo itself, each next one smaller.

    ``ratios`` float32 (levels, 2): width and height of each level over those of the photo, so
    that a point (x, y) of the photo is at ``(x, y) * ratios[i]`` of level i. ``first`` is the
    first level at the scale asked for or below.
    """

    levels: list[Pixels]
    ratios: NDArray[np.float32]
    first: int


def build_pyramid(photo: Pixels, scale: float, factor: float, least_side: int) -> Pyramid:
    """Levels at ``scale``, ``scale * factor``, ... while both sides have ``least_side`` pixels.

    Between the photo and ``scale`` (at most 1) come levels at ``scale / factor`` and so on while
    they are smaller than the photo: each level is made from the one before by bilinear sampling,
    which only averages well over steps this small.
    """
    height, width = photo.shape[:2]
    between = math.ceil(math.log(scale) / math.log(factor) - 1e-9) - 1 if scale < 1 else 0
    levels = [photo]
    first = None
    for step in itertools.count(-between):
        exact = scale * factor**step
        size = (round(width * exact), round(height * exact))
        if min(size) < least_side:
            break
        if size != (width, height):
            resized = cv2.resize(levels[-1], size, interpolation=cv2.INTER_LINEAR)
            levels.append(np.asarray(resized, np.uint8))
        if step == 0:
            first = len(levels) - 1
    ratios = np.array([(v.shape[1] / width, v.shape[0] / height) for v in levels], np.float32)
    return Pyramid(levels, ratios, len(levels) if first is None else first)


def sample_crops(pyramid: Pyramid, boxes: Boxes, side: int) -> Floats:
    """Each of the square ``boxes`` (n, 4; pixels of the photo) as float32 (n, side, side, 3).

    Values in [0, 255], bilinear from the smallest level on which the box is still ``side`` pixels
    wide. What lies outside the photo repeats its edge.
    """
    crops = np.empty((len(boxes), side, side, 3), np.float32)
    widths = (boxes[:, 2] - boxes[:, 0])[:, None] * pyramid.ratios.min(axis=1)
    chosen = np.maximum((widths >= side).sum(axis=1) - 1, 0)
    for number in np.unique(chosen):
        rows = np.flatnonzero(chosen == number)
        ratios = pyramid.ratios[number]
        scaled = boxes[rows] * np.concatenate([ratios, ratios])
        _sample(pyramid.levels[number], scaled, rows, crops)
    return crops


@jit_fastmath
def _sample(level: Pixels, boxes: Boxes, rows: NDArray[np.int64], crops: Floats) -> None:
    """Fill ``crops[rows]`` with ``boxes`` (pixels of ``level``): down each column, then across."""
    height, width, _ = level.shape
    side = crops.shape[1]
    low = np.empty((2, side), np.int64)
    high = np.empty((2, side), np.int64)
    part = np.empty((2, side), np.float32)
    blended = np.empty(3 * width, np.float32)
    for number in range(len(rows)):
        for axis in range(2):
            ends = boxes[number, axis], boxes[number, 2 + axis]
            last = (width if axis == 0 else height) - 1
            _locate(ends, last, low[axis], high[axis], part[axis])
        first, end = 3 * low[0, 0], 3 * high[0, side - 1] + 3
        for i in range(side):
            low[0, i], high[0, i] = 3 * low[0, i] - first, 3 * high[0, i] - first
        crop = crops[rows[number]].reshape(side, 3 * side)
        for y in range(side):
            top = level[low[1, y]].reshape(-1)[first:end]
            bottom = level[high[1, y]].reshape(-1)[first:end]
            _blend_rows(top, bottom, part[1, y], blended)
            _blend_columns(blended, low[0], high[0], part[0], crop[y])


@jit_fastmath
def _blend_rows(top: Any, bottom: Any, down: Any, blended: Floats) -> None:
    for i in range(len(top)):
        blended[i] = top[i] * (np.float32(1) - down) + bottom[i] * down


@jit_fastmath
def _blend_columns(blended: Floats, low: Any, high: Any, part: Any, line: Any) -> None:
    for x in range(len(low)):
        # Unsigned, so that no index is taken for one that counts from the end.
        left, right, place = np.uintp(low[x]), np.uintp(high[x]), np.uintp(3 * x)
        across = part[x]
        for c in range(np.uintp(3)):
            value = blended[left + c] * (np.float32(1) - across)
            line[place + c] = value + blended[right + c] * across


@jit_fastmath
def _locate(ends: Any, last: int, low: Any, high: Any, part: Any) -> None:
    """For each sample between ``ends`` its two pixels, and how far it is from the lower one."""
    step = (ends[1] - ends[0]) / np.float32(len(low))
    for i in range(len(low)):
        place = ends[0] + (i + np.float32(0.5)) * step - np.float32(0.5)
        place = min(max(place, np.float32(0)), np.float32(last))
        low[i] = int(place)
        high[i] = min(low[i] + 1, last)
        part[i] = place - low[i]
