"""Suggestions against plain versions over every pair, and on clusters that are plainly wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cluster.constraints import Constraints
from cluster.review import review_suggestions as module
from cluster.review.bisect_clusters import bisect_clusters
from cluster.review.membership import clusters_of, membership_of
from cluster.review.review_suggestions import candidates, suggest
from support.vectors import grouped_vectors, unit_vectors, vector_sets

SCALE = 0.14


def some_labels(count: int, clusters: int, seed: int) -> NDArray[np.int32]:
    """Labels from 0 without gaps, some of them perhaps noise."""
    labels = np.random.default_rng(seed).integers(-1, clusters, count)
    return np.unique(np.append(labels, -1), return_inverse=True)[1][:-1].astype(np.int32) - 1


def mean_squared(one: NDArray[np.float32], two: NDArray[np.float32]) -> float:
    """Mean squared distance over every pair."""
    difference = one.astype(np.float64)[:, None] - two.astype(np.float64)[None]
    return float((difference**2).sum(axis=2).mean())


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 6), st.integers(0, 2**16))
def test_belonging_is_that_over_every_pair(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    found = membership_of(vectors, labels, clusters_of(vectors, labels, near=clusters))
    for row, label in enumerate(labels.tolist()):
        others = np.flatnonzero((labels == label) & (np.arange(len(labels)) != row))
        here = vectors[row : row + 1]
        if label < 0 or not len(others):
            assert np.isnan(found.within[row]) and np.isnan(found.towards[row])
        else:
            assert found.within[row] == pytest.approx(mean_squared(here, vectors[others]), abs=1e-4)
        rest = {
            other: mean_squared(here, vectors[labels == other])
            for other in set(labels.tolist()) - {label, -1}
        }
        if label < 0 or not rest:
            assert np.isnan(found.next[row]) and found.next_label[row] == -1
        else:
            assert found.next[row] == pytest.approx(min(rest.values()), abs=1e-4)
            assert rest[found.next_label[row]] == pytest.approx(found.next[row], abs=1e-4)


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 6), st.integers(0, 2**16), st.data())
def test_candidates_are_the_pairs_that_nothing_keeps_apart(
    vectors: NDArray[np.float32], clusters: int, seed: int, data: st.DataObject
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    photos = np.random.default_rng(seed).integers(-1, len(vectors), len(vectors))
    rows = st.integers(0, len(vectors) - 1)
    pairs = st.tuples(rows, rows).filter(lambda pair: pair[0] != pair[1])
    wanted = data.draw(st.lists(pairs, max_size=3)) if len(vectors) > 1 else []
    cannot = np.array(wanted, np.int64).reshape(-1, 2)
    found = candidates(
        labels, clusters_of(vectors, labels, near=clusters), Constraints(photos, cannot=cannot)
    )
    kept_apart = {tuple(sorted(labels[pair].tolist())) for pair in cannot}
    expected = []
    for one in range(labels.max() + 1):
        for two in range(one + 1, labels.max() + 1):
            shared = set(photos[labels == one]) & set(photos[labels == two]) - {-1}
            if not shared and (one, two) not in kept_apart:
                expected.append([one, two])
    assert found.tolist() == expected


@settings(deadline=None)
@given(vector_sets(least=1), st.integers(1, 4), st.integers(0, 2**16))
def test_halves_are_two_parts_that_no_vector_wants_to_leave(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    second = bisect_clusters(vectors, labels)
    assert not second[labels < 0].any()
    for label in range(labels.max() + 1):
        rows = np.flatnonzero(labels == label)
        small = second[rows]
        assert 2 * small.sum() <= len(rows)
        if small.any():
            sums = [vectors[rows[small == half]].sum(axis=0, dtype=np.float64) for half in (0, 1)]
            centres = [each / max(np.linalg.norm(each), 1e-30) for each in sums]
            leaning = vectors[rows] @ (centres[1] - centres[0])
            assert (leaning[small] >= -1e-5).all() and (leaning[~small] <= 1e-5).all()


def test_a_person_in_two_clusters_is_suggested_first_and_two_in_one_parted() -> None:
    vectors, truth = grouped_vectors(6, 10, seed=3, spread=0.12)
    labels = truth.astype(np.int32)
    labels[labels == 5] = 4  # two people in one cluster
    labels[5:10] = 5  # one person in two
    found = suggest(vectors, labels, SCALE)
    assert (found.merges[0].one, found.merges[0].two) == (0, 5)
    assert found.merges[0].probability > 0.9
    assert found.merges[0].gain == pytest.approx(5 * found.merges[0].probability)
    (mixture,) = [each for each in found.mixtures if each.probability > 0.5]
    assert mixture.label == 4
    assert set(truth[mixture.rows].tolist()) in ({4}, {5}) and len(mixture.rows) == 10
    assert found.quality[4] < found.quality[:4].min()


def test_a_face_in_the_wrong_cluster_is_doubted_most() -> None:
    vectors, truth = grouped_vectors(5, 12, seed=7, spread=0.12)
    labels = truth.astype(np.int32)
    labels[0] = 3
    found = suggest(vectors, labels, SCALE)
    assert found.doubt.argmax() == 0 and found.doubt[0] > 0.5
    assert np.delete(found.doubt, 0).max() < 0.2
    assert found.belonging.next_label[0] == 0


def test_of_two_people_in_one_cluster_the_larger_one_is_right() -> None:
    vectors, truth = grouped_vectors(4, 9, seed=7, spread=0.12)
    labels = np.where(truth == 1, 0, truth)
    labels = (labels - (labels > 1)).astype(np.int32)
    labels[9] = -1  # 9 and 8 faces
    found = suggest(vectors, labels, SCALE)
    assert 0.5 < found.quality[0] < 0.7
    assert (found.quality[1:] > 0.9).all()


@pytest.mark.parametrize("people", [2, 3, 4, 6])
def test_of_several_people_in_one_cluster_one_is_right(people: int) -> None:
    vectors, truth = grouped_vectors(people + 3, 12, seed=people, spread=0.12)
    labels = np.maximum(truth - people + 1, 0).astype(np.int32)
    quality = suggest(vectors, labels, SCALE).quality
    assert quality[0] == pytest.approx(1 / people, abs=0.1)
    assert (quality[1:] > 0.9).all()


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(1, 4), st.integers(0, 2**16))
def test_quality_is_a_share_and_no_less_than_what_members_doubt(
    vectors: NDArray[np.float32], clusters: int, seed: int
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    found = suggest(vectors, labels, SCALE)
    for label, quality in enumerate(found.quality.tolist()):
        rows = np.flatnonzero(labels == label)
        if len(rows) == 1:
            assert np.isnan(quality)
        else:
            assert 1 - found.doubt[rows].mean() - 1e-5 <= quality <= 1 + 1e-5


def test_what_was_confirmed_is_not_doubted_and_parts_of_one_person_not_parted() -> None:
    vectors, truth = grouped_vectors(3, 10, seed=3, spread=0.12)
    labels = (truth == 2).astype(np.int32)  # two people in the first cluster
    every = np.ones(len(labels), bool)
    assert suggest(vectors, labels, SCALE).doubt[labels == 0].max() > 0.5
    sure = suggest(vectors, labels, SCALE, confirmed=every)
    assert not sure.mixtures and not sure.doubt.any() and (sure.quality == 1).all()
    # Of both people some: those stay together, and none is suggested to leave.
    some = np.isin(np.arange(len(labels)), [0, 1, 2, 10])
    for each in suggest(vectors, labels, SCALE, confirmed=some, least=0.0).mixtures:
        assert not some[each.rows].any()
    # Of the smaller part some: the larger one would leave.
    few = truth == 0
    few[4:10] = False
    labels[4:10] = -1
    (mixture,) = [
        each
        for each in suggest(vectors, labels, SCALE, confirmed=few).mixtures
        if each.probability > 0.5
    ]
    assert np.array_equal(mixture.rows, np.flatnonzero(truth == 1))


def test_what_is_unknown_is_not_a_number() -> None:
    vectors = unit_vectors(4, 16, seed=1)
    found = suggest(vectors, np.array([0, 1, -1, 2], np.int32), SCALE)
    assert np.isnan(found.doubt).all() and np.isnan(found.quality).all()
    assert found.cohesion == pytest.approx([1, 1, 1], abs=1e-5)
    none = suggest(vectors, np.full(4, -1, np.int32), SCALE)
    assert not none.merges and not none.mixtures and len(none.quality) == 0


def test_gains_fall_and_only_likely_ones_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = np.concatenate([grouped_vectors(30, 4, seed=9, spread=0.5)[0]])
    labels = np.random.default_rng(1).integers(0, 40, len(vectors))
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    found = suggest(vectors, labels, SCALE, least=0.3)
    for each in (found.merges, found.mixtures):
        assert [one.gain for one in each] == sorted((one.gain for one in each), reverse=True)
        assert all(one.probability >= 0.3 for one in each)
    monkeypatch.setattr(module, "MOST", 2)
    assert len(suggest(vectors, labels, SCALE, least=0.0).mixtures) == 2


def test_near_clusters_of_many_are_found_in_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = grouped_vectors(60, 3, seed=2)
    labels = truth.astype(np.int32)
    exact = clusters_of(vectors, labels, near=3)
    monkeypatch.setattr("cluster.review.membership.MOST_COMPARED", 10)
    cells = clusters_of(vectors, labels, near=3)
    assert (cells.nearest == exact.nearest).mean() > 0.9  # bytes may miss one now and then


@pytest.mark.parametrize("scale", [0.0, -1.0, 5.0])
def test_a_scale_that_is_no_distance_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="expected a scale"):
        suggest(unit_vectors(3, 8, seed=0), np.zeros(3, np.int32), scale)


def test_labels_of_other_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected labels \(3,\)"):
        suggest(unit_vectors(3, 8, seed=0), np.zeros(4, np.int32), SCALE)


@settings(deadline=None)
@given(vector_sets(least=2), st.integers(2, 6), st.integers(0, 2**16), st.data())
def test_what_cannot_link_is_not_next(
    vectors: NDArray[np.float32], clusters: int, seed: int, data: st.DataObject
) -> None:
    labels = some_labels(len(vectors), clusters, seed)
    rows = st.integers(0, len(vectors) - 1)
    pairs = st.tuples(rows, rows).filter(lambda pair: pair[0] != pair[1])
    cannot = np.array(data.draw(st.lists(pairs, max_size=4)), np.int64).reshape(-1, 2)
    found = membership_of(vectors, labels, clusters_of(vectors, labels, near=clusters), cannot)
    for row, label in enumerate(labels.tolist()):
        both = [*cannot[cannot[:, 0] == row, 1], *cannot[cannot[:, 1] == row, 0]]
        allowed = set(labels.tolist()) - {label, -1} - {int(labels[other]) for other in both}
        if label < 0 or not allowed:
            assert found.next_label[row] == -1
        else:
            assert found.next_label[row] in allowed
            here = vectors[row : row + 1]
            least = min(mean_squared(here, vectors[labels == each]) for each in allowed)
            assert found.next[row] == pytest.approx(least, abs=1e-4)
