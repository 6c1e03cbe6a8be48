"""Landmarks and chips against dlib itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facesearch.align.chips import face_chips
from facesearch.align.shape_predictor import FIVE_POINT_MODEL, five_point_predictor, rounded

Photo = NDArray[np.uint8]


@pytest.fixture(scope="module")
def dlib() -> Any:
    return pytest.importorskip("dlib", reason="needs dlib-bin, the oracle (extra dev)")


@pytest.fixture(scope="module")
def oracle(dlib: Any) -> Any:
    return dlib.shape_predictor(str(FIVE_POINT_MODEL.locate()))


def real_photos(count: int) -> list[Photo]:
    folder = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "album/photos"
    if not folder.is_dir():
        pytest.skip(f"needs photos of faces in {folder}; set FACESEARCH_TEST_DATA")
    return [cv2.imread(str(path))[:, :, ::-1].copy() for path in sorted(folder.iterdir())[:count]]


def portrait() -> Photo:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image (extra demo)")
    photo: Photo = data.astronaut()
    return photo


def same_as_dlib(dlib: Any, oracle: Any, photo: Photo, rect: list[int]) -> None:
    shape = oracle(photo, dlib.rectangle(*rect))
    expected = np.array([[part.x, part.y] for part in shape.parts()], np.float64)
    found = rounded(five_point_predictor().predict(photo, np.array([rect], np.float64)))
    np.testing.assert_array_equal(found[0], expected)
    chip = dlib.get_face_chip(photo, shape, 150, 0.25)
    np.testing.assert_array_equal(face_chips(photo, found, 150, 0.25)[0], chip)


@pytest.mark.parametrize("scale", [0.2, 0.5, 1, 2, 4, 9])
def test_portrait_at_sizes_that_halve_the_photo_never_to_thrice(
    dlib: Any, oracle: Any, scale: float
) -> None:
    photo = cv2.resize(portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    same_as_dlib(dlib, oracle, photo, [round(x * scale) for x in (170, 66, 278, 174)])


@pytest.mark.parametrize(
    "rect",
    [
        [-60, -50, 60, 70],  # over a corner
        [440, 200, 560, 320],
        [-900, 100, -700, 300],  # wholly outside
        [200, 100, 204, 104],  # a few pixels
        [-300, -300, 900, 900],  # larger than the photo
    ],
)
def test_boxes_that_are_no_face(dlib: Any, oracle: Any, rect: list[int]) -> None:
    same_as_dlib(dlib, oracle, portrait(), rect)


def test_noise_and_random_boxes(dlib: Any, oracle: Any) -> None:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (300, 400, 3), np.uint8)
    for _ in range(40):
        left, top, side = rng.integers([-30, -30, 10], [380, 280, 300]).tolist()
        same_as_dlib(dlib, oracle, photo, [left, top, left + side, top + side])


def test_real_faces(dlib: Any, oracle: Any) -> None:
    detector = dlib.get_frontal_face_detector()
    for photo in real_photos(12):
        for rect in detector(photo, 0):
            corners = [rect.left(), rect.top(), rect.right(), rect.bottom()]
            same_as_dlib(dlib, oracle, photo, corners)
