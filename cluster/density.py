"""Density clustering (HDBSCAN) of unit vectors: no threshold, and faces that fit nowhere are noise.

Campello, Moulavi and Sander 2013, as implemented by the ``hdbscan`` package.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.labels import check_ids, ordered_labels
from cluster.linkage import check_vectors
from cluster.types import NOISE, Clustering


def density(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    *,
    min_cluster_size: int = 2,
    min_samples: int = 2,
) -> Clustering:
    """Clusters of ``vectors`` (n, d) that stay dense over the widest range of distances.

    ``min_cluster_size`` is the fewest members of a cluster; ``min_samples`` is which neighbour's
    distance counts as the density around a vector, and more of it leaves more vectors as noise.
    The defaults suit albums, where people have many photos; ``min_samples=1`` is better at
    finding people with two or three. Noise is -1. The confidence is HDBSCAN's membership
    strength: 1 in the core of a cluster, less where it thins.

    There is never just one cluster: a gallery of a single person falls apart, since the setting
    that would keep it whole also makes one cluster of galleries of many. Fewer than
    ``min_cluster_size`` vectors are all noise. Time grows with n^2 d, memory with n d. Raises
    ValueError on wrong shapes, dtypes or settings.
    """
    check_vectors(vectors)
    check_ids(ids, vectors)
    if min_cluster_size < 2 or min_samples < 1:
        raise ValueError(
            "expected min_cluster_size of at least 2 and min_samples of at least 1, "
            f"got {min_cluster_size} and {min_samples}"
        )
    count = len(vectors)
    if count < max(min_cluster_size, 2):
        return Clustering(ids, np.full(count, NOISE, np.int32), np.zeros(count, np.float32))
    groups, strengths = _fit(
        np.asarray(vectors, np.float64),
        min_cluster_size=min_cluster_size,
        min_samples=min(min_samples, count - 1),
    )
    labels = ordered_labels(ids, groups)
    confidence = np.where(labels == NOISE, 0, np.clip(strengths, 0, 1)).astype(np.float32)
    return Clustering(ids, labels, confidence)


def _fit(points: NDArray[np.float64], **settings: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Group numbers and membership strengths; Euclidean distances rank as squared ones do."""
    from hdbscan import HDBSCAN  # noqa: PLC0415 - takes seconds to import

    if not np.isfinite(points).all():
        raise ValueError("expected finite vectors, got nan or infinity")
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # hdbscan calls scikit-learn by names that have since changed.
        warnings.simplefilter("ignore", FutureWarning)
        model = HDBSCAN(metric="euclidean", core_dist_n_jobs=1, **settings).fit(points)
    # Equal vectors have infinite density, and their strength may come out as nan: it is full.
    return model.labels_, np.nan_to_num(model.probabilities_, nan=1.0)
