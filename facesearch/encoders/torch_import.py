"""A trained torch module as a network that any back end runs: traced once, its layers folded."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn
from torch.nn import functional

from facesearch.encoders.network_ir import (
    INPUT,
    Concatenate,
    Convolution,
    Dense,
    FillToSum,
    GlobalAverage,
    Network,
    NetworkBuilder,
    Operation,
    Pair,
    Pool,
    Relu,
    folded_affine,
    folded_pixels,
)
from facesearch.errors import InputError


def traced_network(module: nn.Module, side: int, mean: float, divisor: float) -> Network:
    """``module``, which takes (pixels - mean) / divisor as float32 (n, 3, side, side).

    Batch normalisation (as in ``eval()``), products with a constant and ReLU are folded into the
    layer before them. Raises InputError naming the first operation that no back end has.
    """
    trace = _Trace(side)
    traced = fx.symbolic_trace(module.eval())
    for node in traced.graph.nodes:
        trace.visit(node, dict(traced.named_modules()))
    return trace.finish(mean, divisor)


class _Trace:
    """The network so far, and which of its nodes each traced node became."""

    def __init__(self, side: int) -> None:
        self._build = NetworkBuilder(side)
        self._number: dict[fx.Node, int] = {}

    def visit(self, node: fx.Node, modules: dict[str, nn.Module]) -> None:
        if node.op == "placeholder":
            self._number[node] = INPUT
        elif node.op == "call_module":
            self._number[node] = self._module(node, modules[str(node.target)])
        elif node.op in ("call_function", "call_method"):
            self._number[node] = self._function(node)
        elif node.op != "output":
            raise _unknown(node)

    def finish(self, mean: float, divisor: float) -> Network:
        for number, operation in enumerate(self._build.operations):
            if isinstance(operation, Convolution):
                pixels = folded_pixels(operation, [mean] * operation.weight.shape[1], divisor)
                self._build.change(number, pixels)
                return self._build.network()
        raise InputError("expected a network that begins with a convolution, found none")

    def _module(self, node: fx.Node, module: nn.Module) -> int:  # noqa: PLR0911 - one a layer
        (source,) = node.all_input_nodes
        match module:
            case nn.Conv2d():
                return self._build.add(_convolution(module), self._number[source])
            case nn.BatchNorm2d() | nn.BatchNorm1d():
                return self._fold(node, source, *_affine(module))
            case nn.ReLU():
                return self._relu(source)
            case nn.MaxPool2d() | nn.AvgPool2d():
                return self._build.add(_pool(module), self._number[source])
            case nn.Linear():
                return self._build.add(_dense(module), self._number[source])
            case nn.AdaptiveAvgPool2d(output_size=1 | (1, 1)):
                return self._build.add(GlobalAverage(), self._number[source])
            case nn.Identity() | nn.Dropout() | nn.Flatten(start_dim=1):
                return self._number[source]
        raise InputError(f"no back end has the layer {node.target}: {module}")

    def _function(self, node: fx.Node) -> int:
        sources = [self._number[each] for each in node.all_input_nodes]
        if node.target is torch.cat and _axis(node) == 1:
            return self._build.add(Concatenate(), *sources)
        if node.target in (operator.add, operator.iadd, torch.add) and len(sources) == 2:
            return self._build.add(FillToSum(), *sources)
        if node.target in (operator.mul, torch.mul) and len(sources) == 1:
            (factor,) = (each for each in node.args if not isinstance(each, fx.Node))
            ones = np.ones(self._channels(sources[0]), np.float64)
            return self._fold(node, node.all_input_nodes[0], ones * float(str(factor)), 0 * ones)
        if node.target in (functional.relu, torch.relu, "relu", "relu_"):
            return self._relu(node.all_input_nodes[0])
        if node.target == "mean" and node.kwargs.get("dim") in ((2, 3), (-2, -1), (-1, -2)):
            return self._build.add(GlobalAverage(), sources[0])
        if node.target in ("flatten", torch.flatten) and node.args[1:] == (1,):
            return sources[0]
        raise _unknown(node)

    def _channels(self, number: int) -> int:
        operation = self._build.operations[number]
        return operation.weight.shape[0] if isinstance(operation, Convolution) else 0

    def _relu(self, source: fx.Node) -> int:
        number = self._number[source]
        operation = self._build.operations[number] if number != INPUT else None
        if isinstance(operation, Convolution | FillToSum) and len(source.users) == 1:
            self._build.change(number, replace(operation, relu=True))
            return number
        return self._build.add(Relu(), number)

    def _fold(
        self,
        node: fx.Node,
        source: fx.Node,
        gamma: NDArray[np.float64],
        beta: NDArray[np.float64],
    ) -> int:
        number = self._number[source]
        operation = self._build.operations[number] if number != INPUT else None
        alone = len(source.users) == 1
        if alone and isinstance(operation, Convolution) and not operation.relu:
            self._build.change(number, folded_affine(operation, gamma, beta))
        elif alone and isinstance(operation, Dense):
            weight = (operation.weight * gamma).astype(np.float32)
            bias = (operation.bias * gamma + beta).astype(np.float32)
            self._build.change(number, Dense(weight, bias))
        else:
            raise _unknown(node, "; it can only be folded into the layer before it")
        return number


def _unknown(node: fx.Node, why: str = "") -> InputError:
    return InputError(f"no back end has the operation {node.format_node()}{why}")


def _axis(node: fx.Node) -> Any:
    return node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _numbers(tensor: torch.Tensor | None, size: int) -> NDArray[np.float32]:
    if tensor is None:
        return np.zeros(size, np.float32)
    return np.asarray(tensor.detach().cpu().numpy(), np.float32)


def _convolution(module: nn.Conv2d) -> Convolution:
    plain = module.groups == 1 and _pair(module.dilation) == (1, 1)
    if not plain or isinstance(module.padding, str) or module.padding_mode != "zeros":
        raise InputError(f"no back end has the convolution {module}")
    return Convolution(
        _numbers(module.weight, 0),
        _numbers(module.bias, module.out_channels),
        _pair(module.stride),
        _pair(module.padding),
    )


def _affine(
    module: nn.BatchNorm2d | nn.BatchNorm1d,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """gamma and beta float64 (channels,) of batch normalisation with its statistics fixed."""
    if module.running_mean is None or module.running_var is None:
        raise InputError(f"expected batch normalisation with statistics, got {module}")
    mean, variance = module.running_mean.double(), module.running_var.double()
    gamma = (variance + module.eps).rsqrt()
    if module.affine:
        gamma = gamma * module.weight.detach().double()
    beta = -mean * gamma + (module.bias.detach().double() if module.affine else 0)
    return gamma.cpu().numpy(), beta.cpu().numpy()


def _pool(module: nn.MaxPool2d | nn.AvgPool2d) -> Operation:
    if module.ceil_mode or _pair(getattr(module, "dilation", 1)) != (1, 1):
        raise InputError(f"no back end has the pooling {module}")
    if isinstance(module, nn.AvgPool2d) and not module.count_include_pad:
        raise InputError(f"no back end has the pooling {module}")
    kind = "max" if isinstance(module, nn.MaxPool2d) else "average"
    sizes = (module.kernel_size, module.stride, module.padding)
    return Pool(kind, *(_pair(each) for each in sizes))


def _dense(module: nn.Linear) -> Dense:
    weight = np.ascontiguousarray(_numbers(module.weight, 0).T)
    return Dense(weight, _numbers(module.bias, module.out_features))
