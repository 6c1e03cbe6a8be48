"""dlib's face recognition ResNet: 29 convolutions, 150 x 150 RGB to 128 numbers.

The network is ResNet-34 with a few layers removed and half the filters, trained by dlib's author
with a metric loss (dlib, ``dnn_face_recognition_ex.cpp``; He et al., "Deep Residual Learning for
Image Recognition", CVPR 2016). What is peculiar to dlib and kept here to the letter:

- convolutions with stride 2 do not pad, those with stride 1 pad by one;
- where a residual block halves the size, its shortcut is a 2 x 2 average pooling, and whichever
  of the two summands has fewer channels, rows or columns is filled with zeros at the end;
- an affine layer follows every convolution; it is folded into the weights here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facesearch.encoders.dlib.layers import (
    FIRST_LAYER,
    LAYER,
    TAG,
    Affine,
    DlibConvolution,
    DlibDense,
    MetricNetwork,
    read_metric_network,
)
from facesearch.encoders.network_ir import (
    INPUT,
    FillToSum,
    GlobalAverage,
    Network,
    NetworkBuilder,
    Pool,
    folded_affine,
    folded_pixels,
)
from facesearch.encoders.network_ir import Convolution as Folded
from facesearch.encoders.network_ir import Dense as Projection
from facesearch.errors import WeightsError

DIMENSION = 128
INPUT_SIZE = 150

# Filters, number of residual blocks, and whether the first of them halves the size.
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
_PIXEL_DIVISOR = 256  # dlib's input layer subtracts the file's mean and divides by this


def read_dlib_resnet(data: bytes, name: str) -> Network:
    """The network in the bytes of dlib's model file, which errors call ``name``.

    Its output is dlib's face descriptor, whose Euclidean distance dlib compares with 0.6. Raises
    :class:`facesearch.errors.WeightsError` when the file is damaged or holds another network.
    """
    stored = read_metric_network(data, name)
    _check_architecture(stored)
    pairs = zip(stored.layers, stored.layers[1:], strict=False)
    folded = [
        _fold(convolution, affine)
        for convolution, affine in pairs
        if isinstance(convolution, DlibConvolution) and isinstance(affine, Affine)
    ]
    return _wired(folded, folded_pixels(folded[0], stored.mean.tolist(), _PIXEL_DIVISOR), stored)


def _fold(stored: DlibConvolution, affine: Affine) -> Folded:
    stride, padding = (stored.stride, stored.stride), (stored.padding, stored.padding)
    plain = Folded(stored.weight, stored.bias, stride, padding)
    return folded_affine(plain, affine.gamma, affine.beta)


def _wired(folded: list[Folded], first: Folded, stored: MetricNetwork) -> Network:
    build = NetworkBuilder(INPUT_SIZE)
    x = build.add(replace(first, relu=True), INPUT)
    x = build.add(Pool("max", (3, 3), (2, 2)), x)
    for inner, outer in zip(folded[1::2], folded[2::2], strict=True):
        summand = build.add(outer, build.add(replace(inner, relu=True), x))
        if inner.stride == (2, 2):
            x = build.add(Pool("average", (2, 2), (2, 2)), x)
        x = build.add(FillToSum(relu=True), summand, x)
    dense = stored.layers[-1]
    assert isinstance(dense, DlibDense)  # so says the architecture that was checked
    no_bias = np.zeros(DIMENSION, np.float32)
    build.add(Projection(dense.weight, no_bias), build.add(GlobalAverage(), x))
    return build.network()


def _check_architecture(network: MetricNetwork) -> None:
    kinds, nesting = _expected_architecture()
    found = [layer.kind for layer in network.layers]
    if (found, network.nesting, network.side) != (kinds, nesting, INPUT_SIZE):
        raise WeightsError(
            f"expected the {len(kinds)} layers of dlib's face recognition ResNet on "
            f"{INPUT_SIZE} x {INPUT_SIZE} pixels, found {len(found)} layers on {network.side} x "
            f"{network.side}, or layers of other kinds or wiring"
        )


def _expected_architecture() -> tuple[list[str], tuple[int, ...]]:
    """The kinds of all layers from the input on, and the file's versions from the output on."""
    kinds = ["con 32 7x7 /2 +0", "affine", "relu", "max_pool 3x3 /2"]
    versions = [FIRST_LAYER, LAYER, LAYER, LAYER]
    for filters, blocks, halves in _STAGES:
        for block in range(blocks):
            halving = halves and block == 0
            stride = "/2 +0" if halving else "/1 +1"
            kinds += [f"con {filters} 3x3 {stride}", "affine", "relu"]
            kinds += [f"con {filters} 3x3 /1 +1", "affine"]
            kinds += ["avg_pool 2x2 /2"] * halving + ["add_prev", "relu"]
            versions += [TAG] + [LAYER] * 5  # the tag keeps the block's input
            versions += [TAG, TAG, LAYER] * halving  # tag, skip back to the input, average
            versions += [LAYER, LAYER]
    kinds += ["avg_pool everything", f"fc {DIMENSION}"]
    versions += [LAYER, LAYER]
    return kinds, tuple(reversed(versions))
