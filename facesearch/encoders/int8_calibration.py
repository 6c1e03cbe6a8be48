"""Ranges for int8 from a user's own faces, kept only where int8 is then close enough to fp32."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.backends import CPU_BATCH, Placement, load_backend
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.encoders.network_ir import Floats, Network
from facesearch.encoders.quantization import measured_ranges
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


def _vectors(network: Network, chips: NDArray[np.uint8], precision: str, path: Path) -> Floats:
    loaded = load_backend(network, Placement("cpu", precision), path)
    return NetworkEncoder("calibration", "", network, loaded).embed(chips).vectors
