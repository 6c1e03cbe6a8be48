"""Codes: phi brings nothing apart, residuals bound the error, and not by far too much."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from indexer.exact.int8_codes import BYTES, OFFSET, GalleryCodes, Projection
from support.vectors import unit_vectors

TILE_ROWS = 32


def narrow_vectors(count: int, dimension: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors in a cone, most of whose variance lies in few directions, as of faces."""
    random = np.random.default_rng(seed)
    spread = np.arange(1, dimension + 1) ** -1.0
    vectors = random.standard_normal((count, dimension)) * spread + 1.5 * np.sqrt(1 / dimension)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def coded(vectors: NDArray[np.float32]) -> GalleryCodes:
    with ThreadPoolExecutor(2) as pool:
        return GalleryCodes.build(vectors, TILE_ROWS, pool)


def decoded(codes: GalleryCodes, count: int) -> NDArray[np.float64]:
    """Components (count, c) that the packed codes stand for."""
    tiles = codes.packed.reshape(codes.tiles, codes.steps, TILE_ROWS, BYTES)
    rows = tiles.transpose(0, 2, 1, 3).reshape(-1, codes.steps * BYTES)[:count]
    return codes.step * (rows.astype(np.float64) - OFFSET)


def squared_distances(
    left: NDArray[np.floating], right: NDArray[np.floating]
) -> NDArray[np.float64]:
    return np.square(left[:, None].astype(np.float64) - right).sum(axis=2)


@given(
    dimension=st.integers(1, 200),
    count=st.integers(1, 60),
    narrow=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=100)
def test_projection_brings_nothing_apart(
    dimension: int, count: int, narrow: bool, seed: int
) -> None:
    make = narrow_vectors if narrow else unit_vectors
    vectors, others = make(count, dimension, seed), unit_vectors(20, dimension, seed + 1)
    projection = Projection.fit(vectors)
    both = np.concatenate([vectors, others])
    before = np.sqrt(squared_distances(both, both))
    after = np.sqrt(squared_distances(projection(both), projection(both)))
    assert (after <= before + 2 * projection.rounding).all()


def test_projection_keeps_few_components_where_few_hold_the_variance() -> None:
    kept = Projection.fit(narrow_vectors(5000, 128, seed=0))
    assert kept.axes.shape[1] < 64
    assert Projection.fit(unit_vectors(5000, 128, seed=0)).axes.shape[1] > 115
    assert Projection.fit(unit_vectors(5000, 8, seed=0)).axes.shape == (8, 8)
    assert kept.axes.T @ kept.axes == pytest.approx(np.eye(kept.axes.shape[1]), abs=1e-12)


@given(
    dimension=st.integers(1, 150),
    count=st.integers(1, 200),
    outliers=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=100)
def test_codes_are_no_farther_apart_than_the_bound(
    dimension: int, count: int, outliers: int, seed: int
) -> None:
    vectors = narrow_vectors(count, dimension, seed)
    vectors[:outliers] = unit_vectors(outliers, dimension, seed + 1)[:count]
    queries = np.concatenate([vectors[:10], unit_vectors(10, dimension, seed + 2)])
    codes = coded(vectors)
    encoded = codes.encode_queries(codes.projection(queries))
    rows = decoded(codes, count)[:, : encoded.codes.shape[1]]
    apart = squared_distances(encoded.step * encoded.codes, rows)
    # What terms add for rows of larger residuals, besides -|code|^2 / 2.
    extra = 2 * codes.step**2 * codes.terms[:count] + np.square(rows).sum(axis=1)
    assert (extra >= -1e-6).all()
    truth = np.sqrt(squared_distances(queries, vectors))
    reach = truth + encoded.residuals[:, None] + codes.residual
    assert (apart <= reach**2 + extra + 1e-9).all()


def test_the_bound_is_tight() -> None:
    vectors = unit_vectors(2000, 128, seed=0)
    codes = coded(vectors)
    encoded = codes.encode_queries(codes.projection(vectors[:50]))
    lacking = np.linalg.norm(codes.projection(vectors) - decoded(codes, 2000), axis=1)
    assert codes.residual < 1.3 * np.median(lacking)
    # A step's rounding errors are even: d of them make a residual of step * sqrt(d / 12).
    assert np.median(lacking) == pytest.approx(codes.step * np.sqrt(128 / 12), rel=0.05)
    assert encoded.residuals.max() < 1.2 * encoded.step * np.sqrt(128 / 12)
    # Half of it would be wrong: a vector lies a whole residual from its own code.
    apart = np.sqrt(squared_distances(encoded.step * encoded.codes, decoded(codes, 2000)))
    of_pair = apart[np.arange(50), np.arange(50)]
    assert (of_pair > (encoded.residuals + codes.residual) / 2).any()


def test_equal_vectors_and_rows_that_fill_no_tile() -> None:
    vectors = np.repeat(unit_vectors(1, 7, seed=0), TILE_ROWS + 1, axis=0)
    codes = coded(vectors)
    assert codes.tiles == 2
    assert (decoded(codes, len(vectors)) == 0).all()
    assert codes.bytes_each == codes.steps * BYTES + 4
