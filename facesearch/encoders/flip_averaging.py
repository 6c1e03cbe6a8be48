"""The mean of the vectors of a face and of its mirror image, for twice the cost of one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.ensemble import EnsembleEncoder
from facesearch.encoders.types import Embeddings, Encoder


class FlipAveraged:
    """An encoder that averages the unit vectors of a chip and its mirror, and normalises again.

    A chip and its mirror image get the same vector. Distances between such vectors are smaller
    than between plain ones, so thresholds differ and the two are not to be mixed: the engine says
    in its contract that mirror images are averaged. Everything else is the wrapped encoder's.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.weights_sha256 = encoder.weights_sha256
        self.dimension = encoder.dimension
        self.input_size = encoder.input_size
        self.numerics = encoder.numerics
        self._encoder = encoder

    def embed(self, chips: NDArray[np.uint8]) -> Embeddings:
        """Embeddings of chips uint8 RGB (n, input_size, input_size, 3), n may be 0.

        ``norms`` are the means of the norms of each chip and its mirror image. Vectors that cancel
        out, as those of a chip that excites nothing, stay zero. Raises what the encoder raises.
        """
        straight = self._encoder.embed(chips)
        mirrored = self._encoder.embed(np.ascontiguousarray(chips[:, :, ::-1]))
        sums = straight.vectors + mirrored.vectors
        lengths = np.sqrt(np.einsum("ij,ij->i", sums, sums))[:, None]
        vectors: NDArray[np.float32] = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
        norms = (straight.norms + mirrored.norms) / 2
        return Embeddings(vectors, np.asarray(norms, np.float32))


def flip_averaged(encoder: Encoder) -> Encoder:
    """``encoder`` with mirror images averaged; of an ensemble, each of both by itself.

    So an ensemble's vectors are its encoders' vectors joined, with or without averaging.
    """
    if isinstance(encoder, EnsembleEncoder):
        return encoder.with_each(FlipAveraged)
    return FlipAveraged(encoder)
