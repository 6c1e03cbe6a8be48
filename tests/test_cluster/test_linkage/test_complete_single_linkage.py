"""Complete and single linkage against scipy's, and against always merging the nearest two."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import adjusted_rand_score

from cluster.agglomerative import LinkageName, agglomerative, merged
from cluster.constraints import Constraints, ResolvedConstraints, resolve
from cluster.graph.knn_graph import exact_knn_graph, horizon
from cluster.linkage import complete_single_linkage as module
from cluster.linkage.average_linkage import cut
from cluster.linkage.complete_single_linkage import complete_linkage, single_linkage
from support.oracles.plain_linkage import plain_linkage, sets_apart
from support.vectors import grouped_vectors, unit_vectors, vector_sets

Vectors = NDArray[np.float32]
LINKAGES = {"complete": complete_linkage, "single": single_linkage}
names = pytest.mark.parametrize("name", LINKAGES)


@st.composite
def constrained(draw: st.DrawFn) -> tuple[Vectors, ResolvedConstraints]:
    """A few vectors, and photos, people and pairs that say something about them."""
    vectors = draw(vector_sets(least=2, most=16))
    count = len(vectors)
    row = st.integers(0, count - 1)
    pair = st.tuples(row, row).filter(lambda each: each[0] != each[1])
    photos, people = (
        np.array(draw(st.lists(st.integers(-1, most), min_size=count, max_size=count)))
        for most in (8, 2)
    )
    must, cannot = (
        np.array(draw(st.lists(pair, max_size=4)), np.int64).reshape(-1, 2) for _ in range(2)
    )
    return vectors, resolve(Constraints(photos, must, cannot, people), count)


@names
@settings(deadline=None)
@given(vectors=vector_sets(least=2), threshold=st.floats(0.01, 3.9))
def test_heights_and_cuts_are_those_of_scipy(name: str, vectors: Vectors, threshold: float) -> None:
    ours = LINKAGES[name](vectors)
    theirs = linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), name)
    assert is_valid_linkage(ours)
    np.testing.assert_allclose(ours[:, 2], theirs[:, 2], atol=1e-5)
    if np.abs(theirs[:, 2] - threshold).min() > 1e-5:
        groups = cut(ours, len(vectors), threshold)
        assert adjusted_rand_score(groups, fcluster(theirs, threshold, "distance")) == 1
        stopped = LINKAGES[name](vectors, threshold)
        np.testing.assert_array_equal(stopped, ours[ours[:, 2] <= threshold])


@names
@settings(deadline=None)
@given(case=constrained())
def test_constraints_give_what_the_plain_way_gives(
    name: str, case: tuple[Vectors, ResolvedConstraints]
) -> None:
    vectors, resolved = case
    heights, made = plain_linkage(vectors, resolved, np.max if name == "complete" else np.min)
    rows = LINKAGES[name](vectors, constraints=resolved)
    np.testing.assert_allclose(rows[: len(resolved.joined), 2], 0)
    if len(heights) <= len(resolved.joined) or no_near_ties(vectors):
        np.testing.assert_allclose(rows[:, 2], heights, atol=1e-5)
        groups = [frozenset([row]) for row in range(len(vectors))]
        for one, two in rows[:, :2].astype(int).tolist():
            groups.append(groups[one] | groups[two])
        assert groups[len(vectors) :] == made


def no_near_ties(vectors: Vectors) -> bool:
    distances = np.sort(pdist(vectors.astype(np.float64), "sqeuclidean"))
    return bool(np.diff(distances, prepend=0).min() > 1e-5)


@names
@settings(deadline=None)
@given(case=constrained(), threshold=st.floats(0, 4), k=st.integers(1, 6))
def test_no_merge_joins_what_was_kept_apart(
    name: str, case: tuple[Vectors, ResolvedConstraints], threshold: float, k: int
) -> None:
    vectors, resolved = case
    found = [LINKAGES[name](vectors, constraints=resolved)]
    if name == "single":
        found.append(single_linkage(vectors, 4, resolved, exact_knn_graph(vectors, k)))
    for rows in found:
        asked = cut(rows[: len(resolved.joined)], len(vectors), 0)
        groups = cut(rows, len(vectors), threshold)
        assert all(groups[one] == groups[two] for one, two in resolved.joined.tolist())
        for each in sets_apart(resolved):
            together = [(a, b) for a, b in combinations(each, 2) if groups[a] == groups[b]]
            assert all(asked[a] == asked[b] for a, b in together)


@settings(deadline=None)
@given(constrained(), st.integers(1, 16), st.floats(0.001, 4))
def test_single_linkage_over_a_graph_is_exact_up_to_its_horizon(
    case: tuple[Vectors, ResolvedConstraints], k: int, threshold: float
) -> None:
    vectors, resolved = case
    graph = exact_knn_graph(vectors, k)
    rows = single_linkage(vectors, constraints=resolved, graph=graph)
    threshold = min(threshold, horizon(graph) - 1e-5)
    if threshold > 0 and no_near_ties(vectors):
        whole = cut(single_linkage(vectors, constraints=resolved), len(vectors), threshold)
        np.testing.assert_array_equal(cut(rows, len(vectors), threshold), whole)


def test_groups_of_single_linkage_are_the_parts_that_near_pairs_join() -> None:
    vectors = unit_vectors(400, 8, seed=3)
    for graph in (None, exact_knn_graph(vectors, 399)):
        groups = cut(single_linkage(vectors, 0.3, graph=graph), 400, 0.3)
        near = squareform(pdist(vectors.astype(np.float64), "sqeuclidean")) <= 0.3
        assert adjusted_rand_score(groups, connected_components(near)[1]) == 1


def test_the_horizon_is_where_the_first_line_ends() -> None:
    vectors = unit_vectors(9, 4, seed=1)
    graph = exact_knn_graph(vectors, 3)
    assert horizon(graph) == graph.distances[:, -1].min()
    assert horizon(exact_knn_graph(vectors, 9)) == np.inf


@names
def test_they_cluster_as_average_linkage_does(name: LinkageName) -> None:
    vectors, truth = grouped_vectors(12, 7, seed=2)
    found = agglomerative(np.arange(84), vectors, 0.5, linkage=name)
    assert adjusted_rand_score(truth, found.labels) == 1


def test_many_vectors_are_joined_by_a_graph_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = grouped_vectors(12, 7, seed=2)
    monkeypatch.setattr("cluster.agglomerative.MOST_PAIRS", 80)
    monkeypatch.setattr(module, "MOST_PAIRS", 80)
    made = merged(vectors, 4, linkage="single")
    assert made.neighbours is not None and made.horizon < 4
    assert adjusted_rand_score(truth, made.groups(0.5)) == 1
    with pytest.raises(ValueError, match="at most 80 vectors to look at all pairs of, got 84"):
        merged(vectors, 4, linkage="complete")
    with pytest.raises(ValueError, match="at most 80"):
        single_linkage(vectors)


@names
def test_wrong_input_is_refused(name: LinkageName) -> None:
    with pytest.raises(ValueError, match="row 1"):
        LINKAGES[name](np.array([[1.0], [np.nan], [1.0]]))
    assert LINKAGES[name](np.ones((1, 3), np.float32)).shape == (0, 4)
    assert LINKAGES[name](np.ones((0, 3), np.float32)).shape == (0, 4)
    vectors = unit_vectors(4, 4, seed=0)
    with pytest.raises(ValueError, match="expected linkage average, complete, single, got 'ward'"):
        merged(vectors, 1, linkage="ward")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs all pairs"):
        merged(vectors, 1, linkage="complete", graph=exact_knn_graph(vectors, 2))
    with pytest.raises(ValueError, match="a graph of 3 vectors, got one of 4"):
        single_linkage(vectors[:3], graph=exact_knn_graph(vectors, 2))
