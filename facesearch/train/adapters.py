"""Maps from one encoder's vectors to another's: what compatible training has to be better than.

An adapter is fitted on faces that both encoders have seen, and changes no network: probes of the
new encoder are mapped to where the old encoder would have put them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class LinearAdapter:
    """Multiplies by ``matrix`` float32 (d, d') and normalises."""

    matrix: Vectors

    def __call__(self, vectors: Vectors) -> Vectors:
        """Unit vectors float32 (n, d') of ``vectors`` float32 (n, d)."""
        mapped = vectors @ self.matrix
        lengths = np.linalg.norm(mapped, axis=1, keepdims=True)
        unit = mapped / np.maximum(lengths, np.finfo(np.float32).tiny)
        return np.asarray(unit, np.float32)


def fit_orthogonal(new: Vectors, old: Vectors) -> LinearAdapter:
    """The rotation (or reflection) that takes ``new`` (n, d) nearest to ``old`` (n, d).

    Least squares by singular values (Schönemann, "A generalized solution of the orthogonal
    Procrustes problem", 1966). It leaves distances among the new vectors as they are.
    """
    _check(new, old)
    if new.shape[1] != old.shape[1]:
        raise InputError(f"expected vectors of one dimension, got {new.shape[1]}, {old.shape[1]}")
    left, _, right = np.linalg.svd(new.astype(np.float64).T @ old.astype(np.float64))
    return LinearAdapter((left @ right).astype(np.float32))


def fit_linear(new: Vectors, old: Vectors, ridge: float = 1e-3) -> LinearAdapter:
    """The matrix that takes ``new`` (n, d) nearest to ``old`` (n, d'), by ridge regression.

    ``ridge`` is a part of the mean variance of a component of ``new``.
    """
    _check(new, old)
    wide = new.astype(np.float64)
    squares = wide.T @ wide
    squares += np.eye(len(squares)) * (ridge * np.trace(squares) / len(squares))
    matrix = np.linalg.solve(squares, wide.T @ old.astype(np.float64))
    return LinearAdapter(matrix.astype(np.float32))


def _check(new: Vectors, old: Vectors) -> None:
    if new.ndim != 2 or len(new) != len(old) or not len(new):
        raise InputError(
            f"expected as many new as old vectors, got arrays {new.shape} and {old.shape}"
        )
