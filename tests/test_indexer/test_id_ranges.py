"""Ids in runs are the ids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.id_ranges import IdRanges

ID_SETS = st.lists(st.integers(0, 60) | st.integers(2**33, 2**33 + 9), unique=True).map(
    lambda ids: np.array(sorted(ids), np.int64)
)


@given(ids=ID_SETS, others=ID_SETS, cut=st.integers(0, 40))
@settings(deadline=None)
def test_runs_are_the_ids(ids: np.ndarray, others: np.ndarray, cut: int) -> None:
    runs = IdRanges.of(ids)
    np.testing.assert_array_equal(runs.all(), ids)
    expected = [int(np.flatnonzero(ids == each)[0]) if each in ids else -1 for each in others]
    np.testing.assert_array_equal(runs.find(others), expected)
    np.testing.assert_array_equal(runs.at(np.arange(len(ids))), ids)
    left = runs.without(IdRanges.of(others))
    np.testing.assert_array_equal(left.all(), np.setdiff1d(ids, others))
    left.check()
    joined = IdRanges.joined([IdRanges.of(ids[:cut]), IdRanges.of(ids[cut:])])
    np.testing.assert_array_equal(joined.all(), ids)
    np.testing.assert_array_equal(
        IdRanges.of(others).without(joined).all(), np.setdiff1d(others, ids)
    )
    joined.check()


def test_long_runs_are_short() -> None:
    ids = np.concatenate([np.arange(1000), np.arange(2**32, 2**32 + 1000)])
    assert len(IdRanges.of(ids).rows) == 2


@pytest.mark.parametrize("ids", [[1, 1], [2, 1], [-1, 3]])
def test_what_is_no_set_of_ids_is_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        IdRanges.of(np.array(ids))


@pytest.mark.parametrize(
    ("rows", "ids", "count"),
    [
        ([0, 2], [5, 6], 4),  # the second begins within the first
        ([1], [5], 2),
        ([0, 0], [5, 9], 2),
        ([0], [-3], 2),
        ([0], [2**63 - 2], 5),  # runs over
        ([0, 5], [1, 9], 4),
        ([], [], 3),
        ([0], [], 3),
    ],
)
def test_runs_that_are_none_are_refused(rows: list[int], ids: list[int], count: int) -> None:
    runs = IdRanges(np.array(rows, np.int64), np.array(ids, np.int64), count)
    with pytest.raises(ValueError, match="expected"):
        runs.check()
