"""FaceNet's published checkpoints as networks: read, standardised as in training, folded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from facesearch.encoders.catalogue.spec import EncoderSpec
from facesearch.encoders.facenet.checkpoint import load_checkpoint
from facesearch.encoders.facenet.inception_resnet import INPUT_SIZE
from facesearch.encoders.network_ir import Weighted
from facesearch.encoders.torch_import import traced_network
from facesearch.errors import WeightsError

if TYPE_CHECKING:
    from facesearch.encoders.catalogue.spec import EncoderSpec

# A pixel's value reached the network in training as (value - MEAN) / DIVISOR.
MEAN, DIVISOR = 127.5, 128.0


def read_facenet(spec: EncoderSpec, weights: Path | None) -> Weighted:
    """The network of the fetched checkpoint of ``spec``, or of the file ``weights``.

    Raises :class:`facesearch.errors.WeightsError` where there is none, or another than expected.
    """
    if weights is None:
        try:
            weights = spec.weights.locate()
        except WeightsError as error:
            raise WeightsError(f"{error}; run: facesearch encoders fetch {spec.name}") from error
    checkpoint = load_checkpoint(weights)
    network = traced_network(checkpoint.module, INPUT_SIZE, MEAN, DIVISOR)
    return Weighted(network, checkpoint.sha256)
