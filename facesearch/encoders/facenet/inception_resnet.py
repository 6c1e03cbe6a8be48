"""FaceNet's Inception-ResNet-v1: 160 x 160 RGB to 512 numbers, as public checkpoints have it.

The network is Inception-ResNet-v1 of Szegedy, Ioffe, Vanhoucke and Alemi, "Inception-v4,
Inception-ResNet and the Impact of Residual Connections on Learning" (AAAI 2017; figures 10 to 15),
with the changes of D. Sandberg's facenet: residuals scaled down before they are added (section 3.3
of the paper; factors 0.17, 0.10, 0.20), unpadded pooling and strided convolutions, a sixth block C
whose sum is neither scaled nor rectified, and a bottleneck of 512 numbers with batch normalisation.

Modules are called as the PyTorch checkpoints of facenet-pytorch call them (``repeat_1.0.branch1``
and so on), so that a checkpoint's keys are this network's; its classifier (``logits``) is left
out. Every tensor that the forward pass makes comes from a plain operation (convolution, batch
normalisation, ReLU, maximum pooling, mean, addition, product with a constant, concatenation, dense
layer), and no branch of it depends on a value, so ``torch.fx`` can trace it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

DIMENSION = 512
INPUT_SIZE = 160
PARAMETERS = 23_482_624
OPERATIONS = 1_417_662_304  # multiply-adds of one chip, in convolutions and the dense layer

_EPSILON = 1e-3  # added to the variance, as in the TensorFlow original


@dataclass(frozen=True)
class _Layer:
    """A convolution; strided ones are not padded, others keep the size unless ``padded`` is off."""

    filters: int
    rows: int = 1
    columns: int = 1
    stride: int = 1
    padded: bool = True

    @property
    def padding(self) -> tuple[int, int]:
        """Rows and columns of zeros on each side."""
        if self.stride > 1 or not self.padded:
            return 0, 0
        return self.rows // 2, self.columns // 2


_Branch = tuple[_Layer, ...]

# Branches of each kind of block, each a list of layers.
_BLOCK_A: tuple[_Branch, ...] = (
    (_Layer(32),),
    (_Layer(32), _Layer(32, 3, 3)),
    (_Layer(32), _Layer(32, 3, 3), _Layer(32, 3, 3)),
)
_BLOCK_B: tuple[_Branch, ...] = (
    (_Layer(128),),
    (_Layer(128), _Layer(128, 1, 7), _Layer(128, 7, 1)),
)
_BLOCK_C: tuple[_Branch, ...] = (
    (_Layer(192),),
    (_Layer(192), _Layer(192, 1, 3), _Layer(192, 3, 1)),
)
_REDUCTION_A: tuple[_Branch, ...] = (
    (_Layer(384, 3, 3, stride=2),),
    (_Layer(192), _Layer(192, 3, 3), _Layer(256, 3, 3, stride=2)),
)
_REDUCTION_B: tuple[_Branch, ...] = (
    (_Layer(256), _Layer(384, 3, 3, stride=2)),
    (_Layer(256), _Layer(256, 3, 3, stride=2)),
    (_Layer(256), _Layer(256, 3, 3), _Layer(256, 3, 3, stride=2)),
)


class ConvolutionUnit(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, channels: int, layer: _Layer) -> None:
        super().__init__()
        kernel = (layer.rows, layer.columns)
        self.conv = nn.Conv2d(
            channels, layer.filters, kernel, layer.stride, layer.padding, bias=False
        )
        self.bn = nn.BatchNorm2d(layer.filters, eps=_EPSILON)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Maps float32 (n, channels, h, w) to (n, filters, h', w')."""
        return self.relu(self.bn(self.conv(x)))  # type: ignore[no-any-return]


class Branches(nn.Module):
    """Branches that all read the block's input; ``width`` channels together.

    They are called branch0, branch1 ..., and one of a single layer is that layer and no sequence:
    the checkpoints' keys have it so.
    """

    def __init__(self, channels: int, branches: tuple[_Branch, ...]) -> None:
        super().__init__()
        self.width = sum(branch[-1].filters for branch in branches)
        self._names = [f"branch{number}" for number in range(len(branches))]
        for name, layers in zip(self._names, branches, strict=True):
            widths = [channels, *(layer.filters for layer in layers)]
            units = [ConvolutionUnit(*each) for each in zip(widths, layers, strict=False)]
            self.add_module(name, units[0] if len(units) == 1 else nn.Sequential(*units))

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each branch makes of ``x``, float32 (n, its filters, h', w')."""
        return [self.get_submodule(name)(x) for name in self._names]


class ResidualBlock(Branches):
    """relu(x + scale * w(concatenated branches of x)): the paper's blocks A, B and C."""

    def __init__(
        self,
        channels: int,
        branches: tuple[_Branch, ...],
        scale: float,
        rectified: bool = True,
    ) -> None:
        super().__init__(channels, branches)
        self.scale = scale
        self.conv2d = nn.Conv2d(self.width, channels, 1)
        self.relu = nn.ReLU() if rectified else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps float32 (n, channels, h, w) to the same shape."""
        residual = self.conv2d(torch.cat(self.outputs(x), dim=1))
        return self.relu(x + residual * self.scale)  # type: ignore[no-any-return]


class ReductionBlock(Branches):
    """Branches and a 3 x 3 maximum of stride 2: half the size, more channels."""

    def __init__(self, channels: int, branches: tuple[_Branch, ...]) -> None:
        super().__init__(channels, branches)
        self.pool = nn.MaxPool2d(3, stride=2)
        self.width += channels

    def forward(self, x: Tensor) -> Tensor:
        """Maps float32 (n, channels, h, w) to (n, width, (h - 1) // 2, (w - 1) // 2)."""
        return torch.cat([*self.outputs(x), self.pool(x)], dim=1)


class InceptionResnetV1(nn.Module):
    """The network up to its embedding, which it does not normalise.

    Made with torch's random weights and in training mode, as any module; checkpoints are for
    ``eval()``, where batch normalisation uses the statistics of the training.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv2d_1a = ConvolutionUnit(3, _Layer(32, 3, 3, stride=2))
        self.conv2d_2a = ConvolutionUnit(32, _Layer(32, 3, 3, padded=False))
        self.conv2d_2b = ConvolutionUnit(32, _Layer(64, 3, 3))
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = ConvolutionUnit(64, _Layer(80))
        self.conv2d_4a = ConvolutionUnit(80, _Layer(192, 3, 3, padded=False))
        self.conv2d_4b = ConvolutionUnit(192, _Layer(256, 3, 3, stride=2))
        self.repeat_1 = nn.Sequential(*(ResidualBlock(256, _BLOCK_A, 0.17) for _ in range(5)))
        self.mixed_6a = ReductionBlock(256, _REDUCTION_A)
        self.repeat_2 = nn.Sequential(*(ResidualBlock(896, _BLOCK_B, 0.10) for _ in range(10)))
        self.mixed_7a = ReductionBlock(896, _REDUCTION_B)
        self.repeat_3 = nn.Sequential(*(ResidualBlock(1792, _BLOCK_C, 0.20) for _ in range(5)))
        self.block8 = ResidualBlock(1792, _BLOCK_C, 1.0, rectified=False)
        self.last_linear = nn.Linear(1792, DIMENSION, bias=False)
        self.last_bn = nn.BatchNorm1d(DIMENSION, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors float32 (n, 512), not normalised, of RGB chips float32 (n, 3, 160, 160).

        Pixels are standardised as for training: (value - 127.5) / 128, with value in [0, 255].
        """
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))  # 77 x 77
        x = self.conv2d_4a(self.conv2d_3b(self.maxpool_3a(x)))  # 36 x 36
        x = self.repeat_1(self.conv2d_4b(x))  # 17 x 17
        x = self.repeat_2(self.mixed_6a(x))  # 8 x 8
        x = self.block8(self.repeat_3(self.mixed_7a(x)))  # 3 x 3
        return self.last_bn(self.last_linear(x.mean(dim=(2, 3))))  # type: ignore[no-any-return]
