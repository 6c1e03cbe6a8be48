"""dlib's face recognition ResNet (29 convolutions, 150 x 150 RGB to 128 numbers) in torch.

The network is ResNet-34 with a few layers removed and half the filters, trained by dlib's author
with a metric loss (dlib, ``dnn_face_recognition_ex.cpp``; He et al., "Deep Residual Learning for
Image Recognition", CVPR 2016). What is peculiar to dlib and kept here to the letter:

- convolutions with stride 2 do not pad, those with stride 1 pad by one;
- where a residual block halves the size, its shortcut is a 2 x 2 average pooling, and whichever
  of the two summands has fewer channels, rows or columns is filled with zeros at the end;
- an affine layer follows every convolution; it is folded into the weights here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facesearch.encoders.dlib_layers import (
    FIRST_LAYER,
    LAYER,
    TAG,
    Affine,
    Convolution,
    Dense,
    Floats,
    MetricNetwork,
    read_metric_network,
)
from facesearch.encoders.types import Embeddings
from facesearch.errors import InputError, WeightsError
from facesearch.weights import PackagedFile

WEIGHTS = PackagedFile(
    distribution="face-recognition-models",
    path="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)

DIMENSION = 128
INPUT_SIZE = 150

# Filters, number of residual blocks, and whether the first of them halves the size.
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))

_BATCH_SIZE = 32  # larger batches are no faster and take 6 MB more memory a chip


class DlibResnetEncoder:
    """Chips cut as dlib cuts them (150 pixels, 0.25 padding) to vectors of 128 numbers.

    ``threads``: how many threads torch may use in each call (None: as torch is set).
    ``batch_size``: how many chips go through the network at once; it bounds the memory and does
    not change the vectors by more than float rounding (1e-6). An encoder may be called from
    several threads; torch lets go of the interpreter lock while it computes.

    Raises :class:`facesearch.errors.WeightsError` when the model file is missing or not the
    pinned one, :class:`facesearch.errors.InputError` for impossible settings.
    """

    name = "dlib-resnet-v1"
    weights_sha256 = WEIGHTS.sha256
    dimension = DIMENSION
    input_size = INPUT_SIZE

    def __init__(self, threads: int | None = None, batch_size: int = _BATCH_SIZE) -> None:
        for what, value in (("threads", threads), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise InputError(f"expected {what} of 1 or more, got {value}")
        self.threads = threads
        self.batch_size = batch_size
        self._network = DlibResnet(read_metric_network(WEIGHTS.read(), WEIGHTS.path))

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Unit vectors and their norms before, for RGB chips uint8 (n, 150, 150, 3), n may be 0.

        Raises :class:`facesearch.errors.InputError` for chips of another shape or dtype.
        """
        descriptors = self.describe(chips)
        norms = np.sqrt(np.einsum("ij,ij->i", descriptors, descriptors))
        tiny = np.finfo(np.float32).tiny  # a chip that excites nothing stays zero, not NaN
        return Embeddings(descriptors / np.maximum(norms, tiny)[:, None], norms)

    def describe(self, chips: NDArray[np.uint8]) -> Floats:
        """The network's output float32 (n, 128), not normalised: dlib's face descriptors.

        Their Euclidean distance is what dlib compares with its threshold of 0.6.
        """
        expected = (INPUT_SIZE, INPUT_SIZE, 3)
        if chips.ndim != 4 or chips.shape[1:] != expected or chips.dtype != np.uint8:
            raise InputError(
                f"expected chips uint8 of shape (n, {INPUT_SIZE}, {INPUT_SIZE}, 3), got "
                f"{chips.dtype} {chips.shape}; cut them out of the photo with the aligner"
            )
        descriptors = np.empty((len(chips), DIMENSION), np.float32)
        with _torch_threads(self.threads), torch.inference_mode():
            for start in range(0, len(chips), self.batch_size):
                batch = slice(start, start + self.batch_size)
                pixels = torch.from_numpy(chips[batch].astype(np.float32))
                descriptors[batch] = self._network(pixels).numpy()
        return descriptors


class DlibResnet:
    """The network as a function of pixels, its affine layers and input scaling folded away."""

    def __init__(self, network: MetricNetwork) -> None:
        _check_architecture(network)
        pairs = zip(network.layers, network.layers[1:], strict=False)
        folded = [
            _fold(convolution, affine)
            for convolution, affine in pairs
            if isinstance(convolution, Convolution) and isinstance(affine, Affine)
        ]
        folded[0] = _fold_input_scaling(folded[0], network.mean)
        self._stem, *rest = folded
        self._blocks = list(zip(rest[::2], rest[1::2], strict=True))
        dense = network.layers[-1]
        assert isinstance(dense, Dense)  # so says the architecture that was checked
        self._dense = torch.tensor(dense.weight)

    def __call__(self, pixels: Tensor) -> Tensor:
        """Descriptors float32 (n, 128) of RGB pixels float32 (n, 150, 150, 3) in [0, 255]."""
        # Seen as (n, 3, 150, 150) the pixels are "channels last", twice as fast as planes.
        x = self._stem(pixels.permute(0, 3, 1, 2)).relu_()
        x = functional.max_pool2d(x, kernel_size=3, stride=2)
        for first, second in self._blocks:
            summand = second(first(x).relu_())
            x = (_halved_sum(summand, x) if first.stride == 2 else summand.add_(x)).relu_()
        return x.mean(dim=(2, 3)) @ self._dense


@dataclass(frozen=True)
class _FoldedConvolution:
    weight: Tensor
    bias: Tensor
    stride: int
    padding: int

    def __call__(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding)


def _fold(convolution: Convolution, affine: Affine) -> _FoldedConvolution:
    """gamma (w x + b) + beta = (gamma w) x + (gamma b + beta)."""
    weight = convolution.weight * affine.gamma[:, None, None, None]
    bias = convolution.bias.astype(np.float64) * affine.gamma + affine.beta
    return _as_torch(weight, bias, convolution.stride, convolution.padding)


def _fold_input_scaling(first: _FoldedConvolution, mean: Floats) -> _FoldedConvolution:
    """w (x - mean) / 256 + b = (w / 256) x + (b - w mean / 256): right only without padding."""
    weight = np.divide(first.weight.numpy(), 256, dtype=np.float32)  # exact: a power of two
    bias = first.bias.numpy() - np.einsum("oiyx,i->o", weight, mean, dtype=np.float64)
    return _as_torch(weight, bias, first.stride, first.padding)


def _as_torch(
    weight: Floats, bias: NDArray[np.float64], stride: int, padding: int
) -> _FoldedConvolution:
    channels_last = torch.from_numpy(weight).contiguous(memory_format=torch.channels_last)
    return _FoldedConvolution(
        channels_last, torch.from_numpy(bias.astype(np.float32)), stride, padding
    )


def _halved_sum(summand: Tensor, x: Tensor) -> Tensor:
    """``summand`` plus the 2 x 2 average of ``x``, each filled with zeros to the larger size."""
    shortcut = functional.avg_pool2d(x, kernel_size=2, stride=2)
    shape = [max(sizes) for sizes in zip(summand.shape, shortcut.shape, strict=True)]
    total = torch.empty(shape, memory_format=torch.channels_last).zero_()
    total[:, : summand.shape[1], : summand.shape[2], : summand.shape[3]] = summand
    total[:, : shortcut.shape[1], : shortcut.shape[2], : shortcut.shape[3]] += shortcut
    return total


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


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    """Let torch use ``threads`` threads for a while; its setting belongs to the whole process."""
    before = torch.get_num_threads()
    if threads is None or threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
