"""Turned faces, found by a stand-in that sees upright faces only, as detectors are trained to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.detect import turned
from facesearch.detect.turned import TurningDetector, TurnLimits, turned_back
from facesearch.detect.types import Detections, Pixels

# Where the stand-in's faces have their points, in units of their side.
POINTS = np.array([[0.3, 0.35], [0.7, 0.35], [0.5, 0.55], [0.35, 0.75], [0.65, 0.75]])
COLOURS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [250, 0, 250]])


def draw(photo: Pixels, left: int, top: int, side: int, turn: int = 0) -> np.ndarray:
    """A face of five coloured squares in ``photo``, turned; its points (5, 2) in the photo."""
    face = np.full((side, side, 3), 90, np.uint8)
    mark = side // 10
    for (x, y), colour in zip(POINTS, COLOURS, strict=True):
        column, row = round(x * side), round(y * side)
        face[row - mark : row + mark, column - mark : column + mark] = colour
    photo[top : top + side, left : left + side] = np.rot90(face, turn)
    points = np.round(POINTS * side)
    x, y = points.T
    turned = {0: (x, y), 1: (y, side - x), 2: (side - x, side - y), 3: (side - y, x)}[turn]
    return np.stack(turned, axis=1) + np.array([left, top])


class UprightEyes:
    """Finds faces of :func:`draw`: surely if upright, faintly if on their head, else not."""

    name, min_face, min_score = "stand-in", 8, 0.5

    def __init__(self, lying: float = 0.0, on_head: float = 0.8) -> None:
        self.photos: list[tuple[int, int]] = []
        self.scores = {0: 0.9, 1: lying, 2: on_head, 3: lying}

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        self.photos += [photo.shape[:2] for photo in photos]
        return [self._one(photo) for photo in photos]

    def _one(self, photo: Pixels) -> Detections:
        centres = []
        for colour in COLOURS:
            near = (np.abs(photo.astype(int) - colour) < 60).all(axis=2)
            if near.sum() < 4:
                return Detections.none()
            ys, xs = np.nonzero(near)
            centres.append((xs.mean() + 0.5, ys.mean() + 0.5))
        points = np.array(centres)
        eyes = points[1] - points[0]
        turn = round(np.degrees(np.arctan2(-eyes[1], eyes[0])) / 90) % 4
        score = self.scores[turn]
        if score < self.min_score:
            return Detections.none()
        middle, half = points.mean(axis=0), np.linalg.norm(eyes) / 0.4 / 2
        box = np.array([*(middle - half), *(middle + half)], np.float32)
        # Without knowing of turns it names the points as if the face stood.
        landmarks = points if turn == 0 else (POINTS - 0.5) * 2 * half + middle
        return Detections(
            box[None], landmarks[None].astype(np.float32), np.array([score], np.float32)
        )


@pytest.mark.parametrize("turn", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(300, 400), (900, 700)])
def test_a_face_is_found_with_true_landmarks_however_it_is_turned(
    turn: int, size: tuple[int, int]
) -> None:
    photo = np.full((*size, 3), 20, np.uint8)
    points = draw(photo, 120, 80, 100, turn)
    (faces,) = TurningDetector(UprightEyes()).detect([photo])
    assert len(faces) == 1
    np.testing.assert_allclose(faces.landmarks[0], points, atol=3)
    assert faces.upright is not None
    assert faces.upright[0] > 0.05
    box = faces.boxes[0]
    assert box[0] < points[:, 0].min()
    assert box[3] > points[:, 1].max()


def test_a_face_the_detector_is_sure_of_is_not_looked_at_again() -> None:
    eyes = UprightEyes()
    photo = np.full((300, 300, 3), 20, np.uint8)
    draw(photo, 60, 60, 120)
    (faces,) = TurningDetector(eyes, TurnLimits(sure=0.85)).detect([photo])
    assert eyes.photos == [(300, 300)]
    assert faces.upright is not None
    assert faces.upright.tolist() == [1.0]


def test_a_glance_suffices_for_a_face_that_clearly_stands() -> None:
    photo = np.full((300, 300, 3), 20, np.uint8)
    draw(photo, 60, 60, 120)
    clear, unclear = UprightEyes(on_head=0.0), UprightEyes(on_head=0.8)
    for eyes, sizes in ((clear, [64] * 4), (unclear, [64] * 4 + [128] * 4)):
        (faces,) = TurningDetector(eyes).detect([photo])
        assert eyes.photos == [(300, 300), *((size, size) for size in sizes)]
        assert faces.upright is not None
        assert faces.upright[0] == pytest.approx(0.9 - eyes.scores[2])


def test_a_photo_without_faces_costs_three_looks_at_a_small_copy() -> None:
    eyes = UprightEyes()
    (faces,) = TurningDetector(eyes).detect([np.zeros((1000, 1000, 3), np.uint8)])
    assert len(faces) == 0
    assert faces.upright is not None
    assert len(faces.upright) == 0
    assert eyes.photos == [(1000, 1000), (480, 480), (480, 480), (480, 480)]


def test_a_turned_look_must_be_firm_and_better() -> None:
    photo = np.full((300, 300, 3), 20, np.uint8)
    draw(photo, 60, 60, 120, 1)
    unfirm = TurningDetector(UprightEyes(), TurnLimits(firm=0.95))
    assert len(unfirm.detect([photo])[0]) == 0
    upside_down = np.full((300, 300, 3), 20, np.uint8)
    draw(upside_down, 60, 60, 120, 2)
    (faces,) = TurningDetector(UprightEyes(), TurnLimits(gain=0.5)).detect([upside_down])
    assert faces.scores.tolist() == pytest.approx([0.8])
    assert faces.upright is not None
    assert faces.upright[0] < 0  # it stands on its head, and is known not to stand


class LargeEyes(UprightEyes):
    """Finds large faces only."""

    min_face = 200

    def _one(self, photo: Pixels) -> Detections:
        found = super()._one(photo)
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0)
        return found.rows(sides >= self.min_face)


@pytest.mark.parametrize("turn", [0, 2])
def test_faces_are_looked_at_closely_however_large_those_are_that_are_wanted(turn: int) -> None:
    photo = np.full((700, 800, 3), 20, np.uint8)
    points = draw(photo, 150, 100, 300, turn)
    (faces,) = TurningDetector(LargeEyes()).detect([photo])
    np.testing.assert_allclose(faces.landmarks[0], points, atol=6)
    assert faces.upright is not None
    assert faces.upright[0] > 0.05
    small = np.full((700, 800, 3), 20, np.uint8)
    draw(small, 150, 100, 120, turn)
    assert len(TurningDetector(LargeEyes()).detect([small])[0]) == 0


@pytest.mark.parametrize("corner", [(-60, -60), (-60, 250), (340, 250), (340, -60)])
def test_faces_that_a_photo_cuts_off_are_looked_at_with_black_beyond(
    corner: tuple[int, int],
) -> None:
    generator = np.random.default_rng(0)
    photo = generator.integers(1, 256, (300, 400, 3), np.uint8)
    left, top = corner
    box = np.array([left, top, left + 120, top + 110], np.float32)
    crop = turned._Crop.around(photo, box, 128)
    assert crop.pixels.shape == (128, 128, 3)
    # The middle of each quarter of the crop, in the photo: inside it there are pixels.
    for row, column in itertools.product((32, 96), repeat=2):
        x, y = np.array([column, row]) / crop.scale + crop.corner
        inside = 2 < x < 398 and 2 < y < 298
        outside = x < -2 or x > 402 or y < -2 or y > 302
        assert inside or outside
        assert (crop.pixels[row, column].max() > 0) == inside
    np.testing.assert_allclose((crop.box / crop.scale) + np.tile(crop.corner, 2), box, atol=0.01)


@given(st.integers(0, 3), st.integers(1, 50), st.integers(1, 50), st.integers(0, 2**32))
def test_points_are_turned_back_as_pixels_are(
    turn: int, height: int, width: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    photo = generator.permutation(height * width).reshape(height, width)
    turned = np.rot90(photo, turn)
    row, column = (int(generator.integers(0, side)) for side in turned.shape)
    centre = np.array([column + 0.5, row + 0.5], np.float32)
    found = Detections(
        np.array([[column, row, column + 1, row + 1]], np.float32),
        np.tile(centre, (1, 5, 1)),
        np.ones(1, np.float32),
    )
    back = turned_back(found, turn, height, width)
    x, y = back.landmarks[0, 0]
    assert photo[int(y), int(x)] == turned[row, column]
    assert back.boxes[0].tolist() == [x - 0.5, y - 0.5, x + 0.5, y + 0.5]


class Crowd(UprightEyes):
    """Always finds six faces of different sizes, none of them for sure; counts its looks."""

    def _one(self, photo: Pixels) -> Detections:
        if photo.shape[0] < 200:
            return Detections.none()
        corners = np.arange(6, dtype=np.float32)[:, None] * 60
        sides = np.array([10, 40, 20, 50, 30, 45], np.float32)[:, None]
        boxes = np.concatenate([corners, corners, corners + sides, corners + sides], axis=1)
        points = np.repeat(boxes[:, None, :2], 5, axis=1)
        return Detections(boxes, points, np.full(6, 0.6, np.float32))


def test_of_a_crowd_that_stands_only_the_largest_are_looked_at_turned() -> None:
    eyes = Crowd()
    (faces,) = TurningDetector(eyes).detect([np.zeros((400, 400, 3), np.uint8)])
    assert len(eyes.photos) == 1 + 4 * (4 + 4)  # at a glance, and closely as that shows nothing
    assert faces.upright is not None
    looked_at = faces.upright == 0  # nothing was seen in their crops
    sides = faces.boxes[:, 2] - faces.boxes[:, 0]
    assert sorted(sides[looked_at].tolist()) == [30, 40, 45, 50]
