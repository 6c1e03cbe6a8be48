"""Published checkpoints of Inception-ResNet-v1: PyTorch's ``.pt`` or safetensors, never trusted."""

from __future__ import annotations

import pickle
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from facesearch.encoders.facenet.inception_resnet import InceptionResnetV1
from facesearch.errors import WeightsError
from indexer.storage.atomic_files import sha256_of

_CLASSIFIER = (
    "logits."  # the classifier of the people in the training set; embeddings do not need it
)
_SHOWN = 3


@dataclass(frozen=True)
class Checkpoint:
    """A network with its trained weights, in evaluation mode, and its file's SHA-256."""

    module: InceptionResnetV1
    sha256: str


def load_checkpoint(path: Path) -> Checkpoint:
    """The network of a ``.pt``, ``.pth`` or ``.safetensors`` file; its classifier is ignored.

    Raises :class:`facesearch.errors.WeightsError` for a file that is missing, damaged, of another
    kind or of another network, naming the first keys that are wrong. No code in the file is run.
    """
    state = _read_state(path)
    with torch.device("meta"):  # shapes alone: all numbers come from the file
        module = InceptionResnetV1()
    expected = module.state_dict()
    kept = {key: value for key, value in state.items() if not key.startswith(_CLASSIFIER)}
    _check(path, kept, expected)
    # Only counters of batches may be missing, and nothing reads them.
    absent = {key: torch.zeros(expected[key].shape) for key in expected.keys() - kept.keys()}
    typed = {key: value.to(expected[key].dtype) for key, value in {**kept, **absent}.items()}
    module.load_state_dict(typed, assign=True)
    return Checkpoint(module.eval(), sha256_of(path))


def _read_state(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of old formats that it reads well
            state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        EOFError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
        struct.error,
        pickle.UnpicklingError,
        safetensors.SafetensorError,
    ) as error:
        raise WeightsError(f"cannot read {path}: {_reason(error, path)}") from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"expected tensors by name in {path}, found {type(state).__name__}")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise WeightsError(f"expected tensors by name in {path}, but {key!r} is none")
        if value.layout != torch.strided:
            raise WeightsError(f"expected dense tensors in {path}, but {key!r} is sparse")
    return state


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html")):
        return "it is a web page, not a checkpoint; fetch it again"
    if isinstance(error, pickle.UnpicklingError) and "weights_only" in str(error).lower():
        return "it holds objects other than tensors, which are never loaded"
    return f"it is damaged or no checkpoint ({type(error).__name__})"


def _check(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    counters = {key for key in expected if key.endswith("num_batches_tracked")}
    problems = {
        "misses": sorted(expected.keys() - state.keys() - counters),
        "has unknown": sorted(state.keys() - expected.keys()),
        "has other shapes of": sorted(
            key for key in state.keys() & expected.keys() if state[key].shape != expected[key].shape
        ),
    }
    for problem, keys in problems.items():
        if keys:
            named = ", ".join(keys[:_SHOWN]) + (" ..." if len(keys) > _SHOWN else "")
            raise WeightsError(
                f"{path} is not an Inception-ResNet-v1: it {problem} {len(keys)} tensors ({named})"
            )
    for key, value in state.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{path} has NaN or infinity in {key}; it is damaged")
        if key.endswith("running_var") and bool((value < 0).any()):
            raise WeightsError(f"{path} has a negative variance in {key}; it is damaged")
        if key not in counters and not value.is_floating_point():
            raise WeightsError(f"expected numbers with a fraction in {key} of {path}")
