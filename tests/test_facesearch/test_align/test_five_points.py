"""Chips by five points: exact where nothing needs resampling, upright at any angle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.align.five_points import FivePointAligner
from facesearch.detect.types import Detections
from facesearch.encoders.catalogue.templates import ARCFACE, OPEN_MODEL_ZOO

SIZE = 112


def faces(*landmarks: np.ndarray) -> Detections:
    points = np.array(landmarks, np.float32).reshape(-1, 5, 2)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    return Detections(boxes, points, np.ones(len(points), np.float32))


def smooth(height: int, width: int) -> np.ndarray:
    """A photo of slow waves, which resampling hardly changes."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 37 + channel) + np.cos(y / 41 - channel) for channel in range(3)]
    return (127 + 60 * np.stack(waves, axis=2)).astype(np.uint8)


def test_landmarks_on_the_template_give_the_photo_itself() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    points = np.array(ARCFACE.points) * SIZE
    (chip,) = FivePointAligner(ARCFACE, SIZE).align(photo, faces(points))
    np.testing.assert_array_equal(chip, photo)
    shifted = np.zeros((300, 400, 3), np.uint8)
    shifted[50 : 50 + SIZE, 90 : 90 + SIZE] = photo
    (chip,) = FivePointAligner(ARCFACE, SIZE).align(shifted, faces(points + np.array([90, 50])))
    np.testing.assert_array_equal(chip, photo)


@settings(deadline=None, max_examples=40)
@given(st.floats(-180, 180), st.floats(0.3, 6.0), st.floats(-40, 40), st.floats(-40, 40))
def test_chips_show_the_same_at_any_angle_and_size(
    angle: float, scale: float, dx: float, dy: float
) -> None:
    """The photo that the inverse similarity makes is undone, whatever the similarity."""
    size = 64
    turn = np.deg2rad(angle)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([400 + dx, 380 + dy])
    y, x = np.mgrid[:800, :800]
    at = np.stack([x, y], axis=2) - middle
    inside = at @ np.linalg.inv(matrix).T  # in pixels of the chip, from its middle
    photo = (127 + 100 * np.sin(inside / 9)).astype(np.uint8)
    photo = np.concatenate([photo, photo[..., :1]], axis=2)
    points = (np.array(OPEN_MODEL_ZOO.points) * size - size / 2) @ matrix.T + middle
    (chip,) = FivePointAligner(OPEN_MODEL_ZOO, size).align(photo, faces(points))
    gy, gx = np.mgrid[:size, :size]
    wanted = 127 + 100 * np.sin((np.stack([gx, gy], axis=2) - size / 2) / 9)
    difference = np.abs(chip[..., :2].astype(float) - wanted)
    assert difference.mean() < 4


def test_large_faces_are_averaged_not_skipped() -> None:
    """Noise of single pixels all but vanishes in a chip of a twentieth of the size."""
    photo = np.random.default_rng(0).choice([0, 255], (2400, 2400, 3)).astype(np.uint8)
    points = np.array(ARCFACE.points) * 2240 + 50
    (chip,) = FivePointAligner(ARCFACE, SIZE).align(photo, faces(points))
    assert abs(chip.mean() - 127.5) < 3
    assert chip.std() < 25


def test_beyond_the_photo_is_black_and_nothing_breaks() -> None:
    photo = smooth(200, 300)
    points = np.array(ARCFACE.points) * SIZE
    aligner = FivePointAligner(ARCFACE, SIZE)
    (left,) = aligner.align(photo, faces(points - np.array([80, 0])))
    assert not left[:, :79].any()
    assert left[:, 81:].any()
    (far,) = aligner.align(photo, faces(points + 5000))
    assert not far.any()
    (collapsed,) = aligner.align(photo, faces(np.full((5, 2), 60.0)))
    assert not collapsed.any()
    assert aligner.align(photo, Detections.none()).shape == (0, SIZE, SIZE, 3)
    with pytest.raises(ValueError, match="finite"):
        aligner.align(photo, faces(np.full((5, 2), np.nan)))
    with pytest.raises(ValueError, match="RGB uint8"):
        aligner.align(photo[..., 0], faces(points))
