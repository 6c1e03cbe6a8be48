"""VAL and FAR over all pairs, against every pair listed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.errors import InputError
from facesearch.evaluate.all_pairs import all_pairs


def listed(vectors, people, usable):  # type: ignore[no-untyped-def]
    """All same and all different distances; 4 where a photo cannot be used."""
    kinds: tuple[list[float], list[float]] = ([], [])
    for one, two in combinations(range(len(people)), 2):
        distance = float(np.clip(2 - 2 * np.dot(vectors[one], vectors[two]), 0, 4))
        both = usable[one] and usable[two]
        kinds[int(people[one] != people[two])].append(distance if both else 4.0)
    return np.array(kinds[0]), np.array(kinds[1])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40), st.integers(2, 5), st.integers(1, 50))
def test_equal_to_every_pair_listed(seed: int, n: int, count: int, tile: int) -> None:
    rng = np.random.default_rng(seed)
    # Eighths multiply and add up without rounding, whatever the order, and give many ties.
    vectors = (rng.integers(-4, 5, (n, 3)) / 8).astype(np.float32)
    people, usable = rng.integers(0, count, n), rng.random(n) < 0.8
    same, different = listed(vectors, people, usable)
    if not len(same) or not len(different):
        with pytest.raises(InputError, match="two photos of one person and photos of two people"):
            all_pairs(vectors, people, usable, tile=tile)
        return
    result = all_pairs(
        vectors, people, usable, fars=(0.5, 0.1, 0.01), thresholds=(0.5, 1.25), tile=tile
    )
    assert (result.same_pairs, result.different_pairs) == (len(same), len(different))
    for point in result.at_far:
        allowed = int(point.far * len(different) + 1e-9)
        limit = np.float32(np.sort(different)[allowed])
        assert point.threshold == np.nextafter(limit, np.float32(-np.inf))
        assert point.resolved == (allowed > 0)
    for point in (*result.at_far, *result.at_thresholds):
        assert point.validation_rate == np.mean(same <= point.threshold)
        assert point.measured_far == np.mean(different <= point.threshold)
    assert [point.threshold for point in result.at_thresholds] == [0.5, 1.25]


def test_wrong_input_is_refused() -> None:
    vectors, people = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1])
    with pytest.raises(InputError, match=r"in \[0, 1\)"):
        all_pairs(vectors, people, fars=(1.0,))
    with pytest.raises(InputError, match="n vectors and n people"):
        all_pairs(vectors, people[:3])
    with pytest.raises(InputError, match="finite"):
        all_pairs(vectors * np.float32(np.nan), people)
