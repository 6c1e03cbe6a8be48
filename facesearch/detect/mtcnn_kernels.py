# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""MTCNN's three networks as compiled loops over :mod:`facesearch.detect.conv_codegen`.

Maps are flat float32, row by row, channels last, so that the 3 x 3 x channels inputs of an output
are three runs of memory. P-Net keeps only the few rows that the next layer still needs; R-Net and
O-Net take one crop at a time through all convolutions. All of it stays in the core's own cache.
Every photo and crop is computed by itself, in the same order: results do not depend on what else
is in the batch. Where a row of outputs is not a whole number of tiles, the rest of the last tile
is computed from whatever lies there and ignored; ``_SLACK`` floats at the end of every buffer keep
that inside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.conv_codegen import LANES, fitting_tile, largest, make_convolution
from facesearch.detect.mtcnn_weights import Floats
from indexer.runtime.numba_jit import jit_fastmath

# P-Net's rows are as long as the photo is wide, R-Net's and O-Net's as stated.
P_TILES = (fitting_tile(10), fitting_tile(16), fitting_tile(32))
R_TILES = (fitting_tile(28, 22), fitting_tile(48, 9), fitting_tile(64, 3))
O_TILES = (fitting_tile(32, 46), fitting_tile(64, 21), fitting_tile(64, 8), fitting_tile(128, 3))
DENSE_TILE = fitting_tile(128)
HEADS = 16  # outputs of each network's last layer, padded to a whole tile
HEADS_TILE = fitting_tile(HEADS)
_P1, _P2, _P3 = (make_convolution(tile) for tile in P_TILES)
_R1, _R2, _R3 = (make_convolution(tile) for tile in R_TILES)
_O1, _O2, _O3, _O4 = (make_convolution(tile) for tile in O_TILES)
_DENSE = make_convolution(DENSE_TILE)
_HEADS = make_convolution(HEADS_TILE)
_SLACK = 8192

Bytes = NDArray[np.uint8]


@jit_fastmath
def propose(
    level: Bytes, least: float, conv1: Floats, conv2: Floats, conv3: Floats, heads: Floats
) -> Floats:
    """P-Net's 12-pixel windows on ``level`` (h, w, 3), each side at least 12, that may be faces.

    Float32 (n, 7), row by row: window column and row (2 pixels apart), logit of the score (above
    ``least``), and four box offsets.
    """
    height, width = level.shape[:2]
    height1, width1 = height - 2, width - 2
    height2, width2 = (height1 + 1) // 2 - 2, (width1 + 1) // 2 - 2
    height3, width3 = height2 - 2, width2 - 2
    # Rings of rows: 4 of pixels, 2 of conv1, 3 of its pooled maxima, 3 of conv2; one of conv3.
    stride0, stride1 = width * 3 + 64, (width1 + 16) * 10
    stride_pooled, stride2 = (width2 + 2 + 16) * 10, (width2 + 16) * 16
    pixels = np.zeros(4 * stride0 + _SLACK, np.float32)
    first = np.zeros(2 * stride1 + _SLACK, np.float32)
    pooled = np.zeros(3 * stride_pooled + _SLACK, np.float32)
    second = np.zeros(3 * stride2 + _SLACK, np.float32)
    third = np.zeros(width3 * 32 + _SLACK, np.float32)
    last = np.zeros(width3 * HEADS + _SLACK, np.float32)
    found = np.empty((height3 * width3, 7), np.float32)
    count = 0
    for y in range(2):
        _to_floats(level, y, pixels, y * stride0)
    for i in range(height2 + 2):
        rows1 = min(2, height1 - 2 * i)
        for y in range(2 * i, 2 * i + rows1):
            _to_floats(level, y + 2, pixels, (y + 2) % 4 * stride0)
            rows = (y % 4 * stride0, (y + 1) % 4 * stride0, (y + 2) % 4 * stride0)
            _P1(pixels, rows, 3, 9, conv1, 10, first, y % 2 * stride1, width1, 1, 0)
        _pool_pair(first, stride1, rows1, width1, pooled, i % 3 * stride_pooled)
        j = i - 2
        if j < 0:
            continue
        rows = (
            j % 3 * stride_pooled, (j + 1) % 3 * stride_pooled, (j + 2) % 3 * stride_pooled
        )  # fmt: skip
        _P2(pooled, rows, 10, 30, conv2, 16, second, j % 3 * stride2, width2, 1, 0)
        k = j - 2
        if k < 0:
            continue
        rows = (k % 3 * stride2, (k + 1) % 3 * stride2, (k + 2) % 3 * stride2)
        _P3(second, rows, 16, 48, conv3, 32, third, 0, width3, 1, 0)
        _HEADS(third, (0,), 32, 32, heads, HEADS, last, 0, width3, 1, 0)
        count = _append(last, width3, least, k, found, count)
    return found[:count].copy()


@jit_fastmath
def _to_floats(level: Bytes, y: int, out: Floats, at: int) -> None:
    row = level[y].reshape(-1)
    part = out[at : at + len(row)]
    for i in range(len(row)):
        part[i] = row[i]


@jit_fastmath
def _pool_pair(x: Floats, stride: int, rows: int, width: int, out: Floats, at: int) -> None:
    """Maxima of 2 x 2 of 10 channels; where a row or column is missing, of what is there."""
    below = stride if rows == 2 else 0
    for i in range((width + 1) // 2):
        right = 10 if 2 * i + 1 < width else 0
        largest(x, 20 * i, (0, right, below, below + right), 16 // LANES, out, at + i * 10)


@jit_fastmath
def _append(
    heads: Floats, width: int, least: float, row: int, found: Floats, count: int
) -> int:  # fmt: skip
    """Append the windows of one row whose logit is above ``least``; the new count."""
    for i in range(width):
        if heads[i * HEADS] > least:
            found[count, 0] = i
            found[count, 1] = row
            for head in range(5):
                found[count, 2 + head] = heads[i * HEADS + head]
            count += 1
    return count


@jit_fastmath
def _pool3(x: Floats, side: int, channels: int, out: Floats) -> None:
    """Maxima of 3 x 3 at stride 2 of a square map, the last ones of what is left at the edge."""
    new, vectors = side // 2, -(-channels // LANES)
    last = side - 1
    for y in range(new):
        row1 = min(1, last - 2 * y) * side * channels
        row2 = min(2, last - 2 * y) * side * channels
        for i in range(new):
            right1 = min(1, last - 2 * i) * channels
            right2 = min(2, last - 2 * i) * channels
            places = (
                0, right1, right2,
                row1, row1 + right1, row1 + right2,
                row2, row2 + right1, row2 + right2,
            )  # fmt: skip
            corner = 2 * (y * side + i) * channels
            largest(x, corner, places, vectors, out, (y * new + i) * channels)


@jit_fastmath
def _pool2(x: Floats, side: int, channels: int, out: Floats) -> None:
    """Maxima of 2 x 2 at stride 2 of a square map of even side."""
    new, vectors = side // 2, -(-channels // LANES)
    below = side * channels
    places = (0, channels, below, below + channels)
    for y in range(new):
        for i in range(new):
            corner = 2 * (y * side + i) * channels
            largest(x, corner, places, vectors, out, (y * new + i) * channels)


@jit_fastmath
def refine(
    crops: Floats, conv1: Floats, conv2: Floats, conv3: Floats, dense: Floats, heads: Floats
) -> Floats:
    """R-Net on crops (n, 24, 24, 3): (n, 16), of which the first 6 are offsets and logits."""
    n = len(crops)
    a = np.zeros(24 * 24 * 28 + _SLACK, np.float32)
    b = np.zeros(24 * 24 * 28 + _SLACK, np.float32)
    features = np.zeros(n * 576 + _SLACK, np.float32)
    for number in range(n):
        a[:1728] = crops[number].reshape(-1)
        _R1(a, (0, 24 * 3, 48 * 3), 3, 9, conv1, 28, b, 0, 22, 22, 24 * 3)
        _pool3(b, 22, 28, a)
        _R2(a, (0, 11 * 28, 22 * 28), 28, 84, conv2, 48, b, 0, 9, 9, 11 * 28)
        _pool3(b, 9, 48, a)
        _R3(a, (0, 4 * 48), 48, 96, conv3, 64, features, number * 576, 3, 3, 4 * 48)
    return _classify(features, n, 576, dense, 128, heads)


@jit_fastmath
def output(
    crops: Floats, conv1: Floats, conv2: Floats, conv3: Floats, conv4: Floats, dense: Floats,
    heads: Floats,
) -> Floats:  # fmt: skip
    """O-Net on crops (n, 48, 48, 3): (n, 16), offsets, landmarks (5 x, 5 y), logits."""
    n = len(crops)
    a = np.zeros(48 * 48 * 32 + _SLACK, np.float32)
    b = np.zeros(48 * 48 * 32 + _SLACK, np.float32)
    features = np.zeros(n * 1152 + _SLACK, np.float32)
    for number in range(n):
        a[:6912] = crops[number].reshape(-1)
        _O1(a, (0, 48 * 3, 96 * 3), 3, 9, conv1, 32, b, 0, 46, 46, 48 * 3)
        _pool3(b, 46, 32, a)
        _O2(a, (0, 23 * 32, 46 * 32), 32, 96, conv2, 64, b, 0, 21, 21, 23 * 32)
        _pool3(b, 21, 64, a)
        _O3(a, (0, 10 * 64, 20 * 64), 64, 192, conv3, 64, b, 0, 8, 8, 10 * 64)
        _pool2(b, 8, 64, a)
        _O4(a, (0, 4 * 64), 64, 128, conv4, 128, features, number * 1152, 3, 3, 4 * 64)
    return _classify(features, n, 1152, dense, 256, heads)


@jit_fastmath
def _classify(
    features: Floats, n: int, length: int, dense: Floats, hidden: int, heads: Floats
) -> Floats:
    """The dense layer and the heads (16 outputs) of ``n`` rows of ``length`` features."""
    middle = np.zeros(n * hidden + _SLACK, np.float32)
    result = np.zeros(n * 16 + _SLACK, np.float32)
    _DENSE(features, (0,), length, length, dense, hidden, middle, 0, n, 1, 0)
    _HEADS(middle, (0,), hidden, hidden, heads, HEADS, result, 0, n, 1, 0)
    return result[: n * HEADS].reshape(n, HEADS).copy()
