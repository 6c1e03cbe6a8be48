"""Boxes: overlap, non-maximum suppression, and matching found boxes with labelled ones.

A box is x0, y0, x1, y1 in pixels; its area is (x1 - x0) * (y1 - y0), and a box with x1 <= x0 or
y1 <= y0 is empty and overlaps nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.runtime.numba_jit import jit_fastmath

Boxes = NDArray[np.float32]

# Boxes of one photo whose intersection is at least this share of their union are of the same face:
# other detector settings move a box a little, and boxes of two people overlap less.
SAME_FACE_IOU = 0.4


def iou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Intersection over union of each box of ``a`` (n, 4) with each of ``b`` (m, 4): (n, m)."""
    a = np.asarray(a, dtype=np.float64).reshape(-1, 4)
    b = np.asarray(b, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=2)
    union = _areas(a)[:, None] + _areas(b)[None, :] - shared
    overlap: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=overlap, where=union > 0)
    return overlap


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.asarray(sides[:, 0] * sides[:, 1], dtype=np.float64)


def nms(
    boxes: Boxes, scores: NDArray[np.float32], threshold: float, *, of_smaller: bool = False
) -> NDArray[np.int64]:
    """Rows of the boxes kept, best score first (ties: the lower row first).

    Goes through the boxes from the best score down and drops each that overlaps a kept one by
    more than ``threshold``: intersection over union, or over the smaller of the two areas if
    ``of_smaller`` (which also drops a box inside a kept, larger one).
    """
    order = np.argsort(-scores, kind="stable")
    ordered = np.ascontiguousarray(boxes[order], dtype=np.float32)
    return order[_kept(ordered, np.float32(threshold), of_smaller)]


@jit_fastmath
def _kept(boxes: Boxes, threshold: np.float32, of_smaller: bool) -> NDArray[np.bool_]:
    """Which of ``boxes``, best first, survive suppression by the ones before them."""
    n = len(boxes)
    keep = np.ones(n, np.bool_)
    zero = np.float32(0)
    areas = np.maximum(boxes[:, 2] - boxes[:, 0], zero) * np.maximum(
        boxes[:, 3] - boxes[:, 1], zero
    )
    for i in range(n):
        if not keep[i]:
            continue
        x0, y0, x1, y1 = boxes[i]
        for j in range(i + 1, n):
            width = min(x1, boxes[j, 2]) - max(x0, boxes[j, 0])
            height = min(y1, boxes[j, 3]) - max(y0, boxes[j, 1])
            if width <= zero or height <= zero:
                continue
            shared = width * height
            union = areas[i] + areas[j] - shared
            whole = min(areas[i], areas[j]) if of_smaller else union
            if shared > threshold * whole:
                keep[j] = False
    return keep


def squared(boxes: Boxes) -> Boxes:
    """Squares around the same centres, as wide as each box's longer side."""
    centres = (boxes[:, :2] + boxes[:, 2:]) * np.float32(0.5)
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) * np.float32(0.5)
    return np.concatenate([centres - half, centres + half], axis=1)


def matched(found: NDArray[Any], labelled: NDArray[Any], threshold: float) -> NDArray[np.int64]:
    """For each found box (n, 4), best score first, the labelled box (m, 4) it matches, else -1.

    Each takes the labelled box that it overlaps most (IoU at least ``threshold``) among those
    that no better-scored one took.
    """
    overlaps = iou(found, labelled)
    result = np.full(len(overlaps), -1, np.int64)
    if overlaps.shape[1] == 0:
        return result
    for row, overlap in enumerate(overlaps):
        best = int(np.argmax(overlap))
        if overlap[best] >= threshold:
            result[row] = best
            overlaps[:, best] = -1.0
    return result
