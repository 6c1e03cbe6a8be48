"""VAL over all pairs, held to sorting every pair there is, people repeated by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.recognition import all_pairs as module
from benchmarks.recognition.all_pairs import FARS, all_pairs
from facesearch.evaluate import verification as v


def photos(people: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit vectors of one to four photos of each person, people overlapping."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), generator.integers(1, 5, people))
    centres = generator.normal(size=(people, 6))
    vectors = centres[labels] + generator.normal(scale=0.7, size=(len(labels), 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def every_pair(
    vectors: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.intp], NDArray[np.intp]]:
    first, second = np.triu_indices(len(labels), 1)
    doubles = vectors.astype(np.float64)
    distances = ((doubles[first] - doubles[second]) ** 2).sum(axis=1)
    return distances, labels[first] == labels[second], first, second


@pytest.mark.parametrize("block", [7, 1024])
def test_rates_are_those_of_sorting_every_pair(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", block)
    vectors, labels = photos(150)
    distances, same, _, _ = every_pair(vectors, labels)
    result = all_pairs(vectors, labels)
    assert len(result.same) == same.sum()
    np.testing.assert_allclose(result.same, np.sort(distances[same]), atol=1e-6)
    for far, threshold, rate in zip(
        FARS, result.thresholds(), result.validation_rates(), strict=True
    ):
        assert threshold == pytest.approx(v.threshold_at_far(distances, same, far), abs=1e-6)
        assert rate == pytest.approx(v.tar_at_far(distances, same, far), abs=1e-9)


def test_a_person_drawn_twice_counts_as_two_copies_of_each_pair() -> None:
    vectors, labels = photos(60, seed=1)
    weight = np.random.default_rng(2).integers(0, 3, 60).astype(np.float64)
    distances, same, first, second = every_pair(vectors, labels)
    # Pairs of two people as often as one was drawn times the other; of one, as often as drawn.
    times = np.where(same, weight[labels[first]], weight[labels[first]] * weight[labels[second]])
    repeated = np.repeat(np.arange(len(same)), times.astype(int))
    expected = v.tar_at_far(distances[repeated], same[repeated], 1e-3)
    rate = all_pairs(vectors, labels).validation_rates((1e-3,), weight)
    assert rate[0] == pytest.approx(expected, abs=1e-9)


def test_the_same_seed_draws_the_same_people_for_every_pipeline() -> None:
    vectors, labels = photos(60, seed=3)
    once, again = (all_pairs(vectors, labels).bootstrap(20, seed=5) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    other = all_pairs(vectors, labels).bootstrap(20, seed=6)
    assert (once != other).any()
    assert once.shape == (20, len(FARS))
    assert once.std(axis=0)[0] > 0


def test_rates_beyond_the_kept_pairs_are_refused() -> None:
    vectors, labels = photos(150)
    with pytest.raises(ValueError, match="rates of at most"):
        all_pairs(vectors, labels).validation_rates((0.5,))
