"""Small networks in files, as somebody's encoder, and what they compute in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

SIDE, DIMENSION = 12, 6


def weights(seed: int = 0, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """The matrix (3 * 4, dimension) of :func:`write_graph`."""
    return np.random.default_rng(seed).normal(size=(12, dimension)).astype(np.float32)


def write_graph(
    path: Path,
    seed: int = 0,
    *,
    side: int = SIDE,
    dimension: int = DIMENSION,
    channels_last: bool = False,
    fixed_batch: bool = False,
    outputs: int = 1,
) -> Path:
    """An OpenVINO IR at ``path``: means of the four quarters of each channel, times a matrix.

    ``fixed_batch`` makes it a graph whose layers take one chip at a time.
    """
    shape = [1, side, side, 3] if channels_last else [1, 3, side, side]
    chips = ops.parameter(shape, np.float32, name="chips")
    planes = ops.transpose(chips, ops.constant(np.array([0, 3, 1, 2]))) if channels_last else chips
    half = side // 2
    quarters = ops.avg_pool(planes, [half, half], [0, 0], [0, 0], [half, half], True)
    flat = ops.reshape(quarters, ops.constant([1 if fixed_batch else -1, 12]), False)
    vector = ops.matmul(flat, ops.constant(weights(seed, dimension)), False, False)
    vector.output(0).set_names({"vector"})
    results = [vector]
    if outputs > 1:
        flat.output(0).set_names({"quarters"})
        results.append(flat)
    openvino.save_model(openvino.Model(results, [chips]), str(path), compress_to_fp16=False)
    return path


def expected(
    chips: NDArray[np.uint8],
    order: str,
    mean: float,
    divisor: float,
    seed: int = 0,
    *,
    dimension: int = DIMENSION,
) -> NDArray[np.float32]:
    """What the network of :func:`write_graph` gives for RGB chips, not normalised."""
    values = chips.astype(np.float64)
    if order == "BGR":
        values = values[..., ::-1]
    values = (values - mean) / divisor
    n, side = len(chips), chips.shape[1]
    half = side // 2
    quarters = values.reshape(n, 2, half, 2, half, 3).mean(axis=(2, 4))  # (n, 2, 2, 3)
    vectors = quarters.transpose(0, 3, 1, 2).reshape(n, 12) @ weights(seed, dimension)
    return np.asarray(vectors, np.float32)
