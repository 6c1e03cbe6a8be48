import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.detect.image_pyramid import build_pyramid, sample_crops


def smooth(height, width):
    """A photo whose red is x, whose green is y and whose blue is constant."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 77)], axis=-1).astype(np.uint8)


@settings(deadline=None, max_examples=50)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    # No finer than a program would ask for: at 1 - 1e-16 rounding decides what a level is.
    st.integers(50, 1000).map(lambda thousandths: thousandths / 1000),
    st.integers(300, 900).map(lambda thousandths: thousandths / 1000),
)
def test_levels_start_at_the_scale_asked_for(height, width, scale, factor):
    photo = np.zeros((height, width, 3), np.uint8)
    pyramid = build_pyramid(photo, scale, factor, 12)
    searched = pyramid.levels[pyramid.first :]
    expected = []
    while min(round(height * scale), round(width * scale)) >= 12:
        expected.append((round(height * scale), round(width * scale), 3))
        scale *= factor
    assert [level.shape for level in searched] == expected
    assert pyramid.levels[0] is photo
    assert len(pyramid.ratios) == len(pyramid.levels)
    for level, (across, down) in zip(pyramid.levels, pyramid.ratios, strict=True):
        np.testing.assert_allclose(level.shape[:2], (down * height, across * width), rtol=1e-5)


@pytest.mark.parametrize("side", [24, 48])
def test_crops_equal_a_crop_and_resize_of_the_photo(side):
    photo = smooth(200, 240)
    pyramid = build_pyramid(photo, 0.6, 0.7, 12)
    boxes = np.array(
        [[20, 30, 50, 60], [100, 20, 220, 140], [7, 11, 31, 35], [40, 40, 190, 190]], np.float32
    )
    crops = sample_crops(pyramid, boxes, side)
    assert crops.shape == (4, side, side, 3)
    assert crops.dtype == np.float32
    for crop, (x0, y0, x1, y1) in zip(crops, boxes.astype(int), strict=True):
        part = photo[y0:y1, x0:x1].astype(np.float32)
        expected = cv2.resize(part, (side, side), interpolation=cv2.INTER_LINEAR)
        inner = (slice(2, -2), slice(2, -2))  # cv2 repeats the crop's edge, not the photo's
        np.testing.assert_allclose(crop[inner], expected[inner], atol=2)


def test_outside_the_photo_its_edge_is_repeated():
    pyramid = build_pyramid(smooth(60, 60), 0.6, 0.7, 12)
    crops = sample_crops(
        pyramid, np.array([[-500, -20, -400, 80], [30, 30, 90, 90]], np.float32), 24
    )
    assert (crops[0, :, :, 0] <= 1).all()  # the mean of the edge's few columns
    assert (np.diff(crops[0, :, 0, 1]) >= 0).all()
    np.testing.assert_allclose(crops[1, -1, -1], [59, 59, 77], atol=1)
    assert (crops[..., 2] == 77).all()


def test_no_boxes_make_no_crops():
    pyramid = build_pyramid(smooth(5, 5), 0.6, 0.7, 12)
    assert pyramid.levels[pyramid.first :] == []
    assert sample_crops(pyramid, np.zeros((0, 4), np.float32), 24).shape == (0, 24, 24, 3)
