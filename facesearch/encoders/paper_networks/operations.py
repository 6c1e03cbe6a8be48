"""How many parameters a torch module has, and how many multiply-adds one pass through it takes.

What is counted is the work of convolutions and matrix products, as the field counts it: one
multiply-add for each weight at each place where it is used. Biases, normalisation, activations
and pooling are left out. (The papers call these multiply-adds "FLOPS"; floating-point operations
are twice as many.) Nothing is computed: the module runs on torch's meta device, where tensors have
shapes and no values, so the largest network costs no memory and no time to speak of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """``parameters`` that training changes; ``operations``: multiply-adds of one pass."""

    parameters: int
    operations: int


@dataclass(frozen=True)
class LayerCost:
    """One layer of a sequence: its name, the shape of its output without the batch, its cost."""

    name: str
    output_shape: tuple[int, ...]
    cost: Cost


def module_cost(module: nn.Module, input_shape: Sequence[int]) -> Cost:
    """Cost of ``module`` for one input of ``input_shape``, (channels, rows, columns) of an image.

    ``module`` may be on any device, the meta device included, and is left as it is; it takes and
    returns one tensor. In training mode, batch normalisation of single values fails as it does
    in training, so networks that have it are counted in ``eval()``.
    """
    _, cost = _run(module, torch.empty(1, *input_shape, device="meta"))
    return cost


def layer_costs(layers: nn.Sequential, input_shape: Sequence[int]) -> list[LayerCost]:
    """Cost of each layer of a sequence that is given one input of ``input_shape``."""
    images = torch.empty(1, *input_shape, device="meta")
    costs = []
    for name, layer in layers.named_children():
        images, cost = _run(layer, images)
        costs.append(LayerCost(name, tuple(images.shape[1:]), cost))
    return costs


def parameter_count(module: nn.Module) -> int:
    """How many numbers training changes; one that two layers share counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def _run(module: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, Cost]:
    shapes = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in chain(module.named_parameters(), module.named_buffers())
    }
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        output = functional_call(module, shapes, (images,))
    # The counter counts a multiplication and an addition as two.
    return output, Cost(parameter_count(module), counter.get_total_flops() // 2)
