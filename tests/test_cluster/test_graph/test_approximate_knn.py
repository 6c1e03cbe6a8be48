"""The graph from near cells: exact when it looks into all, good when it looks into some."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.graph import approximate_knn as module
from cluster.graph.approximate_knn import approximate_knn_graph
from cluster.graph.knn_graph import edge_recall, exact_knn_graph
from indexer.exact.int8_kernel import LANES
from support.vectors import grouped_vectors, unit_vectors, vector_sets

# What codes of a byte a component may take for nearer than what is, beyond what is found besides.
ACCURACY = 0.05


@pytest.fixture(params=["bytes", "faiss"], autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways of searching, whatever the processor takes."""
    if request.param == "bytes" and not LANES:
        pytest.skip("the processor multiplies no bytes (AVX2)")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "faiss":
            patch.setattr(module, "LANES", 0)
        yield request.param


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 8), st.integers(1, 5))
def test_looking_into_all_cells_is_exact(vectors: NDArray[np.float32], k: int, cell: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CELL", cell)
        graph = approximate_knn_graph(vectors, k, probes=len(vectors))
    expected = exact_knn_graph(vectors, k)
    np.testing.assert_allclose(graph.distances, expected.distances, atol=ACCURACY)
    points = vectors.astype(np.float64)
    for row, (others, distances) in enumerate(zip(graph.rows, graph.distances, strict=True)):
        near = others[others >= 0]
        assert len(set(near.tolist())) == len(near) == min(k, len(vectors) - 1)
        assert row not in near
        measured = ((points[near] - points[row]) ** 2).sum(axis=1)
        np.testing.assert_allclose(distances[: len(near)], measured, atol=1e-5)
        assert (np.diff(distances[: len(near)]) >= 0).all()


def test_all_cells_have_nearly_all_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELL", 64)
    vectors, _ = grouped_vectors(200, 10, seed=6, spread=1.0)
    assert edge_recall(vectors, approximate_knn_graph(vectors, 16)) > 0.99


def test_few_cells_find_most_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELL", 16)
    vectors, truth = grouped_vectors(200, 5, seed=1, spread=0.6)
    graph = approximate_knn_graph(vectors, 4, probes=6)
    assert (truth[graph.rows] == truth[:, None]).mean() > 0.9
    fewer = approximate_knn_graph(vectors, 4, probes=1)
    assert fewer.distances.mean() > graph.distances.mean()


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit_vectors(700, 16, seed=2)
    monkeypatch.setattr(module, "CELL", 32)
    monkeypatch.setattr(module, "_BLOCK", 100)
    whole = approximate_knn_graph(vectors, 5, probes=3, threads=1)
    threaded = approximate_knn_graph(vectors, 5, probes=3, threads=3)
    np.testing.assert_array_equal(threaded.rows, whole.rows)
    np.testing.assert_array_equal(threaded.distances, whole.distances)


def test_equal_vectors_are_neighbours() -> None:
    graph = approximate_knn_graph(np.repeat(unit_vectors(3, 8, seed=3), 4, axis=0), 3)
    assert (graph.distances < 1e-6).all()
    assert (graph.rows // 4 == np.arange(12)[:, None] // 4).all()


def test_all_vectors_equal() -> None:
    graph = approximate_knn_graph(np.repeat(unit_vectors(1, 8, seed=3), 40, axis=0), 3)
    assert (graph.rows >= 0).all() and (graph.rows != np.arange(40)[:, None]).all()
    assert (graph.distances == 0).all()


def test_more_neighbours_than_vectors() -> None:
    graph = approximate_knn_graph(unit_vectors(5, 7, seed=4), 9)
    assert ((graph.rows >= 0).sum(axis=1) == 4).all()
    assert np.isinf(graph.distances[:, 4:]).all() and (graph.rows[:, 4:] == -1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_no_others_no_neighbours(count: int) -> None:
    graph = approximate_knn_graph(np.ones((count, 1), np.float32), 3)
    assert graph.rows.shape == (count, 3) and (graph.rows == -1).all()


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(n, d\)"):
        approximate_knn_graph(np.ones(3), 2)
    with pytest.raises(ValueError, match="got 0 and 64"):
        approximate_knn_graph(unit_vectors(3, 4, seed=0), 0)
    with pytest.raises(ValueError, match="row 1 with nan"):
        approximate_knn_graph(np.array([[1.0], [np.nan], [1.0]]), 1)
