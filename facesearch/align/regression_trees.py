"""The compiled cascade of regression trees that moves a mean shape onto a face.

The method is Kazemi and Sullivan, "One Millisecond Face Alignment with an Ensemble of Regression
Trees" (CVPR 2014); operations and their order are those of dlib's ``shape_predictor``, in the same
precisions, so that landmarks agree with dlib's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from facesearch.align.similarity import similarity
from indexer.runtime.numba_jit import jit


@jit
def locate_pixels(  # noqa: PLR0917 - compiled code takes no keywords
    rect: Any,
    shape: Any,
    mean: Any,
    starts: Any,
    offsets: Any,
    width: float,
    height: float,
    at: Any,
) -> None:
    """Where in the photo the pixels lie that one stage of the cascade looks at.

    Pixels ``starts[k]`` to ``starts[k + 1]`` hang on landmark ``k`` of ``shape``, at ``offsets``
    float32 (2, pixels) in the mean shape's frame; so grouped, the inner loop runs in vector
    registers. ``rect``: left, top, right, bottom, the corners of the shape's unit square. ``at``
    int32 (pixels,) becomes row * width + column, -1 outside the photo.
    """
    along, across, _, _ = similarity(mean, shape)
    a, b = np.float32(along), np.float32(across)
    left, top = rect[0], rect[1]
    scale_x, scale_y = rect[2] - left, rect[3] - top
    for k in range(len(starts) - 1):
        anchor_x, anchor_y = shape[k, 0], shape[k, 1]
        for i in range(starts[k], starts[k + 1]):
            dx, dy = offsets[0, i], offsets[1, i]
            u = (a * dx - b * dy) + anchor_x
            v = (b * dx + a * dy) + anchor_y
            x = np.floor(scale_x * np.float64(u) + left + 0.5)
            y = np.floor(scale_y * np.float64(v) + top + 0.5)
            inside = (x >= 0.0) & (x < width) & (y >= 0.0) & (y < height)
            at[i] = np.int32(y * width + x) if inside else np.int32(-1)


@jit
def read_levels(channels: Any, at: Any, levels: Any) -> None:
    """Grey ``levels`` int16 of the pixels ``at``, 0 where -1; ``channels``: the photo, flat."""
    for i in range(len(at)):
        level = np.uint32(0)
        if at[i] >= 0:
            first = np.uintp(3) * np.uintp(at[i])  # unsigned, which spares the test for negatives
            level += np.uint32(channels[first])
            level += np.uint32(channels[first + np.uintp(1)])
            level += np.uint32(channels[first + np.uintp(2)])
        levels[i] = np.int16(level // np.uint32(3))


@jit
def walk_trees(features: Any, thresholds: Any, levels: Any, reached: Any) -> None:
    """The leaf ``reached`` uint8 (trees,) in each tree of four full levels of nodes.

    A node compares the ``levels`` of two ``features`` uint16 (trees, 15, 2): if the first exceeds
    the second by more than ``thresholds`` int16 (trees, 15), the walk goes left.
    """
    for tree in range(len(reached)):
        node = np.uintp(0)
        for _ in range(4):
            first = np.int32(levels[np.uintp(features[tree, node, 0])])
            second = np.int32(levels[np.uintp(features[tree, node, 1])])
            right = np.uintp(first - second <= np.int32(thresholds[tree, node]))
            node = node + node + np.uintp(1) + right
        reached[tree] = node - np.uintp(15)


@jit
def add_leaves(leaves: Any, reached: Any, shape: Any) -> None:
    """Add to ``shape`` float32 (5, 2) the leaf ``reached`` in each tree, in the trees' order.

    ``leaves`` float32 (trees, 16, 10). The sums are spelt out to be kept in registers.
    """
    x0, y0, x1, y1 = shape[0, 0], shape[0, 1], shape[1, 0], shape[1, 1]
    x2, y2, x3, y3 = shape[2, 0], shape[2, 1], shape[3, 0], shape[3, 1]
    x4, y4 = shape[4, 0], shape[4, 1]
    for tree in range(len(reached)):
        leaf = leaves[tree, np.uintp(reached[tree])]
        x0, y0, x1, y1 = x0 + leaf[0], y0 + leaf[1], x1 + leaf[2], y1 + leaf[3]
        x2, y2, x3, y3 = x2 + leaf[4], y2 + leaf[5], x3 + leaf[6], y3 + leaf[7]
        x4, y4 = x4 + leaf[8], y4 + leaf[9]
    shape[0, 0], shape[0, 1], shape[1, 0], shape[1, 1] = x0, y0, x1, y1
    shape[2, 0], shape[2, 1], shape[3, 0], shape[3, 1] = x2, y2, x3, y3
    shape[4, 0], shape[4, 1] = x4, y4


@jit
def fit_shapes(  # noqa: PLR0917
    photo: Any,
    rects: Any,
    mean: Any,
    starts: Any,
    offsets: Any,
    features: Any,
    thresholds: Any,
    leaves: Any,
    shapes: Any,
) -> None:
    """Fit ``shapes`` float32 (n, 5, 2), all ``mean`` at first, in ``rects``' unit squares.

    ``rects`` float64 (n, 4); the other arrays are those of a ShapePredictor. The stage is
    the outer loop, so that its trees stay in the processor's cache for all faces of the photo.
    """
    height, width = float(photo.shape[0]), float(photo.shape[1])
    channels = photo.reshape(-1)
    at = np.empty(offsets.shape[2], np.int32)
    levels = np.empty(offsets.shape[2], np.int16)
    reached = np.empty(leaves.shape[1], np.uint8)
    for stage in range(len(leaves)):
        for face in range(len(rects)):
            shape = shapes[face]
            locate_pixels(
                rects[face], shape, mean, starts[stage], offsets[stage], width, height, at
            )
            read_levels(channels, at, levels)
            walk_trees(features[stage], thresholds[stage], levels, reached)
            add_leaves(leaves[stage], reached, shape)
