"""Vectors that are near to everybody."""

from __future__ import annotations

import numpy as np
import pytest

from cluster.adaptive.crowding import COHORT, NEAREST, STRENGTH, crowding
from support.vectors import unit_vectors


def test_it_is_the_mean_of_the_nearest_strangers() -> None:
    vectors = unit_vectors(700, 24, seed=1)
    found = crowding(vectors, 0.4)
    nearest = max(5, int(NEAREST * 700))
    for row in range(0, 700, 50):
        others = [float(((vectors[row] - each) ** 2).sum()) for each in vectors]
        strangers = sorted(4.0 if each <= 0.4 else each for each in others)[:nearest]
        assert found.distance[row] == pytest.approx(np.log(np.mean(strangers)), abs=1e-4)
    assert found.usual == pytest.approx(found.distance.mean())


def test_weights_are_more_than_one_where_strangers_are_near() -> None:
    vectors = unit_vectors(2000, 32, seed=2)
    middle = vectors[:1000].copy()
    middle += 1.5 * vectors[0]
    vectors[:1000] = middle / np.linalg.norm(middle, axis=1, keepdims=True)
    weights = crowding(vectors, 0.1).weights()
    assert weights[1:1000].min() > weights[1000:].max()
    assert np.exp(np.log(weights).mean()) == pytest.approx(1)


def test_another_usual_only_scales_all_weights() -> None:
    found = crowding(unit_vectors(300, 16, seed=3), 0.2)
    ratio = found.weights(found.usual + 0.3) / found.weights()
    np.testing.assert_allclose(ratio, np.exp(STRENGTH * 0.3))


@pytest.mark.parametrize("count", [1, 3, COHORT + 1])
def test_any_number_of_vectors_will_do(count: int) -> None:
    vectors = unit_vectors(count, 16, seed=4)
    found = crowding(vectors, 4.0)  # there are no strangers at all
    np.testing.assert_allclose(found.weights(), 1)
    assert np.isfinite(crowding(np.repeat(vectors[:1], count, axis=0), 0.0).distance).all()
