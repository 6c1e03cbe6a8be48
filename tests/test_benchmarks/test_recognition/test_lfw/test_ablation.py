"""The pieces of the LFW ablation that could be wrong without showing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.recognition.lfw.landmarks import MEAN_POINTS, from_detector_points, mean_of, placed
from benchmarks.recognition.lfw.stages import Embedded, Variant, chosen_faces, embeddings_of, joined
from facesearch.align.chips import MEAN_FACE
from facesearch.detect.types import Detections
from facesearch.encoders.types import Embeddings


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    corners = rows.reshape(-1, 2, 2)
    landmarks = corners[:, :1] + MEAN_POINTS * (corners[:, 1:] - corners[:, :1])
    return Detections(rows, landmarks.astype(np.float32), np.full(len(rows), 0.9, np.float32))


def test_points_of_a_turned_face_place_the_mean_face_turned_likewise() -> None:
    turn = np.array([[40, 30], [-30, 40]])
    shift = np.array([100, 80])
    points = (MEAN_POINTS @ turn + shift).astype(np.float32)[None]
    face = Detections(np.zeros((1, 4), np.float32), points, np.ones(1, np.float32))
    photo = np.zeros((9, 9, 3), np.uint8)
    landmarks = from_detector_points(MEAN_POINTS)(photo, face)
    np.testing.assert_allclose(landmarks, (MEAN_FACE @ turn + shift)[None], atol=1e-3)
    np.testing.assert_allclose(placed(MEAN_POINTS, points[0], MEAN_POINTS), points[0], atol=1e-3)


def test_the_mean_of_two_ways_lies_between_them() -> None:
    ways = [lambda photo, face, x=x: np.full((1, 5, 2), x) for x in (1.0, 4.0)]
    empty = np.zeros((1, 1, 3), np.uint8)
    np.testing.assert_array_equal(mean_of(*ways)(empty, Detections.none()), np.full((1, 5, 2), 2.5))


def test_a_photo_without_a_face_gets_the_median_of_the_others() -> None:
    found = [
        detections((0, 0, 10, 10)),
        Detections.none(),
        detections((2, 2, 12, 12), (90, 90, 99, 99)),
        detections((4, 4, 14, 14)),
    ]
    faces = chosen_faces(found, lambda each: len(each) - 1)
    assert [len(face) for face in faces] == [1, 1, 1, 1]
    np.testing.assert_array_equal(faces[1].boxes, [[4, 4, 14, 14]])
    np.testing.assert_array_equal(faces[2].boxes, [[90, 90, 99, 99]])


class BrightnessEncoder:
    """Mean colours of the chip's left and right half, as unit vectors."""

    name, weights_sha256, numerics, dimension, input_size = "brightness", "0" * 64, "fp32", 6, 150

    def embed(self, chips: np.ndarray) -> Embeddings:
        halves = [chips[:, :, side].mean(axis=(1, 2)) for side in (slice(75), slice(75, None))]
        outputs = np.concatenate(halves, axis=1).astype(np.float32) + 1
        norms = np.linalg.norm(outputs, axis=1)
        return Embeddings(outputs / norms[:, None], norms)


def test_a_row_is_embedded_once_and_only_of_the_photos_it_was_made_of(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    paths = ("a/1.png", "a/2.png")
    (tmp_path / "a").mkdir()
    for number, path in enumerate(paths):
        photo = np.zeros((250, 250, 3), np.uint8)
        photo[:, 125:] = 100 + 50 * number
        cv2.imwrite(str(tmp_path / path), photo)
    cache = tmp_path / "cache"
    cache.mkdir()
    found = [detections((80, 80, 170, 170)), Detections.none()]
    np.savez(
        cache / "detections-mtcnn.npz",
        paths=np.array(paths),
        counts=np.array([len(each) for each in found]),
        boxes=np.concatenate([each.boxes for each in found]),
        landmarks=np.concatenate([each.landmarks for each in found]),
        scores=np.concatenate([each.scores for each in found]),
    )
    locate = from_detector_points(MEAN_POINTS)
    row = Variant("row", "a row", "mtcnn", lambda each: 0, locate)
    encoder = BrightnessEncoder()
    first = embeddings_of(row, encoder, tmp_path, paths, cache)
    (tmp_path / paths[0]).unlink()  # from now on only the cache knows it
    again = embeddings_of(row, encoder, tmp_path, paths, cache)
    np.testing.assert_array_equal(first.vectors, again.vectors)
    assert first.found.tolist() == [1, 0]
    left, right = slice(3), slice(3, None)
    np.testing.assert_allclose(first.vectors[:, left], first.mirrored[:, right], atol=0.02)
    assert (first.vectors[:, left] < first.vectors[:, right]).all()
    with pytest.raises(SystemExit, match="of other photos"):
        embeddings_of(row, encoder, tmp_path, paths[:1], cache)


def test_joined_parts_keep_their_order() -> None:
    parts = [
        Embedded((name,), *(np.full((1, 2), x, np.float32) for x in (k, k + 0.5)), np.array([k]))
        for k, name in enumerate(("first", "second"))
    ]
    both = joined(parts)
    assert both.paths == ("first", "second")
    np.testing.assert_array_equal(both.vectors[:, 0], [0, 1])
    np.testing.assert_array_equal(both.found, [0, 1])
