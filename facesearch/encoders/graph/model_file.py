"""Graphs in files, ONNX or OpenVINO's IR: read, and what they say of themselves."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino

from facesearch.errors import InputError, WeightsError
from indexer.storage.atomic_files import sha256_of

GRAPH_SUFFIXES = (".onnx", ".xml")
_LARGEST_SIDE, _LARGEST_DIMENSION = 1024, 16384


@dataclass(frozen=True)
class EncoderGraphFacts:
    """What a graph says of itself: sides of its input in pixels, components of its vectors.

    ``channels_last`` where it takes (n, side, side, 3); ``parameters`` counts its constants and
    ``operations`` the multiply-adds of one face; ``output`` is the vector's name or index.
    """

    side: int
    dimension: int
    channels_last: bool
    parameters: int
    operations: int
    output: str


def companion_of(path: Path) -> Path | None:
    """The file that holds the weights of an OpenVINO ``.xml``, beside it; None for ONNX."""
    return path.with_suffix(".bin") if path.suffix.lower() == ".xml" else None


def graph_digest(path: Path, companion: Path | None) -> str:
    """The SHA-256 that names a graph: the file's, or that of both digests of an IR."""
    digest = sha256_of(path)
    if companion is None:
        return digest
    return hashlib.sha256(f"{digest}\n{sha256_of(companion)}\n".encode()).hexdigest()


def read_graph(path: Path, companion: Path | None = None) -> Any:
    """The graph of a file as an ``openvino.Model``; WeightsError where it cannot be read."""
    if path.suffix.lower() not in GRAPH_SUFFIXES:
        raise WeightsError(f"expected an ONNX file or an OpenVINO .xml, got {path}")
    for needed in filter(None, (path, companion)):
        if not needed.is_file():
            raise WeightsError(f"cannot read {needed}: no such file")
    try:
        if companion is None:
            return openvino.Core().read_model(str(path))
        return openvino.Core().read_model(str(path), str(companion))
    except Exception as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "unknown"
        raise WeightsError(f"OpenVINO cannot read {path}: {reason}") from error


def graph_facts(model: Any, path: Path, output: str | None = None) -> EncoderGraphFacts:
    """What can be said of the graph in ``path``; raises WeightsError where it is no encoder.

    ``output`` names the output that is the vector, where there are several.
    """
    if len(model.inputs) != 1:
        raise WeightsError(f"expected one input in {path}, found {len(model.inputs)}")
    side, channels_last = _input(model.inputs[0], path)
    port = output_port(model, path, output)
    shape = port.get_partial_shape()
    sizes = (
        [shape[axis] for axis in range(1, shape.rank.get_length())] if shape.rank.is_static else []
    )
    if not sizes or any(size.is_dynamic for size in sizes):
        raise WeightsError(f"expected a vector of known length from {path}, found {shape}")
    dimension = math.prod(size.get_length() for size in sizes)
    if not 2 <= dimension <= _LARGEST_DIMENSION:
        raise WeightsError(
            f"expected a vector of 2 to {_LARGEST_DIMENSION} numbers from {path}, found {dimension}"
        )
    parameters, operations = _costs(model)
    name = next(iter(sorted(port.get_names())), "")
    return EncoderGraphFacts(side, dimension, channels_last, parameters, operations, name)


def _input(port: Any, path: Path) -> tuple[int, bool]:
    shape = port.get_partial_shape()
    if shape.rank.is_static and shape.rank.get_length() == 4:
        sizes = [0 if shape[axis].is_dynamic else shape[axis].get_length() for axis in range(4)]
        for channels, rows, columns in ((1, 2, 3), (3, 1, 2)):
            if sizes[channels] == 3 and 0 < sizes[rows] == sizes[columns] <= _LARGEST_SIDE:
                return sizes[rows], channels == 3
    raise WeightsError(
        f"expected {path} to take chips of three channels and one known side, such as "
        f"(n, 3, 112, 112), found {shape}"
    )


def output_port(model: Any, path: Path, wanted: str | None) -> Any:
    if wanted:
        for port in model.outputs:
            if wanted in port.get_names():
                return port
    elif len(model.outputs) == 1:
        return model.outputs[0]
    names = [min(port.get_names(), default="(no name)") for port in model.outputs]
    found = f"the outputs {', '.join(names)}"
    if wanted:
        raise InputError(f"expected an output called {wanted!r} in {path}, found {found}")
    raise InputError(f"expected one output in {path}, found {found}; name one of them")


def _costs(model: Any) -> tuple[int, int]:
    """Numbers in constants, and multiply-adds of convolutions and products for one chip."""
    parameters = operations = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind == "Constant":
            shape = node.get_output_shape(0)
            parameters += math.prod(shape) if len(shape) else 0
        elif kind in ("Convolution", "GroupConvolution", "MatMul"):
            out, weight = node.get_output_partial_shape(0), node.get_input_partial_shape(1)
            if out.rank.is_static and weight.is_static:
                spread = [out[axis] for axis in range(1, out.rank.get_length())]
                if all(size.is_static for size in spread):
                    sizes = list(weight.to_shape())
                    taps = {"Convolution": sizes[1:], "GroupConvolution": sizes[2:]}.get(
                        kind, [max(sizes)]
                    )
                    operations += math.prod(size.get_length() for size in spread) * math.prod(taps)
    return parameters, operations
