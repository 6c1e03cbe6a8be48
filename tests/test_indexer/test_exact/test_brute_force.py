"""Exact search against plain loops, and its independence of blocks and batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import InvalidVectorsError
from indexer.exact import brute_force
from indexer.exact.brute_force import exact_search
from indexer.exact.distances import pair_distances, quick_distances, slack
from indexer.types import MAX_NEIGHBOURS, Block
from support.search import Search, blocks, nearest_by_loops, require_equal, searches
from support.vectors import unit_vectors

GALLERY = unit_vectors(50, 8, seed=0)
IDS = np.arange(50)


@given(search=searches(), rows=st.integers(1, 70))
@settings(max_examples=150, deadline=None)
def test_equals_plain_loops_for_any_block_size(search: Search, rows: int) -> None:
    found = exact_search(blocks(search.ids, search.vectors, rows), search.queries, search.k)
    require_equal(found, nearest_by_loops(search))


@given(search=searches(), tile=st.integers(1, 30), batch=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_tiles_and_batches_change_nothing(search: Search, tile: int, batch: int) -> None:
    whole = exact_search(blocks(search.ids, search.vectors, 100), search.queries, search.k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brute_force, "_TILE_ROWS", tile)
        patch.setattr(brute_force, "_TILE_QUERIES", batch)
        tiled = exact_search(blocks(search.ids, search.vectors, 100), search.queries, search.k)
    require_equal(tiled, whole)


def test_more_queries_and_rows_than_a_tile() -> None:
    vectors = unit_vectors(20_000, 16, seed=1)
    queries = vectors[:600]
    found = exact_search(blocks(np.arange(20_000), vectors, 15_000), queries, 3)
    truth = ((queries[:, None].astype(np.float64) - vectors[:20]) ** 2).sum(axis=2)
    assert (found.ids[:, 0] == np.arange(600)).all()
    assert (found.distances[:, 0] == 0).all()
    assert (found.distances[:, 2] <= np.sort(truth, axis=1)[:, 2] + 1e-6).all()


def test_tiny_distances_are_accurate() -> None:
    query = unit_vectors(1, 128, seed=2)
    near = query + np.float32(1e-6) * unit_vectors(1, 128, seed=3)
    truth = ((query.astype(np.float64) - near) ** 2).sum()
    found = exact_search([Block(np.array([7]), near.astype(np.float32))], query, 1)
    assert found.distances[0, 0] == pytest.approx(truth, rel=1e-6)


def test_all_equal_vectors_come_by_id() -> None:
    vectors = np.repeat(GALLERY[:1], 10_000, axis=0)
    ids = np.random.default_rng(0).permutation(10_000)
    found = exact_search(blocks(ids, vectors, 3_000), GALLERY[:2], 5)
    assert found.ids.tolist() == [[0, 1, 2, 3, 4]] * 2


def test_empty_gallery_and_no_queries() -> None:
    nothing = exact_search([], GALLERY[:2], 3)
    assert nothing.ids.tolist() == [[-1] * 3] * 2
    assert np.isposinf(nothing.distances).all()
    assert exact_search([Block(IDS, GALLERY)], GALLERY[:0], 3).ids.shape == (0, 3)


@given(dimension=st.integers(1, 600), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_quick_distances_are_within_their_slack(dimension: int, seed: int) -> None:
    left, right = unit_vectors(9, dimension, seed), unit_vectors(11, dimension, seed + 1)
    right[:5] = left[:5]
    i, j = np.divmod(np.arange(99), 11)
    accurate = pair_distances(left, right, i, j).reshape(9, 11)
    error = np.abs(quick_distances(left, right).astype(np.float64) - accurate).max()
    assert error <= slack(dimension)


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        (GALLERY.astype(np.float64), 1, "float32"),
        (GALLERY[0], 1, r"\(n, d\)"),
        (GALLERY * 2, 1, "unit length"),
        (np.full((1, 8), np.nan, np.float32), 1, "unit length"),
        (unit_vectors(2, 7, seed=0), 1, "8 components"),
        (GALLERY, 0, "k of 1 or more"),
        (GALLERY, MAX_NEIGHBOURS + 1, "k of at most 65536, got 65537"),
    ],
)
def test_refused_queries(queries: np.ndarray, k: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        exact_search([Block(IDS, GALLERY)], queries, k)
    assert isinstance(caught.value, InvalidVectorsError) or k != 1


def test_as_many_neighbours_as_allowed_and_no_more() -> None:
    found = exact_search(blocks(IDS, GALLERY, 50), GALLERY[:1], MAX_NEIGHBOURS)
    assert found.ids.shape == (1, MAX_NEIGHBOURS)
    assert sorted(found.ids[0, :50]) == IDS.tolist() and (found.ids[0, 50:] == -1).all()
    with pytest.raises(ValueError, match="fewer"):
        exact_search([], GALLERY[:1], 10**15)
