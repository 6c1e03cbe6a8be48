"""Layers that the networks of the FaceNet paper are made of, and the form all of them share."""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from facesearch.errors import InputError

DIMENSION = 128

_WINDOW = 3  # rows and columns of every pooling but the last (FaceNet, caption of table 2)
# Keeps the gradient finite where a window is all zeros; the least that float16 still tells from 0.
_EPSILON = 1e-6


@dataclass(frozen=True)
class Size:
    """Rows and columns of an image or of a map of features."""

    rows: int
    columns: int

    def strided(self, stride: int) -> Size:
        """What a layer of this stride leaves that pads so as to keep the size at stride 1."""
        return Size(-(-self.rows // stride), -(-self.columns // stride))


class FaceNetwork(nn.Module):
    """RGB chips to vectors that are not yet normalised.

    ``layers`` are called as the rows of the paper's tables. Chips are float (n, 3, rows, columns),
    standardised as (value - 127.5) / 128; vectors are float (n, 128). The paper's last layer, L2,
    is left to whoever needs it, for an encoder keeps the norm: :class:`UnitVectors` adds it.
    Weights are drawn by :func:`initialise`. Calling the network with anything else raises
    :class:`InputError`; ``torch.fx`` can trace it, and sees plain operations only.
    """

    def __init__(self, name: str, size: Size, layers: OrderedDict[str, nn.Module]) -> None:
        super().__init__()
        self.name = name
        self.size = size
        self.layers = nn.Sequential(layers)
        # A hook and no part of forward(), where tracing could not decide a condition.
        self.register_forward_pre_hook(_check_chips)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, rows, columns) of one chip."""
        return 3, self.size.rows, self.size.columns

    def forward(self, chips: Tensor) -> Tensor:
        """Vectors float (n, 128), not normalised, of chips float (n, 3, rows, columns)."""
        return self.layers(chips)  # type: ignore[no-any-return]


class UnitVectors(nn.Module):
    """A network and the paper's L2 layer behind it: vectors of length 1, as training wants them.

    A vector of zeros stays zeros.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, chips: Tensor) -> Tensor:
        """Vectors float (n, d) of length 1."""
        return functional.normalize(self.network(chips), dim=1)


class L2Pool(nn.Module):
    """The L2 norm of each 3 x 3 window, channel by channel (FaceNet, caption of table 2).

    Padded with zeros by one unless ``padded`` is false.
    """

    def __init__(self, stride: int = 1, padded: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.padding = 1 if padded else 0

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, c, h, w) to (n, c, h', w')."""
        mean = functional.avg_pool2d(x * x, _WINDOW, self.stride, self.padding)
        return torch.sqrt(mean * _WINDOW**2 + _EPSILON)


class Maxout(nn.Module):
    """The largest of ``pieces`` linear functions, for each output.

    Goodfellow, Warde-Farley, Mirza, Courville and Bengio, "Maxout Networks" (ICML 2013).
    """

    def __init__(self, inputs: int, outputs: int, pieces: int = 2) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(nn.Linear(inputs, outputs) for _ in range(pieces))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs) to (n, outputs)."""
        largest: Tensor = functools.reduce(torch.maximum, [piece(x) for piece in self.pieces])
        return largest


def convolution_unit(
    channels: int, filters: int, kernel: int, stride: int = 1, batch_norm: bool = False
) -> nn.Sequential:
    """Convolution that pads so as to keep the size, batch normalisation if asked for, ReLU."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["convolution"] = nn.Conv2d(channels, filters, kernel, stride, kernel // 2)
    if batch_norm:
        layers["normalisation"] = nn.BatchNorm2d(filters)
    layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


def max_pool() -> nn.MaxPool2d:
    """The largest of each 3 x 3 window, half as many rows and columns."""
    return nn.MaxPool2d(_WINDOW, stride=2, padding=1)


def response_norm() -> nn.LocalResponseNorm:
    """Local response normalisation over 5 channels, with the constants of Caffe's GoogLeNet.

    The paper names the layer and gives no constants; OpenFace chose these too.
    """
    return nn.LocalResponseNorm(size=5, alpha=1e-4, beta=0.75, k=1.0)


def initialise(network: nn.Module) -> None:
    """Draw weights that keep the size of activations from layer to layer; biases are zero.

    Convolutions: normal with variance 2 / inputs (He et al., "Delving Deep into Rectifiers",
    ICCV 2015). Dense layers: variance 1 / inputs, for no ReLU follows, and the larger of two equal
    Gaussians has their mean square. The norm of nine values is three times their root mean
    square, so a convolution that follows L2 pooling starts at a third.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, nn.Sequential) and any(isinstance(m, L2Pool) for m in module):
            for convolution in (m for m in module.modules() if isinstance(m, nn.Conv2d)):
                convolution.weight.data.div_(_WINDOW)


def _check_chips(module: nn.Module, inputs: tuple[object, ...]) -> None:
    """Raise InputError unless ``inputs`` are one batch of chips for ``module``."""
    assert isinstance(module, FaceNetwork)
    if len(inputs) != 1 or isinstance(inputs[0], fx.Proxy):  # a missing input is forward()'s error
        return
    chips, wanted = inputs[0], module.input_shape
    if isinstance(chips, Tensor) and chips.is_floating_point() and chips.shape[1:] == wanted:
        return
    got = f"{chips.dtype} {tuple(chips.shape)}" if isinstance(chips, Tensor) else type(chips)
    raise InputError(
        f"expected chips of {module.name} as a float tensor (n, {', '.join(map(str, wanted))}), "
        f"got {got}; resize them, and scale pixels as (value - 127.5) / 128"
    )
