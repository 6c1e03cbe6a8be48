"""Torch modules turned into networks: equal outputs, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.facenet.inception_resnet import INPUT_SIZE, InceptionResnetV1
from facesearch.encoders.network_ir import Convolution, Relu
from facesearch.encoders.torch_import import traced_network
from facesearch.errors import InputError


def with_statistics(module: nn.Module, seed: int) -> nn.Module:
    """``module`` with random batch normalisation, as after a training."""
    torch.manual_seed(seed)
    for each in module.modules():
        if isinstance(each, nn.BatchNorm2d | nn.BatchNorm1d):
            assert each.running_mean is not None and each.running_var is not None
            each.running_mean.normal_(0, 0.2)
            each.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(each.weight, 0.5, 1.5)
            nn.init.normal_(each.bias, 0, 0.2)
    return module.eval()


def pixels_of(side: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(side).integers(0, 256, (count, side, side, 3), np.uint8)


def by_module(module: nn.Module, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        x = (torch.tensor(pixels).permute(0, 3, 1, 2).float() - 127.5) / 128
        return module(x).numpy()


def traced(module: nn.Module, side: int) -> TorchBackend:
    return TorchBackend(traced_network(module, side, 127.5, 128))


class Small(nn.Module):
    """What networks are made of, in the spellings that torch allows."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 6, (1, 3), padding=(0, 1), bias=False)
        self.pool, self.mean = nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1)
        self.drop, self.out, self.last = nn.Dropout(0.5), nn.Linear(12, 5), nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        shared = self.norm(self.first(x))  # read twice, so its ReLU may not be folded into it
        x = torch.relu(shared) + self.second(torch.relu(shared)) * 0.3
        x = torch.cat([self.pool(x), self.pool(shared)], 1)
        return self.last(self.out(self.drop(torch.flatten(self.mean(x), 1))))


@pytest.mark.parametrize("seed", range(3))
def test_small_modules_compute_the_same(seed: int) -> None:
    module = with_statistics(Small(), seed)
    pixels = pixels_of(20)
    expected = by_module(module, pixels)
    np.testing.assert_allclose(traced(module, 20)(pixels), expected, atol=1e-5)


def test_inception_resnet_computes_the_same_with_everything_folded() -> None:
    module = with_statistics(InceptionResnetV1(), 0)
    pixels = pixels_of(INPUT_SIZE, 2)
    network = traced_network(module, INPUT_SIZE, 127.5, 128)
    expected = by_module(module, pixels)
    found = TorchBackend(network)(pixels)
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    operations = [node.operation for node in network.nodes]
    assert not any(isinstance(each, Relu) for each in operations)
    convolutions = sum(isinstance(each, nn.Conv2d) for each in module.modules())
    assert sum(isinstance(each, Convolution) for each in operations) == convolutions


class Early(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.first, self.layer = nn.Conv2d(3, 4, 3), layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.relu(self.first(x)))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Sigmoid(),
        nn.BatchNorm2d(4),  # after a ReLU: nothing to fold it into
        nn.Conv2d(4, 4, 3, groups=2),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.AvgPool2d(2, count_include_pad=False),
    ],
)
def test_what_no_back_end_has_is_refused(layer: nn.Module) -> None:
    with pytest.raises(InputError, match="no back end has the"):
        traced_network(Early(layer), 12, 127.5, 128)


def test_a_padded_first_convolution_is_refused() -> None:
    with pytest.raises(ValueError, match="without padding"):
        traced_network(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), 12, 127.5, 128)
