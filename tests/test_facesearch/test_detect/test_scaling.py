"""By how much photos are reduced for detection."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.detect.scaling import SHORTEST, SIGHT, shrinking, shrunk, sight_scale


def photo(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@given(st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 500))
def test_faces_that_are_wanted_stay_in_sight(height: int, width: int, min_face: int) -> None:
    scale = sight_scale(photo(height, width), min_face)
    assert 0 < scale <= 1
    if scale < 1:
        assert scale * min_face >= SIGHT - 1e-9
        assert scale * max(height, width) >= SHORTEST - 1e-6
        # By no less than that: one of both is just reached.
        assert min(scale * min_face - SIGHT, scale * max(height, width) - SHORTEST) <= 1e-6


@pytest.mark.parametrize(
    ("height", "width", "min_face", "shown"),
    [
        (768, 1024, SIGHT, (768, 1024)),
        (768, 1024, SIGHT // 2, (768, 1024)),
        (768, 1024, 2 * SIGHT, (384, 512)),
        (768, 1024, 100 * SIGHT, (192, 256)),
        (250, 250, 2 * SIGHT, (250, 250)),
    ],
)
def test_what_is_shown_of_a_photo(
    height: int, width: int, min_face: int, shown: tuple[int, int]
) -> None:
    pixels = photo(height, width)
    assert shrunk(pixels, sight_scale(pixels, min_face)).shape[:2] == shown


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_no_side_is_longer_than_said_nor_without_pixels(height: int, width: int, side: int) -> None:
    pixels = photo(height, width)
    small = shrunk(pixels, shrinking(pixels, side))
    assert min(small.shape[:2]) >= 1
    assert max(small.shape[:2]) == min(side, max(height, width))


def test_areas_are_averaged() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    mean = pixels.reshape(20, 2, 30, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrunk(pixels, 0.5), mean, atol=0.51)
