"""VAL and FAR over all pairs, against every pair listed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.errors import InputError
from facesearch.evaluate.all_pairs import (
    evaluate_all_pairs,
    nearest_different,
    pair_counts,
    same_within,
)


def listed(vectors, people, found):  # type: ignore[no-untyped-def]
    """All same and all different distances, ascending; 4 where a photo lacks a face."""
    same: list[float] = []
    different: list[float] = []
    for one, two in combinations(range(len(people)), 2):
        distance = float(((vectors[one] - vectors[two]) ** 2).sum())
        both = found[one] and found[two]
        (same if people[one] == people[two] else different).append(distance if both else 4.0)
    return np.sort(np.array(same)), np.sort(np.array(different))


@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.integers(2, 5), st.integers(1, 50))
def test_equal_to_every_pair_listed(seed: int, n: int, count: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    # Eighths add up without rounding, whatever the order, and give many ties.
    vectors = (rng.integers(-3, 4, (n, 3)) / 8).astype(np.float32)
    people, found = rng.integers(0, count, n), rng.random(n) < 0.8
    same, different = listed(vectors, people, found)
    assert pair_counts(people) == (len(same), len(different))
    if not len(same) or not len(different):
        with pytest.raises(InputError, match="same and different pairs"):
            evaluate_all_pairs(vectors, people, found, block=block)
        return
    fars = (0.5, 0.1, 0.01)
    result = evaluate_all_pairs(vectors, people, found, fars, block)
    assert result.missing == int((~found).sum())
    for point in result.points:
        assert point.allowed == int(point.far * len(different) + 1e-9)
        limit = different[point.allowed]
        assert point.threshold == np.nextafter(np.float32(limit), np.float32(-np.inf))
        assert point.rate == np.mean(same < limit)
    plain = {(np.mean(different <= d), np.mean(same <= d)) for d in np.unique(different) if d < 4}
    assert set(zip(result.curve.far, result.curve.tar, strict=True)) <= plain


@pytest.mark.parametrize("keep", [1, 7, 100, 10**5])
def test_the_nearest_different_pairs_do_not_depend_on_blocks(keep: int) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.integers(-9, 9, (120, 4)) / 8).astype(np.float32)
    people = rng.integers(0, 9, 120)
    _, different = listed(vectors, people, np.ones(120, np.bool_))
    for block in (1, 5, 64, 1000):
        assert nearest_different(vectors, people, keep, block).tolist() == different[:keep].tolist()


def test_same_pairs_of_a_person_with_many_photos() -> None:
    rng = np.random.default_rng(1)
    vectors = (rng.integers(-9, 9, (1500, 2)) / 8).astype(np.float32)
    limits = np.array([0.5, 3.0], np.float32)
    wanted = [sum(np.sum(((vectors[i] - vectors[i + 1 :]) ** 2).sum(1) <= limit)
                  for i in range(1500)) for limit in limits]  # fmt: skip
    assert same_within(vectors, np.zeros(1500, np.int64), limits).tolist() == wanted


def test_rates_that_are_none_are_refused() -> None:
    for fars in ((), (0.0,), (1.0,), (0.1, 2.0)):
        with pytest.raises(InputError, match="between 0 and 1"):
            evaluate_all_pairs(np.zeros((4, 2), np.float32), np.array([0, 0, 1, 1]), fars=fars)
    with pytest.raises(InputError, match="lower false accept rates"):
        nearest_different(np.zeros((4, 2), np.float32), np.array([0, 0, 1, 1]), 10**9)
