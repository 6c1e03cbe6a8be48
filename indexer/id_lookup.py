"""Neighbours of vectors that are themselves among those searched, and rows for their ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.types import Ids, Neighbours


def without_own(found: Neighbours, own: NDArray[np.integer[Any]]) -> Neighbours:
    """``found`` (q, k + 1) for the vectors with ids ``own`` (q,), without themselves: (q, k).

    Where more than k equal vectors hide a vector from itself the last found is left out.
    """
    left_out = found.ids == own[:, None]
    left_out[~left_out.any(axis=1), -1] = True
    shape = (len(found.ids), found.ids.shape[1] - 1)
    return Neighbours(
        found.ids[~left_out].reshape(shape), found.distances[~left_out].reshape(shape)
    )


def rows_of(ids: Ids, among: Ids) -> Ids:
    """The row of each of ``ids``, of any shape, in ``among``, which ascends; -1: not there."""
    if not len(among):
        return np.full(ids.shape, -1, np.int64)
    rows = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    return np.where(among[rows] == ids, rows, -1)
