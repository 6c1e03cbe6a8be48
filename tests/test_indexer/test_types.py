"""Ids, blocks and neighbours refuse what they cannot hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import InvalidVectorsError
from indexer.types import Block, Neighbours, check_unit_vectors, make_ids, split_ids
from support.vectors import unit_vectors

UNITS = unit_vectors(3, 4, seed=0)
IDS = np.arange(3)


@given(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 2**32 - 1)))
def test_ids_hold_shard_and_row(number: int, rows: list[int]) -> None:
    ids = make_ids(number, np.array(rows, np.int64))
    assert ids.dtype == np.int64
    assert (ids >= 0).all()
    shards, found = split_ids(ids)
    assert found.tolist() == rows
    assert shards.tolist() == [number] * len(rows)


@pytest.mark.parametrize(("number", "row"), [(-1, 0), (2**31, 0), (0, -1), (0, 2**32)])
def test_ids_that_do_not_fit(number: int, row: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        make_ids(number, np.array([row]))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (UNITS[0], r"\(n, d\)"),
        (UNITS.astype(np.int32), "floating-point"),
        (UNITS * np.float32(1.003), "row 0 has length 1.003"),
        (np.where(np.eye(3, 4) == 1, np.nan, UNITS), "length nan"),
        (UNITS * np.inf, "unit length"),
    ],
)
def test_vectors_that_are_not_unit(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        check_unit_vectors(vectors)


@pytest.mark.parametrize(
    ("ids", "vectors"),
    [
        (IDS[:2], UNITS),
        (IDS.astype(np.int32), UNITS),
        (IDS[:, None], UNITS),
        (IDS, UNITS.astype(np.float64)),
        (IDS, UNITS * np.float32(2)),
    ],
)
def test_refused_blocks(ids: np.ndarray, vectors: np.ndarray) -> None:
    with pytest.raises(InvalidVectorsError):
        Block(ids, vectors)


@pytest.mark.parametrize(
    ("ids", "distances"),
    [
        (IDS, np.zeros(3, np.float32)),
        (IDS[None], np.zeros((1, 2), np.float32)),
        (IDS[None], np.zeros((1, 3))),
    ],
)
def test_refused_neighbours(ids: np.ndarray, distances: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        Neighbours(ids, distances)
