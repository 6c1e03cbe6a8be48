"""The confidence against a silhouette from all distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.graph.knn_graph import exact_knn_graph
from cluster.review import silhouette
from cluster.review.silhouette import (
    UNRELATED,
    graph_silhouette_confidence,
    lines_silhouette_confidence,
    silhouette_confidence,
)
from support.vectors import grouped_vectors, vector_sets


def some_labels(count: int, clusters: int, seed: int) -> NDArray[np.int32]:
    """Labels from 0 without gaps, some of them perhaps noise."""
    labels = np.random.default_rng(seed).integers(-1, clusters, count)
    return np.unique(np.append(labels, -1), return_inverse=True)[1][:-1].astype(np.int32) - 1


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


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 6), st.integers(0, 2**16))
def test_confidence_is_the_silhouette(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    # Distances of 1e-4 between unit vectors keep three digits in float32, and so does their ratio.
    np.testing.assert_allclose(
        silhouette_confidence(vectors, labels, 0.3),
        slow_confidence(vectors, labels, 0.3),
        atol=1e-3,
    )


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 6), st.integers(0, 2**16))
def test_some_rows_have_what_they_have_among_all(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    rows = np.random.default_rng(seed).permutation(len(vectors))[: len(vectors) // 2]
    whole = silhouette_confidence(vectors, labels, 0.3)
    np.testing.assert_allclose(
        silhouette_confidence(vectors, labels, 0.3, rows), whole[rows], atol=1e-6
    )


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(1, 6), st.integers(0, 2**16))
def test_over_a_graph_of_every_pair_it_is_the_same(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    np.testing.assert_allclose(
        graph_silhouette_confidence(
            vectors, labels, 0.3, exact_knn_graph(vectors, len(vectors) - 1).rows
        ),
        silhouette_confidence(vectors, labels, 0.3),
        atol=1e-3,
    )


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(1, 6), st.integers(0, 2**16), st.integers(1, 5))
def test_over_a_graph_of_few_it_is_never_less(
    vectors: NDArray[np.float32], clusters: int, seed: int, k: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    over_graph = graph_silhouette_confidence(vectors, labels, 0.3, exact_knn_graph(vectors, k).rows)
    assert (over_graph >= silhouette_confidence(vectors, labels, 0.3) - 1e-3).all()
    assert ((over_graph >= 0) & (over_graph <= 1)).all()
    assert (over_graph[labels < 0] == 0).all()


def test_clusters_whose_neighbours_are_all_their_members_have_a_next_one() -> None:
    vectors, truth = grouped_vectors(9, 12, seed=5)
    labels = truth.astype(np.int32)
    over_graph = graph_silhouette_confidence(vectors, labels, 0.3, exact_knn_graph(vectors, 4).rows)
    np.testing.assert_allclose(over_graph, silhouette_confidence(vectors, labels, 0.3), atol=0.02)


@settings(deadline=None, max_examples=40)
@given(vector_sets(least=2), st.integers(0, 2**16), st.integers(1, 7), st.integers(1, 5))
def test_a_graph_that_comes_in_parts_gives_the_same(
    vectors: NDArray[np.float32], seed: int, lines: int, together: int
) -> None:
    labels = some_labels(len(vectors), 4, seed)
    graph = exact_knn_graph(vectors, max(1, min(6, len(vectors) - 1)))
    expected = graph_silhouette_confidence(vectors, labels, 0.5, graph.rows)
    room = np.full((int(labels.max(initial=-1)) + 1, vectors.shape[1]), np.nan, np.float32)
    parts = [
        (first, graph.rows[first : first + lines].astype(np.int64))
        for first in range(0, len(vectors), lines)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(silhouette, "_TOGETHER", together)  # so many vectors' means at a time
        found = lines_silhouette_confidence(vectors, labels, 0.5, parts, room)
    assert np.array_equal(found, expected)
