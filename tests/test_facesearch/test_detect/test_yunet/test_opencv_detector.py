"""No YuNet file is at hand here, so its rows are tested by a stand-in for OpenCV's detector."""

import cv2
import numpy as np
import pytest

from facesearch.detect.scaling import SIGHT
from facesearch.detect.yunet import opencv_detector
from facesearch.detect.yunet.opencv_detector import OpenCvYuNetDetector, from_rows
from facesearch.errors import InputError, WeightsError

#                x    y    w   h   right eye  left eye   nose       right mouth left mouth score
FIRST = np.array([10, 20, 40, 50, 20, 35, 40, 36, 30, 45, 22, 60, 38, 61, 0.8], np.float32)
SECOND = np.array([100, 5, 12, 16, 103, 9, 109, 9, 106, 12, 104, 15, 108, 15, 0.95], np.float32)


class StandIn:
    """Answers as ``cv2.FaceDetectorYN`` does, and remembers what it was given."""

    def __init__(self, rows):
        self.rows = rows
        self.arguments = []
        self.photos = []

    def create(self, *arguments):
        self.arguments.append(arguments)
        return self

    def detect(self, photo):
        self.photos.append(photo)
        return 1, self.rows


@pytest.fixture
def stand_in(monkeypatch):
    fake = StandIn(np.stack([FIRST, SECOND]))
    monkeypatch.setattr(cv2, "FaceDetectorYN", fake)
    return fake


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_bytes(b"weights")
    return path


def test_rows_become_boxes_and_landmarks_as_seen_in_the_image():
    faces = from_rows(np.stack([FIRST, SECOND]), min_face=1)
    np.testing.assert_allclose(faces.scores, [0.95, 0.8])
    np.testing.assert_array_equal(faces.boxes, [[100, 5, 112, 21], [10, 20, 50, 70]])
    expected = [[20, 35], [40, 36], [30, 45], [22, 60], [38, 61]]
    np.testing.assert_array_equal(faces.landmarks[1], expected)
    left_eye, right_eye, _, left_mouth, right_mouth = faces.landmarks[1]
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]


def test_small_boxes_are_dropped():
    assert from_rows(np.stack([FIRST, SECOND]), min_face=17).boxes.tolist() == [[10, 20, 50, 70]]
    assert len(from_rows(np.stack([FIRST, SECOND]), min_face=16)) == 2


@pytest.mark.parametrize("rows", [None, np.zeros((0, 15), np.float32)])
def test_no_rows_are_no_faces(rows):
    assert len(from_rows(rows, min_face=20)) == 0


def test_photos_are_given_as_bgr_in_their_size(stand_in, model):
    detector = OpenCvYuNetDetector(model, min_face=5, min_score=0.6)
    photo = np.zeros((30, 40, 3), np.uint8)
    photo[..., 0] = 200
    (faces,) = detector.detect([photo])
    assert len(faces) == 2
    assert stand_in.arguments[-1][3:5] == ((40, 30), 0.6)
    assert stand_in.photos[-1][0, 0].tolist() == [0, 0, 200]


def test_the_name_carries_the_digest_of_the_file(stand_in, model):
    first = OpenCvYuNetDetector(model).name
    assert first == "yunet-9a129038d9a0"
    model.write_bytes(b"other weights")
    assert OpenCvYuNetDetector(model).name != first


def test_a_network_that_answers_something_else_is_refused(stand_in, model):
    stand_in.rows = np.zeros((3, 7), np.float32)
    with pytest.raises(WeightsError, match="as a YuNet network"):
        OpenCvYuNetDetector(model)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"cannot read the YuNet file .*missing\.onnx"):
        OpenCvYuNetDetector(tmp_path / "missing.onnx")


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07" * 100])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"cannot use .*wrong\.onnx as a YuNet network"):
        OpenCvYuNetDetector(path)


def test_settings_out_of_range_are_refused(stand_in, model):
    with pytest.raises(InputError, match="min_face"):
        OpenCvYuNetDetector(model, min_face=0)
    with pytest.raises(InputError, match="min_score"):
        OpenCvYuNetDetector(model, min_score=1.0)


def test_other_arrays_are_refused(stand_in, model):
    with pytest.raises(InputError, match="expected a photo RGB uint8"):
        OpenCvYuNetDetector(model).detect([np.zeros((5, 5), np.uint8)])


def test_the_stand_in_has_the_real_detectors_interface():
    assert callable(cv2.FaceDetectorYN.create)
    assert opencv_detector.cv2 is cv2


def test_for_large_faces_photos_are_reduced(stand_in, model):
    detector = OpenCvYuNetDetector(model, min_face=2 * SIGHT)
    (faces,) = detector.detect([np.zeros((600, 800, 3), np.uint8)])
    assert stand_in.photos[-1].shape == (300, 400, 3)
    assert faces.boxes.tolist() == [[20, 40, 100, 140]]  # the other is too small
    np.testing.assert_array_equal(faces.landmarks[0, 0], [40, 70])
