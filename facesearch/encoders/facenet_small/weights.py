"""Weights of ``facenet-small`` to disk: safetensors of 16-bit floats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from facesearch.encoders.facenet_small.architecture import FACENET_SMALL
from facesearch.errors import WeightsError
from indexer.storage.atomic_files import write_atomically

_COUNTERS = "num_batches_tracked"  # of batch normalisation; only training needs them


def export_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a network's state, as ``state_dict`` gives it, in 16 bits, whole or not at all.

    :func:`facesearch.encoders.facenet_small.stored_network.read_weights` reads it.
    """
    half = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in weights.items()
        if not name.endswith(_COUNTERS)
    }
    for name, tensor in half.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{name} has values that 16-bit floats do not hold")
    write_atomically(path, save(half, metadata={"network": FACENET_SMALL}))
