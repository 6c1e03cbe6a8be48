"""Agglomerative clustering cut at a threshold, and how surely each vector belongs.

Merging and cutting are two steps: merges that are kept (:mod:`cluster.linkage.dendrogram`) give the
clusters of every threshold up to where they went.

Up to :data:`MOST_DENSE` vectors every pair of clusters is looked at, in time that grows with their
square (``benchmarks/clustering/quality.py``); beyond, those that a graph of nearest neighbours
joins, in far less (``benchmarks/clustering/scale.py``). Memory grows with their number either way.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import Constraints, ResolvedConstraints
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.graph.knn_graph import KnnGraph
from cluster.labels import check_ids, ordered_labels
from cluster.linkage.average_linkage import average_linkage
from cluster.linkage.complete_single_linkage import MOST_PAIRS, complete_linkage, single_linkage
from cluster.linkage.dendrogram import Dendrogram
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.review.silhouette import graph_silhouette_confidence, silhouette_confidence
from cluster.types import Clustering
from cluster.vectors import check_vectors

LinkageName = Literal["average", "complete", "single"]
LINKAGES: tuple[LinkageName, ...] = get_args(LinkageName)

# Greater with every change of what is merged, or of the graph that is made for it: kept merges of
# another are not used.
MERGING = 2
# Up to here the linkage of all pairs is the quicker one, and is exact.
MOST_DENSE = 20_000
MOST_APART = 4  # squared distance of two unit vectors


def agglomerative(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    threshold: float,
    *,
    min_size: int = 1,
    constraints: Constraints | ResolvedConstraints | None = None,
    graph: KnnGraph | None = None,
    linkage: LinkageName = "average",
) -> Clustering:
    """Clusters of ``vectors`` (n, d) whose members are on average at most ``threshold`` apart.

    ``threshold`` is a mean squared Euclidean distance, in [0, 4] for unit vectors, or by another
    ``linkage`` that of the farthest or nearest two of what merges. A vector that
    joins no other is a cluster of one, as a person with one photo is still a person; clusters of
    fewer than ``min_size`` members are noise. Merging is :func:`merged` up to the threshold, the
    labels and the confidence are those of :func:`clusters_at`. Raises ValueError on a wrong shape,
    dtype, threshold or size.
    """
    check_vectors(vectors)
    check_ids(ids, vectors)
    made = merged(vectors, threshold, constraints=constraints, graph=graph, linkage=linkage)
    return clusters_at(ids, vectors, made, threshold, min_size=min_size)


def merged(
    vectors: NDArray[Any],
    reach: float,
    *,
    constraints: Constraints | ResolvedConstraints | None = None,
    graph: KnnGraph | None = None,
    linkage: LinkageName = "average",
) -> Dendrogram:
    """The merges of ``vectors`` (n, d) at squared distances of at most ``reach``.

    Between two groups counts the mean of all pairs of their members ("average"), the farthest pair
    ("complete") or the nearest ("single"). ``constraints`` speak of rows of ``vectors``;
    contradictory ones are reported by :func:`cluster.constraints.resolve`, whose result may be
    given here. With a ``graph`` of the vectors only pairs of clusters that it joins are looked at,
    which is close to looking at all (:mod:`cluster.linkage.graph_average_linkage`,
    :mod:`cluster.linkage.complete_single_linkage`); more vectors than :func:`most_dense` without
    one get that of about their :data:`cluster.graph.approximate_knn.NEIGHBOURS` nearest. Complete
    linkage needs all pairs. The same input gives the same merges. Raises ValueError on a wrong
    shape, dtype, reach or linkage.
    """
    check_vectors(vectors)
    if not 0 <= reach <= MOST_APART:
        raise ValueError(
            f"expected a threshold (squared distance) in [0, {MOST_APART}], got {reach}"
        )
    most = most_dense(linkage)
    if linkage == "complete":
        if graph is not None:
            raise ValueError("expected no graph for complete linkage, which needs all pairs")
        return Dendrogram.of(complete_linkage(vectors, reach, constraints), len(vectors), reach)
    if graph is None and len(vectors) > most:
        graph = approximate_knn_graph(vectors, NEIGHBOURS)
    if linkage == "single":
        rows = single_linkage(vectors, reach, constraints, graph)
    elif graph is None:
        rows = average_linkage(vectors, reach, constraints)
    else:
        rows = graph_average_linkage(vectors, graph, reach, constraints)
    return Dendrogram.of(rows, len(vectors), reach, graph)


def most_dense(linkage: LinkageName) -> int:
    """Up to how many vectors all pairs are looked at; complete linkage takes no more.

    Raises ValueError for an unknown linkage.
    """
    if linkage not in LINKAGES:
        raise ValueError(f"expected linkage {', '.join(LINKAGES)}, got {linkage!r}")
    return MOST_DENSE if linkage == "average" else MOST_PAIRS


def clusters_at(
    ids: NDArray[np.int64],
    vectors: NDArray[Any],
    merges: Dendrogram,
    threshold: float,
    *,
    min_size: int = 1,
    alone: float | None = None,
) -> Clustering:
    """The clusters of ``merges`` of ``vectors`` (n, d), cut at ``threshold``.

    ``alone`` is the squared distance beyond which others are for a vector to stay alone, where
    heights are not distances; by default the threshold.

    The confidence is that of :func:`silhouette_confidence`, or over the graph of the
    merges where they have one. Raises ValueError on a wrong shape, dtype or size, or a threshold
    beyond where merging stopped.
    """
    check_ids(ids, vectors)
    if min_size < 1:
        raise ValueError(f"expected a min_size of at least 1, got {min_size}")
    if merges.count != len(vectors):
        raise ValueError(f"expected merges of {len(vectors)} vectors, got those of {merges.count}")
    labels = ordered_labels(ids, merges.groups(threshold), min_size)
    apart = threshold if alone is None else alone
    sure = (
        silhouette_confidence(vectors, labels, apart)
        if merges.neighbours is None
        else graph_silhouette_confidence(vectors, labels, apart, merges.neighbours)
    )
    return Clustering(ids, labels, sure)
