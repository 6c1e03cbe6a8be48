"""Ranges for int8 from a user's own faces, kept only where int8 is then close enough to fp32."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.backends import CPU_BATCH, Placement, load_backend
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.encoders.network_ir import Floats, Network
from facesearch.encoders.quantization import ActivationRanges, convolution_sources
from facesearch.errors import InputError
from indexer.storage.atomic_files import write_atomically

LEAST_CHIPS = 64
LEAST_COSINE = 0.999  # mean to fp32, over chips that the ranges were not measured on


@dataclass(frozen=True)
class Int8Calibration:
    """Chips measured and chips compared, and the cosines of int8 to fp32 over the latter."""

    measured: int
    compared: int
    mean_cosine: float
    least_cosine: float

    @property
    def good(self) -> bool:
        """Whether int8 may stand in for fp32."""
        return self.mean_cosine >= LEAST_COSINE


def calibrate_int8(network: Network, chips: NDArray[np.uint8], path: Path) -> Int8Calibration:
    """Measure ranges on three quarters of ``chips``, compare on the rest, and write ``path``.

    ``chips``: uint8 RGB (n, side, side, 3) of as many people as can be had. The file is not left
    where int8 is too far from fp32. Raises InputError for too few chips.
    """
    if len(chips) < LEAST_CHIPS:
        raise InputError(f"expected {LEAST_CHIPS} faces or more to calibrate on, got {len(chips)}")
    compared = np.arange(len(chips)) % 4 == 3
    measured = chips[~compared]
    batches = (measured[i : i + CPU_BATCH] for i in range(0, len(measured), CPU_BATCH))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, measured_ranges(network, batches).to_json().encode())
    exact, rounded = (
        _vectors(network, chips[compared], precision, path) for precision in ("fp32", "int8")
    )
    cosines = np.einsum("ij,ij->i", exact, rounded)
    result = Int8Calibration(
        len(measured), int(compared.sum()), float(cosines.mean()), float(cosines.min())
    )
    if not result.good:
        path.unlink()
    return result


def measured_ranges(network: Network, batches: Iterable[NDArray[np.uint8]]) -> ActivationRanges:
    """The largest input of each convolution over all chips, computed in fp32.

    ``batches``: chips uint8 (n, side, side, 3). Raises InputError when there are none, or when a
    convolution's input may be negative, which one unsigned range cannot hold.
    """
    from facesearch.encoders.backends.torch_backend import TorchBackend  # noqa: PLC0415

    backend, chips = TorchBackend(network), 0
    sources = sorted(convolution_sources(network))
    largest = dict.fromkeys(sources, 0.0)
    for batch in batches:
        chips += len(batch)
        outputs = backend.outputs(batch)
        for node in sources:
            low, high = (float(end) for end in outputs[node].aminmax())
            if low < 0:
                raise InputError(
                    f"expected inputs of convolutions not below 0, got {low} at {node}"
                )
            largest[node] = max(largest[node], high)
    if not chips or not all(largest.values()):
        raise InputError(f"expected chips that excite every layer, got {chips} that do not")
    return ActivationRanges(network.digest, chips, largest)


def _vectors(network: Network, chips: NDArray[np.uint8], precision: str, path: Path) -> Floats:
    loaded = load_backend(network, Placement("cpu", precision), path)
    return NetworkEncoder("calibration", "", network, loaded).embed(chips).vectors
