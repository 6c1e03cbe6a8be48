"""ONNX files written byte by byte, as the format's protobuf has them; no package needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.graphs import weights

_FLOAT = 1  # of the elements of a tensor
_INTS = 7  # of an attribute


def write_onnx_encoder(path: Path, side: int, dimension: int, seed: int = 0) -> Path:
    """The network of :func:`support.graphs.write_graph`, in the way of SFace and ArcFace's files.

    Input "data" (1, 3, side, side), output "fc1" (1, dimension), and constants that are listed
    among the inputs, as files of before 2019 have them.
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
