"""Everything that a run needs to go on, in one safetensors file that is replaced whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from facesearch.errors import WeightsError
from indexer.storage.atomic_files import write_atomically

FORMAT = "facesearch training checkpoint 1"


@dataclass(frozen=True)
class TrainingCheckpoint:
    """Tensors by name, and what is known of them as JSON values.

    Names begin with what they belong to: ``network.``, ``average.`` (of the weights), ``loss.``
    and ``optimizer.``; ``facts`` has the step and the settings of the run.
    """

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix`` and a dot, without it."""
        start = prefix + "."
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


def save_checkpoint(path: Path, checkpoint: TrainingCheckpoint) -> None:
    """Write ``checkpoint`` beside ``path``, then rename it into place."""
    tensors = {name: each.detach().contiguous() for name, each in checkpoint.tensors.items()}
    facts = {"format": FORMAT, "facts": json.dumps(checkpoint.facts, sort_keys=True)}
    write_atomically(path, save(tensors, metadata=facts))


def load_checkpoint(path: Path) -> TrainingCheckpoint:
    """Read a checkpoint; raises :class:`WeightsError` for a missing, other or damaged file."""
    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
            if facts.get("format") != FORMAT:
                raise WeightsError(f"{path} is not a training checkpoint ({FORMAT})")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return TrainingCheckpoint(tensors, json.loads(facts["facts"]))
    except (OSError, SafetensorError, KeyError, json.JSONDecodeError) as error:
        raise WeightsError(f"cannot read {path} as a training checkpoint: {error}") from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an optimizer by "number of the parameter.name of the value"."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{name}": value if isinstance(value, Tensor) else torch.tensor(value)
        for number, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state that :func:`optimizer_tensors` took."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**whole, "state": state})
