# ruff: noqa: PLR0917  (the kernels take many positional arguments)
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.compiled import compiled_reordering
from facesearch.detect.tiles import LANES, largest, make_tile, pack

PIXELS, VECTORS = 3, 2
_TILE = make_tile(PIXELS, VECTORS)


@compiled_reordering
def run_tile(x, x_at, rows, step, length, packed, at, out, out_at, out_step):
    _TILE(x, x_at, rows, step, length, packed, at, out, out_at, out_step)


@compiled_reordering
def run_largest(x, x_at, places, vectors, out, out_at):
    largest(x, x_at, places, vectors, out, out_at)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.integers(1, 9),
    length=st.integers(1, 20),
    rows=st.tuples(*[st.integers(0, 50)] * 3),
    outputs=st.integers(1, 3 * LANES * VECTORS),
)
def test_tile_is_a_matrix_product_with_prelu(seed, step, length, rows, outputs):
    random = np.random.default_rng(seed)
    x = random.standard_normal(200).astype(np.float32)
    kernel = random.standard_normal((3, length, outputs)).astype(np.float32)
    bias, slopes = random.standard_normal((2, outputs)).astype(np.float32)
    packed = pack(kernel.reshape(3 * length, outputs), bias, slopes, VECTORS)
    width = LANES * VECTORS
    blocks = -(-outputs // width)
    out = np.full((PIXELS, blocks * width), np.nan, np.float32)
    for block in range(blocks):
        at = block * (3 * length + 2) * width
        flat = out.reshape(-1)
        run_tile(x, 5, rows, step, length, packed, at, flat, block * width, blocks * width)
    for p in range(PIXELS):
        total = bias.astype(np.float64)
        for r, row in enumerate(rows):
            start = 5 + row + p * step
            total = total + x[start : start + length].astype(np.float64) @ kernel[r]
        expected = np.where(total > 0, total, total * slopes)
        np.testing.assert_allclose(out[p, :outputs], expected, rtol=1e-4, atol=1e-4)
        assert not out[p, outputs:].any()  # padding channels are zero


@pytest.mark.parametrize("vectors", [1, 2, 5])
def test_largest_takes_the_maximum_of_each_channel(vectors):
    random = np.random.default_rng(vectors)
    x = random.standard_normal(300).astype(np.float32)
    out = np.zeros(100, np.float32)
    places = (0, 17, 60, 101)
    run_largest(x, 20, places, vectors, out, 3)
    width = LANES * vectors
    expected = np.max([x[20 + p : 20 + p + width] for p in places], axis=0)
    np.testing.assert_array_equal(out[3 : 3 + width], expected)
    assert not out[:3].any()
    assert not out[3 + width :].any()
