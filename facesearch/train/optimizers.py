"""Optimizers by name, and how the rate goes over the steps of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from facesearch.errors import InputError

OPTIMIZERS = ("adagrad", "sgd", "adamw")
SCHEDULES = ("constant", "cosine", "linear")


@dataclass(frozen=True)
class Schedule:
    """The rate as a part of the highest: rises over ``warmup`` steps, then as ``kind`` says.

    "constant" stays; "cosine" and "linear" fall to ``last`` at the last step. With ``hold`` above
    0 the rate stays for that part of the steps before it falls (a trapezoid).
    """

    kind: str = "constant"
    warmup: int = 0
    hold: float = 0.0
    last: float = 0.0

    def factor(self, step: int, steps: int) -> float:
        """Of step ``step``, from 0, of ``steps``."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.kind == "constant":
            return 1.0
        start = max(self.warmup, int(self.hold * steps))
        if step < start:
            return 1.0
        gone = min(1.0, (step - start) / max(1, steps - start))
        left = 1 - gone if self.kind == "linear" else (1 + math.cos(math.pi * gone)) / 2
        return self.last + (1 - self.last) * left


def create_optimizer(
    kind: str,
    modules: Iterable[nn.Module],
    rate: float,
    weight_decay: float,
    momentum: float,
) -> torch.optim.Optimizer:
    """An optimizer of all parameters of ``modules``; biases and normalisation are not decayed."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    match kind:
        case "adagrad":
            return torch.optim.Adagrad(groups, lr=rate)
        case "sgd":
            return torch.optim.SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0)
        case "adamw":
            return torch.optim.AdamW(groups, lr=rate, foreach=True)
    raise InputError(f"expected one of the optimizers {', '.join(OPTIMIZERS)}, got {kind!r}")


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate
