"""Compiled kernels against plain, slow ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facesearch.align.chips import halve, readonly
from facesearch.align.similarity import similarity


def test_similarity_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        source, target = rng.normal(size=(2, 5, 2)) * 50
        zero, one = np.zeros(5), np.ones(5)
        x, y = source.T
        rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
        expected = np.linalg.lstsq(rows, target.T.ravel(), rcond=None)[0]
        np.testing.assert_allclose(similarity(source, target), expected, rtol=1e-9, atol=1e-9)


def plainly_halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    kernel = np.array([1, 4, 6, 4, 1])
    weights = np.outer(kernel, kernel)[:, :, None]
    height, width = (image.shape[0] - 3) // 2, (image.shape[1] - 3) // 2
    half = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            window = image[2 * row : 2 * row + 5, 2 * column : 2 * column + 5].astype(int)
            half[row, column] = (window * weights).sum(axis=(0, 1)) // 256
    return half


@pytest.mark.parametrize("shape", [(9, 9), (10, 13), (23, 16), (31, 30)])
def test_halving_is_a_gaussian_at_every_other_pixel(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    photo[5, 6:20] = 255
    top, left = 3, 5
    region = photo[top : top + shape[0], left : left + shape[1]]
    found = halve(readonly(photo), top, left, *shape)
    np.testing.assert_array_equal(found, plainly_halved(region))


def test_white_stays_white_and_small_regions_vanish() -> None:
    white = readonly(np.full((20, 20, 3), 255, np.uint8))
    assert (halve(white, 0, 0, 20, 20) == 255).all()
    assert halve(white, 0, 0, 8, 20).size == 0
