"""Networks that can be trained, by name."""

from __future__ import annotations

import torch
from torch import nn

from facesearch.encoders.facenet_small.architecture import FACENET_SMALL
from facesearch.encoders.facenet_small.network import facenet_small
from facesearch.encoders.paper_networks.layers import FaceNetwork
from facesearch.encoders.paper_networks.networks import PAPER_NETWORKS, paper_network
from facesearch.errors import InputError

TRAINABLE = (FACENET_SMALL, *PAPER_NETWORKS)


def trainable_network(name: str, side: int | None = None) -> FaceNetwork:
    """A new network by name: ``facenet-small`` or one of the paper's.

    ``side``: pixels of the chips that ``facenet-small`` is trained on, None for all it can use.
    Raises :class:`InputError` for another name, or a side that the network cannot take.
    """
    if name == FACENET_SMALL:
        return facenet_small() if side is None else facenet_small(side=side)
    if side is not None:
        raise InputError(f"network.side is for {FACENET_SMALL} only, not for {name!r}")
    if name in PAPER_NETWORKS:
        return paper_network(name)
    raise InputError(f"expected one of the networks {', '.join(TRAINABLE)}, got {name!r}")


def training_device(name: str) -> torch.device:
    """The device called "cpu", "cuda" or "auto"; :class:`InputError` where it is not here."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError('expected a GPU for run.device = "cuda", found none; take "cpu"')
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def last_layer(network: nn.Module) -> nn.Conv2d | nn.Linear:
    """The layer that makes the vectors."""
    layers = [each for each in network.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    return layers[-1]


def reset(layer: nn.Conv2d | nn.Linear) -> None:
    """Draw a layer's weights again, in a spread that keeps the size of what goes through."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def train_only_last_layer(network: nn.Module, alone: bool) -> None:
    """Whether the last layer is trained alone, the others as they are when a network is used."""
    network.train(not alone)
    layer = last_layer(network)
    for parameter in network.parameters():
        parameter.requires_grad_(not alone or any(parameter is each for each in layer.parameters()))
