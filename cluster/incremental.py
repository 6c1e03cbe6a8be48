"""Incremental clustering: new vectors join existing clusters, or form new ones.

Average linkage goes on from where it stopped. What is one group already is joined first, so its
mean counts as all its members; then the same merging follows
(:mod:`cluster.linkage.graph_average_linkage`) over the edges from each new vector to the nearest
groups and the nearest other new vectors. As every edge begins at a new vector, no work is spent on
what had been compared before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.clustering import groups_by_rule
from cluster.adaptive.merge_rule import MergeRule
from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import KnnGraph
from cluster.labels import check_ids, ordered_labels
from cluster.linkage.average_linkage import cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.nearest_clusters import nearest_clusters
from cluster.review.silhouette import moments, silhouette_confidence
from cluster.types import NOISE, Clustering
from cluster.vectors import check_vectors
from indexer.exact.int8_search import search_blocks
from indexer.id_lookup import drop_self
from indexer.types import Block, Neighbours

# Of each new vector: so many edges to groups, and so many to new vectors. Those to groups are
# kept apart, for where many vectors of one person are new each of them is nearer to others of
# these than to the mean of what was there before, and nothing would lead there.
GROUPS, NEW = 8, 24

Rows = NDArray[np.int64]


def grow_clusters(
    before: Clustering,
    vectors: NDArray[Any],
    threshold: float,
    *,
    min_size: int = 1,
    constraints: Constraints | ResolvedConstraints | None = None,
    rule: MergeRule | None = None,
) -> Clustering:
    """The clusters of ``before`` after its noise, the new vectors, has joined them.

    ``vectors`` (n, d), unit length, are those of all its ids. A cluster of before is never taken
    apart, but new vectors may bring two together. ``threshold``, ``min_size`` and ``constraints``
    are as :func:`cluster.agglomerative.agglomerative` has them; groups that ``constraints`` keep
    apart must be apart in ``before``. With a ``rule`` it decides what merges, and ``threshold`` is
    only where a vector that stays alone would have joined another. Groups and new vectors are
    searched exactly, by bytes first where the processor can: time grows with the new vectors times
    all groups, slowly. The confidence of clustered vectors stays what it was. Raises ValueError on
    wrong shapes or lengths.
    """
    check_vectors(vectors)
    check_ids(before.ids, vectors)
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    points = np.ascontiguousarray(vectors, np.float32)
    chained = np.concatenate([_chains(before.labels), constraints.joined])
    constraints = replace(constraints, joined=chained)
    if rule is None:
        graph = _new_edges(points, before.labels, threshold)
        linkage = graph_average_linkage(points, graph, threshold, constraints)
        groups = cut(linkage, len(points), threshold)
    else:
        graph = _new_edges(points, before.labels, np.inf)
        groups = groups_by_rule(points, rule, _all_looked_at(graph), constraints)
    labels = ordered_labels(before.ids, groups, min_size)
    sure = np.where(labels == NOISE, np.float32(0), before.confidence)
    new = np.flatnonzero((before.labels == NOISE) & (labels != NOISE))
    sure[new] = silhouette_confidence(points, labels, threshold, new)
    return Clustering(before.ids, labels, sure)


def _all_looked_at(graph: KnnGraph) -> KnnGraph:
    """``graph`` with distances of 0: an edge to a member of a group says nothing of the group."""
    return KnnGraph(graph.rows, np.zeros_like(graph.distances))


def _chains(labels: NDArray[np.int32]) -> Rows:
    """Pairs of rows (m, 2) that together join what has one label."""
    order = np.argsort(labels, kind="stable")
    order = order[labels[order] != NOISE]
    same = labels[order[1:]] == labels[order[:-1]]
    pairs: Rows = np.stack([order[:-1][same], order[1:][same]], axis=1).astype(np.int64)
    return pairs


def _new_edges(
    points: NDArray[np.float32], labels: NDArray[np.int32], threshold: float
) -> KnnGraph:
    """From each new vector to the nearest groups and new vectors; a group stands at a member."""
    new, kept = np.flatnonzero(labels == NOISE), np.flatnonzero(labels != NOISE)
    rows = np.full((len(points), GROUPS + NEW), -1, np.int32)
    distances = np.full((len(points), GROUPS + NEW), np.inf, np.float32)

    def enter(places: slice, found: Neighbours, ends: Rows) -> None:
        near = found.distances <= threshold
        rows[new, places] = np.where(near, ends[found.ids], -1)
        distances[new, places] = np.where(near, found.distances, np.float32(np.inf))

    if len(kept) and len(new):
        _, first, dense = np.unique(labels[kept], return_index=True, return_inverse=True)
        means, squares = moments(points, dense.astype(np.int32), kept)
        enter(slice(GROUPS), nearest_clusters(points[new], means, squares, GROUPS), kept[first])
    if len(new):
        among = Block(np.arange(len(new)), points[new])
        found = search_blocks([among], among.vectors, NEW + 1)
        enter(slice(GROUPS, None), drop_self(found, among.ids), new)
    return KnnGraph(rows, distances)
