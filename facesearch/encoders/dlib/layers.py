"""The layers of a trained dlib metric network, read from its file in the order they compute.

dlib writes a network as its template type is nested, output outermost: a version for every
nested layer, the input layer, then each layer's settings and parameters from the input outwards,
each followed by training state that a cleaned network leaves empty. Where tensors are tagged and
added back is a matter of the type alone and is not in the file, but tags and skips do leave a
version of their own, so the run of versions tells networks of different wiring apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.dlib.format import DlibReader

Floats = NDArray[np.float32]

LAYER, TAG, FIRST_LAYER = 2, 1, 3  # the versions that dlib writes for what a network nests


@dataclass(frozen=True)
class DlibConvolution:
    """``weight`` (out, in, rows, columns), ``bias`` (out,); one stride and padding both ways."""

    weight: Floats
    bias: Floats
    stride: int
    padding: int

    @property
    def kind(self) -> str:
        out, _, rows, columns = self.weight.shape
        return f"con {out} {rows}x{columns} /{self.stride} +{self.padding}"


@dataclass(frozen=True)
class Affine:
    """y = gamma x + beta for each channel: batch normalisation with its statistics fixed."""

    gamma: Floats
    beta: Floats

    kind = "affine"


@dataclass(frozen=True)
class DlibDense:
    """y = x weight, with ``weight`` (in, out) and no bias."""

    weight: Floats

    @property
    def kind(self) -> str:
        return f"fc {self.weight.shape[1]}"


@dataclass(frozen=True)
class Plain:
    """A layer without parameters, named by its ``kind``: "relu", "add_prev", "max_pool 3x3 /2"."""

    kind: str


Layer = DlibConvolution | Affine | DlibDense | Plain


@dataclass(frozen=True)
class MetricNetwork:
    """``mean`` float32 (3,): the RGB subtracted from pixels, which are then divided by 256.

    ``side``: of the square input in pixels; ``nesting``: the versions of all nested layers from
    the output inwards; ``layers``: those that compute, from the input outwards.
    """

    mean: Floats
    side: int
    nesting: tuple[int, ...]
    layers: tuple[Layer, ...]


def read_metric_network(data: bytes, name: str) -> MetricNetwork:
    """The network in a dlib file that ends in ``loss_metric``.

    Raises :class:`facesearch.errors.WeightsError`, naming ``name`` and the byte position, when
    ``data`` are cut short, damaged or of another kind.
    """
    reader = DlibReader(data, name)
    reader.expect_int(1, "the version of the loss layer")
    reader.expect_string("loss_metric_2")
    _read_few_floats(reader, 2)  # margin and distance threshold, used in training only
    nesting = _read_nesting(reader)
    mean, side = _read_input(reader)
    computing = sum(version != TAG for version in nesting)
    layers = tuple(_read_layer(reader, first=index == 0) for index in range(computing))
    reader.expect_end()
    return MetricNetwork(mean, side, nesting, layers)


def _read_nesting(reader: DlibReader) -> tuple[int, ...]:
    versions: list[int] = []
    while not versions or versions[-1] != FIRST_LAYER:
        start = reader.position
        version = reader.read_int()
        if version not in (LAYER, TAG, FIRST_LAYER):
            raise reader.error(f"expected the version of a layer, 1 to 3, found {version}", start)
        versions.append(version)
    return tuple(versions)


def _read_input(reader: DlibReader) -> tuple[Floats, int]:
    reader.expect_string("input_rgb_image_sized")
    mean = _read_few_floats(reader, 3)
    side = reader.read_int()
    reader.expect_int(side, "the columns of the input, as its rows,")
    return mean, side


def _read_layer(reader: DlibReader, first: bool) -> Layer:
    start = reader.position
    name = reader.read_string()
    if name not in _LAYERS:
        raise reader.error(
            f"expected one of the layers {', '.join(_LAYERS)}, found {name!r}", start
        )
    layer = _LAYERS[name](reader)
    for _ in range(3):
        reader.read_bool()  # set-up done, gradients stale, gradients disabled
    for _ in range(3):
        reader.read_tensor()  # gradients and cached output
    if first:
        reader.read_int()  # how many samples one input becomes
    return layer


def _read_convolution(reader: DlibReader) -> DlibConvolution:
    start = reader.position
    parameters = reader.read_tensor().ravel()
    filters, rows, columns, *rest = (reader.read_int() for _ in range(7))
    stride, stride_columns, padding, padding_columns = rest
    weight_shape, bias_shape = _read_alias(reader), _read_alias(reader)
    _read_few_floats(reader, 4)  # learning-rate and weight-decay multipliers
    sizes = math.prod(weight_shape), math.prod(bias_shape)
    if (
        weight_shape[0] != filters
        or weight_shape[2:] != (rows, columns)
        or bias_shape != (1, filters, 1, 1)
        or sum(sizes) != len(parameters)
        or (stride, padding) != (stride_columns, padding_columns)
    ):
        raise reader.error("expected a convolution whose settings and parameters agree", start)
    weight, bias = parameters[: sizes[0]].reshape(weight_shape), parameters[sizes[0] :]
    return DlibConvolution(weight, bias, stride, padding)


def _read_affine(reader: DlibReader) -> Affine:
    start = reader.position
    parameters = reader.read_tensor().ravel()
    gamma_shape, beta_shape = _read_alias(reader), _read_alias(reader)
    mode = reader.read_int()
    channels = gamma_shape[1]
    shape = (1, channels, 1, 1)
    if gamma_shape != shape or beta_shape != shape or len(parameters) != 2 * channels or mode != 0:
        raise reader.error("expected an affine layer with two numbers a channel", start)
    return Affine(parameters[:channels], parameters[channels:])


def _read_dense(reader: DlibReader) -> DlibDense:
    start = reader.position
    outputs, inputs = reader.read_int(), reader.read_int()
    parameters = reader.read_tensor()
    _read_alias(reader)
    _read_alias(reader)
    reader.expect_int(1, "the bias mode of a layer without bias")
    _read_few_floats(reader, 4)
    if parameters.shape != (inputs, outputs, 1, 1):
        raise reader.error(f"expected {inputs} x {outputs} weights without bias", start)
    return DlibDense(parameters.reshape(inputs, outputs))


def _read_pooling(reader: DlibReader, name: str) -> Plain:
    start = reader.position
    rows, columns, stride, stride_columns, *padding = (reader.read_int() for _ in range(6))
    if rows != columns or stride != stride_columns or any(padding):
        raise reader.error("expected a square pooling without padding", start)
    return Plain(f"{name} {rows}x{columns} /{stride}" if rows else f"{name} everything")


def _read_few_floats(reader: DlibReader, count: int) -> Floats:
    """``count`` floats without the compiled decoder, which takes longer to import."""
    return np.array([reader.read_float() for _ in range(count)], np.float32)


def _read_alias(reader: DlibReader) -> tuple[int, ...]:
    reader.expect_int(1, "the version of an alias tensor")
    start = reader.position
    shape = tuple(reader.read_int() for _ in range(4))
    if min(shape) < 0:
        raise reader.error(f"expected the shape of an alias tensor, found {shape}", start)
    return shape


_LAYERS: dict[str, Callable[[DlibReader], Layer]] = {
    "con_4": _read_convolution,
    "affine_": _read_affine,
    "fc_2": _read_dense,
    "relu_": lambda _: Plain("relu"),
    "add_prev_": lambda _: Plain("add_prev"),
    "max_pool_2": lambda reader: _read_pooling(reader, "max_pool"),
    "avg_pool_2": lambda reader: _read_pooling(reader, "avg_pool"),
}
