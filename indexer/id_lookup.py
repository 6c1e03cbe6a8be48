"""Which ids are among others and where, and neighbours of vectors that are themselves searched."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.types import Ids, Neighbours

_Scalar = TypeVar("_Scalar", bound=np.generic)


def positions_of(ids: Ids, among: Ids, *, ascending: bool = False) -> Ids:
    """Where each of ``ids``, of any shape, is in ``among`` int64 (n,); -1 where it is not.

    Of an id that is in ``among`` several times the first position counts. ``ascending`` says that
    ``among`` is sorted already, which saves sorting it.
    """
    if not len(among):
        return np.full(np.shape(ids), -1, np.int64)
    order = None if ascending else np.argsort(among, kind="stable")
    places = np.minimum(np.searchsorted(among, ids, sorter=order), len(among) - 1)
    positions: Ids = places if order is None else order[places]
    return np.where(among[positions] == ids, positions, -1)


def contained(ids: NDArray[Any], among: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of ``ids``, of any shape, are in ``among`` (n,), in any order.

    As ``np.isin``, whose hash table takes a second for a million ids of their own; this sorts.
    """
    if not len(among):
        return np.zeros(np.shape(ids), bool)
    ordered = np.sort(among, kind="stable")  # which is quick with what is sorted already
    places = np.minimum(np.searchsorted(ordered, ids), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[places] == ids
    return found


def distinct(values: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """The different ``values`` of any shape, ascending (m,): as ``np.unique``, by sorting."""
    ordered = np.sort(values, axis=None, kind="stable")
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first]


def values_at(values: NDArray[_Scalar], positions: Ids, missing: float) -> NDArray[_Scalar]:
    """``values`` (n,) at ``positions``, of any shape, with ``missing`` where a position is -1.

    With :func:`positions_of` this reorders what is known of some ids for other ids.
    """
    padded = np.append(values, np.array([missing], values.dtype))
    result: NDArray[_Scalar] = padded[positions]
    return result


def drop_self(found: Neighbours, query_ids: NDArray[np.integer[Any]]) -> Neighbours:
    """``found`` (q, k + 1) for the vectors with ids ``query_ids`` (q,), without themselves: (q, k).

    Where more than k equal vectors hide a vector from itself the last found is left out.
    """
    left_out = found.ids == query_ids[:, None]
    left_out[~left_out.any(axis=1), -1] = True
    shape = (len(found.ids), found.ids.shape[1] - 1)
    return Neighbours(
        found.ids[~left_out].reshape(shape), found.distances[~left_out].reshape(shape)
    )
