"""Parameters and multiply-adds, against formulas done by hand and a slow count of every product."""

from __future__ import annotations

import itertools
from collections import OrderedDict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from facesearch.encoders.paper_networks.networks import PAPER_NETWORKS, paper_network
from facesearch.encoders.paper_networks.operations import (
    Cost,
    layer_costs,
    module_cost,
    parameter_count,
)


@pytest.mark.parametrize(
    ("module", "shape", "parameters", "operations"),
    [
        (nn.Conv2d(3, 64, 7, 2, 3), (3, 220, 220), 64 * 147 + 64, 64 * 147 * 110 * 110),
        (nn.Conv2d(3, 8, 3, bias=False), (3, 5, 7), 8 * 27, 8 * 27 * 3 * 5),
        (nn.Conv2d(8, 8, 3, groups=4), (8, 6, 6), 8 * 18 + 8, 8 * 18 * 4 * 4),
        (nn.Conv2d(2, 3, (1, 7), (1, 2)), (2, 4, 9), 3 * 14 + 3, 3 * 14 * 4 * 2),
        (nn.Linear(10, 4), (10,), 44, 40),
        (nn.Linear(10, 4, bias=False), (3, 10), 40, 120),
        (nn.BatchNorm2d(6).eval(), (6, 4, 4), 12, 0),
        (nn.MaxPool2d(3), (6, 9, 9), 0, 0),
    ],
)
def test_single_layers(
    module: nn.Module, shape: tuple[int, ...], parameters: int, operations: int
) -> None:
    assert module_cost(module, shape) == Cost(parameters, operations)


def products(image: tuple[int, int], kernel: int, stride: int, padding: int) -> int:
    """Places at which one filter of one channel meets the padded image, times its weights."""
    rows, columns = (side + 2 * padding - kernel + 1 for side in image)
    places = itertools.product(range(0, rows, stride), range(0, columns, stride))
    return sum(1 for _ in itertools.product(places, range(kernel), range(kernel)))


@settings(max_examples=60, deadline=None)
@given(
    image=st.tuples(st.integers(5, 12), st.integers(5, 12)),
    channels=st.integers(1, 4),
    filters=st.integers(1, 5),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)
def test_convolutions_are_counted_as_one_by_one(
    *, image: tuple[int, int], channels: int, filters: int, kernel: int, stride: int, padding: int
) -> None:
    module = nn.Conv2d(channels, filters, kernel, stride, padding)
    expected = channels * filters * products(image, kernel, stride, padding)
    assert module_cost(module, (channels, *image)).operations == expected


def test_layers_of_a_sequence_add_up_to_it() -> None:
    for name in PAPER_NETWORKS:
        with torch.device("meta"):
            network = paper_network(name).eval()
        costs = layer_costs(network.layers, network.input_shape)
        total = module_cost(network, network.input_shape)
        assert sum(layer.cost.parameters for layer in costs) == total.parameters
        assert sum(layer.cost.operations for layer in costs) == total.operations
        assert costs[-1].output_shape == (128,)


def test_functions_count_as_their_modules_do() -> None:
    class Products(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.einsum("ni,ij->nj", x, torch.ones(6, 5, device=x.device)) @ torch.ones(
                5, 2, device=x.device
            )

    assert module_cost(Products(), (6,)) == Cost(0, 6 * 5 + 5 * 2)


def test_a_shared_parameter_counts_once_and_its_work_twice() -> None:
    layer = nn.Linear(4, 4, bias=False)
    assert module_cost(nn.Sequential(layer, layer), (4,)) == Cost(16, 32)
    assert parameter_count(nn.Sequential(layer, layer)) == 16


def test_the_module_is_left_as_it_was() -> None:
    layers = OrderedDict(convolution=nn.Conv2d(3, 4, 3), normalisation=nn.BatchNorm2d(4))
    module = nn.Sequential(layers).train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module_cost(module, (3, 8, 8))
    assert module.training
    after = module.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in module.parameters())
