"""Clusters that grow, against clustering everything at once and against a plain search."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.agglomerative import agglomerative
from cluster.constraints import Constraints
from cluster.incremental import GROUPS, _new_edges, grow_clusters
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.metrics import adjusted_rand_index
from cluster.review.silhouette import silhouette_confidence
from cluster.types import NOISE, Clustering
from support.vectors import grouped_vectors, unit_vectors, vector_sets


def unplaced(count: int, labels: list[int] | NDArray[np.int32] = ()) -> Clustering:  # type: ignore[assignment]
    """``labels`` of the first vectors, and the others of ``count`` new."""
    all_labels = np.full(count, NOISE, np.int32)
    all_labels[: len(labels)] = labels
    return Clustering(np.arange(count), all_labels, np.full(count, 0.25, np.float32))


@settings(deadline=None)
@given(vector_sets(most=24), st.sampled_from([0.2, 0.8, 1.5]))
def test_when_all_are_new_it_is_average_linkage(
    vectors: NDArray[np.float32], threshold: float
) -> None:
    found = grow_clusters(unplaced(len(vectors)), vectors, threshold)
    groups = cut(average_linkage(vectors, threshold), len(vectors), threshold)
    assert adjusted_rand_index(groups, found.labels) == pytest.approx(1)


def plain_distances(
    points: NDArray[np.float64], labels: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each new vector (m) to each group, and to each new vector but itself (infinite)."""
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    new = np.flatnonzero(labels == NOISE)
    groups = [
        squares[new][:, labels == each].mean(axis=1) for each in np.unique(labels[labels >= 0])
    ]
    others = squares[np.ix_(new, new)]
    np.fill_diagonal(others, np.inf)
    return np.array(groups).reshape(len(groups), len(new)).T, others


@pytest.mark.parametrize("worth_codes", [1, 10**6])
@settings(deadline=None, max_examples=50)
@given(vectors=vector_sets(least=1), data=st.data(), threshold=st.floats(0.1, 4))
def test_edges_are_those_that_every_distance_gives(
    worth_codes: int, vectors: NDArray[np.float32], data: st.DataObject, threshold: float
) -> None:
    count = len(vectors)
    some = st.lists(st.integers(NOISE, 14), min_size=count, max_size=count)
    labels = np.array(data.draw(some), np.int32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.exact.int8_search._WORTH_CODES", worth_codes)
        graph = _new_edges(vectors, labels, threshold)
    new = np.flatnonzero(labels == NOISE)
    group = np.unique(labels[labels >= 0], return_inverse=True)[1]
    place = np.empty(count, np.int64)
    place[new], place[labels >= 0] = np.arange(len(new)), group
    for part, far in zip(
        (slice(GROUPS), slice(GROUPS, None)),
        plain_distances(vectors.astype(np.float64), labels),
        strict=True,
    ):
        assume(not far.size or np.abs(far - threshold).min() > 1e-5)
        rows, distances = graph.rows[new, part], graph.distances[new, part]
        for line in range(len(new)):
            there = rows[line] >= 0
            nearest = np.sort(far[line])[: rows.shape[1]]
            expected = nearest[nearest <= threshold]
            assert np.sort(distances[line][there]) == pytest.approx(expected, abs=1e-5)
            ends = place[rows[line][there]]
            assert len(set(ends.tolist())) == len(ends)
            assert distances[line][there] == pytest.approx(far[line][ends], abs=1e-5)
    assert (graph.rows[labels >= 0] == -1).all()


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_clear_people_grow_to_what_they_are_at_once(seed: int, first: int) -> None:
    vectors, truth = grouped_vectors(12, 5, seed)
    order = np.random.default_rng(seed).permutation(60)
    vectors, truth = vectors[order], truth[order]
    base = agglomerative(np.arange(first), vectors[:first], 0.5)
    found = grow_clusters(unplaced(60, base.labels), vectors, 0.5)
    assert adjusted_rand_index(truth, found.labels) == 1
    sure = silhouette_confidence(vectors, found.labels, 0.5)
    assert found.confidence[first:] == pytest.approx(sure[first:], abs=1e-5)
    assert (found.confidence[:first] == np.float32(0.25)).all()


@settings(deadline=None)
@given(vector_sets(least=2, most=30), st.data())
def test_what_is_together_stays_and_constraints_hold(
    vectors: NDArray[np.float32], data: st.DataObject
) -> None:
    count = len(vectors)
    first = data.draw(st.integers(0, count))
    people = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)))
    photos = np.array(data.draw(st.lists(st.integers(-1, 9), min_size=count, max_size=count)))
    known = Constraints(None, people=people[:first])
    base = agglomerative(np.arange(first), vectors[:first], 0.8, constraints=known)
    constraints = Constraints(photos, people=people)
    found = grow_clusters(
        unplaced(count, base.labels), vectors, 0.8, constraints=constraints
    ).labels
    for label in range(base.count):
        assert len(set(found[:first][base.labels == label])) == 1
    for one in range(count):
        for two in range(first, count):
            if min(people[one], people[two]) >= 0:
                assert (found[one] == found[two]) == (people[one] == people[two])


def test_many_new_faces_of_somebody_join_the_few_that_were_there() -> None:
    vectors, _ = grouped_vectors(1, 60, 3, spread=0.9)
    found = grow_clusters(unplaced(60, [0] * 5), vectors, 1.1)
    assert (found.labels == 0).all()


def test_a_new_face_may_bring_two_people_together() -> None:
    vectors = unit_vectors(2, 2, 0)
    vectors[0], vectors[1] = (1, 0), (0.6, 0.8)
    middle = (vectors.sum(axis=0) / np.linalg.norm(vectors.sum(axis=0))).astype(np.float32)
    three = np.stack([vectors[0], vectors[1], middle])
    assert grow_clusters(unplaced(2, [0, 1]), three[:2], 0.6).labels.tolist() == [0, 1]
    assert grow_clusters(unplaced(3, [0, 1]), three, 0.6).labels.tolist() == [0, 0, 0]


def test_small_groups_are_noise_and_wrong_shapes_are_refused() -> None:
    vectors, _ = grouped_vectors(3, 2, 0)
    assert grow_clusters(unplaced(6), vectors, 0.5, min_size=3).labels.tolist() == [NOISE] * 6
    assert len(grow_clusters(unplaced(0), vectors[:0], 0.5).ids) == 0
    with pytest.raises(ValueError, match="expected ids"):
        grow_clusters(unplaced(5), vectors, 0.5)
