"""Aligners with every kind of photo and detection they may be given."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from facesearch.align import DlibAligner, MarginAligner
from facesearch.align.box_mapping import predictor_rects
from facesearch.detect.types import Detections
from facesearch.encoders.types import Aligner
from facesearch.errors import InputError

RNG = np.random.default_rng(3)
PHOTO = np.kron(RNG.integers(0, 256, (12, 15, 3)), np.ones((20, 20, 1))).astype(np.uint8)
FACE = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
BOXES = [
    [80, 60, 180, 190],
    [-40, -30, 50, 60],  # over the corner
    [260, 200, 420, 380],
    [-500, -400, -300, -200],  # wholly outside
    [100, 100, 103, 104],  # tiny
    [-900, -900, 1500, 1500],  # huge
]


def detections(boxes: list[list[float]]) -> Detections:
    """Faces with landmarks where a box has them on average."""
    array = np.array(boxes, np.float64).reshape(-1, 4)
    corner, extent = array[:, None, :2], (array[:, 2:] - array[:, :2])[:, None]
    landmarks = (corner + extent * FACE).astype(np.float32)
    return Detections(array.astype(np.float32), landmarks, np.ones(len(array), np.float32))


@pytest.fixture(params=["dlib", "margin"])
def aligner(request: pytest.FixtureRequest) -> Aligner:
    return DlibAligner() if request.param == "dlib" else MarginAligner(margin=14)


def test_chips_of_every_box(aligner: Aligner) -> None:
    chips = aligner.align(PHOTO, detections(BOXES))
    assert chips.shape == (len(BOXES), aligner.size, aligner.size, 3)
    assert chips.dtype == np.uint8
    assert chips[0].std() > 10
    assert not chips[3].any()


def test_no_faces(aligner: Aligner) -> None:
    chips = aligner.align(PHOTO, Detections.none())
    assert chips.shape == (0, aligner.size, aligner.size, 3) and chips.dtype == np.uint8


def test_batch_equals_one_by_one(aligner: Aligner) -> None:
    together = aligner.align(PHOTO, detections(BOXES))
    for box, chip in zip(BOXES, together, strict=True):
        np.testing.assert_array_equal(aligner.align(PHOTO, detections([box]))[0], chip)


def test_how_the_photo_lies_in_memory_is_the_same(aligner: Aligner) -> None:
    expected = aligner.align(PHOTO, detections(BOXES))
    read_only = np.frombuffer(PHOTO.tobytes(), np.uint8).reshape(PHOTO.shape)
    strided = np.repeat(PHOTO, 2, axis=1)[:, ::2]
    columns_first = np.asfortranarray(PHOTO)
    for photo in (read_only, strided, columns_first, PHOTO[:, :, ::-1][:, :, ::-1]):
        np.testing.assert_array_equal(aligner.align(photo, detections(BOXES)), expected)


def test_photo_is_left_as_it_was(aligner: Aligner) -> None:
    photo = PHOTO.copy()
    aligner.align(photo, detections(BOXES))
    assert photo.flags.writeable
    np.testing.assert_array_equal(photo, PHOTO)


def test_threads_do_not_disturb_each_other(aligner: Aligner) -> None:
    expected = aligner.align(PHOTO, detections(BOXES))
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: aligner.align(PHOTO, detections(BOXES)), range(40))
        for chips in found:
            np.testing.assert_array_equal(chips, expected)


@given(dx=st.integers(0, 60), dy=st.integers(0, 60))
def test_chips_move_with_the_photo(dx: int, dy: int) -> None:
    moved = np.zeros((PHOTO.shape[0] + 60, PHOTO.shape[1] + 60, 3), np.uint8)
    moved[dy : dy + PHOTO.shape[0], dx : dx + PHOTO.shape[1]] = PHOTO
    inside: list[float] = [110, 80, 170, 150]
    there = [inside[0] + dx, inside[1] + dy, inside[2] + dx, inside[3] + dy]
    for aligner in (DlibAligner(), MarginAligner()):
        before = aligner.align(PHOTO, detections([inside])).astype(int)
        after = aligner.align(moved, detections([there])).astype(int)
        assert np.abs(before - after).max() <= 1  # float32 boxes round differently elsewhere


@pytest.mark.parametrize(
    "photo", [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3))]
)
def test_other_arrays_are_refused(aligner: Aligner, photo: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="expected a photo RGB uint8"):
        aligner.align(photo, detections(BOXES))


def test_boxes_that_are_not_finite_are_refused(aligner: Aligner) -> None:
    with pytest.raises(ValueError, match="finite"):
        aligner.align(PHOTO, detections([[0, 0, np.inf, 10]]))


def test_square_follows_landmarks_and_falls_back_on_the_box() -> None:
    faces = detections([[80, 60, 180, 190]])
    left, top, right, bottom = predictor_rects(faces)[0]
    assert right - left == pytest.approx(bottom - top)
    assert 60 < right - left < 200
    one_point = Detections(faces.boxes, np.full((1, 5, 2), 130, np.float32), faces.scores)
    side = np.sqrt(100 * 130)
    np.testing.assert_allclose(
        predictor_rects(one_point)[0],
        [130 - side / 2, 125 - side / 2, 130 + side / 2, 125 + side / 2],
    )


@given(st.floats(0.1, 10), st.floats(-100, 100))
def test_square_scales_and_moves_with_the_face(scale: float, shift: float) -> None:
    faces = detections([[80, 60, 180, 190]])
    other = Detections(
        faces.boxes * np.float32(scale) + np.float32(shift),
        faces.landmarks * np.float32(scale) + np.float32(shift),
        faces.scores,
    )
    expected = predictor_rects(faces) * scale + shift
    np.testing.assert_allclose(predictor_rects(other), expected, rtol=1e-4, atol=1e-2)


def test_margin_is_measured_in_the_chip() -> None:
    photo = np.zeros((300, 300, 3), np.uint8)
    photo[100:200, 100:200] = 255
    white = MarginAligner(size=160, margin=40).align(photo, detections([[100, 100, 200, 200]]))[0]
    # The box fills the middle 120 of 160 pixels; the crop starts at a whole photo pixel.
    assert white[80].mean(axis=1).round().tolist().count(255) in (119, 120, 121)
    assert not white[:18].any() and not white[-18:].any()


@pytest.mark.parametrize(("size", "margin"), [(160, 160), (160, -1), (0, 0)])
def test_impossible_margins_are_refused(size: int, margin: int) -> None:
    with pytest.raises(InputError, match="0 <= margin < size"):
        MarginAligner(size, margin)


def test_names_tell_settings_apart() -> None:
    assert MarginAligner(160, 14).name != MarginAligner(160, 0).name
    assert DlibAligner.name.startswith("dlib-5-point-150-0.25+")


def test_compiles_where_no_cache_can_be_written(tmp_path: Path) -> None:
    """numba is made to believe that no folder takes its cache, as on a read-only system."""
    script = tmp_path / "run.py"
    script.write_text(
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from indexer.runtime.numba_jit import jit\n"
        "kernel = jit(lambda x: x + 1)\n"
        "assert kernel(1) == 2\n"
        "assert type(kernel._cache).__name__ == 'NullCache'\n"
        "print('compiled')\n"
    )
    run = subprocess.run(
        [sys.executable, script], env=os.environ, capture_output=True, text=True, check=False
    )
    assert run.stdout == "compiled\n", run.stderr
