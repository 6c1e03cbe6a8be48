"""Neighbour graphs: ids to rows, and the exact graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from cluster.graph import knn_graph as module
from cluster.graph.knn_graph import KnnGraph, edge_recall, exact_knn_graph
from support.vectors import unit_vectors, vector_sets


@settings(deadline=None)
@given(vector_sets(least=3))
def test_the_exact_graph_has_the_nearest_others(vectors: NDArray[np.float32]) -> None:
    vectors = np.concatenate([vectors, vectors[:2]])  # some are equal
    graph = exact_knn_graph(vectors, 2)
    points = vectors.astype(np.float64)
    for row, point in enumerate(points):
        assert row not in graph.rows[row]
        others = np.delete(((points - point) ** 2).sum(axis=1), row)
        np.testing.assert_allclose(graph.distances[row], np.sort(others)[:2], atol=1e-6)
        measured = ((points[graph.rows[row]] - point) ** 2).sum(axis=1)
        np.testing.assert_allclose(graph.distances[row], measured, atol=1e-6)


def test_the_exact_graph_does_not_depend_on_the_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(50, 8, seed=1)
    whole = exact_knn_graph(vectors, 7)
    monkeypatch.setattr(module, "_QUERIES", 9)
    np.testing.assert_array_equal(exact_knn_graph(vectors, 7).rows, whole.rows)


def test_more_neighbours_than_there_are_others_are_none() -> None:
    graph = exact_knn_graph(unit_vectors(3, 4, seed=2), 5)
    assert (graph.rows[:, 2:] == -1).all() and (graph.rows[:, :2] >= 0).all()


def test_wrong_graphs_are_refused() -> None:
    rows = np.zeros((2, 1), np.int32)
    with pytest.raises(ValueError, match="rows int32"):
        KnnGraph(rows.astype(np.int64), np.zeros((2, 1), np.float32))
    with pytest.raises(ValueError, match=r"distances float32 \(2, 1\)"):
        KnnGraph(rows, np.zeros((2, 2), np.float32))
    with pytest.raises(ValueError, match=r"rows in \[-1, 2\), got 0 to 2"):
        KnnGraph(np.array([[0], [2]], np.int32), np.zeros((2, 1), np.float32))


def test_edge_recall_is_the_share_of_exact_neighbours() -> None:
    vectors = unit_vectors(300, 16, seed=4)
    exact = exact_knn_graph(vectors, 8)
    assert edge_recall(vectors, exact) == 1
    half = exact.rows.copy()
    half[:, ::2] = -1
    assert edge_recall(vectors, KnnGraph(half, exact.distances)) == 0.5
    turned = KnnGraph(exact.rows[:, ::-1].copy(), exact.distances)
    assert edge_recall(vectors, turned) == 1
    rng = np.random.default_rng(0)
    wrong = rng.integers(0, 300, (300, 8)).astype(np.int32)
    assert edge_recall(vectors, KnnGraph(wrong, exact.distances)) < 0.1


def test_edge_recall_of_few_and_of_equal_vectors() -> None:
    one = unit_vectors(1, 4, seed=0)
    assert edge_recall(one, exact_knn_graph(one, 3)) == 1
    equal = np.repeat(one, 40, axis=0)
    assert edge_recall(equal, exact_knn_graph(equal, 5)) == 1
    with pytest.raises(ValueError, match="graph of 1 vectors"):
        edge_recall(one, exact_knn_graph(equal, 5))
