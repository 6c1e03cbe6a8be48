"""Networks run by OpenVINO on the CPU: fp32, bf16, or int8 with calibrated ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13 as ops

from facesearch.encoders.network_ir import (
    INPUT,
    Concatenate,
    Convolution,
    Dense,
    FillToSum,
    Floats,
    GlobalAverage,
    Network,
    Node,
    Operation,
    Pool,
    Relu,
)
from facesearch.encoders.quantization import ActivationRanges
from facesearch.model_files.compiled_model import CompiledModel

# Numbers of steps between the ends of a quantised range: unsigned activations, signed weights.
_ACTIVATION_LEVELS, _WEIGHT_LEVELS = 256, 255


class OpenVinoBackend:
    """A network compiled for batches of any size.

    ``precision``: "fp32", "bf16" or "int8"; the last needs ``ranges``. ``callers`` threads may call
    at once, each running on ``threads`` cores (None: a fair share of all).
    """

    def __init__(
        self,
        network: Network,
        precision: str,
        ranges: ActivationRanges | None = None,
        threads: int | None = None,
        callers: int = 1,
    ) -> None:
        model = build_model(network, ranges if precision == "int8" else None)
        self._model = CompiledModel(model, precision, threads, callers)

    def __call__(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors float32 (n, d) of RGB pixels uint8 (n, side, side, 3)."""
        return self._model(pixels)[0]


def build_model(network: Network, ranges: ActivationRanges | None = None) -> Any:
    """The network as an OpenVINO model of uint8 (n, side, side, 3); quantised with ``ranges``."""
    pixels = ops.parameter([-1, network.side, network.side, 3], np.uint8, name="pixels")
    floats = ops.convert(pixels, np.float32)
    outputs = {INPUT: _output(ops.transpose(floats, ops.constant(np.array([0, 3, 1, 2]))))}
    quantised: dict[int, Any] = {}

    def source(index: int, node: Node) -> Any:
        if ranges is None or not isinstance(node.operation, Convolution):
            return outputs[index]
        if index not in quantised:
            quantised[index] = _quantised(outputs[index], 0.0, ranges.of(index), _ACTIVATION_LEVELS)
        return quantised[index]

    for number, node in enumerate(network.nodes):
        inputs = [source(index, node) for index in node.inputs]
        outputs[number] = _output(_build(node.operation, inputs, quantise=ranges is not None))
    return openvino.Model([outputs[len(network.nodes) - 1]], [pixels], "network")


def _output(node: Any) -> Any:
    """The first output of a node: some functions give the node, others its output."""
    return node.output(0) if hasattr(node, "output") else node


def _quantised(tensor: Any, low: Any, high: Any, levels: int) -> Any:
    ends = [ops.constant(np.asarray(end, np.float32)) for end in (low, high)]
    return ops.fake_quantize(tensor, *ends, *ends, levels)


def _build(  # noqa: PLR0911 - one an operation
    operation: Operation, inputs: list[Any], quantise: bool
) -> Any:
    match operation:
        case Convolution():
            return _convolution(operation, inputs[0], quantise)
        case Relu():
            return ops.relu(inputs[0])
        case Pool():
            return _pool(operation, inputs[0])
        case FillToSum():
            total = _filled_sum(*inputs)
            return ops.relu(total) if operation.relu else total
        case Concatenate():
            return ops.concat(inputs, 1)
        case GlobalAverage():
            return ops.reduce_mean(inputs[0], ops.constant(np.array([2, 3])))
        case Dense():
            product = ops.matmul(inputs[0], ops.constant(operation.weight), False, False)
            return ops.add(product, ops.constant(operation.bias))


def _convolution(operation: Convolution, tensor: Any, quantise: bool) -> Any:
    weight = ops.constant(operation.weight)
    if quantise:
        largest = np.abs(operation.weight).max(axis=(1, 2, 3), keepdims=True)
        largest = np.maximum(largest, np.finfo(np.float32).tiny)
        weight = _quantised(weight, -largest, largest, _WEIGHT_LEVELS)
    padding = list(operation.padding)
    out = ops.convolution(tensor, weight, list(operation.stride), padding, padding, [1, 1])
    out = ops.add(out, ops.constant(operation.bias.reshape(1, -1, 1, 1)))
    return ops.relu(out) if operation.relu else out


def _pool(operation: Pool, tensor: Any) -> Any:
    stride, padding, size = list(operation.stride), list(operation.padding), list(operation.size)
    if operation.kind == "max":
        return ops.max_pool(tensor, stride, [1, 1], padding, padding, size)
    return ops.avg_pool(tensor, stride, padding, padding, size, exclude_pad=False)


def _filled_sum(first: Any, second: Any) -> Any:
    sizes = [_sizes(each) for each in (first, second)]
    target = np.maximum(*sizes)
    return ops.add(
        *(_filled(each, target - size) for each, size in zip((first, second), sizes, strict=True))
    )


def _sizes(tensor: Any) -> NDArray[np.int64]:
    shape = tensor.get_partial_shape()
    return np.array([shape[axis].get_length() for axis in (1, 2, 3)])


def _filled(tensor: Any, missing: NDArray[np.int64]) -> Any:
    if not missing.any():
        return tensor
    ends = ops.constant(np.concatenate([[0], missing]))
    return ops.pad(
        tensor, ops.constant(np.zeros(4, np.int64)), ends, "constant", ops.constant(np.float32(0))
    )
