"""VAL and FAR over all pairs, against every pair listed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate import verification as v
from facesearch.evaluate.all_pairs import all_pairs

HALVES = np.array(
    [[a, b, c, d] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1) for d in (-1, 1)]
)
FARS = (0.5, 0.1, 0.03, 0.0)


def listed(
    vectors: NDArray[np.float32], people: NDArray[np.int64], usable: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Distances of every two, 4 where one is not usable, and whether they are of one person."""
    rows = list(combinations(range(len(people)), 2))
    distances = [
        np.float32(2 - 2 * (vectors[i] @ vectors[j])) if usable[i] and usable[j] else np.float32(4)
        for i, j in rows
    ]
    same = [people[i] == people[j] for i, j in rows]
    return np.array(distances, np.float32), np.array(same, np.bool_)


@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.integers(2, 5), st.integers(7, 50))
@settings(max_examples=50, deadline=None)
def test_equal_to_every_pair_listed(seed: int, n: int, count: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    # Vectors of halves: their distances 0, 1, 2, 3 and 4 are exact, and nearly all are ties.
    vectors = (HALVES[rng.integers(0, len(HALVES), n)] / 2).astype(np.float32)
    people, usable = rng.integers(0, count, n), rng.random(n) < 0.8
    distances, same = listed(vectors, people, usable)
    if same.all() or not same.any():
        with pytest.raises(InputError, match="two photos of one person"):
            all_pairs(vectors, people, usable, tile=tile)
        return
    result = all_pairs(vectors, people, usable, fars=FARS, thresholds=(0.0, 1.0, 2.5, 4), tile=tile)
    assert (result.same_pairs, result.different_pairs) == (same.sum(), (~same).sum())
    for at in result.at_far:
        assert at.threshold == v.threshold_at_far(distances, same, at.far)
    for at in (*result.at_far, *result.at_thresholds):
        tar, far = v.rates(distances, same, at.threshold)
        assert (at.validation_rate, at.measured_far) == (tar, far)


@given(st.integers(0, 2**32 - 1), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_close_to_every_pair_of_random_vectors(seed: int, lost: int) -> None:
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 12, 90)
    vectors = rng.normal(size=(12, 16))[people] + rng.normal(size=(90, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    usable = np.arange(90) >= lost
    distances, same = listed(vectors, people, usable)
    result = all_pairs(vectors, people, usable, fars=(0.1, 0.01, 1e-3), tile=32)
    for at in result.at_far:
        wanted = v.threshold_at_far(distances, same, at.far)
        assert at.threshold == pytest.approx(wanted, abs=2e-6)
        assert at.measured_far <= at.far
        assert at.validation_rate == pytest.approx(np.mean(distances[same] <= wanted), abs=1e-2)
        assert at.resolved == (at.far * (~same).sum() >= 1)
    curve = result.roc
    assert (np.diff(curve.far) >= 0).all()
    assert (np.diff(curve.tar) >= 0).all()
    assert (curve.far[0], curve.tar[0], curve.far[-1], curve.tar[-1]) == (0, 0, 1, 1)
    for threshold, far, tar in zip(curve.thresholds, curve.far, curve.tar, strict=True):
        assert np.mean(distances[~same] <= threshold) == pytest.approx(far, abs=1e-3)
        assert np.mean(distances[same] <= threshold) == pytest.approx(tar, abs=1e-2)


def test_neither_order_nor_tiles_matter() -> None:
    rng = np.random.default_rng(3)
    people = rng.integers(0, 20, 200)
    vectors = (HALVES[rng.integers(0, 16, 200)] / 2).astype(np.float32)
    usable = rng.random(200) < 0.9
    first = all_pairs(vectors, people, usable, tile=64)
    order = rng.permutation(200)
    again = all_pairs(vectors[order], 7 - people[order], usable[order], tile=11)
    assert again.at_far == first.at_far
    np.testing.assert_array_equal(again.roc.tar, first.roc.tar)


def test_all_distances_equal() -> None:
    vectors = np.tile(np.array([0.6, 0.8], np.float32), (40, 1))
    result = all_pairs(vectors, np.arange(40) // 2, thresholds=(1e-3,))
    assert [at.validation_rate for at in result.at_far] == [0.0] * len(result.at_far)
    assert result.at_thresholds[0].validation_rate == 1
    assert result.at_thresholds[0].measured_far == 1


def test_nothing_usable_is_never_accepted() -> None:
    vectors = np.zeros((6, 2), np.float32)
    result = all_pairs(vectors, np.arange(6) // 2, np.zeros(6, np.bool_), thresholds=(3.9,))
    assert {at.validation_rate for at in (*result.at_far, *result.at_thresholds)} == {0.0}
    assert result.same_pairs == 3


def test_impossible_input_is_refused() -> None:
    vectors, people = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
    with pytest.raises(InputError, match=r"rates in \[0, 1\)"):
        all_pairs(vectors, people, fars=(1.0,))
    with pytest.raises(InputError, match="n vectors and n people"):
        all_pairs(vectors, people[:3])
    with pytest.raises(InputError, match="finite"):
        all_pairs(np.full((4, 2), np.nan, np.float32), people)
    for labels in ([0, 0, 0, 0], [0, 1, 2, 3]):
        with pytest.raises(InputError, match="4 photos of"):
            all_pairs(vectors, np.array(labels))
    with pytest.raises(InputError, match="0 photos of 0 people"):
        all_pairs(np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
