"""Clusters without a threshold: close to the best threshold of each gallery, whoever is in it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.common.face_model import FaceModel
from benchmarks.common.made_galleries import MadeGallery
from cluster.adaptive.clustering import AdaptiveMerges, adaptive_merges, groups_by_rule
from cluster.adaptive.impostor_law import LEAST_VECTORS
from cluster.adaptive.scored_linkage import MOST_COMPLETE
from cluster.graph.knn_graph import exact_knn_graph
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.metrics import bcubed_scores, pairwise_scores
from support.vectors import grouped_vectors, unit_vectors

BEYOND = 0.14
Labels = NDArray[np.int64]


@pytest.fixture(scope="module")
def made() -> tuple[NDArray[np.float32], Labels]:
    gallery = MadeGallery(9000, FaceModel.load(), seed=11)
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    return vectors, gallery.people(np.arange(9000))


def few_and_many(
    made: tuple[NDArray[np.float32], Labels], people: int, strangers: int
) -> tuple[NDArray[np.float32], Labels]:
    """The ``people`` of most faces, and single faces of others."""
    vectors, truth = made
    sizes = np.bincount(truth)
    large = np.argsort(-sizes)[:people]
    _, first = np.unique(truth, return_index=True)
    single = first[~np.isin(truth[first], large)][:strangers]
    rows = np.sort(np.concatenate([np.flatnonzero(np.isin(truth, large)), single]))
    return vectors[rows], truth[rows]


def scores(truth: Labels, groups: NDArray[np.int32]) -> tuple[float, float]:
    return pairwise_scores(truth, groups).f, bcubed_scores(truth, groups).f


def best_threshold(vectors: NDArray[np.float32], truth: Labels) -> tuple[float, float]:
    linkage = average_linkage(vectors, 0.2)
    found = [scores(truth, cut(linkage, len(truth), t)) for t in np.arange(0.09, 0.2, 0.01)]
    return max(found, key=sum)


def learnt(vectors: NDArray[np.float32]) -> AdaptiveMerges:
    found = adaptive_merges(vectors, BEYOND)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("people", "strangers"), [(40, 0), (20, 1200), pytest.param(60, 300, marks=pytest.mark.slow)]
)
def test_it_comes_close_to_the_best_threshold_of_each_gallery(
    made: tuple[NDArray[np.float32], Labels], people: int, strangers: int
) -> None:
    vectors, truth = few_and_many(made, people, strangers)
    found = scores(truth, learnt(vectors).dendrogram.groups(0.0))
    best = best_threshold(vectors, truth)
    assert found[0] > best[0] - 0.03
    assert found[1] > best[1] - 0.03


@pytest.mark.parametrize(
    "strangers", [400, *(pytest.param(each, marks=pytest.mark.slow) for each in (1500, 4000))]
)
def test_strangers_beside_people_do_not_move_them(
    made: tuple[NDArray[np.float32], Labels], strangers: int
) -> None:
    alone, truth = few_and_many(made, 30, 0)
    beside, all_truth = few_and_many(made, 30, strangers)
    people = np.isin(all_truth, truth)
    before = scores(truth, learnt(alone).dendrogram.groups(0.0))
    groups = learnt(beside).dendrogram.groups(0.0)
    after = scores(truth, groups[people])
    assert abs(after[0] - before[0]) < 0.02
    assert abs(after[1] - before[1]) < 0.03  # a face alone may now be one of very many
    assert int((np.bincount(groups) > 1).sum()) <= 1.5 * 30


@pytest.mark.parametrize(
    "count", [1000, *(pytest.param(each, marks=pytest.mark.slow) for each in (2000, 3000))]
)
def test_people_stay_as_they_are_when_a_few_more_photos_come(
    made: tuple[NDArray[np.float32], Labels], count: int
) -> None:
    vectors, people = made
    order = np.random.default_rng(1).permutation(len(vectors))
    rows, more = order[:count], order[: count + 200]
    truth = people[rows]
    before = scores(truth, learnt(vectors[rows]).dendrogram.groups(0.0))
    after = scores(truth, learnt(vectors[more]).dendrogram.groups(0.0)[:count])
    assert abs(after[0] - before[0]) < 0.015
    assert abs(after[1] - before[1]) < 0.01


def test_there_is_no_cliff_where_a_graph_takes_the_place_of_all_pairs(
    made: tuple[NDArray[np.float32], Labels],
) -> None:
    vectors, truth = (each[: MOST_COMPLETE + 60] for each in made)
    small = slice(MOST_COMPLETE)
    below = scores(truth[small], learnt(vectors[small]).dendrogram.groups(0.0))
    above = scores(truth, learnt(vectors).dendrogram.groups(0.0))
    assert abs(below[0] - above[0]) < 0.03
    assert abs(below[1] - above[1]) < 0.02


def test_equal_input_gives_equal_output_and_copies_stay_together(
    made: tuple[NDArray[np.float32], Labels],
) -> None:
    vectors = np.concatenate([made[0][:700], made[0][:30]])
    one, two = learnt(vectors), learnt(vectors)
    assert one.rule == two.rule
    np.testing.assert_array_equal(one.dendrogram.pairs, two.dendrogram.pairs)
    groups = one.dendrogram.groups(0.0)
    np.testing.assert_array_equal(groups[700:], groups[:30])


def test_cuts_are_nested(made: tuple[NDArray[np.float32], Labels]) -> None:
    dendrogram = learnt(made[0][:1500]).dendrogram
    fine, coarse = dendrogram.groups(-1.0), dendrogram.groups(0.3)
    assert fine.max() > coarse.max()
    for group in range(fine.max() + 1):
        assert len(np.unique(coarse[fine == group])) == 1


def test_the_rule_of_a_gallery_makes_its_groups_again(
    made: tuple[NDArray[np.float32], Labels],
) -> None:
    vectors = made[0][:1500]
    found = learnt(vectors)
    again = groups_by_rule(vectors, found.rule, exact_knn_graph(vectors, 200))
    f = pairwise_scores(found.dendrogram.groups(0.0).astype(np.int64), again).f
    assert f > 0.98
    all_pairs = groups_by_rule(vectors, found.rule)
    f = pairwise_scores(found.dendrogram.groups(0.0).astype(np.int64), all_pairs).f
    assert f > 0.995


def test_people_far_from_all_others_are_found_whole() -> None:
    vectors, truth = grouped_vectors(60, 6, seed=4)
    found = adaptive_merges(vectors, 0.6)
    assert found is not None
    assert scores(truth, found.dendrogram.groups(0.0)) == (1.0, 1.0)


def test_too_few_to_tell_is_none() -> None:
    assert adaptive_merges(unit_vectors(LEAST_VECTORS - 1, 16, seed=0), BEYOND) is None
    assert adaptive_merges(unit_vectors(0, 16, seed=0), BEYOND) is None
    assert adaptive_merges(np.repeat(unit_vectors(1, 8, 0), 300, axis=0), BEYOND) is None
