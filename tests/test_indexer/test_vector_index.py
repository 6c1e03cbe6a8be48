"""The front door of ``indexer``: the answers of exact search, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer
from indexer import InvalidVectorsError, StaleIndexError, create_index, load_index
from indexer.exact.brute_force import exact_search
from indexer.types import Block, check_unit_vectors
from support.search import require_equal
from support.vectors import grouped_vectors, unit_vectors

VECTORS = unit_vectors(300, 24, seed=1)
QUERIES = unit_vectors(20, 24, seed=2)


@settings(deadline=None)  # the first loads FAISS
@given(st.integers(0, 40), st.integers(1, 6), st.integers(1, 50), st.randoms())
def test_answers_are_those_of_exact_search(
    count: int, dimension: int, k: int, random: np.random.RandomState
) -> None:
    vectors = unit_vectors(count, dimension, seed=3)
    ids = np.array(random.sample(range(10**12), count), np.int64)  # type: ignore[attr-defined]
    queries = unit_vectors(3, dimension, seed=4)
    index = create_index(vectors, ids)
    order = np.argsort(ids)
    require_equal(
        index.search(queries, k), exact_search([Block(ids[order], vectors[order])], queries, k)
    )
    assert index.ids.tolist() == sorted(ids.tolist())
    assert (len(index), index.dimension, index.exact) == (count, dimension, True)


def test_lists_and_doubles_are_vectors_too() -> None:
    expected = create_index(VECTORS).search(QUERIES, 5)
    found = create_index(VECTORS.tolist(), list(range(300))).search(QUERIES.tolist(), 5)
    np.testing.assert_array_equal(found.ids, expected.ids)
    doubles = create_index(VECTORS.astype(np.float64)).search(QUERIES.astype(np.float64), 5)
    require_equal(doubles, expected)
    assert create_index([[1, 0], [0, 1]]).search([[0, 1]], 1).ids.tolist() == [[1]]


def test_an_index_is_opened_again(tmp_path: Path) -> None:
    made = create_index(VECTORS, folder=tmp_path / "index")
    opened = load_index(str(tmp_path / "index"))
    require_equal(opened.search(QUERIES, 7), made.search(QUERIES, 7))
    require_equal(opened.search(QUERIES, 7), create_index(VECTORS).search(QUERIES, 7))


def test_an_approximate_index_meets_its_recall(tmp_path: Path) -> None:
    vectors, _ = grouped_vectors(people=400, each=10, seed=5)
    index = create_index(vectors, folder=tmp_path, recall=0.9)
    assert not index.exact
    exact = create_index(vectors).search(vectors[::7], 2)
    found = index.search(vectors[::7], 2)
    assert (found.ids == exact.ids).mean() > 0.85


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (VECTORS[0], "shape.*24.*give \\[vector\\]"),
        ([[1.0, 0.0], [1.0]], "equal length"),
        ([["a", "b"]], "of numbers"),
        (3 * VECTORS, "unit length"),
        (np.full((2, 3), np.nan), "unit length"),
        (np.zeros((3, 0)), "shape"),
    ],
)
def test_vectors_that_cannot_be_used(vectors: object, message: str) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        create_index(vectors)  # type: ignore[arg-type]
    with pytest.raises(InvalidVectorsError, match=message):
        create_index(VECTORS).search(vectors)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ids", "message"),
    [([1, 2], "each of 3"), ([1, 2, 2], "2 twice"), ([-4, 1, 2], "got -4"), ([1.5, 2, 3], "whole")],
)
def test_ids_that_cannot_be_used(ids: list[float], message: str) -> None:
    with pytest.raises(InvalidVectorsError, match=message):
        create_index(VECTORS[:3], ids)


def test_what_to_do_instead(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give folder="):
        create_index(VECTORS, recall=0.9)
    with pytest.raises(ValueError, match="a recall, a number from"):
        create_index(VECTORS, folder=tmp_path, recall=0.1)
    with pytest.raises(StaleIndexError, match="no index"):
        load_index(tmp_path / "nothing")
    with pytest.raises(InvalidVectorsError, match="24 components"):
        create_index(VECTORS).search([[1.0, 0.0]])
    with pytest.raises(InvalidVectorsError, match=r"got list.*create_index"):
        check_unit_vectors([[1.0]])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "value", "got"),
    [
        ("vectors", "near", "dtype"),
        ("vectors", 7, r"got \(\)"),
        ("ids", "one", "got <U3"),
        ("folder", 7, "got int 7"),
        ("recall", "half", "got str 'half'"),
        ("recall", True, "got bool True"),
        ("memory", "1 GB", "got str '1 GB'"),
        ("memory", -1, "got int -1"),
        ("memory", 0, "got 0"),
    ],
)
def test_wrong_arguments(argument: str, value: object, got: str) -> None:
    with pytest.raises(ValueError, match=f"expected .*{got}"):
        create_index(**{"vectors": VECTORS, argument: value})  # type: ignore[arg-type]


def test_wrong_questions() -> None:
    index = create_index(VECTORS)
    for k in (0, 1.5, "many", 2**17, None):
        with pytest.raises(ValueError, match="how many neighbours as k, a whole number"):
            index.search(QUERIES, k)  # type: ignore[arg-type]
    for device in (7, "tpu", None):
        with pytest.raises(ValueError, match="expected a device"):
            index.place(device)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="folder of an index, got int 7"):
        load_index(7)  # type: ignore[arg-type]


def test_every_public_name_is_there() -> None:
    assert {*indexer.__all__} <= {*dir(indexer)}
    for name in indexer.__all__:
        assert getattr(indexer, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        indexer.nothing  # noqa: B018
