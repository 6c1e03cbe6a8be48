"""Density clustering (HDBSCAN) of unit vectors: faces that fit nowhere are noise.

Campello, Moulavi and Sander 2013: the ``hdbscan`` package on up to :data:`MOST_WHOLE` vectors,
beyond the edges of a neighbour graph, read by the same package
(:mod:`cluster.linkage.hdbscan_tree`).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.clustering import groups_by_rule
from cluster.adaptive.merge_rule import MergeRule
from cluster.constraints import Constraints, ResolvedConstraints
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.labels import check_ids, ordered_labels
from cluster.linkage.average_linkage import cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.linkage.hdbscan_tree import Density, graph_density
from cluster.types import NOISE, Clustering
from cluster.vectors import check_vectors

# Up to here hdbscan itself takes seconds; its time grows with the square.
MOST_WHOLE = 5_000


@dataclass(frozen=True)
class DensitySettings:
    """What counts as dense.

    ``min_cluster_size`` is the fewest members of a cluster; ``min_samples`` is which neighbour's
    distance counts as the density around a vector, and more of it leaves more vectors as noise.
    The defaults suit albums, where people have many photos; ``min_samples=1`` is better at
    finding people with two or three.

    Density joins in chains, the more the more vectors there are. ``refine``, a mean squared
    distance, takes each cluster apart again: average linkage within it, cut there; or a ``rule``
    does (:mod:`cluster.adaptive`). Raises ValueError for settings that make no sense.
    """

    min_cluster_size: int = 2
    min_samples: int = 2
    refine: float | None = None
    rule: MergeRule | None = None

    def __post_init__(self) -> None:
        if self.min_cluster_size < 2 or self.min_samples < 1:
            raise ValueError(
                "expected min_cluster_size of at least 2 and min_samples of at least 1, "
                f"got {self.min_cluster_size} and {self.min_samples}"
            )
        if self.refine is not None and not 0 <= self.refine <= 4:
            raise ValueError(
                f"expected to refine at a squared distance in [0, 4], got {self.refine}"
            )


@dataclass(frozen=True)
class DensityResult:
    """A clustering, and of each vector float32 (n,) in [0, 1] how much of an outlier it is."""

    clustering: Clustering
    outlyingness: NDArray[np.float32]


DEFAULTS = DensitySettings()


def hdbscan_clustering(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    settings: DensitySettings = DEFAULTS,
    *,
    graph: KnnGraph | None = None,
    constraints: Constraints | ResolvedConstraints | None = None,
) -> Clustering:
    """Clusters of ``vectors`` (n, d) that stay dense over the widest range of distances.

    Noise is -1. The confidence is HDBSCAN's membership strength: 1 in the core of a cluster, less
    where it thins. Plain density clustering cannot keep ``constraints``: they hold where clusters
    are taken apart again, which they do alone where the settings do not ask for it; parts of fewer
    than ``min_cluster_size`` are noise.

    With a ``graph`` of the vectors, of at least ``min_samples`` neighbours, its edges are all that
    is looked at; more than :data:`MOST_WHOLE` vectors without one get that of about their
    :data:`cluster.graph.approximate_knn.NEIGHBOURS` nearest. There is never just one cluster: a
    gallery of a single person falls apart, since the setting that would keep it whole also makes
    one cluster of galleries of many. Fewer than ``min_cluster_size`` vectors are all noise. Raises
    ValueError on wrong shapes or dtypes.
    """
    return density_result(ids, vectors, settings, graph=graph, constraints=constraints).clustering


def density_result(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    settings: DensitySettings = DEFAULTS,
    *,
    graph: KnnGraph | None = None,
    constraints: Constraints | ResolvedConstraints | None = None,
) -> DensityResult:
    """As :func:`hdbscan_clustering`, with what it knows of outliers (GLOSH)."""
    check_vectors(vectors)
    check_ids(ids, vectors)
    count = len(vectors)
    if count < settings.min_cluster_size:
        noise = Clustering(ids, np.full(count, NOISE, np.int32), np.zeros(count, np.float32))
        return DensityResult(noise, np.zeros(count, np.float32))
    if not np.isfinite(np.einsum("ij,ij->i", vectors, vectors)).all():
        raise ValueError("expected finite vectors, got nan or infinity")
    if graph is not None and len(graph) != count:
        raise ValueError(f"expected a graph of {count} vectors, got one of {len(graph)}")
    if graph is None and count > MOST_WHOLE:
        graph = approximate_knn_graph(vectors, max(NEIGHBOURS, settings.min_samples))
    found = (
        _whole(vectors, settings.min_cluster_size, min(settings.min_samples, count - 1))
        if graph is None
        else graph_density(graph, settings.min_cluster_size, settings.min_samples)
    )
    groups = found.groups
    if settings.refine is not None or settings.rule is not None or constraints is not None:
        graph = exact_knn_graph(vectors, min(NEIGHBOURS, count - 1)) if graph is None else graph
        groups = _refined(vectors, groups, graph, settings, constraints)
    labels = ordered_labels(ids, groups, settings.min_cluster_size)
    confidence = np.where(labels == NOISE, 0, np.clip(found.strengths, 0, 1)).astype(np.float32)
    return DensityResult(
        Clustering(ids, labels, confidence),
        np.clip(found.outlyingness, 0, 1).astype(np.float32),
    )


def _refined(
    vectors: NDArray[Any],
    groups: NDArray[Any],
    graph: KnnGraph,
    settings: DensitySettings,
    constraints: Constraints | ResolvedConstraints | None,
) -> NDArray[np.int64]:
    """``groups`` taken apart by linkage over the edges within them; noise stays noise."""
    near = np.maximum(graph.rows, 0)
    within = (graph.rows >= 0) & (groups[near] == groups[:, None]) & (groups[:, None] >= 0)
    inner = KnnGraph(np.where(within, graph.rows, np.int32(-1)), graph.distances)
    if settings.rule is not None:
        parts = groups_by_rule(vectors, settings.rule, inner, constraints).astype(np.int64)
    else:
        stop = 4.0 if settings.refine is None else settings.refine
        linkage = graph_average_linkage(vectors, inner, stop, constraints)
        parts = cut(linkage, len(vectors), stop).astype(np.int64)
    # A must-link may reach out of a cluster, or hold what is noise: it is kept.
    alone = np.bincount(parts)[parts] == 1
    return np.where((groups < 0) & alone, NOISE, parts)


def _whole(vectors: NDArray[Any], min_cluster_size: int, min_samples: int) -> Density:
    """What the package itself finds; Euclidean distances rank as squared ones do."""
    from hdbscan import HDBSCAN  # noqa: PLC0415 - takes seconds to import

    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # hdbscan calls scikit-learn by names that have since changed.
        warnings.simplefilter("ignore", FutureWarning)
        model = HDBSCAN(
            metric="euclidean",
            core_dist_n_jobs=1,
            min_cluster_size=min_cluster_size,
            min_samples=min_samples,
        ).fit(np.asarray(vectors, np.float64))
        outlyingness = model.outlier_scores_
    # Equal vectors have infinite density, and their strength may come out as nan: it is full.
    return Density(
        model.labels_,
        np.nan_to_num(model.probabilities_, nan=1.0),
        np.nan_to_num(outlyingness, nan=0.0),
    )
