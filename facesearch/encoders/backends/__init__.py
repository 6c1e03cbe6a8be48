"""What runs a network: PyTorch everywhere, OpenVINO on the CPU. Imports neither."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.network_ir import Floats, Network
from facesearch.encoders.quantization import read_ranges
from facesearch.errors import InputError
from indexer.runtime.devices import gpu_driver

PRECISIONS = ("auto", "fp32", "bf16", "fp16", "int8")
DEVICES = ("auto", "cpu", "cuda")
CPU_BATCH = 32  # larger batches are no faster and take 6 MB more memory a chip
GPU_BATCH = 128  # a photo album's batches are seldom larger
_BYTE_PRODUCTS = {"avx512_vnni", "avx_vnni"}  # vector instructions that multiply and add
_BOTH = "+"  # between what holds for the two encoders of an ensemble


class Backend(Protocol):
    """A network ready to run."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Floats:
        """Vectors float32 (n, d), not normalised, of RGB pixels uint8 (n, side, side, 3)."""
        ...


@dataclass(frozen=True)
class Placement:
    """Where and how a network is to run.

    ``threads``: cores a call may use (None: all); ``callers``: how many threads call at once.
    """

    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    callers: int = 1


@dataclass(frozen=True)
class Loaded:
    """A backend, the numerics of its vectors: "fp32", "bf16", "fp16", "int8-<digest>", and the
    most chips to give it at once."""

    backend: Backend
    numerics: str
    batch: int = CPU_BATCH


def load_backend(network: Network, placement: Placement, ranges: Path | None) -> Loaded:
    """The fastest backend for ``placement``.

    int8 needs OpenVINO and the network's ranges, which were found close enough to fp32 when they
    were measured; "auto" takes it where ``ranges`` holds them and the processor multiplies bytes
    (VNNI), else fp32. Raises InputError for what cannot be had.
    """
    check_placement(placement)
    device = _device(placement.device)
    precision = placement.precision
    if precision == "auto":
        precision = _best_precision(device, ranges)
    if device != "cpu":
        return _torch(network, precision, device, placement)
    if precision == "fp16":
        raise InputError("expected fp32, bf16 or int8 on the CPU, got fp16; it is for GPUs")
    if not has_openvino():
        return _torch(network, precision, device, placement)
    from facesearch.encoders.backends.openvino_backend import OpenVinoBackend  # noqa: PLC0415

    known = None
    if precision == "int8":
        if ranges is None or not ranges.exists():
            raise InputError(
                "int8 needs ranges measured on real faces, and this encoder has none here; "
                "use --precision fp32 or bf16"
            )
        if not multiplies_bytes(unknown=True):
            raise InputError(
                "int8 needs a processor with VNNI: without it OpenVINO's sums saturate and "
                "vectors come out wrong; use --precision fp32, and for a gallery that was made in "
                "int8 make a new one"
            )
        known = read_ranges(ranges, network)
    backend = OpenVinoBackend(network, precision, known, placement.threads, placement.callers)
    return Loaded(backend, f"int8-{known.digest}" if known else precision)


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return importlib.util.find_spec("openvino") is not None


def precision_of(numerics: str) -> str:
    """The precision that gives vectors of ``numerics``: one, or two such as "int8+fp32"."""
    return joined_numerics(*(each.partition("-")[0] for each in numerics.split(_BOTH)))


def joined_numerics(*parts: str) -> str:
    """Numerics or precisions of the encoders of an ensemble as one text: once where all agree."""
    return _BOTH.join(dict.fromkeys(parts))


def parted_precision(precision: str) -> tuple[str, str]:
    """The precisions of both encoders of an ensemble, from one for both or two."""
    first, _, second = precision.partition(_BOTH)
    return first, second or first


def check_placement(placement: Placement) -> None:
    """Raise InputError for a device or precision that no encoder knows, and counts below 1."""
    for what, value, known in (
        ("precision", placement.precision, PRECISIONS),
        ("device", placement.device.partition(":")[0], DEVICES),
    ):
        if value not in known:
            raise InputError(f"expected {what} to be one of {', '.join(known)}, got {value!r}")
    for what, count in (("threads", placement.threads), ("callers", placement.callers)):
        if count is not None and count < 1:
            raise InputError(f"expected {what} of 1 or more, got {count}")


def _device(wanted: str) -> str:
    if wanted == "cpu":
        return wanted
    if wanted == "auto" and not gpu_driver():
        return "cpu"
    import torch  # noqa: PLC0415 - takes seconds, so it is only asked where there may be a GPU

    if torch.cuda.is_available():
        return "cuda" if wanted == "auto" else wanted
    if wanted == "auto":
        return "cpu"
    raise InputError(f"expected a device that is here, got {wanted!r}: torch finds no CUDA GPU")


def _best_precision(device: str, ranges: Path | None) -> str:
    if device != "cpu" or not has_openvino():
        return "fp32"  # what every machine computes: a gallery made on a GPU opens without one
    return "int8" if ranges is not None and ranges.exists() and multiplies_bytes() else "fp32"


def multiplies_bytes(*, unknown: bool = False) -> bool:
    """Whether the processor multiplies bytes (VNNI); ``unknown`` where it does not say."""
    flags = _processor_flags()
    return not _BYTE_PRODUCTS.isdisjoint(flags) if flags else unknown


def _processor_flags() -> frozenset[str]:
    """What the processor can do, as Linux names it; nothing where that is not known."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return frozenset()
    return frozenset(text.split())


def _torch(network: Network, precision: str, device: str, placement: Placement) -> Loaded:
    if precision == "int8":
        raise InputError("int8 runs on the CPU by OpenVINO; run: pip install openvino")
    from facesearch.encoders.backends.torch_backend import TorchBackend  # noqa: PLC0415

    backend = TorchBackend(network, precision, device, placement.threads)
    if device == "cpu":
        return Loaded(backend, precision)
    from facesearch.encoders.backends.cuda_graph import recorded  # noqa: PLC0415

    return Loaded(recorded(backend, network.side, GPU_BATCH), precision, GPU_BATCH)
