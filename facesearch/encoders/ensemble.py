"""Two encoders as one: their unit vectors one after the other, each with a share of the distance.

Of unit vectors a and b, the joined vector is [sqrt(share) a, sqrt(1 - share) b]. It has unit length
too, and the squared distance of two of them is the weighted sum of both encoders' distances: fusion
of scores by a weighted sum (Ross and Jain, "Information fusion in biometrics", Pattern Recognition
Letters 24, 2003), in a form that every index and every clustering can take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.backends import joined_numerics
from facesearch.encoders.types import Embeddings, Encoder
from facesearch.errors import InputError

_COLOURS = 3  # channels of one encoder's chip

Chips = NDArray[np.uint8]


class EnsembleEncoder:
    """Two encoders that see the same faces on chips of their kinds (:func:`joined_chips`).

    ``norms`` are the first encoder's. The digest of the weights covers both encoders' and the
    share, so vectors with another share are not comparable.
    """

    def __init__(self, name: str, first: Encoder, second: Encoder, share: float) -> None:
        """``share`` in (0, 1): how much of a squared distance is the first encoder's."""
        self.name = name
        self.weights_sha256 = _digest(first, second, share)
        self.dimension = first.dimension + second.dimension
        self.input_size = max(first.input_size, second.input_size)
        self.numerics = joined_numerics(first.numerics, second.numerics)
        self.first, self.second, self.share = first, second, share

    def with_each(self, change: Callable[[Encoder], Encoder]) -> EnsembleEncoder:
        """The ensemble of what ``change`` makes of either encoder."""
        return EnsembleEncoder(self.name, change(self.first), change(self.second), self.share)

    def embed(self, chips: Chips) -> Embeddings:
        """Embeddings of joined chips uint8 (n, input_size, input_size, 6), n may be 0.

        Where one encoder's vector is zero, as of a chip that excites nothing, all of the distance
        is the other's; where both are, the vector stays zero. Raises InputError for other chips,
        and what the encoders raise.
        """
        side = self.input_size
        if chips.ndim != 4 or chips.shape[1:] != (side, side, 2 * _COLOURS):
            raise InputError(
                f"expected joined chips uint8 of shape (n, {side}, {side}, {2 * _COLOURS}), got "
                f"{chips.dtype} {chips.shape}; cut them out of the photo with the aligner"
            )
        first_chips, second_chips = self.parted(chips)
        first, second = self.first.embed(first_chips), self.second.embed(second_chips)
        return Embeddings(joined_vectors(first.vectors, second.vectors, self.share), first.norms)

    def parted(self, chips: Chips) -> tuple[Chips, Chips]:
        """The chips of either encoder that :func:`joined_chips` made one of, each contiguous."""
        first, second = self.first.input_size, self.second.input_size
        return (
            np.ascontiguousarray(chips[:, :first, :first, :_COLOURS]),
            np.ascontiguousarray(chips[:, :second, :second, _COLOURS:]),
        )


def joined_vectors(
    first: NDArray[np.float32], second: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Unit vectors float32 (n, d1 + d2) of two encoders' vectors of the same n faces."""
    parts = (np.float32(np.sqrt(share)) * first, np.float32(np.sqrt(1 - share)) * second)
    joined = np.concatenate(parts, axis=1, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", joined, joined))[:, None]
    return np.asarray(joined / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def joined_chips(first: Chips, second: Chips) -> Chips:
    """Two chips of each of n faces as one, uint8 (n, side, side, 6), of the larger side.

    ``first`` and ``second`` are RGB; each has three channels, from the upper left corner on, and
    black beyond its side.
    """
    side = max(first.shape[1], second.shape[1])
    joined = np.zeros((len(first), side, side, 2 * _COLOURS), np.uint8)
    for number, part in enumerate((first, second)):
        channels = slice(number * _COLOURS, (number + 1) * _COLOURS)
        joined[:, : part.shape[1], : part.shape[2], channels] = part
    return joined


def leading(encoder: Encoder, chips: Chips) -> tuple[Encoder, Chips]:
    """The encoder whose RGB chips the quality of faces is judged on, and these: of an ensemble the
    first, else all there is."""
    if isinstance(encoder, EnsembleEncoder):
        return encoder.first, encoder.parted(chips)[0]
    return encoder, chips


def _digest(first: Encoder, second: Encoder, share: float) -> str:
    text = f"{share!r} of {first.weights_sha256}, the rest of {second.weights_sha256}"
    return hashlib.sha256(text.encode()).hexdigest()
