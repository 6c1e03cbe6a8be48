"""Networks that are there to be trained, by name: FaceNet's own, and OpenFace's nn4.small2.

No weights of FaceNet's networks were ever published, so these are no encoders yet.
"""

from __future__ import annotations

from dataclasses import dataclass

from facesearch.encoders.paper_networks.inception import (
    NN2,
    NN4,
    NNS1,
    NNS2,
    InceptionTable,
    inception_network,
)
from facesearch.encoders.paper_networks.layers import FaceNetwork, Size, UnitVectors
from facesearch.encoders.paper_networks.openface import NN4_SMALL2
from facesearch.encoders.paper_networks.zeiler_fergus import zeiler_fergus_network
from facesearch.errors import InputError

__all__ = ["PAPER_NETWORKS", "PaperNetwork", "UnitVectors", "paper_network"]


@dataclass(frozen=True)
class PaperNetwork:
    """A network and what its authors say of it.

    ``size`` of the chips in pixels; ``table`` of blocks, None for NN1; ``batch_norm``: whether the
    authors normalise after convolutions. ``published_parameters`` and ``published_operations``
    (multiply-adds, which the paper calls FLOPS) as the authors round them, None where they give
    none; ``reconstructed`` where they give no layers, so that these are ours. The parameters of
    nn3 are nn2's ("identical in architecture"), those of nn4 the smaller end of "around 6.6M-7.5M".
    """

    name: str
    size: Size
    table: InceptionTable | None
    published_parameters: int | None
    published_operations: int | None
    batch_norm: bool = False
    reconstructed: bool = False


PAPER_NETWORKS = {
    spec.name: spec
    for spec in (
        PaperNetwork("nn1", Size(220, 220), None, 140_000_000, 1_600_000_000),
        PaperNetwork("nn2", Size(224, 224), NN2, 7_500_000, 1_600_000_000),
        PaperNetwork("nn3", Size(160, 160), NN2, 7_500_000, None),
        PaperNetwork("nn4", Size(96, 96), NN4, 6_600_000, 285_000_000),
        PaperNetwork("nns1", Size(165, 165), NNS1, 26_000_000, 220_000_000, reconstructed=True),
        PaperNetwork("nns2", Size(140, 116), NNS2, 4_300_000, 20_000_000, reconstructed=True),
        PaperNetwork(
            "openface-nn4-small2", Size(96, 96), NN4_SMALL2, 3_733_968, None, batch_norm=True
        ),
    )
}


def paper_network(name: str, batch_norm: bool | None = None) -> FaceNetwork:
    """A new network of the name given, weights drawn from torch's random numbers.

    ``batch_norm``: normalise after every convolution; None does as the authors do (FaceNet's
    parameter counts leave no room for it, OpenFace has it everywhere). The vectors are
    not normalised; wrap the network in :class:`UnitVectors` for a loss. Under
    ``torch.device("meta")`` no memory is taken. Raises :class:`InputError` for an unknown name.
    """
    if name not in PAPER_NETWORKS:
        raise InputError(f"expected one of the networks {', '.join(PAPER_NETWORKS)}, got {name!r}")
    spec = PAPER_NETWORKS[name]
    normalise = spec.batch_norm if batch_norm is None else batch_norm
    if spec.table is None:
        return zeiler_fergus_network(name, spec.size, normalise)
    return inception_network(name, spec.table, spec.size, normalise)
