# ruff: noqa: PLR0917  (the kernels take many positional arguments)
"""The kernel against the matrix product that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.exact.int8_kernel import BATCH, BYTES, LANES, SINGLE, ScreenTile, make_screen
from indexer.runtime.numba_jit import jit

pytestmark = pytest.mark.skipif(not LANES, reason="the processor multiplies no bytes (AVX2)")

# AVX-512 has both widths; the narrow ones are what AVX-VNNI and AVX2 alone run.
NARROW = ScreenTile(2, 6, lanes=8)
PAIRS = ScreenTile(2, 6, lanes=8, vnni=False)
_batch, _single, _narrow, _pairs = (make_screen(tile) for tile in (BATCH, SINGLE, NARROW, PAIRS))


@jit
def run_batch(codes, at, queries, query_at, steps, terms, limits, limit_at, found):
    return _batch(codes, at, queries, query_at, steps, terms, limits, limit_at, found)


@jit
def run_single(codes, at, queries, query_at, steps, terms, limits, limit_at, found):
    return _single(codes, at, queries, query_at, steps, terms, limits, limit_at, found)


@jit
def run_narrow(codes, at, queries, query_at, steps, terms, limits, limit_at, found):
    return _narrow(codes, at, queries, query_at, steps, terms, limits, limit_at, found)


@jit
def run_pairs(codes, at, queries, query_at, steps, terms, limits, limit_at, found):
    return _pairs(codes, at, queries, query_at, steps, terms, limits, limit_at, found)


@pytest.mark.parametrize(
    ("tile", "run"),
    [(BATCH, run_batch), (SINGLE, run_single), (NARROW, run_narrow), (PAIRS, run_pairs)],
)
@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 40), share=st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_finds_what_reaches_its_limit(tile, run, seed, steps, share):
    random = np.random.default_rng(seed)
    at, query_at, limit_at = random.integers(0, 99, 3)
    codes = random.integers(0, 256, (steps, tile.rows, BYTES)).astype(np.uint8)
    least, end = (-128, 128) if tile.vnni else (-63, 64)  # beyond, pairs of products saturate
    queries = random.integers(least, end, (steps, tile.queries, BYTES)).astype(np.int8)
    terms = random.integers(-(2**29), 2**29, tile.rows).astype(np.int32)
    products = np.einsum("srb,sqb->qr", codes.astype(np.int64), queries.astype(np.int64)) + terms
    limits = np.quantile(products, share, axis=1, method="nearest").astype(np.int32)
    limits += random.integers(0, 2, len(limits), np.int32)
    found = np.full(tile.queries * tile.vectors, -1, np.int32)
    some = run(
        np.concatenate([np.zeros(at, np.uint8), codes.ravel()]), at,
        np.concatenate([np.zeros(query_at, np.int8), queries.ravel()]), query_at, steps, terms,
        np.concatenate([np.zeros(limit_at, np.int32), limits]), limit_at, found,
    )  # fmt: skip
    expected = products >= limits[:, None]
    assert some == expected.any()
    if some:
        bits = found.reshape(tile.queries, tile.vectors, 1) >> np.arange(tile.lanes) & 1
        np.testing.assert_array_equal(bits.reshape(expected.shape), expected)
