"""The clustering methods as scikit-learn estimators: ``fit``, ``fit_predict``, ``labels_``."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import validate_data

from cluster.agglomerative import LINKAGES, MOST_APART, LinkageName, agglomerative
from cluster.constraints import Constraints
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from cluster.types import Clustering
from indexer.argument_checks import choice, instance, number, whole_number
from indexer.types import check_unit_vectors


class _VectorClustering(ClusterMixin, BaseEstimator):  # type: ignore[misc]  # without types
    """What both have; parameters are checked by ``fit``.

    ``normalize`` scales every vector to unit length first; without it all must have that already.

    Attributes: ``labels_`` int64 (n,), from 0 without gaps, the largest cluster first, -1 for
    noise; ``confidence_`` float32 (n,) in [0, 1], how surely each vector belongs, 0 for noise;
    ``n_features_in_``, components of a vector.
    """

    normalize: bool
    labels_: NDArray[np.int64]
    confidence_: NDArray[np.float32]

    def fit(
        self, X: ArrayLike, y: object = None, *, constraints: Constraints | None = None
    ) -> Self:
        """Cluster ``X`` (n, d); ``y`` is not used.

        ``constraints`` say which rows must and must not be in one cluster. Raises ValueError for
        vectors or parameters that cannot be used.
        """
        instance(constraints, Constraints | None, "Constraints as constraints")
        self._check_parameters()
        vectors = validate_data(self, X, dtype=[np.float32, np.float64])
        if self.normalize:
            vectors = _unit_length(vectors)
        check_unit_vectors(vectors)
        found = self._cluster(np.arange(len(vectors)), vectors, constraints)
        self.labels_ = found.labels.astype(np.int64)
        self.confidence_ = found.confidence
        return self

    def _check_parameters(self) -> None:
        raise NotImplementedError

    def _cluster(
        self, ids: NDArray[np.int64], vectors: NDArray[Any], constraints: Constraints | None
    ) -> Clustering:
        raise NotImplementedError


def _unit_length(vectors: NDArray[Any]) -> NDArray[Any]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        row = int(np.argmin(lengths))
        raise ValueError(f"expected vectors with a direction, but row {row} is zero; leave it out")
    scaled: NDArray[Any] = vectors / lengths
    return scaled


class AgglomerativeClustering(_VectorClustering):
    """Linkage of unit vectors, cut at a threshold: members of a cluster are near each other.

    ``threshold`` is a squared Euclidean distance in [0, 4]; ``linkage`` says which counts between
    two groups: the mean of all pairs ("average"), the farthest ("complete") or the nearest
    ("single"). Clusters of fewer than ``min_size`` are noise. ``normalize`` scales every vector to
    unit length first. More than 20,000 vectors are merged over a graph of their neighbours, in
    memory linear in their number. See :func:`cluster.agglomerative.agglomerative`.
    """

    def __init__(
        self,
        threshold: float = 1.0,
        *,
        linkage: LinkageName = "average",
        min_size: int = 1,
        normalize: bool = False,
    ) -> None:
        self.threshold = threshold
        self.linkage = linkage
        self.min_size = min_size
        self.normalize = normalize

    def _check_parameters(self) -> None:
        number(self.threshold, "a squared distance as threshold", 0, MOST_APART)
        choice(self.linkage, LINKAGES, "linkage")
        whole_number(self.min_size, "min_size", 1)

    def _cluster(
        self, ids: NDArray[np.int64], vectors: NDArray[Any], constraints: Constraints | None
    ) -> Clustering:
        return agglomerative(
            ids,
            vectors,
            self.threshold,
            min_size=self.min_size,
            constraints=constraints,
            linkage=self.linkage,
        )


class HdbscanClustering(_VectorClustering):
    """HDBSCAN of unit vectors: clusters that stay dense over the widest range of distances.

    ``min_cluster_size`` is the fewest members of a cluster; ``min_samples``, by default as many,
    which neighbour's distance counts as density. ``refine``, a mean squared distance, takes each
    cluster apart again by average linkage cut there. ``normalize`` scales every vector to unit
    length first. More than 5,000 vectors are read over a graph of their neighbours. See
    :func:`cluster.hdbscan_clustering.hdbscan_clustering`.
    """

    def __init__(
        self,
        min_cluster_size: int = 5,
        *,
        min_samples: int | None = None,
        refine: float | None = None,
        normalize: bool = False,
    ) -> None:
        self.min_cluster_size = min_cluster_size
        self.min_samples = min_samples
        self.refine = refine
        self.normalize = normalize

    def _check_parameters(self) -> None:
        whole_number(self.min_cluster_size, "min_cluster_size", 2)
        if self.min_samples is not None:
            whole_number(self.min_samples, "min_samples", 1)
        if self.refine is not None:
            number(self.refine, "a squared distance to refine at", 0, MOST_APART)

    def _cluster(
        self, ids: NDArray[np.int64], vectors: NDArray[Any], constraints: Constraints | None
    ) -> Clustering:
        samples = self.min_cluster_size if self.min_samples is None else self.min_samples
        settings = DensitySettings(self.min_cluster_size, samples, self.refine)
        writable = np.require(vectors, requirements=["C", "W"])  # hdbscan takes no other
        return hdbscan_clustering(ids, writable, settings, constraints=constraints)
