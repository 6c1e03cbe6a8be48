"""Ways to find dlib's five landmarks in a face: what the rows of the ablation differ in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.recognition.lfw.stages import Floats, Locate
from facesearch.align.box_mapping import predictor_rects
from facesearch.align.chips import MEAN_FACE
from facesearch.align.shape_predictor import five_point_predictor, rounded
from facesearch.align.similarity import similarity
from facesearch.detect.types import Detections, Pixels

# Where MTCNN's points lie in dlib's unit square; ``python -m benchmarks.recognition.lfw.ablation
# fit`` prints them.
MEAN_POINTS = np.array(
    [[0.2288, 0.2088], [0.7688, 0.2114], [0.5029, 0.5312], [0.2605, 0.8005], [0.7313, 0.8016]]
)

_SHIFT = 0.04  # of the predictor's square, in the directions of the eight neighbours and none


def trees(photo: Pixels, face: Detections) -> Floats:
    """Regression trees in the square that fits the detector's landmarks: the project's way."""
    return rounded(trees_unrounded(photo, face))


def trees_unrounded(photo: Pixels, face: Detections) -> Floats:
    """As :func:`trees`, not rounded to whole pixels as dlib's are."""
    return five_point_predictor().predict(photo, predictor_rects(face))


def trees_in_box(photo: Pixels, face: Detections) -> Floats:
    """Regression trees in the detector's box as it is, which is dlib's way with its own boxes."""
    return rounded(five_point_predictor().predict(photo, face.boxes.astype(np.float64)))


def trees_of_shifted_squares(photo: Pixels, face: Detections) -> Floats:
    """The mean of nine runs of the trees, from the square and from eight shifted ones."""
    square = predictor_rects(face)
    steps = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)]) * _SHIFT
    shifts = np.tile(steps * (square[0, 2] - square[0, 0]), 2)
    landmarks = five_point_predictor().predict(photo, square + shifts)
    return landmarks.mean(axis=0, keepdims=True)


def trees_twice(photo: Pixels, face: Detections) -> Floats:
    """A second run of the trees from the square that fits the first run's landmarks."""
    predictor = five_point_predictor()
    first = predictor.predict(photo, predictor_rects(face))[0]
    corners = placed(predictor.mean.astype(np.float64), first, np.array([[0.5, 0.5]]))
    a, b, _, _ = similarity(predictor.mean.astype(np.float64), first)
    half = np.hypot(a, b) / 2
    square = np.concatenate([corners - half, corners + half], axis=1)
    return rounded(predictor.predict(photo, square))


def mean_detector_points(photos: Sequence[Pixels], faces: Sequence[Detections]) -> Floats:
    """Where the detector's five points lie in dlib's unit square, float64 (5, 2): medians."""
    points = []
    for photo, face in zip(photos, faces, strict=True):
        landmarks = trees(photo, face)[0]
        points.append(placed(landmarks, MEAN_FACE, face.landmarks[0].astype(np.float64)))
    return np.asarray(np.median(points, axis=0))


def from_detector_points(mean_points: Floats) -> Locate:
    """dlib's mean face placed by the detector's own five points; no trees.

    ``mean_points``: :func:`mean_detector_points`.
    """

    def locate(_: Pixels, face: Detections) -> Floats:
        found = face.landmarks[0].astype(np.float64)
        return placed(mean_points, found, MEAN_FACE)[None]

    return locate


def mean_of(*ways: Locate) -> Locate:
    """The mean of the landmarks of several ways."""
    return lambda photo, face: np.mean([way(photo, face) for way in ways], axis=0)


def placed(source: Floats, target: Floats, points: Floats) -> Floats:
    """``points`` float64 (n, 2) moved by the similarity that best maps source to target."""
    a, b, c, d = similarity(source, target)
    return points @ np.array([[a, b], [-b, a]]) + np.array([c, d])
