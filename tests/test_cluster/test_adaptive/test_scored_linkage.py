"""Merging in the order of excess, against plain loops over all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_cluster.test_adaptive.rules import RULE, mean_distance, plain_excess, rules

from cluster.adaptive.clustering import dendrogram_of
from cluster.adaptive.merge_rule import MergeRule
from cluster.adaptive.scored_linkage import MergeHistory, scored_linkage
from cluster.constraints import Constraints, resolve
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from support.vectors import grouped_vectors, unit_vectors, vector_sets


def replayed(history: MergeHistory) -> list[tuple[list[int], list[int]]]:
    """The members of both groups of each merge, in order."""
    group = {row: [row] for row in range(history.vectors)}
    merges = []
    for one, two in history.members.tolist():
        merges.append((group[one], group[two]))
        joined = group[one] + group[two]
        group.update(dict.fromkeys(joined, joined))
    return merges


def final_groups(history: MergeHistory) -> list[list[int]]:
    labels = dendrogram_of(history, None).groups(0.5)
    return [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]


def slow_groups(
    vectors: NDArray[np.float32], weights: NDArray[np.float64], rule: MergeRule, stop: float
) -> set[frozenset[int]]:
    """Always merge the pair of least excess, as long as it is at most ``stop``."""
    groups = [[row] for row in range(len(vectors))]
    while len(groups) > 1:
        scored = [
            (plain_excess(rule, mean_distance(vectors, weights, a, b), len(a), len(b)), i, j)
            for (i, a), (j, b) in itertools.combinations(enumerate(groups), 2)
        ]
        excess, i, j = min(scored)
        if excess > stop:
            break
        groups[i] = groups[i] + groups[j]
        del groups[j]
    return {frozenset(group) for group in groups}


@settings(max_examples=40, deadline=None)
@given(vector_sets(1, 30), rules(), st.integers(0, 2**31))
def test_merges_are_what_they_say_and_none_is_left_within_the_stop(
    vectors: NDArray[np.float32], rule: MergeRule, seed: int
) -> None:
    weights = np.random.default_rng(seed).uniform(0.8, 1.25, len(vectors))
    history = scored_linkage(vectors, weights, rule, 0.5, threads=1)
    assert (np.diff(history.excess) >= 0).all()
    for (one, two), level, sizes in zip(
        replayed(history), history.excess, history.sizes, strict=True
    ):
        assert (len(one), len(two)) == tuple(sizes)
        distance = mean_distance(vectors, weights, one, two)
        near = 1e-2 + 1e-6 / (distance * rule.law.deviation)  # by the rounding of float32 products
        if distance > 1e-4:
            assert plain_excess(rule, distance, len(one), len(two)) <= level + near
    for one, two in itertools.combinations(final_groups(history), 2):
        distance = mean_distance(vectors, weights, one, two)
        assert plain_excess(rule, distance, len(one), len(two)) > 0.5 - 1e-2


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(each, marks=pytest.mark.slow) for each in (2, 3))]
)
def test_it_finds_what_always_merging_the_least_excess_finds(seed: int) -> None:
    vectors, truth = grouped_vectors(8, 5, seed, spread=0.5)
    weights = np.random.default_rng(seed).uniform(0.9, 1.1, len(vectors))
    rule = MergeRule(type(RULE.law)(0.4, 0.27), 0.14, 0.0, 0.0, 4.0, -0.5, 0.6)
    history = scored_linkage(vectors, weights, rule, 0.5)
    found = {frozenset(group) for group in final_groups(history)}
    assert found == slow_groups(vectors, weights, rule, 0.5)
    assert len(found) == len(np.unique(truth))


def test_a_graph_of_all_pairs_is_no_graph() -> None:
    vectors, _ = grouped_vectors(20, 6, seed=3, spread=0.8)
    weights = np.linspace(0.9, 1.1, len(vectors))
    rule = MergeRule(type(RULE.law)(0.4, 0.27), 0.14, 0.0, 0.0, 4.0, -0.5, 0.6)
    whole = scored_linkage(vectors, weights, rule, 0.5)
    graph = exact_knn_graph(vectors, len(vectors) - 1)
    by_graph = scored_linkage(vectors, weights, rule, 0.5, graph=graph)
    assert {*map(frozenset, final_groups(whole))} == {*map(frozenset, final_groups(by_graph))}


def test_threads_do_not_change_the_result() -> None:
    vectors, _ = grouped_vectors(300, 4, seed=5, spread=0.9)
    rule = MergeRule(type(RULE.law)(0.4, 0.2), 0.14, 0.0, 0.0, 4.0, -0.5, 0.6)
    one, two = (
        scored_linkage(vectors, np.ones(1200), rule, 0.5, threads=threads) for threads in (1, 3)
    )
    for first, second in zip(one[:3], two[:3], strict=True):
        np.testing.assert_array_equal(first, second)


@settings(max_examples=25, deadline=None)
@given(vector_sets(4, 25), st.integers(0, 2**31))
def test_constraints_hold(vectors: NDArray[np.float32], seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = len(vectors)
    photos = rng.integers(-1, max(1, count // 2), count)
    must = rng.integers(0, count, (2, 2))
    must = must[must[:, 0] != must[:, 1]]
    constraints = resolve(Constraints(photos, must=must), count)
    loose = MergeRule(type(RULE.law)(3.0, 0.3), 0.14, 0.0, 0.0, 4.0, 0.0, 0.0)
    history = scored_linkage(vectors, np.ones(count), loose, 0.5, constraints=constraints)
    assert history.given <= len(must)
    groups = final_groups(history)
    of = {row: number for number, group in enumerate(groups) for row in group}
    for one, two in constraints.joined.tolist():
        assert of[one] == of[two]
    if not len(must):  # a must-link may bring two faces of a photo together
        for group in groups:
            known = [photo for photo in photos[group].tolist() if photo >= 0]
            assert len(known) == len(set(known))


def test_nothing_to_merge_is_no_merge() -> None:
    for count in (0, 1):
        history = scored_linkage(unit_vectors(count, 8, seed=0), np.ones(count), RULE, 0.5)
        assert (len(history.members), history.vectors) == (0, count)


def test_what_is_not_of_these_vectors_is_refused() -> None:
    vectors = unit_vectors(5, 8, seed=0)
    graph = KnnGraph(np.full((4, 1), -1, np.int32), np.zeros((4, 1), np.float32))
    with pytest.raises(ValueError, match="graph of 5 vectors, got one of 4"):
        scored_linkage(vectors, np.ones(5), RULE, 0.5, graph=graph)
    vectors[2] = np.nan
    with pytest.raises(ValueError, match="finite"):
        scored_linkage(vectors, np.ones(5), RULE, 0.5)
