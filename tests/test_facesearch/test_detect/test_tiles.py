"""Tiles of wide pictures: every face once, wherever it lies and however large it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from facesearch.detect.tiles import detect_in_tiles, is_wide, tiles_of
from facesearch.detect.types import Detections, Pixels
from facesearch.engine import detect_faces

SIDE = 128


class SquareDetector:
    """Finds white squares of three pixels or more; surer of whole ones than of parts."""

    name, min_face, min_score = "squares", 3, 0.5

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def detect(self, photos: Sequence[Pixels]) -> list[Detections]:
        self.sizes += [photo.shape[:2] for photo in photos]
        return [self._squares(photo) for photo in photos]

    def _squares(self, photo: Pixels) -> Detections:
        found = []
        for rows, columns in ndimage.find_objects(ndimage.label(photo[..., 0] > 100)[0]):
            height, width = rows.stop - rows.start, columns.stop - columns.start
            if max(height, width) >= self.min_face:
                box = (columns.start, rows.start, columns.stop, rows.stop)
                found.append((min(height, width) / max(height, width), box))
        found.sort(reverse=True)
        boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
        landmarks = np.repeat(boxes[:, None, :2], 5, axis=1)
        scores = np.array([0.5 + score / 2 for score, _ in found], np.float32)
        return Detections(boxes, landmarks, scores)


@settings(deadline=None, max_examples=150)
@given(
    height=st.integers(40, 130),
    ratio=st.floats(2.05, 7),
    upright=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_every_square_is_found_once(height: int, ratio: float, upright: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    width = int(height * ratio)
    photo = np.zeros((height, width, 3), np.uint8)
    planted = []
    left = int(rng.integers(0, 30))
    while left < width:
        size = int(rng.integers(8, height))
        if left + size > width:
            break
        top = int(rng.integers(0, height - size + 1))
        photo[top : top + size, left : left + size] = 255
        planted.append((left, top, left + size, top + size))
        left += size + int(rng.integers(12, 60))
    expected = np.array(planted, np.float32).reshape(-1, 4)
    if upright:
        photo = np.ascontiguousarray(photo.transpose(1, 0, 2))
        expected = expected[:, [1, 0, 3, 2]]
    detector = SquareDetector()
    found = detect_in_tiles(detector, photo, SIDE)
    assert max(max(size) for size in detector.sizes) <= SIDE
    assert (np.diff(found.scores) <= 0).all()
    axis = 1 if upright else 0
    boxes = found.boxes[np.argsort(found.boxes[:, axis])]
    assert len(boxes) == len(expected)
    # Found in the picture as a whole, a square is as exact as that was reduced.
    assert np.abs(boxes - expected).max(initial=0) <= 1 + 1.5 * max(1, width / SIDE)
    assert np.allclose(found.landmarks[:, 0], found.boxes[:, :2])


@given(length=st.integers(4, 300), longer=st.floats(0.1, 12))
def test_tiles_cover_everything_and_answer_for_it_once(length: int, longer: float) -> None:
    long = max(1, int(length * longer))
    tiles = tiles_of(long, length)
    assert (tiles[0].start, tiles[-1].end) == (0, long)
    assert tiles[0].first == -np.inf and tiles[-1].last == np.inf
    for tile in tiles:
        assert tile.end - tile.start == min(long, length)
    for before, after in pairwise(tiles):
        assert before.last == after.first
        assert before.end - after.start >= length // 4 - 1
        assert abs((before.end - before.last) - (after.first - after.start)) <= 1e-6


@pytest.mark.parametrize(
    ("height", "width", "wide"),
    [(100, 128, False), (40, 128, False), (40, 129, True), (100, 200, False), (100, 201, True)],
)
def test_which_pictures_are_wide(height: int, width: int, wide: bool) -> None:
    assert is_wide(height, width, SIDE) == is_wide(width, height, SIDE) == wide


def test_wide_pictures_among_others_keep_their_places() -> None:
    photos = []
    for width, size in ((100, 20), (600, 30), (300, 60), (700, 40)):
        photo = np.zeros((100, width, 3), np.uint8)
        photo[10 : 10 + size, 50 : 50 + size] = 255
        photos.append(photo)
    found = detect_faces(SquareDetector(), photos, SIDE)
    sizes = [each.boxes[0, 3] - each.boxes[0, 1] for each in found]
    assert [len(each) for each in found] == [1, 1, 1, 1]
    assert np.abs(np.array(sizes) - [20, 30, 60, 40]).max() <= 3
    assert detect_faces(SquareDetector(), [], SIDE) == []


def test_wide_frames_of_videos_are_reduced_with_the_others_in_one_batch() -> None:
    photos = [np.zeros((100, width, 3), np.uint8) for width in (600, 120)]
    photos[0][10:60, 50:100] = 255
    detector = SquareDetector()
    (wide, plain) = detect_faces(detector, photos, SIDE, in_tiles=False)
    assert detector.sizes == [(21, 128), (100, 120)]
    assert len(plain) == 0 and np.abs(wide.boxes[0] - [50, 10, 100, 60]).max() <= 5


@pytest.mark.parametrize("shape", [(1, 12_800), (12_800, 3), (20, 12_800)])
def test_thin_pictures_are_cut_into_few_tiles(shape: tuple[int, int]) -> None:
    detector = SquareDetector()
    assert len(detect_in_tiles(detector, np.zeros((*shape, 3), np.uint8), 1024)) == 0
    assert 12 < len(detector.sizes) < 300
