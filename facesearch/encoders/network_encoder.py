"""A network, what runs it, and where it came from, as an encoder."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.backends import Loaded
from facesearch.encoders.network_ir import Floats
from facesearch.encoders.types import Embeddings
from facesearch.errors import InputError, WeightsError


class Sized(Protocol):
    """What is fixed of a network: the side of its chips and the length of its vectors."""

    @property
    def side(self) -> int: ...

    @property
    def dimension(self) -> int: ...


class NetworkEncoder:
    """Chips to unit vectors, in batches that bound the memory.

    An encoder may be called from several threads. The size of batches does not change vectors by
    more than float rounding (1e-6).
    """

    def __init__(self, name: str, weights_sha256: str, network: Sized, loaded: Loaded) -> None:
        self.name = name
        self.weights_sha256 = weights_sha256
        self.numerics = loaded.numerics
        self.dimension = network.dimension
        self.input_size = network.side
        self._backend = loaded.backend
        self._batch = loaded.batch

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Unit vectors and their norms before, for RGB chips uint8 (n, side, side, 3), n may be 0.

        Raises :class:`facesearch.errors.InputError` for chips of another shape or dtype, and
        WeightsError where the network's numbers are none, as with weights that are far too large.
        """
        descriptors = self.describe(chips)
        if not np.isfinite(descriptors).all():
            raise WeightsError(
                f"the network of {self.name} gives numbers that are infinite or none; its weights "
                f"({self.weights_sha256[:12]}) are damaged or not an encoder's: use another file"
            )
        norms = np.sqrt(np.einsum("ij,ij->i", descriptors, descriptors))
        tiny = np.finfo(np.float32).tiny  # a chip that excites nothing stays zero, not NaN
        vectors = descriptors / np.maximum(norms, tiny)[:, None]
        huge = np.flatnonzero(~np.isfinite(norms))  # the squares are beyond float32
        if len(huge):
            lengths = np.linalg.norm(descriptors[huge].astype(np.float64), axis=1)
            vectors[huge] = descriptors[huge] / lengths[:, None]
            norms[huge] = np.minimum(lengths, np.finfo(np.float32).max)
        return Embeddings(vectors, norms)

    def describe(self, chips: NDArray[np.uint8]) -> Floats:
        """The network's output float32 (n, dimension), not normalised."""
        side = self.input_size
        if chips.ndim != 4 or chips.shape[1:] != (side, side, 3) or chips.dtype != np.uint8:
            raise InputError(
                f"expected chips uint8 of shape (n, {side}, {side}, 3), got "
                f"{chips.dtype} {chips.shape}; cut them out of the photo with the aligner"
            )
        descriptors = np.empty((len(chips), self.dimension), np.float32)
        for start in range(0, len(chips), self._batch):
            batch = slice(start, start + self._batch)
            descriptors[batch] = self._backend(chips[batch])
        return descriptors
