"""``facenet-small`` from its file, as a network that every back end runs. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from facesearch.encoders.facenet_small.architecture import (
    DIMENSION,
    DIVISOR,
    FACENET_SMALL,
    LAST_SIDE,
    MEAN,
    SIDE,
    STEM,
    blocks,
)
from facesearch.encoders.network_ir import (
    INPUT,
    Convolution,
    FillToSum,
    Floats,
    GlobalAverage,
    Network,
    NetworkBuilder,
    Weighted,
    folded_affine,
    folded_pixels,
)
from facesearch.errors import WeightsError

_EPSILON = 1e-5  # of batch normalisation, as in training
_STATISTICS = ("weight", "bias", "running_mean", "running_var")

Shape = tuple[int, ...]
Tensors = Mapping[str, Floats]


def read_weights(path: Path) -> Weighted:
    """The network with the weights of a file that training wrote.

    See :func:`facesearch.encoders.facenet_small.weights.export_weights`. Raises
    :class:`WeightsError` for a file that is missing, damaged or of another network.
    """
    try:
        data = path.read_bytes()
        found = load(data)
    except (OSError, SafetensorError, KeyError) as error:  # KeyError: a type that numpy has not
        raise WeightsError(f"cannot read {path} as weights of {FACENET_SMALL}: {error}") from error
    if {name: array.shape for name, array in found.items()} != _shapes():
        raise WeightsError(f"{path} has the tensors of another network than {FACENET_SMALL}")
    tensors = {name: array.astype(np.float32) for name, array in found.items()}
    return Weighted(_network(tensors), hashlib.sha256(data).hexdigest())


def _shapes() -> dict[str, Shape]:
    """The shape of every tensor."""
    shapes = _layer_shapes("layers.stem.0", "layers.stem.1", (STEM, 3, 3, 3))
    for block in blocks():
        name, filters, channels = f"layers.{block.name}", block.filters, block.channels
        body = f"{name}.body"
        shapes |= _layer_shapes(f"{body}.0", f"{body}.1", (filters, channels, 3, 3))
        shapes |= _layer_shapes(f"{body}.3", f"{body}.4", (filters, filters, 3, 3))
        if block.projected:
            parts = (f"{name}.shortcut.0", f"{name}.shortcut.1")
            shapes |= _layer_shapes(*parts, (filters, channels, 1, 1))
    last = (DIMENSION, filters, LAST_SIDE, LAST_SIDE)
    return shapes | {"layers.embedding.weight": last, "layers.embedding.bias": (DIMENSION,)}


def _layer_shapes(convolution: str, normalisation: str, weight: Shape) -> dict[str, Shape]:
    statistics = {f"{normalisation}.{each}": weight[:1] for each in _STATISTICS}
    return {f"{convolution}.weight": weight, **statistics}


def _network(tensors: Tensors) -> Network:
    build = NetworkBuilder(SIDE)
    stem = _folded(tensors, "layers.stem.0", "layers.stem.1", stride=2, relu=True)
    x = build.add(folded_pixels(stem, [MEAN] * 3, DIVISOR), INPUT)
    for block in blocks():
        name, stride = f"layers.{block.name}", block.stride
        body = f"{name}.body"
        first = _folded(tensors, f"{body}.0", f"{body}.1", stride=stride, padding=1, relu=True)
        second = _folded(tensors, f"{body}.3", f"{body}.4", padding=1)
        summand = build.add(second, build.add(first, x))
        if block.projected:
            parts = (f"{name}.shortcut.0", f"{name}.shortcut.1")
            x = build.add(_folded(tensors, *parts, stride=stride), x)
        x = build.add(FillToSum(relu=True), summand, x)
    last = Convolution(tensors["layers.embedding.weight"], tensors["layers.embedding.bias"])
    build.add(GlobalAverage(), build.add(last, x))
    return build.network()


def _folded(
    tensors: Tensors,
    convolution: str,
    normalisation: str,
    *,
    stride: int = 1,
    padding: int = 0,
    relu: bool = False,
) -> Convolution:
    """A convolution and the batch normalisation after it."""
    weight = tensors[f"{convolution}.weight"]
    plain = Convolution(
        weight, np.zeros(len(weight), np.float32), (stride, stride), (padding, padding)
    )
    scale, shift, mean, variance = (
        tensors[f"{normalisation}.{each}"].astype(np.float64) for each in _STATISTICS
    )
    with np.errstate(invalid="ignore"):  # of damaged weights: whoever runs them reports it
        gamma: NDArray[np.float64] = scale / np.sqrt(variance + _EPSILON)
    return replace(folded_affine(plain, gamma, shift - mean * gamma), relu=relu)
