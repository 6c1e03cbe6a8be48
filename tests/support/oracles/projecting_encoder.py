"""An encoder that needs no network: as sensitive to what is where on a chip as one can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import Embeddings
from facesearch.errors import InputError


class ProjectingEncoder:
    """Chips of ``side`` pixels times a random matrix that ``seed`` fixes."""

    numerics = "fp32"

    def __init__(self, side: int, dimension: int, seed: int = 3) -> None:
        self.name = f"projecting-{seed}"
        self.weights_sha256 = f"{seed:064}"
        self.input_size, self.dimension = side, dimension
        generator = np.random.default_rng(seed)
        self._weight = generator.normal(size=(side * side * 3, dimension)).astype(np.float32)

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """As any encoder; refuses chips that are not contiguous too."""
        side = self.input_size
        if chips.shape[1:] != (side, side, 3):
            raise InputError(f"expected chips of side {side}, got {chips.shape}")
        if not chips.flags.c_contiguous:
            raise InputError("expected contiguous chips")
        outputs = chips.reshape(len(chips), side * side * 3).astype(np.float32) @ self._weight
        norms = np.linalg.norm(outputs, axis=1)
        tiny = np.finfo(np.float32).tiny
        return Embeddings(outputs / np.maximum(norms, tiny)[:, None], norms)


def random_chips(count: int, side: int, seed: int = 0) -> NDArray[np.uint8]:
    """Chips uint8 (count, side, side, 3) of noise."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
