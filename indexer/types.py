"""The types that cross module boundaries: blocks of vectors and the neighbours found in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]

# Float16 storage moves the length of a unit vector by at most 2^-11; anything beyond this
# tolerance was never normalised.
UNIT_LENGTH_TOLERANCE = 2e-3

# Neighbours of q queries take 12 q k bytes and are padded to k, so k alone must not exhaust memory.
MAX_NEIGHBOURS = 65_536

_ROW_BITS = 32


def make_ids(shard_number: int, rows: NDArray[Any]) -> Ids:
    """Face ids ``shard_number << 32 | row`` for each of ``rows``.

    Raises ValueError when the shard number or a row does not fit (31 and 32 bits).
    """
    rows = np.asarray(rows, dtype=np.int64)
    if not 0 <= shard_number < 2**31:
        raise ValueError(f"expected a shard number in [0, 2^31), got {shard_number}")
    if rows.size and (rows.min() < 0 or rows.max() >= 2**_ROW_BITS):
        raise ValueError(f"expected rows in [0, 2^32), got {rows.min()} to {rows.max()}")
    return (np.int64(shard_number) << _ROW_BITS) | rows


def split_ids(ids: Ids) -> tuple[Ids, Ids]:
    """The shard numbers and rows of ``ids``, each int64 of the same shape."""
    ids = np.asarray(ids, dtype=np.int64)
    return ids >> _ROW_BITS, ids & (2**_ROW_BITS - 1)


def check_array(values: object, what: str) -> None:
    """Raise InvalidVectorsError unless ``values`` is a numpy array."""
    if not isinstance(values, np.ndarray):
        raise InvalidVectorsError(
            f"expected {what} as a numpy array, got {type(values).__name__}; convert with "
            "numpy.asarray, or use indexer.create_index, which takes lists too"
        )


def check_unit_vectors(vectors: NDArray[Any], what: str = "vectors") -> None:
    """Raise InvalidVectorsError unless ``vectors`` is (n, d), floating, finite, unit length."""
    check_array(vectors, what)
    if vectors.ndim != 2:
        raise InvalidVectorsError(f"expected {what} of shape (n, d), got shape {vectors.shape}")
    if not np.issubdtype(vectors.dtype, np.floating):
        raise InvalidVectorsError(f"expected floating-point {what}, got dtype {vectors.dtype}")
    # "same_kind": of float64 too the lengths are float32, which is as exact as the tolerance needs.
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float32, casting="same_kind")
    lengths = np.sqrt(squares)
    wrong = ~(np.abs(lengths - 1.0) <= UNIT_LENGTH_TOLERANCE)  # also catches NaN
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidVectorsError(
            f"expected {what} of unit length (within {UNIT_LENGTH_TOLERANCE}), but row {row} has "
            f"length {lengths[row]:.6g} ({int(wrong.sum())} such rows); normalise before storing"
        )


@dataclass(frozen=True)
class Block:
    """Ids int64 (n,) and their vectors float32 (n, d), each of unit length."""

    ids: Ids
    vectors: Vectors

    def __post_init__(self) -> None:
        check_array(self.ids, "ids")
        check_array(self.vectors, "vectors")
        if self.ids.ndim != 1 or self.ids.dtype != np.int64:
            raise InvalidVectorsError(
                f"expected ids int64 (n,), got {self.ids.dtype} {self.ids.shape}"
            )
        if self.vectors.dtype != np.float32 or self.vectors.shape[:1] != self.ids.shape:
            raise InvalidVectorsError(
                f"expected vectors float32 ({len(self.ids)}, d), got "
                f"{self.vectors.dtype} {self.vectors.shape}"
            )
        check_unit_vectors(self.vectors)

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of each query: ids int64 (q, k) and squared distances float32 (q, k).

    Distances ascend along each row (ties by id). Where fewer than k vectors exist, rows end in
    id -1 and distance +inf.
    """

    ids: Ids
    distances: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.int64:
            raise ValueError(f"expected ids int64 (q, k), got {self.ids.dtype} {self.ids.shape}")
        if self.distances.dtype != np.float32 or self.distances.shape != self.ids.shape:
            raise ValueError(
                f"expected distances float32 {self.ids.shape}, got "
                f"{self.distances.dtype} {self.distances.shape}"
            )
