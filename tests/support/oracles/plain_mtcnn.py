"""MTCNN's networks written plainly in torch, layer by layer: the oracle of the compiled kernels.

The architecture is that of Zhang et al. 2016, figure 2; weights and their layout are those that
:mod:`facesearch.detect.mtcnn_weights` describes.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from facesearch.detect.mtcnn_weights import O_NET, P_NET, R_NET, Floats, Layer


def propose(level: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Scores (h', w') and box offsets (h', w', 4) of the 12-pixel windows at stride 2."""
    conv1, conv2, conv3, offsets, classes = P_NET.load()
    x = functional.max_pool2d(_convolve(_inputs(level[None]), conv1), 2, 2, ceil_mode=True)
    x = _convolve(_convolve(x, conv2), conv3).permute(0, 2, 3, 1)[0]
    return _scores(x, classes), _linear(x, offsets).numpy()


def refine(crops: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Scores (n,) and box offsets (n, 4) of crops (n, 24, 24, 3)."""
    conv1, conv2, conv3, dense, offsets, classes = R_NET.load()
    x = functional.max_pool2d(_convolve(_inputs(crops), conv1), 3, 2, ceil_mode=True)
    x = functional.max_pool2d(_convolve(x, conv2), 3, 2, ceil_mode=True)
    x = _dense(_convolve(x, conv3), dense)
    return _scores(x, classes), _linear(x, offsets).numpy()


def output(crops: NDArray[np.uint8]) -> tuple[Floats, Floats, Floats]:
    """Scores (n,), box offsets (n, 4), landmarks (n, 10) of crops (n, 48, 48, 3)."""
    conv1, conv2, conv3, conv4, dense, offsets, points, classes = O_NET.load()
    x = functional.max_pool2d(_convolve(_inputs(crops), conv1), 3, 2, ceil_mode=True)
    x = functional.max_pool2d(_convolve(x, conv2), 3, 2, ceil_mode=True)
    x = functional.max_pool2d(_convolve(x, conv3), 2, 2)
    x = _dense(_convolve(x, conv4), dense)
    return _scores(x, classes), _linear(x, offsets).numpy(), _linear(x, points).numpy()


def _inputs(pixels: NDArray[np.uint8]) -> torch.Tensor:
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - 127.5) / 128.0


def _prelu(x: torch.Tensor, slopes: Floats) -> torch.Tensor:
    return functional.prelu(x, torch.from_numpy(slopes))


def _convolve(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    kernel = torch.from_numpy(layer.kernel.transpose(3, 2, 0, 1).copy())
    return _prelu(functional.conv2d(x, kernel, torch.from_numpy(layer.bias)), layer.slopes)


def _linear(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    kernel = layer.kernel.reshape(-1, layer.kernel.shape[-1])
    return x @ torch.from_numpy(kernel) + torch.from_numpy(layer.bias)


def _dense(x: torch.Tensor, layer: Layer) -> torch.Tensor:
    flat = x.permute(0, 3, 2, 1).flatten(1)  # column, row, channel
    return _prelu(_linear(flat, layer), layer.slopes)


def _scores(x: torch.Tensor, classes: Layer) -> Floats:
    scores: Floats = torch.softmax(_linear(x, classes), -1)[..., 1].numpy()
    return scores
