"""A moving average of a network's weights: as good as a lowered rate, at any time of a run."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Exponential moving average of parameters and of running statistics.

    ``decay`` is what is kept at each step; at the first steps less, so that the random start is
    soon forgotten: min(decay, (1 + step) / (10 + step)), as TensorFlow's
    ``ExponentialMovingAverage`` has it.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        for parameter in self.network.parameters():
            parameter.requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after ``step`` steps."""
        kept = min(self._decay, (1 + step) / (10 + step))
        ours = self.network.state_dict()
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                ours[name].lerp_(value, 1 - kept)
            else:
                ours[name].copy_(value)
