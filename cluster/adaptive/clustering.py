"""Clusters of a gallery without a threshold: the rule learnt from its merges, and they by it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cluster.adaptive.crowding import Crowding, crowding
from cluster.adaptive.impostor_law import impostor_law, tail_law, with_resemblance
from cluster.adaptive.merge_rule import CENTRE, COUNTED_SIZES, MergeRule
from cluster.adaptive.rule_fit import PRIOR, fitted_rule
from cluster.adaptive.scored_linkage import MOST_COMPLETE, MergeHistory, scored_linkage
from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.linkage.average_linkage import as_scipy_rows
from cluster.linkage.dendrogram import Dendrogram

MOST_EXACT = 20_000  # vectors whose graph is of the exact neighbours
BEYOND = 0.5  # excess that merging goes beyond the cut, where the rule sees what goes wrong
SURE = -0.5  # excess up to which merges are hardly ever wrong
PASSES = 2  # of merging by a rule and learning it from what merged, before the last


@dataclass(frozen=True)
class AdaptiveMerges:
    """The ``rule`` of a gallery, and the merges by it: their heights are excesses, cut at 0."""

    rule: MergeRule
    dendrogram: Dendrogram


def adaptive_merges(
    vectors: NDArray[Any],
    beyond: float,
    *,
    constraints: Constraints | ResolvedConstraints | None = None,
    graph: KnnGraph | None = None,
) -> AdaptiveMerges | None:
    """The merges of unit ``vectors`` (n, d), and the rule that was learnt from them.

    ``beyond`` is a squared distance beyond which hardly two vectors are one person's, such as the
    encoder's for albums. More than :data:`cluster.adaptive.scored_linkage.MOST_COMPLETE` vectors
    go by a ``graph`` of their neighbours, which is made where none is given. None where too few
    vectors, or of too few people, show no law of impostors
    (:func:`cluster.adaptive.impostor_law.impostor_law`). Equal input gives equal output. Raises
    ValueError on wrong shapes or dtypes.
    """
    if not isinstance(constraints, ResolvedConstraints):
        constraints = resolve(constraints or Constraints(), len(vectors))
    crowded = crowding(vectors, beyond) if len(vectors) else Crowding(np.zeros(0), 0.0)
    rule = first_rule(vectors, beyond, crowded)
    if rule is None:
        return None
    if graph is None and len(vectors) > MOST_COMPLETE:
        graph = graph_for(vectors)
    weights = crowded.weights()
    for _ in range(PASSES):
        history = scored_linkage(
            vectors, weights, rule, BEYOND, graph=graph, constraints=constraints
        )
        merges = dendrogram_of(history, graph)
        groups = merges.groups(0.0)
        law = tail_law(vectors, weights, groups, rule.distance(1, 1)) or rule.law
        law = with_resemblance(law, vectors, weights, merges.groups(SURE), groups)
        rule = fitted_rule(rule, history, law)
    history = scored_linkage(vectors, weights, rule, BEYOND, graph=graph, constraints=constraints)
    return AdaptiveMerges(rule, dendrogram_of(history, graph))


def first_rule(vectors: NDArray[Any], beyond: float, crowded: Crowding) -> MergeRule | None:
    """The rule before anything merged: a cut where one impostor in as many as there are lies."""
    law = impostor_law(vectors, beyond, crowded.weights())
    if law is None:
        return None
    _, slope, smaller, larger = PRIOR.tolist()
    groups = tuple(len(vectors) / math.sqrt(size) for size in COUNTED_SIZES)
    rule = MergeRule(law, beyond, crowded.usual, 0.0, slope, smaller, larger, groups)
    depth = CENTRE - float(ndtri(1 / len(vectors)))
    return replace(rule, intercept=-depth * (slope + depth / 2) - float(rule.prior(1, 1)))


def graph_for(vectors: NDArray[Any]) -> KnnGraph:
    """A graph of the nearest neighbours of ``vectors`` (n, d): exact ones, if they are few."""
    if len(vectors) <= MOST_EXACT:
        return exact_knn_graph(vectors, min(NEIGHBOURS, len(vectors) - 1))
    return approximate_knn_graph(vectors, NEIGHBOURS)


def groups_by_rule(
    vectors: NDArray[Any],
    rule: MergeRule,
    graph: KnnGraph | None = None,
    constraints: Constraints | ResolvedConstraints | None = None,
) -> NDArray[np.int32]:
    """Groups int32 (n,) of unit ``vectors`` (n, d) that ``rule`` makes over the edges of a graph.

    Without a graph every pair is an edge. The rule may be another gallery's, or that of the gallery
    before it grew.
    """
    history = scored_linkage(
        vectors, rule.weights(vectors), rule, 0.0, graph=graph, constraints=constraints
    )
    return dendrogram_of(history, graph).groups(0.0)


def dendrogram_of(history: MergeHistory, graph: KnnGraph | None) -> Dendrogram:
    """The merges of ``history``, over ``graph``, as they are kept."""
    rows = as_scipy_rows(history.members, history.excess, history.vectors)
    return Dendrogram.of(rows, history.vectors, BEYOND, graph)
