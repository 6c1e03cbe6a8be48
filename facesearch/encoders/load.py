"""An encoder ready to run: its weights read and checked, its network placed on a back end."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from facesearch.encoders.backends import Placement, load_backend, parted_precision
from facesearch.encoders.catalogue.spec import EncoderSpec, Ensemble
from facesearch.encoders.dlib.resnet import read_dlib_resnet
from facesearch.encoders.ensemble import EnsembleEncoder
from facesearch.encoders.facenet_small.stored_network import read_weights
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.encoders.network_ir import Network, Weighted
from facesearch.encoders.quantization import PACKAGED
from facesearch.encoders.types import Encoder
from facesearch.errors import InputError, WeightsError
from facesearch.model_files.download import cache_folder
from facesearch.model_files.packaged import PackagedFile


def read_network(spec: EncoderSpec, weights: Path | None = None) -> Weighted:
    """The network of ``spec`` with its own weights, or those of the file ``weights``.

    Raises :class:`facesearch.errors.WeightsError` when the file is missing, damaged, of another
    network, or not the pinned one, InputError for a graph in a file, which is no such network, and
    for an ensemble, which is two.
    """
    if spec.ensemble is not None:
        raise InputError(
            f"{spec.name} joins two encoders; take one of them: {spec.ensemble.first.name} or "
            f"{spec.ensemble.second.name}"
        )
    if spec.pixels is not None:
        raise InputError(
            f"{spec.name} is a graph in a file, which runs as it is and cannot be changed; take "
            "another encoder"
        )
    if spec.alignment == "dlib":
        return _read_dlib(spec, weights)
    if spec.alignment == "five points":
        return read_weights(weights or spec.weights.locate())
    from facesearch.encoders.facenet.loader import read_facenet  # noqa: PLC0415 - torch takes seconds

    return read_facenet(spec, weights)


def place_network(spec: EncoderSpec, weighted: Weighted, placement: Placement) -> NetworkEncoder:
    """The encoder of a network that was read, on the back end of ``placement``."""
    loaded = load_backend(weighted.network, placement, ranges_file(weighted.network))
    return NetworkEncoder(spec.name, weighted.sha256, weighted.network, loaded)


def ranges_file(network: Network) -> Path:
    """Where the int8 ranges of a network with these very weights are, if they were measured."""
    packaged = PACKAGED / f"{network.digest[:12]}.ranges.json"
    return packaged if packaged.exists() else cache_folder() / packaged.name


def _read_dlib(spec: EncoderSpec, weights: Path | None) -> Weighted:
    packaged = spec.weights
    if weights is None and isinstance(packaged, PackagedFile):
        return Weighted(read_dlib_resnet(packaged.read(), packaged.path), packaged.sha256)
    weights = weights or packaged.locate()
    try:
        data = weights.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {weights}: {error}") from error
    return Weighted(read_dlib_resnet(data, str(weights)), hashlib.sha256(data).hexdigest())


def load(spec: EncoderSpec, weights: Path | None, placement: Placement) -> Encoder:
    """Read and place the encoder of ``spec``; see :func:`facesearch.encoders.load_encoder`."""
    if spec.ensemble is not None:
        return _load_ensemble(spec.name, spec.ensemble, weights, placement)
    if spec.pixels is not None:
        from facesearch.encoders.graph.load import load_graph  # noqa: PLC0415 - loads OpenVINO

        return load_graph(spec, weights, placement)
    return place_network(spec, read_network(spec, weights), placement)


def _load_ensemble(
    name: str, ensemble: Ensemble, weights: Path | None, placement: Placement
) -> EnsembleEncoder:
    """Both encoders, one precision for both or each with its own."""
    if weights is not None:
        raise InputError(
            f"{name} joins two encoders, each with its own weights; expected no other weights, "
            f"got {weights}"
        )
    precisions = parted_precision(placement.precision)
    first, second = (
        load(each, None, replace(placement, precision=precision))
        for each, precision in zip((ensemble.first, ensemble.second), precisions, strict=True)
    )
    return EnsembleEncoder(name, first, second, float(ensemble.share))
