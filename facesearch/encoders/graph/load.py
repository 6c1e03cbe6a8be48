"""An encoder of a graph, ready to run: files checked, read, and placed on the CPU."""

from __future__ import annotations

from pathlib import Path

from facesearch.encoders.backends import Loaded, Placement, check_placement, multiplies_bytes
from facesearch.encoders.catalogue.spec import EncoderSpec, ModelFile
from facesearch.encoders.graph.backend import GraphBackend
from facesearch.encoders.graph.model_file import (
    companion_of,
    graph_digest,
    graph_facts,
    read_graph,
)
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.errors import InputError, WeightsError
from facesearch.model_files.download import DownloadedFile

_BATCH = 32  # chips; larger batches are no faster


def load_graph(spec: EncoderSpec, weights: Path | None, placement: Placement) -> NetworkEncoder:
    """The encoder of ``spec``, or of the file ``weights`` in place of its own.

    Raises InputError for a device or precision that cannot be had, WeightsError for files that are
    missing, damaged, or give other vectors than ``spec`` says.
    """
    precision = _precision(spec, weights, placement)
    path, companion = _files(spec, weights)
    digest = graph_digest(path, companion)
    numerics = precision
    if precision == "int8":
        path, *rest = (_located(spec, file) for file in spec.int8)
        companion = rest[0] if rest else None
        numerics = f"int8-{graph_digest(path, companion)[:12]}"
    model = read_graph(path, companion)
    facts = graph_facts(model, path, None if precision == "int8" else spec.output)
    if (facts.side, facts.dimension) != (spec.input_size, spec.dimension) or spec.pixels is None:
        raise WeightsError(
            f"expected a graph of chips of {spec.input_size} pixels and vectors of "
            f"{spec.dimension} numbers in {path}, found {facts.side} and {facts.dimension}"
        )
    backend = GraphBackend(
        model, facts, spec.pixels, precision, placement.threads, placement.callers
    )
    return NetworkEncoder(spec.name, digest, facts, Loaded(backend, numerics, _BATCH))


def _files(spec: EncoderSpec, weights: Path | None) -> tuple[Path, Path | None]:
    if weights is not None:
        if not weights.is_file():
            raise WeightsError(f"cannot read {weights}: no such file")
        return weights, companion_of(weights)
    companion = _located(spec, spec.companion) if spec.companion else None
    return _located(spec, spec.weights), companion


def _located(spec: EncoderSpec, file: ModelFile) -> Path:
    """Where a file of ``spec`` is; WeightsError with what to do where it was not fetched."""
    try:
        return file.locate()
    except WeightsError as error:
        if isinstance(file, DownloadedFile) and not file.present:
            raise WeightsError(f"{error}; run: facesearch encoders fetch {spec.name}") from error
        raise


def _precision(spec: EncoderSpec, weights: Path | None, placement: Placement) -> str:
    """The precision to run in; raises InputError for what cannot be had."""
    check_placement(placement)
    if placement.device not in ("auto", "cpu"):
        raise InputError(
            f"expected the device cpu for {spec.name}, got {placement.device!r}: graphs of files "
            "run on the CPU, by OpenVINO"
        )
    quantised = bool(spec.int8) and weights is None
    if placement.precision == "auto":
        return "int8" if quantised and multiplies_bytes() else "fp32"
    if placement.precision == "fp16":
        raise InputError("expected fp32, bf16 or int8 on the CPU, got fp16; it is for GPUs")
    if placement.precision == "int8" and not quantised:
        raise InputError(f"{spec.name} has no int8 files; use --precision fp32 or bf16")
    if placement.precision == "int8" and not multiplies_bytes():
        raise InputError(
            "int8 needs a processor with VNNI; use --precision fp32, and for a gallery that was "
            "made in int8 make a new one"
        )
    return placement.precision
