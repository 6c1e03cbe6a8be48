"""MTCNN's three networks with their weights, from uint8 pixels to scores and offsets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facesearch.detect import mtcnn_kernels as kernels
from facesearch.detect.conv_codegen import ConvolutionTile, pack
from facesearch.detect.mtcnn_weights import O_NET, P_NET, R_NET, Floats, Layer


class MtcnnNetworks:
    """P-Net, R-Net and O-Net; every method takes RGB uint8 and may be called from any thread.

    Scores are probabilities; box offsets are x0, y0, x1, y1 as fractions of a box's width and
    height; landmarks are five x, then five y, as fractions from a box's upper left corner.
    """

    def __init__(self) -> None:
        *hidden, offsets, classes = P_NET.load()
        conv1, conv2, conv3 = hidden
        self._propose = (
            *_packed_all([_on_bytes(conv1), conv2, conv3], kernels.P_TILES),
            _packed_heads([_face_logit(classes), offsets]),
        )
        *hidden, offsets, classes = R_NET.load()
        conv1, conv2, conv3, dense = hidden
        self._refine = (
            *_packed_all([_on_bytes(conv1), conv2, conv3], kernels.R_TILES),
            _packed(_row_major(dense, 3), kernels.DENSE_TILE),
            _packed_heads([_face_logit(classes), offsets]),
        )
        *hidden, offsets, points, classes = O_NET.load()
        conv1, conv2, conv3, conv4, dense = hidden
        self._output = (
            *_packed_all([_on_bytes(conv1), conv2, conv3, conv4], kernels.O_TILES),
            _packed(_row_major(dense, 3), kernels.DENSE_TILE),
            _packed_heads([_face_logit(classes), offsets, points]),
        )

    def propose(
        self, level: NDArray[np.uint8], min_score: float
    ) -> tuple[NDArray[np.float32], Floats, Floats]:
        """Windows of 12 pixels that score above ``min_score`` on ``level`` (h, w, 3).

        Upper left corners (n, 2) as x, y in pixels of the level, scores (n,), offsets (n, 4).
        Both sides of the level are at least 12.
        """
        least = math.log(min_score / (1 - min_score)) if min_score > 0 else -math.inf
        found = kernels.propose(level, least, *self._propose)
        return found[:, :2] * np.float32(2), _probability(found[:, 2]), found[:, 3:]

    def refine(self, crops: Floats) -> tuple[Floats, Floats]:
        """Scores (n,) and offsets (n, 4) of crops (n, 24, 24, 3)."""
        heads = kernels.refine(crops, *self._refine)
        return _probability(heads[:, 0]), heads[:, 1:5]

    def output(self, crops: Floats) -> tuple[Floats, Floats, Floats]:
        """Scores (n,), offsets (n, 4) and landmarks (n, 10) of crops (n, 48, 48, 3)."""
        heads = kernels.output(crops, *self._output)
        return _probability(heads[:, 0]), heads[:, 1:5], heads[:, 5:15]


def _probability(logits: Floats) -> Floats:
    # exp of large numbers overflows to infinity, whose inverse is the right limit, 0
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _matrix(layer: Layer) -> Floats:
    return layer.kernel.reshape(-1, layer.kernel.shape[-1])


def _packed(layer: Layer, tile: ConvolutionTile) -> Floats:
    return pack(_matrix(layer), layer.bias, layer.slopes, tile)


def _packed_all(layers: Sequence[Layer], tiles: Sequence[ConvolutionTile]) -> list[Floats]:
    return [_packed(layer, tile) for layer, tile in zip(layers, tiles, strict=True)]


def _on_bytes(layer: Layer) -> Layer:
    """The layer, made for inputs (x - 127.5) / 128, for inputs x."""
    bias = layer.bias - layer.kernel.sum(axis=(0, 1, 2)) * np.float32(127.5 / 128)
    return Layer(layer.kernel / np.float32(128), bias, layer.slopes)


def _face_logit(classes: Layer) -> Layer:
    """One output in place of two: the softmax of two logits depends on their difference only."""
    kernel = _matrix(classes)
    return Layer(kernel[:, 1:] - kernel[:, :1], classes.bias[1:] - classes.bias[:1], classes.slopes)


def _row_major(dense: Layer, side: int) -> Layer:
    """A dense layer over a square map flattened column-major, for one flattened row-major."""
    inputs, outputs = dense.kernel.shape
    kernel = dense.kernel.reshape(side, side, inputs // side**2, outputs).transpose(1, 0, 2, 3)
    return Layer(kernel.reshape(inputs, outputs), dense.bias, dense.slopes)


def _packed_heads(layers: list[Layer]) -> Floats:
    """Linear layers over the same inputs side by side, padded to ``kernels.HEADS`` outputs."""
    kernel = np.concatenate([_matrix(layer) for layer in layers], axis=1)
    bias = np.concatenate([layer.bias for layer in layers])
    missing = kernels.HEADS - len(bias)
    kernel = np.pad(kernel, ((0, 0), (0, missing)))
    return pack(
        kernel, np.pad(bias, (0, missing)), np.ones(kernels.HEADS, np.float32), kernels.HEADS_TILE
    )
