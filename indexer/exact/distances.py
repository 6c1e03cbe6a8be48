"""Squared Euclidean distances: quick ones to choose by, accurate ones to report, and the gap.

Matrix products give |q|^2 + |x|^2 - 2 q.x within :func:`slack` of the truth, which near zero is
nothing but rounding. So they only choose candidates, with the slack to spare; what is reported is
the sum of (q - x)^2 in float64, rounded once.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.types import MAX_NEIGHBOURS, Block, Ids, Vectors, check_array, check_unit_vectors

_Id = TypeVar("_Id", bound=np.integer[Any])

_PAIRS = 4096
_UNIT_ROUNDOFF = 2.0**-24  # of float32


def slack(dimension: int) -> float:
    """A bound on the error of :func:`quick_distances` (and FAISS's) for unit vectors.

    A float32 inner product of n terms errs by at most gamma_n |x||y|, gamma_n = nu / (1 - nu)
    (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1), in any order of
    summation. Two squared lengths and twice a product make 4 gamma_n, the sums between them and
    the rounding of the reported distance less than 32 u; 8 (n + 8) u covers both.
    """
    return 8 * (dimension + 8) * _UNIT_ROUNDOFF


def check_queries(queries: Vectors, k: int) -> None:
    """Raise unless queries are float32 (q, d), unit length, and k is in [1, MAX_NEIGHBOURS].

    InvalidVectorsError tells of the queries, ValueError of k.
    """
    check_array(queries, "queries")
    if queries.dtype != np.float32:
        raise InvalidVectorsError(
            f"expected queries float32 (q, d), got {queries.dtype}; convert with astype"
        )
    check_unit_vectors(queries, "queries")
    if k < 1:
        raise ValueError(f"expected k of 1 or more, got {k}; k is the number of neighbours")
    if k > MAX_NEIGHBOURS:
        raise ValueError(
            f"expected k of at most {MAX_NEIGHBOURS}, got {k}; answers are padded to k, whatever "
            "the number of vectors: ask for fewer neighbours"
        )


def check_dimension(queries: Vectors, dimension: int) -> None:
    """Raise InvalidVectorsError unless queries have as many components as the gallery."""
    if queries.shape[1] != dimension:
        raise InvalidVectorsError(
            f"expected queries of {dimension} components like the gallery's vectors, got "
            f"{queries.shape[1]}; encode the queries with the gallery's encoder"
        )


def check_block(block: Block, dimension: int) -> None:
    """Raise InvalidVectorsError unless a block has vectors of ``dimension`` components."""
    if block.vectors.shape[1] != dimension:
        raise InvalidVectorsError(
            f"expected vectors of {dimension} components, got {block.vectors.shape[1]}; an index "
            "holds the vectors of one encoder"
        )


def nearest_first(
    ids: NDArray[_Id], distances: NDArray[np.float32], k: int
) -> tuple[NDArray[_Id], NDArray[np.float32]]:
    """The ``k`` nearest of each line of ids and distances, both (q, m), ties by id."""
    order = np.lexsort((ids, distances), axis=1)[:, :k]
    return np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1)


def quick_distances(queries: Vectors, vectors: Vectors) -> NDArray[np.float32]:
    """Squared distances float32 (q, n) by one matrix product, each within :func:`slack`."""
    distances = queries @ vectors.T
    distances *= -2.0
    distances += np.einsum("ij,ij->i", queries, queries)[:, None]
    distances += np.einsum("ij,ij->i", vectors, vectors)
    return distances


def pair_distances(
    left: Vectors, right: NDArray[np.floating[Any]], i: Ids, j: Ids
) -> NDArray[np.float32]:
    """Accurate squared distances float32 (p,) between ``left[i]`` and ``right[j]``.

    Each is the same whatever other pairs are asked for with it.
    """
    distances = np.empty(len(i), np.float32)
    for start in range(0, len(i), _PAIRS):
        part = slice(start, start + _PAIRS)
        difference = left[i[part]].astype(np.float64) - right[j[part]]
        distances[part] = np.square(difference).sum(axis=1)
    return distances
