"""Labels as :class:`cluster.types.Clustering` wants them, from any numbering of groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.types import NOISE
from indexer.id_lookup import distinct


def ordered_labels(
    ids: NDArray[np.int64], groups: NDArray[Any], min_size: int = 1
) -> NDArray[np.int32]:
    """Labels int32 (n,): the largest group is 0, ties go by the smallest id in the group.

    ``groups`` int (n,) are any numbers, negative for noise; groups of fewer than ``min_size``
    members become noise too.
    """
    labels = np.full(len(ids), NOISE, np.int32)
    kept = np.flatnonzero(groups >= 0)
    if not len(kept):
        return labels
    _, dense, sizes = np.unique(groups[kept], return_inverse=True, return_counts=True)
    smallest = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(smallest, dense, ids[kept])
    order = np.lexsort((smallest, -sizes))
    label_of = np.empty(len(sizes), np.int32)
    label_of[order] = np.arange(len(sizes), dtype=np.int32)
    label_of[sizes < min_size] = NOISE  # the smallest come last, so no gap opens
    labels[kept] = label_of[dense]
    return labels


def check_ids(ids: NDArray[Any], vectors: NDArray[Any]) -> None:
    """Raise ValueError unless ``ids`` is int64 (n,) for the n ``vectors``, each id once."""
    if ids.dtype != np.int64 or ids.shape != vectors.shape[:1]:
        raise ValueError(
            f"expected ids int64 ({len(vectors)},), one a vector, got {ids.dtype} {ids.shape}"
        )
    if len(distinct(ids)) != len(ids):
        raise ValueError(f"expected every id once, got {len(distinct(ids))} among {len(ids)}")
