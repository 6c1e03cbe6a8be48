"""Scores against every pair and every vector counted one by one, and against scikit-learn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

from cluster.metrics import (
    adjusted_mutual_information,
    adjusted_rand_index,
    bcubed_scores,
    normalized_mutual_information,
    pairwise_scores,
)

labellings = st.integers(0, 25).flatmap(
    lambda count: st.tuples(
        *(st.lists(st.integers(-1, 5), min_size=count, max_size=count) for _ in range(2))
    )
)


def as_arrays(labels: tuple[list[int], list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(labels[0], np.int64), np.array(labels[1], np.int64)


def together(labels: np.ndarray, one: int, two: int) -> bool:
    return bool(one == two or (labels[one] == labels[two] and labels[one] >= 0))


@given(labellings)
def test_pairwise_counts_pairs(labels: tuple[list[int], list[int]]) -> None:
    truth, found = as_arrays(labels)
    pairs = list(combinations(range(len(truth)), 2))
    right = sum(together(truth, *pair) and together(found, *pair) for pair in pairs)
    put, belong = (sum(together(each, *pair) for pair in pairs) for each in (found, truth))
    score = pairwise_scores(truth, found)
    assert score.precision == pytest.approx(right / put if put else 1)
    assert score.recall == pytest.approx(right / belong if belong else 1)


@settings(deadline=None)  # the first call compiles
@given(labellings)
def test_adjusted_information_is_that_of_scikit_learn(labels: tuple[list[int], list[int]]) -> None:
    truth, found = (noise_apart(each) for each in as_arrays(labels))
    same = len(set(zip(truth.tolist(), found.tolist(), strict=True)))
    equal = same == len(set(truth.tolist())) == len(set(found.tolist()))
    expected = 1.0 if equal else adjusted_mutual_info_score(truth, found)
    assert adjusted_mutual_information(*as_arrays(labels)) == pytest.approx(expected, abs=1e-9)


def test_many_labels_of_many_sizes_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = np.minimum((1500 * rng.random(20_000) ** 3).astype(int), 1400)
    found = np.where(rng.random(20_000) < 0.6, truth, rng.integers(0, 900, 20_000))
    assert adjusted_mutual_information(truth, found) == pytest.approx(
        adjusted_mutual_info_score(truth, found), abs=1e-9
    )


def noise_apart(labels: np.ndarray) -> np.ndarray:
    """Each negative label a number of its own."""
    return np.where(labels < 0, -1 - np.arange(len(labels)), labels)


@given(labellings)
def test_bcubed_averages_over_vectors(labels: tuple[list[int], list[int]]) -> None:
    truth, found = as_arrays(labels)
    rows = range(len(truth))
    precision, recall = [], []
    for row in rows:
        real = {other for other in rows if together(truth, row, other)}
        mine = {other for other in rows if together(found, row, other)}
        precision.append(len(real & mine) / len(mine))
        recall.append(len(real & mine) / len(real))
    score = bcubed_scores(truth, found)
    assert score.precision == pytest.approx(np.mean(precision) if precision else 1)
    assert score.recall == pytest.approx(np.mean(recall) if recall else 1)


def noise_alone(labels: np.ndarray) -> np.ndarray:
    return np.where(labels < 0, 100 + np.arange(len(labels)), labels)


@given(labellings)
def test_information_and_rand_are_those_of_scikit_learn(
    labels: tuple[list[int], list[int]],
) -> None:
    truth, found = as_arrays(labels)
    alone = noise_alone(truth), noise_alone(found)
    assert adjusted_rand_index(truth, found) == pytest.approx(adjusted_rand_score(*alone))
    assert normalized_mutual_information(truth, found) == pytest.approx(
        normalized_mutual_info_score(*alone), abs=1e-9
    )


@given(labellings, st.permutations(range(6)))
def test_numbering_does_not_matter(
    labels: tuple[list[int], list[int]], renumbered: list[int]
) -> None:
    truth, found = as_arrays(labels)
    other = np.array([renumbered[label] if label >= 0 else -1 for label in found], np.int64)
    assert pairwise_scores(truth, other) == pairwise_scores(truth, found)
    assert bcubed_scores(truth, other).f == pytest.approx(bcubed_scores(truth, found).f)
    assert adjusted_rand_index(truth, other) == pytest.approx(adjusted_rand_index(truth, found))


def test_a_worked_example() -> None:
    truth = np.array([0, 0, 0, 1, 1, 2])
    found = np.array([0, 0, 1, 1, 1, -1])
    score = pairwise_scores(truth, found)
    assert (score.precision, score.recall, score.f) == (2 / 4, 2 / 4, 0.5)
    cubed = bcubed_scores(truth, found)
    assert cubed.precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)
    assert cubed.recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)


def test_a_million_labels_do_not_need_all_pairs() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 200_000, 10**6)
    assert pairwise_scores(truth, truth).f == 1
    assert bcubed_scores(truth, truth[rng.permutation(10**6)]).f < 0.5


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="got 2 and 3"):
        pairwise_scores(np.zeros(2, np.int64), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="float64"):
        bcubed_scores(np.zeros(2), np.zeros(2, np.int64))
