"""Small networks in files, as somebody's encoder, and what they compute in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

SIDE, DIMENSION = 12, 6
# Of ONNX: the type of a tensor's elements, and that of an attribute.
_FLOAT, _INTS = 1, 7


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


def write_onnx_encoder(path: Path, side: int, dimension: int, seed: int = 0) -> Path:
    """The network of :func:`write_graph`, in the way of SFace and ArcFace's files.

    Written byte by byte, as the protobuf of ONNX has it. Input "data" (1, 3, side, side), output
    "fc1" (1, dimension), and constants that are listed among the inputs, as files of before 2019
    have them.
    """
    half = side // 2
    nodes = [
        _node("AveragePool", ["data"], ["pooled"], kernel_shape=[half, half], strides=[half, half]),
        _node("Flatten", ["pooled"], ["flat"]),
        _node("Gemm", ["flat", "fc1_weight", "fc1_bias"], ["fc1"]),
    ]
    constants = {
        "fc1_weight": weights(seed, dimension),
        "fc1_bias": np.zeros(dimension, np.float32),
    }
    inputs = [_tensor_info("data", [1, 3, side, side])]
    inputs += [_tensor_info(name, list(each.shape)) for name, each in constants.items()]
    graph = b"".join(
        [
            *(_part(1, node) for node in nodes),
            _part(2, b"encoder"),
            *(_part(5, _tensor(name, each)) for name, each in constants.items()),
            *(_part(11, each) for each in inputs),
            _part(12, _tensor_info("fc1", [1, dimension])),
        ]
    )
    opset = _part(1, b"") + _number(2, 8)
    path.write_bytes(_number(1, 3) + _part(7, graph) + _part(8, opset))
    return path


def _node(kind: str, inputs: list[str], outputs: list[str], **attributes: list[int]) -> bytes:
    parts = [_part(1, name.encode()) for name in inputs]
    parts += [_part(2, name.encode()) for name in outputs]
    parts.append(_part(4, kind.encode()))
    for name, values in attributes.items():
        numbers = b"".join(_number(8, value) for value in values)
        parts.append(_part(5, _part(1, name.encode()) + numbers + _number(20, _INTS)))
    return b"".join(parts)


def _tensor(name: str, values: np.ndarray) -> bytes:
    sizes = b"".join(_number(1, size) for size in values.shape)
    data = values.astype("<f4").tobytes()
    return sizes + _number(2, _FLOAT) + _part(8, name.encode()) + _part(9, data)


def _tensor_info(name: str, sizes: list[int]) -> bytes:
    shape = b"".join(_part(1, _number(1, size)) for size in sizes)
    kind = _number(1, _FLOAT) + _part(2, shape)
    return _part(1, name.encode()) + _part(2, _part(1, kind))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first, all but the last marked."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
