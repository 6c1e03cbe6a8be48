# ruff: noqa: PLR0917  (the kernels take many positional arguments)
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.detect.conv_codegen import (
    LANES,
    ConvolutionTile,
    fitting_tile,
    largest,
    make_convolution,
    pack,
)
from indexer.runtime.numba_jit import jit_fastmath

TILE = ConvolutionTile(3, 2)
_CONVOLVE = make_convolution(TILE)
_SLACK = 400


@jit_fastmath
def run_convolution(
    x, rows, step, length, packed, channels, out, out_at, count, lines, line_step
):  # fmt: skip
    _CONVOLVE(x, rows, step, length, packed, channels, out, out_at, count, lines, line_step)


@jit_fastmath
def run_largest(x, x_at, places, vectors, out, out_at):
    largest(x, x_at, places, vectors, out, out_at)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.integers(1, 9),
    length=st.integers(1, 20),
    rows=st.tuples(*[st.integers(0, 50)] * 3),
    channels=st.one_of(
        st.integers(1, TILE.channels), st.integers(1, 3).map(lambda n: n * TILE.channels)
    ),
    count=st.integers(0, 8),
    lines=st.integers(1, 4),
    line_step=st.integers(0, 40),
)
def test_convolution_is_a_matrix_product_with_prelu(
    seed, step, length, rows, channels, count, lines, line_step
):
    random = np.random.default_rng(seed)
    x = random.standard_normal(400).astype(np.float32)
    kernel = random.standard_normal((3, length, channels)).astype(np.float32)
    bias, slopes = random.standard_normal((2, channels)).astype(np.float32)
    packed = pack(kernel.reshape(3 * length, channels), bias, slopes, TILE)
    out = np.full(7 + lines * count * channels + _SLACK, np.nan, np.float32)
    run_convolution(
        x, rows, step, length, packed, channels, out, 7, count, lines, line_step
    )  # fmt: skip
    assert np.isnan(out[:7]).all()
    found = out[7 : 7 + lines * count * channels].reshape(lines, count, channels)
    for line in range(lines):
        for p in range(count):
            total = bias.astype(np.float64)
            for r, row in enumerate(rows):
                start = line * line_step + p * step + row
                total = total + x[start : start + length].astype(np.float64) @ kernel[r]
            expected = np.where(total > 0, total, total * slopes)
            np.testing.assert_allclose(found[line, p], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 10, 16, 28, 32, 48, 64, 128, 256])
@pytest.mark.parametrize("row", [None, 1, 3, 8, 9, 21, 22, 46])
def test_fitting_tile_wastes_nothing_it_need_not(channels, row):
    tile = fitting_tile(channels, row)
    # What make_convolution asks for: whole blocks of channels, or less than one.
    assert channels % tile.channels == 0 or channels < tile.channels
    assert tile.pixels * tile.vectors <= 32
    if row is not None:
        largest_tile = fitting_tile(channels).pixels
        assert -(-row // tile.pixels) == -(-row // largest_tile)
        assert -row % tile.pixels <= -row % largest_tile


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
