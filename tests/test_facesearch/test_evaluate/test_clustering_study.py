"""Clusterings of labelled vectors, against pairs counted one by one."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from cluster.adaptive.clustering import adaptive_merges
from cluster.metrics import pairwise_scores
from facesearch.errors import InputError
from facesearch.evaluate.clustering import clustering_study, default_sweep
from support.vectors import grouped_vectors


def people_and_vectors(seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    people = rng.integers(0, max(n // 4, 1), n)
    vectors = rng.normal(size=(n, 8))[people] + 0.5 * rng.normal(size=(n, 8))
    return people, (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def plain_pairwise(people: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Precision and recall over every pair; -1 is a group of its own."""
    both = found = true = 0
    for i, j in combinations(range(len(people)), 2):
        together, belong = groups[i] == groups[j] != -1, people[i] == people[j]
        both, found, true = both + (together and belong), found + together, true + belong
    return both / found if found else 1.0, both / true if true else 1.0


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.floats(0.1, 3))
def test_scores_are_those_of_scipys_clusters(seed: int, n: int, threshold: float) -> None:
    people, vectors = people_and_vectors(seed, n)
    usable = np.random.default_rng(seed).random(n) < 0.85
    usable[:2] = True
    kept = vectors[usable].astype(np.float64)
    groups = np.full(n, -1)
    merges = linkage(pdist(kept, "sqeuclidean"), "average")
    if np.abs(merges[:, 2] - threshold).min() < 1e-4:
        return  # a tie that rounding decides
    groups[usable] = fcluster(merges, threshold, "distance")
    study = clustering_study(vectors, people, usable, threshold=threshold, sweep=[threshold])
    (scores,), (swept,) = study.chosen, study.sweep
    assert scores == swept
    assert scores.clusters == len(np.unique(groups[usable]))
    assert scores.unclustered == (~usable).sum()
    precision, recall = plain_pairwise(people, groups)
    assert (scores.pairwise.precision, scores.pairwise.recall) == pytest.approx((precision, recall))


def test_a_sweep_goes_from_apart_to_together() -> None:
    people, vectors = people_and_vectors(0, 60)
    study = clustering_study(vectors, people, threshold=0.5, sweep=[0.0, 4.0, 0.5])
    assert [each.threshold for each in study.sweep] == [0.0, 0.5, 4.0]
    assert [study.sweep[0].clusters, study.sweep[-1].clusters] == [60, 1]
    assert study.sweep[0].bcubed.precision == study.sweep[-1].bcubed.recall == 1
    assert default_sweep(0.4)[0] == 0.1
    assert default_sweep(0.4)[-1] == 0.8
    assert default_sweep(3.0)[-1] == 4.0


def test_density_is_scored_beside_it_and_order_does_not_matter() -> None:
    people, vectors = people_and_vectors(1, 80)
    usable = np.arange(80) % 10 > 0
    study = clustering_study(vectors, people, usable, threshold=0.6, with_density=True)
    assert [each.method for each in study.chosen] == ["average linkage", "HDBSCAN"]
    assert study.chosen[1].unclustered >= 8
    order = np.random.default_rng(2).permutation(80)
    again = clustering_study(vectors[order], people[order], usable[order], threshold=0.6)
    assert again.chosen[0] == study.chosen[0]


def test_photos_without_a_face_cost_recall_alone() -> None:
    people, vectors = np.repeat([0, 1], 5), np.repeat(np.eye(2, dtype=np.float32), 5, axis=0)
    usable = np.arange(10) % 5 > 0
    (scores,) = clustering_study(vectors, people, usable, threshold=0.5, sweep=[]).chosen
    assert (scores.clusters, scores.unclustered) == (2, 2)
    assert scores.pairwise.precision == 1
    assert scores.pairwise.recall == pytest.approx(12 / 20)
    (none,) = clustering_study(vectors, people, usable & False, threshold=0.5, sweep=[]).chosen
    assert (none.clusters, none.unclustered, none.pairwise.recall) == (0, 10, 0)


def test_impossible_settings_are_refused() -> None:
    people, vectors = people_and_vectors(0, 5)
    for threshold, sweep in ((-0.1, []), (0.5, [5.0]), (4.1, [])):
        with pytest.raises(InputError, match=r"thresholds in \[0, 4\]"):
            clustering_study(vectors, people, threshold=threshold, sweep=sweep)
    with pytest.raises(InputError, match="got none"):
        clustering_study(vectors[:0], people[:0], threshold=0.5)


def test_what_cluster_does_by_default_is_judged_first() -> None:
    vectors, people = grouped_vectors(60, 6, seed=4)
    study = clustering_study(vectors, people, threshold=0.6, from_gallery=True, sweep=[])
    rule, fixed = study.chosen
    assert (rule.method, fixed.method) == ("rule of the gallery", "average linkage")
    learnt = adaptive_merges(vectors, 0.6)
    assert learnt is not None
    groups = learnt.dendrogram.groups(0.0)
    assert rule.pairwise == pairwise_scores(people, groups)
    assert (rule.threshold, rule.clusters) == (learnt.rule.distance(1, 1), groups.max() + 1)
    few = clustering_study(vectors[:20], people[:20], threshold=0.6, from_gallery=True, sweep=[])
    assert [each.method for each in few.chosen] == ["average linkage"]
