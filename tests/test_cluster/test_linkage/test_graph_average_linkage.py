"""Linkage over a neighbour graph: equal to the dense one where the graph has every pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score

from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.linkage import graph_average_linkage as module
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.metrics import adjusted_rand_index
from support.oracles.plain_linkage import plain_linkage, sets_apart
from support.vectors import grouped_vectors, unit_vectors, vector_sets

Vectors = NDArray[np.float32]


def whole_graph(vectors: Vectors) -> KnnGraph:
    return exact_knn_graph(vectors, max(len(vectors) - 1, 1))


@st.composite
def constrained(draw: st.DrawFn) -> tuple[Vectors, ResolvedConstraints]:
    """A few vectors, and photos and pairs that say something about them."""
    vectors = draw(vector_sets(least=2, most=16))
    row = st.integers(0, len(vectors) - 1)
    pair = st.tuples(row, row).filter(lambda each: each[0] != each[1])
    photos = st.lists(st.integers(-1, 8), min_size=len(vectors), max_size=len(vectors))

    def pairs(most: int) -> NDArray[np.int64]:
        return np.array(draw(st.lists(pair, max_size=most)), np.int64).reshape(-1, 2)

    asked = Constraints(np.array(draw(photos)), pairs(4), pairs(6))
    return vectors, resolve(asked, len(vectors))


def members(rows: NDArray[np.float64], count: int) -> list[frozenset[int]]:
    """The group that each row of a linkage makes."""
    groups = [frozenset([row]) for row in range(count)]
    for one, two in rows[:, :2].astype(int).tolist():
        groups.append(groups[one] | groups[two])
    return groups[count:]


def no_near_ties(heights: list[float], joined: int) -> bool:
    return bool(len(heights) <= joined or np.diff([0, *heights[joined:]]).min() > 1e-5)


@settings(deadline=None)
@given(vector_sets(least=2))
def test_with_every_pair_heights_are_those_of_scipy(vectors: Vectors) -> None:
    ours = graph_average_linkage(vectors, whole_graph(vectors))
    theirs = linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), "average")
    assert is_valid_linkage(ours)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-5)


@settings(deadline=None)
@given(vector_sets(least=2), st.floats(0.01, 3.9))
def test_with_every_pair_cuts_are_those_of_scipy(vectors: Vectors, threshold: float) -> None:
    ours = graph_average_linkage(vectors, whole_graph(vectors))
    theirs = linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), "average")
    if np.abs(theirs[:, 2] - threshold).min() > 1e-5:
        groups = cut(ours, len(vectors), threshold)
        assert adjusted_rand_score(groups, fcluster(theirs, threshold, "distance")) == 1


def test_many_vectors_give_the_rows_of_scipy() -> None:
    vectors = unit_vectors(600, 32, seed=5)
    ours = graph_average_linkage(vectors, whole_graph(vectors))
    theirs = linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), "average")
    np.testing.assert_array_equal(ours[:, [0, 1, 3]], theirs[:, [0, 1, 3]])
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(constrained(), st.integers(1, 8), st.integers(1, 3))
def test_rounds_of_few_edges_give_what_one_round_gives(
    case: tuple[Vectors, ResolvedConstraints], few: int, threads: int
) -> None:
    vectors, resolved = case
    graph = whole_graph(vectors)
    whole = graph_average_linkage(vectors, graph, constraints=resolved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        patch.setattr(module, "_PART", 2)
        rounds = graph_average_linkage(vectors, graph, constraints=resolved, threads=threads)
    np.testing.assert_allclose(rounds[:, 2], whole[:, 2], atol=1e-5)
    if no_near_ties(whole[:, 2].tolist(), len(resolved.joined)):
        np.testing.assert_array_equal(rounds[:, [0, 1, 3]], whole[:, [0, 1, 3]])


@settings(deadline=None)
@given(constrained())
def test_constraints_give_what_the_plain_way_gives(
    case: tuple[Vectors, ResolvedConstraints],
) -> None:
    vectors, resolved = case
    heights, made = plain_linkage(vectors, resolved)
    for rows in (
        graph_average_linkage(vectors, whole_graph(vectors), constraints=resolved),
        average_linkage(vectors, constraints=resolved),
    ):
        if no_near_ties(heights, len(resolved.joined)):
            np.testing.assert_allclose(rows[:, 2], heights, atol=1e-5)
            assert members(rows, len(vectors)) == made


@settings(deadline=None)
@given(constrained(), st.integers(1, 6), st.floats(0, 4))
def test_no_merge_joins_what_was_kept_apart(
    case: tuple[Vectors, ResolvedConstraints], k: int, threshold: float
) -> None:
    vectors, resolved = case
    for rows in (
        graph_average_linkage(vectors, exact_knn_graph(vectors, k), constraints=resolved),
        average_linkage(vectors, constraints=resolved),
    ):
        groups = cut(rows, len(vectors), threshold)
        asked = cut(rows, len(vectors), 0.0) if len(resolved.joined) else np.arange(len(vectors))
        for one, two in resolved.joined.tolist():
            assert groups[one] == groups[two]
        for each in sets_apart(resolved):
            # Two of a set are together only if a must-link has put them there.
            together = [(a, b) for a in each for b in each if groups[a] == groups[b] and a < b]
            assert all(asked[a] == asked[b] for a, b in together)


@settings(deadline=None)
@given(constrained(), st.floats(0, 4))
def test_a_cut_is_the_run_that_stops_there(
    case: tuple[Vectors, ResolvedConstraints], stop: float
) -> None:
    vectors, resolved = case
    graph = whole_graph(vectors)
    whole = graph_average_linkage(vectors, graph, constraints=resolved)
    stopped = graph_average_linkage(vectors, graph, stop, resolved)
    if not len(whole) or np.abs(whole[:, 2] - stop).min() > 1e-5:
        np.testing.assert_array_equal(stopped, whole[whole[:, 2] <= stop])


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(1, 8))
def test_distances_ascend_and_are_of_all_pairs(vectors: Vectors, k: int) -> None:
    rows = graph_average_linkage(vectors, exact_knn_graph(vectors, k))
    assert (np.diff(rows[:, 2]) >= 0).all()
    points, groups = vectors.astype(np.float64), [[row] for row in range(len(vectors))]
    level = 0.0
    for one, two, height, size in rows.tolist():
        first, second = points[groups[int(one)]], points[groups[int(two)]]
        level = max(level, ((first[:, None] - second[None]) ** 2).sum(axis=2).mean())
        assert height == pytest.approx(level, abs=1e-5)
        groups.append(groups[int(one)] + groups[int(two)])
        assert len(groups[-1]) == size


def test_few_neighbours_find_people_far_apart() -> None:
    vectors, truth = grouped_vectors(60, 25, seed=3)
    groups = cut(graph_average_linkage(vectors, exact_knn_graph(vectors, 5)), len(vectors), 0.5)
    assert adjusted_rand_index(truth, groups) == 1


def test_edges_count_from_either_end() -> None:
    vectors, _ = grouped_vectors(20, 6, seed=4, spread=1.0)
    graph = exact_knn_graph(vectors, 6)
    expected = graph_average_linkage(vectors, graph)
    one_way = graph.rows.copy()
    for row in range(len(vectors)):
        for column, other in enumerate(graph.rows[row]):
            if other > row and row in graph.rows[other]:
                one_way[row, column] = -1
    again = graph_average_linkage(vectors, KnnGraph(one_way, graph.distances))
    np.testing.assert_allclose(again, expected, atol=1e-6)


def test_distances_of_the_graph_may_be_too_small() -> None:
    vectors, _ = grouped_vectors(20, 6, seed=4, spread=1.0)
    graph = whole_graph(vectors)
    too_near = KnnGraph(graph.rows, graph.distances * np.float32(0.9))
    expected = graph_average_linkage(vectors, graph)
    np.testing.assert_allclose(graph_average_linkage(vectors, too_near), expected, atol=1e-6)


def test_without_edges_nothing_merges() -> None:
    none = KnnGraph(np.full((4, 2), -1, np.int32), np.full((4, 2), np.inf, np.float32))
    assert graph_average_linkage(unit_vectors(4, 8, seed=0), none).shape == (0, 4)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_to_merge(count: int) -> None:
    none = KnnGraph(np.zeros((count, 0), np.int32), np.zeros((count, 0), np.float32))
    assert graph_average_linkage(np.ones((count, 3), np.float32), none).shape == (0, 4)


def test_the_input_is_left_as_it_was() -> None:
    vectors = unit_vectors(50, 8, seed=8)
    graph = exact_knn_graph(vectors, 5)
    before = vectors.copy(), graph.rows.copy(), graph.distances.copy()
    graph_average_linkage(vectors, graph)
    for now, then in zip((vectors, graph.rows, graph.distances), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_wrong_input_is_refused() -> None:
    vectors = unit_vectors(3, 4, seed=0)
    graph = exact_knn_graph(vectors, 2)
    with pytest.raises(ValueError, match="a graph of 2 vectors, got one of 3"):
        graph_average_linkage(vectors[:2], graph)
    with pytest.raises(ValueError, match="row 1"):
        graph_average_linkage(np.array([[1.0], [np.nan], [1.0]]), graph)
    with pytest.raises(ValueError, match="photos int64"):
        graph_average_linkage(vectors, graph, constraints=Constraints(np.zeros(2, np.int64)))
