"""The three networks of MTCNN in torch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from facesearch.detect.mtcnn_weights import O_NET, P_NET, R_NET, Floats, Layer


def _prelu(x: torch.Tensor, slopes: Floats) -> torch.Tensor:
    return F.prelu(x, torch.from_numpy(slopes))


def _convolve(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    kernel = torch.from_numpy(layer.kernel.transpose(3, 2, 0, 1).copy())
    return _prelu(F.conv2d(x, kernel, torch.from_numpy(layer.bias)), layer.slopes)


def _linear(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    kernel = layer.kernel.reshape(-1, layer.kernel.shape[-1])
    return x @ torch.from_numpy(kernel) + torch.from_numpy(layer.bias)


def _input(pixels: NDArray[np.uint8]) -> torch.Tensor:
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return (x - 127.5) / 128.0


class Networks:
    """P-Net, R-Net and O-Net; every method takes RGB uint8."""

    def __init__(self) -> None:
        self._p = P_NET.load()
        self._r = R_NET.load()
        self._o = O_NET.load()

    @torch.inference_mode()
    def propose(self, level: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Scores (h', w') and box offsets (h', w', 4) of the 12-pixel windows at stride 2."""
        conv1, conv2, conv3, offsets, classes = self._p
        x = _convolve(_input(level[None]), conv1)
        x = F.max_pool2d(x, 2, 2, ceil_mode=True)
        x = _convolve(_convolve(x, conv2), conv3)
        x = x.permute(0, 2, 3, 1)[0]
        scores = torch.softmax(_linear(x, classes), -1)[..., 1]
        return scores.numpy(), _linear(x, offsets).numpy()

    @torch.inference_mode()
    def refine(self, crops: NDArray[np.uint8]) -> tuple[Floats, Floats]:
        """Scores (n,) and box offsets (n, 4) of crops (n, 24, 24, 3)."""
        conv1, conv2, conv3, dense, offsets, classes = self._r
        x = F.max_pool2d(_convolve(_input(crops), conv1), 3, 2, ceil_mode=True)
        x = F.max_pool2d(_convolve(x, conv2), 3, 2)
        x = _convolve(x, conv3).permute(0, 3, 2, 1).flatten(1)
        x = _prelu(_linear(x, dense), dense.slopes)
        scores = torch.softmax(_linear(x, classes), -1)[..., 1]
        return scores.numpy(), _linear(x, offsets).numpy()

    @torch.inference_mode()
    def output(self, crops: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
        """Scores (n,), box offsets (n, 4), landmarks (n, 2, 5) of crops (n, 48, 48, 3)."""
        conv1, conv2, conv3, conv4, dense, offsets, points, classes = self._o
        x = F.max_pool2d(_convolve(_input(crops), conv1), 3, 2, ceil_mode=True)
        x = F.max_pool2d(_convolve(x, conv2), 3, 2)
        x = F.max_pool2d(_convolve(x, conv3), 2, 2)
        x = _convolve(x, conv4).permute(0, 3, 2, 1).flatten(1)
        x = _prelu(_linear(x, dense), dense.slopes)
        scores = torch.softmax(_linear(x, classes), -1)[..., 1]
        landmarks = _linear(x, points).reshape(-1, 2, 5)
        return scores.numpy(), _linear(x, offsets).numpy(), landmarks.numpy()
