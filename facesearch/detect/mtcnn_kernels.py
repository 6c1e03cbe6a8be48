# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""MTCNN's three networks as compiled loops over :mod:`facesearch.detect.tiles`.

Maps are flat float32, row by row, channels last, so that the 3 x 3 x channels inputs of an output
are three runs of memory. P-Net keeps only the few rows that the next layer still needs; R-Net and
O-Net take one crop at a time through all convolutions. All of it stays in the core's own cache.
Every photo and crop is computed by itself, in the same order: results do not depend on what else
is in the batch. Where a row of outputs is not a whole number of tiles, the rest of the last tile
is computed from whatever lies there and ignored; ``_SLACK`` floats at the end of every buffer keep
that inside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.compiled import compiled_reordering
from facesearch.detect.mtcnn_weights import Floats
from facesearch.detect.tiles import largest, make_tile

_WIDE = make_tile(3, 4)  # 3 outputs by 32 channels
_NARROW = make_tile(4, 2)  # 4 outputs by 16 channels
_SLACK = 4096

Bytes = NDArray[np.uint8]


@compiled_reordering
def _wide(
    x: Floats, rows: Any, step: int, length: int, packed: Floats, channels: int,
    out: Floats, out_at: int, count: int,
) -> None:  # fmt: skip
    """``count`` neighbouring outputs of a layer of up to 32 channels or a multiple of 32."""
    block = (len(rows) * length + 2) * 32
    for number in range((channels + 31) // 32):
        for i in range(0, count, 3):
            target = out_at + i * channels + number * 32
            _WIDE(
                x, i * step, rows, step, length, packed, number * block, out, target, channels
            )  # fmt: skip


@compiled_reordering
def _narrow(
    x: Floats, rows: Any, step: int, length: int, packed: Floats, channels: int,
    out: Floats, out_at: int, count: int,
) -> None:  # fmt: skip
    """As :func:`_wide` for up to 16 channels or a multiple of 16."""
    block = (len(rows) * length + 2) * 16
    for number in range((channels + 15) // 16):
        for i in range(0, count, 4):
            target = out_at + i * channels + number * 16
            _NARROW(
                x, i * step, rows, step, length, packed, number * block, out, target, channels
            )  # fmt: skip


@compiled_reordering
def propose(
    level: Bytes, conv1: Floats, conv2: Floats, conv3: Floats, heads: Floats, least: float
) -> Floats:
    """P-Net's 12-pixel windows on ``level`` (h, w, 3), each side at least 12, that may be faces.

    Float32 (n, 7), row by row: window column and row (2 pixels apart), logit of the score (above
    ``least``), and four box offsets. ``heads`` (5, 33): logit and offsets from 32 channels,
    the last column the biases.
    """
    height, width = level.shape[:2]
    height1, width1 = height - 2, width - 2
    height2, width2 = (height1 + 1) // 2 - 2, (width1 + 1) // 2 - 2
    height3, width3 = height2 - 2, width2 - 2
    # Rings of rows: 4 of pixels, 2 of conv1, 3 of its pooled maxima, 3 of conv2; one of conv3.
    stride0, stride1 = width * 3 + 64, (width1 + 8) * 10
    stride_pooled, stride2 = (width2 + 2 + 8) * 10, (width2 + 8) * 16
    pixels = np.zeros(4 * stride0 + _SLACK, np.float32)
    first = np.zeros(2 * stride1 + _SLACK, np.float32)
    pooled = np.zeros(3 * stride_pooled + _SLACK, np.float32)
    second = np.zeros(3 * stride2 + _SLACK, np.float32)
    third = np.zeros(width3 * 32 + _SLACK, np.float32)
    found = np.empty((height3 * width3, 7), np.float32)
    count = 0
    for y in range(2):
        _to_floats(level, y, pixels, y * stride0)
    for i in range(height2 + 2):
        rows1 = min(2, height1 - 2 * i)
        for y in range(2 * i, 2 * i + rows1):
            _to_floats(level, y + 2, pixels, (y + 2) % 4 * stride0)
            rows = (y % 4 * stride0, (y + 1) % 4 * stride0, (y + 2) % 4 * stride0)
            _narrow(pixels, rows, 3, 9, conv1, 10, first, y % 2 * stride1, width1)
        _pool_pair(first, stride1, rows1, width1, pooled, i % 3 * stride_pooled)
        j = i - 2
        if j < 0:
            continue
        rows = (
            j % 3 * stride_pooled, (j + 1) % 3 * stride_pooled, (j + 2) % 3 * stride_pooled
        )  # fmt: skip
        _narrow(pooled, rows, 10, 30, conv2, 16, second, j % 3 * stride2, width2)
        k = j - 2
        if k < 0:
            continue
        rows = (k % 3 * stride2, (k + 1) % 3 * stride2, (k + 2) % 3 * stride2)
        _wide(second, rows, 16, 48, conv3, 32, third, 0, width3)
        count = _read_heads(third, width3, heads, least, k, found, count)
    return found[:count].copy()


@compiled_reordering
def _to_floats(level: Bytes, y: int, out: Floats, at: int) -> None:
    row = level[y].reshape(-1)
    part = out[at : at + len(row)]
    for i in range(len(row)):
        part[i] = row[i]


@compiled_reordering
def _pool_pair(x: Floats, stride: int, rows: int, width: int, out: Floats, at: int) -> None:
    """Maxima of 2 x 2 of 10 channels; where a row or column is missing, of what is there."""
    below = stride if rows == 2 else 0
    for i in range((width + 1) // 2):
        right = 10 if 2 * i + 1 < width else 0
        largest(x, 20 * i, (0, right, below, below + right), 2, out, at + i * 10)


@compiled_reordering
def _read_heads(
    x: Floats, width: int, heads: Floats, least: float, row: int, found: Floats, count: int
) -> int:  # fmt: skip
    """Append the windows of one row whose logit is above ``least``; the new count."""
    scorer = heads[0]
    for i in range(width):
        features = x[i * 32 : i * 32 + 32]
        logit = scorer[32]
        for c in range(32):
            logit += features[c] * scorer[c]
        if logit > least:
            found[count, 0] = i
            found[count, 1] = row
            found[count, 2] = logit
            for head in range(1, 5):
                total = heads[head, 32]
                for c in range(32):
                    total += features[c] * heads[head, c]
                found[count, 2 + head] = total
            count += 1
    return count


@compiled_reordering
def _pool3(x: Floats, side: int, channels: int, out: Floats) -> int:
    """Maxima of 3 x 3 at stride 2, the last ones of what is left at the edge; the new side."""
    new = side // 2
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
            largest(x, corner, places, (channels + 7) // 8, out, (y * new + i) * channels)
    return new


@compiled_reordering
def _pool2(x: Floats, side: int, channels: int, out: Floats) -> int:
    """Maxima of 2 x 2 at stride 2 of a map of even side; the new side."""
    new = side // 2
    below = side * channels
    places = (0, channels, below, below + channels)
    for y in range(new):
        for i in range(new):
            corner = 2 * (y * side + i) * channels
            largest(x, corner, places, (channels + 7) // 8, out, (y * new + i) * channels)
    return new


@compiled_reordering
def _convolve3(
    x: Floats, side: int, inputs: int, packed: Floats, outputs: int, narrow: bool, out: Floats
) -> int:
    """A 3 x 3 convolution of a square map; the new side."""
    new = side - 2
    run = side * inputs
    for y in range(new):
        rows = (y * run, (y + 1) * run, (y + 2) * run)
        at = y * new * outputs
        if narrow:
            _narrow(x, rows, inputs, 3 * inputs, packed, outputs, out, at, new)
        else:
            _wide(x, rows, inputs, 3 * inputs, packed, outputs, out, at, new)
    return new


@compiled_reordering
def _convolve2(
    x: Floats, side: int, inputs: int, packed: Floats, outputs: int, out: Floats, at: int
) -> None:
    """A 2 x 2 convolution of a square map, stored from ``out[at]``."""
    new = side - 1
    for y in range(new):
        rows = (y * side * inputs, (y + 1) * side * inputs)
        _wide(x, rows, inputs, 2 * inputs, packed, outputs, out, at + y * new * outputs, new)


@compiled_reordering
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
        side = _convolve3(a, 24, 3, conv1, 28, False, b)
        side = _pool3(b, side, 28, a)
        side = _convolve3(a, side, 28, conv2, 48, True, b)
        side = _pool3(b, side, 48, a)
        _convolve2(a, side, 48, conv3, 64, features, number * 576)
    return _classify(features, n, 576, dense, 128, heads)


@compiled_reordering
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
        side = _convolve3(a, 48, 3, conv1, 32, False, b)
        side = _pool3(b, side, 32, a)
        side = _convolve3(a, side, 32, conv2, 64, False, b)
        side = _pool3(b, side, 64, a)
        side = _convolve3(a, side, 64, conv3, 64, False, b)
        side = _pool2(b, side, 64, a)
        _convolve2(a, side, 64, conv4, 128, features, number * 1152)
    return _classify(features, n, 1152, dense, 256, heads)


@compiled_reordering
def _classify(
    features: Floats, n: int, length: int, dense: Floats, hidden: int, heads: Floats
) -> Floats:
    """The dense layer and the heads (16 outputs) of ``n`` rows of ``length`` features."""
    middle = np.zeros(n * hidden + _SLACK, np.float32)
    result = np.zeros(n * 16 + _SLACK, np.float32)
    _wide(features, (0,), length, length, dense, hidden, middle, 0, n)
    _narrow(middle, (0,), hidden, hidden, heads, 16, result, 0, n)
    return result[: n * 16].reshape(n, 16).copy()
