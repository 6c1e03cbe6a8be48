"""``facenet-small``: a plain residual network that trains and runs fast on processors.

Its blocks are those of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition"
(CVPR 2016, section 3.3, shortcut B): two 3 x 3 convolutions with batch normalisation beside a
1 x 1 projection. Depthwise convolutions, which most small face networks have, need fewer
operations yet train ten times slower on a processor. The last layer sees every place of the last
4 x 4 map by weights of its own, for aligned faces have each part at its place (Deng et al.,
"ArcFace", CVPR 2019, section 3.1, option E).
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from facesearch.encoders.facenet_small.architecture import (
    DIMENSION,
    FACENET_SMALL,
    LAST_SIDE,
    SIDE,
    STEM,
    BlockShape,
    blocks,
)
from facesearch.encoders.paper_networks.layers import FaceNetwork, Size
from facesearch.errors import InputError

_LEAST_SIDE = 32  # smaller chips leave no map to make a vector of


class SmallResidualBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, which is projected where the shape changes."""

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        channels, filters, stride = shape.channels, shape.filters, shape.stride
        self.body = nn.Sequential(
            nn.Conv2d(channels, filters, 3, stride, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, 1, 1, bias=False),
            nn.BatchNorm2d(filters),
        )
        self.shortcut: nn.Module = nn.Identity()
        if shape.projected:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, features: Tensor) -> Tensor:
        """Features float (n, filters, rows / stride, columns / stride)."""
        return torch.relu(self.body(features) + self.shortcut(features))


def facenet_small(dimension: int = DIMENSION, side: int = SIDE) -> FaceNetwork:
    """A new network, its weights drawn from torch's random numbers.

    With a ``side`` below 112 it takes smaller chips, and its last map is enlarged to the size that
    the last layer wants: the same weights train several times faster so, before they go on with
    whole chips. Raises :class:`InputError` for a side that is not from 32 to 112.
    """
    if not _LEAST_SIDE <= side <= SIDE:
        raise InputError(f"expected a side from {_LEAST_SIDE} to {SIDE} pixels, got {side}")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    # Unpadded, so that the chips' standardisation can be folded into its weights.
    layers["stem"] = nn.Sequential(
        nn.Conv2d(3, STEM, 3, 2, bias=False), nn.BatchNorm2d(STEM), nn.ReLU(inplace=True)
    )
    channels = STEM
    for shape in blocks():
        layers[shape.name] = SmallResidualBlock(shape)
        channels = shape.filters
    if side < SIDE:
        layers["enlarge"] = nn.Upsample((LAST_SIDE, LAST_SIDE), mode="bilinear")
    # A convolution over the whole map is the dense layer, in a form that every back end has.
    layers["embedding"] = nn.Conv2d(channels, dimension, LAST_SIDE)
    layers["pool"] = nn.AdaptiveAvgPool2d(1)
    layers["flatten"] = nn.Flatten(1)
    network = FaceNetwork(FACENET_SMALL, Size(side, side), layers)
    _initialise(network)
    return network


def _initialise(network: nn.Module) -> None:
    # He et al., "Delving Deep into Rectifiers" (ICCV 2015); shortcuts alone carry the signal at
    # first (Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 5.1).
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, SmallResidualBlock):
            nn.init.constant_(module.body[-1].weight, 0.2)  # type: ignore[arg-type]
