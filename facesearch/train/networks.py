"""Networks that can be trained, by name."""

from __future__ import annotations

from facesearch.encoders.facenet_small.network import FACENET_SMALL, facenet_small
from facesearch.encoders.paper_networks.layers import FaceNetwork
from facesearch.encoders.paper_networks.networks import PAPER_NETWORKS, paper_network
from facesearch.errors import InputError

TRAINABLE = (FACENET_SMALL, *PAPER_NETWORKS)


def trainable_network(name: str) -> FaceNetwork:
    """A new network by name: ``facenet-small`` or one of the paper's.

    Raises :class:`InputError` for another name.
    """
    if name == FACENET_SMALL:
        return facenet_small()
    if name in PAPER_NETWORKS:
        return paper_network(name)
    raise InputError(f"expected one of the networks {', '.join(TRAINABLE)}, got {name!r}")
