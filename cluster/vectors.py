"""Vectors as callers give them: checked, and measured."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.types import check_array


def check_vectors(vectors: NDArray[Any]) -> None:
    """Raise ValueError unless ``vectors`` is (n, d) of a floating-point dtype."""
    check_array(vectors, "vectors")
    if vectors.ndim != 2 or not np.issubdtype(vectors.dtype, np.floating):
        raise ValueError(
            f"expected floating-point vectors of shape (n, d), got {vectors.dtype} {vectors.shape}"
        )


def squared_lengths(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each of ``points`` (n, d), float64 (n,); raises ValueError unless they are finite."""
    squares: NDArray[np.float64] = np.einsum("ij,ij->i", points, points, dtype=np.float64)
    if not np.isfinite(squares).all():
        row = int(np.argmin(np.isfinite(squares)))
        raise ValueError(f"expected finite vectors, got row {row} with nan or infinity")
    return squares
