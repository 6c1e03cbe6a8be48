"""Clusters, their order, and the confidence against a silhouette from all distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster import agglomerative as module
from cluster.agglomerative import UNRELATED, agglomerative, confidence
from cluster.scores import adjusted_rand_index
from support.vectors import grouped_vectors, unit_vectors, vector_sets


def slow_confidence(
    vectors: NDArray[np.float32], labels: NDArray[np.int32], threshold: float
) -> list[float]:
    """The documented definition, written out over every pair."""
    points = vectors.astype(np.float64)
    result = []
    for row, label in enumerate(labels):
        if label < 0:
            result.append(0.0)
            continue
        to = ((points - points[row]) ** 2).sum(axis=1)
        others = (labels == label) & (np.arange(len(labels)) != row)
        a = to[others].mean() if others.any() else threshold
        rest = [to[labels == other].mean() for other in set(labels.tolist()) - {label, -1}]
        b = min(rest, default=UNRELATED)
        result.append(max(b - a, 0) / max(a, b) if max(a, b) else 0.0)
    return result


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
@given(vector_sets(least=1), st.integers(1, 6), st.integers(0, 2**16))
def test_confidence_is_the_silhouette(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(-1, clusters, len(vectors)).astype(np.int32)
    labels = np.unique(np.append(labels, -1), return_inverse=True)[1][:-1].astype(np.int32) - 1
    # Distances of 1e-4 between unit vectors keep three digits in float32, and so does their ratio.
    np.testing.assert_allclose(
        confidence(vectors, labels, 0.3), slow_confidence(vectors, labels, 0.3), atol=1e-3
    )


def test_confidence_does_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = grouped_vectors(9, 5, seed=4, spread=1.0)
    labels = truth.astype(np.int32)
    whole = confidence(vectors, labels, 0.3)
    monkeypatch.setattr(module, "_BLOCK_CELLS", 20)
    np.testing.assert_allclose(confidence(vectors, labels, 0.3), whole, atol=1e-6)


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
    near = np.abs(module.average_linkage(vectors)[:, 2] - 0.7)
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
