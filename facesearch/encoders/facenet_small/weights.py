"""Weights of ``facenet-small`` on disk: safetensors of 16-bit floats."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from facesearch.encoders.facenet_small.network import FACENET_SMALL, SIDE, facenet_small
from facesearch.encoders.network_ir import Weighted
from facesearch.encoders.torch_import import traced_network
from facesearch.errors import WeightsError
from indexer.storage.atomic_files import write_atomically

_MEAN, _DIVISOR = 127.5, 128.0
_COUNTERS = "num_batches_tracked"  # of batch normalisation; only training needs them


def export_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a network's state, as ``state_dict`` gives it, in 16 bits, whole or not at all."""
    half = {
        name: tensor.detach().to(torch.float16).contiguous()
        for name, tensor in weights.items()
        if not name.endswith(_COUNTERS)
    }
    for name, tensor in half.items():
        if not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{name} has values that 16-bit floats do not hold")
    write_atomically(path, save(half, metadata={"network": FACENET_SMALL}))


def read_weights(path: Path) -> Weighted:
    """The network with the weights of a file that :func:`export_weights` wrote.

    Raises :class:`WeightsError` for a file that is missing, damaged or of another network.
    """
    try:
        data = path.read_bytes()
        found = load(data)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read {path} as weights of {FACENET_SMALL}: {error}") from error
    network = facenet_small().eval()
    expected = {
        name: tensor.shape
        for name, tensor in network.state_dict().items()
        if not name.endswith(_COUNTERS)
    }
    if {name: tensor.shape for name, tensor in found.items()} != expected:
        raise WeightsError(f"{path} has the tensors of another network than {FACENET_SMALL}")
    network.load_state_dict({n: t.to(torch.float32) for n, t in found.items()}, strict=False)
    traced = traced_network(network, SIDE, _MEAN, _DIVISOR)
    return Weighted(traced, hashlib.sha256(data).hexdigest())
