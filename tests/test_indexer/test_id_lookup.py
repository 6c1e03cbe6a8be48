"""Positions of ids: as a dictionary has them, whatever the order and repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.id_lookup import contained, distinct, positions_of, values_at

IDS = st.lists(st.integers(-5, 20) | st.integers(2**40, 2**40 + 5), max_size=30)


def first_places(among: list[int]) -> dict[int, int]:
    """The first position of each id."""
    return {each: place for place, each in reversed(list(enumerate(among)))}


@given(IDS, IDS)
def test_positions_are_those_of_a_dictionary(ids: list[int], among: list[int]) -> None:
    expected = [first_places(among).get(each, -1) for each in ids]
    assert positions_of(np.array(ids, np.int64), np.array(among, np.int64)).tolist() == expected


@given(IDS, IDS)
def test_an_ascending_array_is_not_sorted_again(ids: list[int], among: list[int]) -> None:
    among = sorted(among)
    found = positions_of(np.array(ids, np.int64), np.array(among, np.int64), ascending=True)
    assert found.tolist() == [first_places(among).get(each, -1) for each in ids]


def test_positions_have_the_shape_of_the_ids() -> None:
    ids = np.array([[9, 1], [5, 10], [2, 2]])
    assert positions_of(ids, np.array([5, 2, 9])).tolist() == [[2, -1], [0, -1], [1, 1]]
    assert positions_of(ids, np.zeros(0, np.int64)).tolist() == [[-1, -1]] * 3


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
@given(IDS, IDS)
def test_values_of_other_ids_are_missing(dtype: type, ids: list[int], among: list[int]) -> None:
    values = np.arange(len(among), dtype=dtype) * 3
    found = values_at(values, positions_of(np.array(ids, np.int64), np.array(among, np.int64)), -7)
    known = first_places(among)
    assert found.dtype == dtype
    assert found.tolist() == [3 * known[each] if each in known else -7 for each in ids]


@given(IDS, IDS)
def test_contained_and_distinct_are_those_of_numpy(ids: list[int], among: list[int]) -> None:
    some, others = np.array(ids, np.int64), np.array(among, np.int64)
    for asked in (some, np.repeat(some[:, None], 2, axis=1)):
        np.testing.assert_array_equal(contained(asked, others), np.isin(asked, others))
        np.testing.assert_array_equal(distinct(asked), np.unique(asked))
