"""The reader of the predictor's file, and what landmarks must obey."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.align.shape_predictor import (
    FIVE_POINT_MODEL,
    five_point_predictor,
    parse_shape_predictor,
    rounded,
)
from facesearch.errors import WeightsError
from support.dlib_writer import pack_int, pack_matrix

RNG = np.random.default_rng(5)
SMOOTH = np.kron(RNG.integers(0, 256, (15, 20, 3)), np.ones((16, 16, 1))).astype(np.uint8)


def test_packaged_model_has_the_documented_layout() -> None:
    model = five_point_predictor()
    stages, trees = model.leaves.shape[:2]
    assert model.mean.shape == (5, 2)
    assert model.features.shape == (stages, trees, 15, 2)
    assert model.thresholds.shape == (stages, trees, 15)
    assert model.leaves.shape == (stages, trees, 16, 10)
    pixels = model.offsets.shape[2]
    assert (model.starts[:, 0] == 0).all() and (model.starts[:, -1] == pixels).all()
    assert model.features.max() < pixels
    assert np.isfinite(model.leaves).all() and np.isfinite(model.offsets).all()
    assert not model.leaves.flags.writeable


def test_batch_equals_one_by_one() -> None:
    rects = RNG.uniform(-20, 200, (7, 2))
    rects = np.concatenate([rects, rects + RNG.uniform(5, 150, (7, 1))], axis=1)
    together = five_point_predictor().predict(SMOOTH, rects)
    alone = [five_point_predictor().predict(SMOOTH, rect[None])[0] for rect in rects]
    np.testing.assert_array_equal(together, alone)


@given(dx=st.integers(0, 40), dy=st.integers(0, 40), side=st.integers(20, 120))
def test_moving_photo_and_box_moves_landmarks(dx: int, dy: int, side: int) -> None:
    rect = np.array([[60, 50, 60 + side, 50 + side]], np.float64)
    moved = np.zeros((300, 400, 3), np.uint8)
    moved[dy : dy + SMOOTH.shape[0], dx : dx + SMOOTH.shape[1]] = SMOOTH
    before = five_point_predictor().predict(SMOOTH, rect)
    after = five_point_predictor().predict(moved, rect + np.array([dx, dy] * 2))
    np.testing.assert_allclose(after - [dx, dy], before, atol=1e-9)


def test_no_boxes_no_landmarks() -> None:
    assert five_point_predictor().predict(SMOOTH, np.zeros((0, 4))).shape == (0, 5, 2)


def test_halves_round_upwards_as_in_dlib() -> None:
    np.testing.assert_array_equal(rounded(np.array([-0.5, 0.5, 1.4, -1.6])), [0, 1, 1, -2])


def test_damaged_files_are_refused() -> None:
    data = FIVE_POINT_MODEL.read()
    with pytest.raises(WeightsError, match="damaged or of another kind"):
        parse_shape_predictor(data[: len(data) // 2], "half")
    with pytest.raises(WeightsError, match="expected the end"):
        parse_shape_predictor(data + b"\x01\x00", "longer")
    with pytest.raises(WeightsError, match="version"):
        parse_shape_predictor(pack_int(2), "other version")
    eight = pack_int(1) + pack_matrix(np.zeros((8, 1)))
    with pytest.raises(WeightsError, match="expected 10 coordinates, found 8"):
        parse_shape_predictor(eight, "four points")
