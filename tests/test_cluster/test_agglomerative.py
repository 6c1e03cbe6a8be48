"""Clusters and their order, over all pairs and over a graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster import agglomerative as module
from cluster.agglomerative import agglomerative
from cluster.constraints import Constraints
from cluster.graph.knn_graph import exact_knn_graph
from cluster.linkage.average_linkage import average_linkage
from cluster.metrics import adjusted_rand_index
from support.vectors import grouped_vectors, unit_vectors, vector_sets


def test_people_far_apart_are_found() -> None:
    vectors, truth = grouped_vectors(30, 7, seed=1)
    found = agglomerative(np.arange(210), vectors, 0.5)
    assert adjusted_rand_index(truth, found.labels) == 1
    assert (found.confidence > 0.8).all()


def test_labels_go_by_size_then_by_smallest_id() -> None:
    centres = unit_vectors(4, 64, seed=2)
    vectors = centres[[0, 1, 1, 2, 3, 3, 3, 2]]
    found = agglomerative(np.array([80, 70, 60, 50, 40, 30, 20, 10]), vectors, 0.1)
    assert found.labels.tolist() == [3, 2, 2, 1, 0, 0, 0, 1]


def test_smaller_clusters_than_asked_for_are_noise() -> None:
    centres = unit_vectors(3, 64, seed=3)
    found = agglomerative(np.arange(6), centres[[0, 1, 1, 2, 2, 2]], 0.1, min_size=2)
    assert found.labels.tolist() == [-1, 1, 1, 0, 0, 0]
    assert found.confidence[0] == 0


@settings(deadline=None)
@given(vector_sets(), st.floats(0, 4), st.integers(1, 3))
def test_result_is_well_formed(
    vectors: NDArray[np.float32], threshold: float, min_size: int
) -> None:
    found = agglomerative(np.arange(len(vectors))[::-1], vectors, threshold, min_size=min_size)
    sizes = np.bincount(found.labels[found.labels >= 0], minlength=found.count)
    assert (np.diff(sizes) <= 0).all()
    assert (sizes >= min_size).all()
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert (found.confidence[found.labels < 0] == 0).all()


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(0, 2**16))
def test_order_of_the_vectors_does_not_matter(vectors: NDArray[np.float32], seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(vectors))
    ids = np.arange(len(vectors))
    straight = agglomerative(ids, vectors, 0.7)
    shuffled = agglomerative(ids[order], vectors[order], 0.7)
    # A merge whose height lies within rounding of the threshold may fall either way.
    near = np.abs(average_linkage(vectors)[:, 2] - 0.7)
    if near.min() > 1e-5:
        np.testing.assert_array_equal(shuffled.labels, straight.labels[order])


def test_none_and_one() -> None:
    none = agglomerative(np.zeros(0, np.int64), np.zeros((0, 8), np.float32), 0.3)
    assert (none.count, len(none.labels)) == (0, 0)
    one = agglomerative(np.array([7]), unit_vectors(1, 8, seed=0), 0.5)
    assert one.labels.tolist() == [0]
    assert one.confidence.tolist() == [pytest.approx(0.75)]


def test_wrong_arguments_are_refused() -> None:
    vectors = unit_vectors(3, 8, seed=0)
    with pytest.raises(ValueError, match="ids int64"):
        agglomerative(np.arange(2), vectors, 0.3)
    with pytest.raises(ValueError, match="every id once"):
        agglomerative(np.array([1, 1, 2]), vectors, 0.3)
    with pytest.raises(ValueError, match=r"threshold .* got 4\.5"):
        agglomerative(np.arange(3), vectors, 4.5)
    with pytest.raises(ValueError, match="min_size"):
        agglomerative(np.arange(3), vectors, 0.3, min_size=0)


def test_many_are_clustered_over_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = grouped_vectors(30, 7, seed=1)
    dense = agglomerative(np.arange(210), vectors, 0.5)
    monkeypatch.setattr(module, "MOST_DENSE", 100)
    monkeypatch.setattr(module, "average_linkage", None)
    sparse = agglomerative(np.arange(210), vectors, 0.5)
    assert adjusted_rand_index(truth, sparse.labels) == 1
    np.testing.assert_array_equal(sparse.labels, dense.labels)
    np.testing.assert_allclose(sparse.confidence, dense.confidence, atol=0.02)


@pytest.mark.parametrize("neighbours", [None, 6])
def test_two_of_one_photo_are_two_people(neighbours: int | None) -> None:
    vectors, truth = grouped_vectors(10, 6, seed=2)
    graph = exact_knn_graph(vectors, neighbours) if neighbours else None
    photos = np.where(truth == 3, 0, np.arange(1, 61))
    photos[:2] = photos[2]
    found = agglomerative(
        np.arange(60), vectors, 0.5, constraints=Constraints(photos), graph=graph
    ).labels
    assert len(set(found[truth == 3].tolist())) == 6
    assert len(set(found[:3].tolist())) == 3
    assert len(set(found[truth == 5].tolist())) == 1


def test_must_links_and_cannot_links_hold() -> None:
    vectors, _ = grouped_vectors(3, 5, seed=3)
    asked = Constraints(must=np.array([[0, 5]]), cannot=np.array([[10, 11]]))
    found = agglomerative(np.arange(15), vectors, 0.5, constraints=asked).labels
    assert found[0] == found[5]
    assert found[10] != found[11]
