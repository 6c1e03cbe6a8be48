import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from facesearch.detect.boxes import matched
from facesearch.detect.mtcnn import MtcnnDetector
from facesearch.detect.types import Detector
from facesearch.errors import InputError


@pytest.fixture(scope="module")
def portrait():
    data = pytest.importorskip("skimage.data", reason="needs scikit-image's portrait")
    return np.ascontiguousarray(data.astronaut())


@pytest.fixture(scope="module")
def detector():
    return MtcnnDetector()


@pytest.fixture(scope="module")
def wider():
    folder = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "wider"
    if not folder.is_dir():
        pytest.skip(f"no photos at {folder}; set FACESEARCH_TEST_DATA")
    return folder


def same(a, b, **tolerance):
    for field in ("boxes", "landmarks", "scores"):
        np.testing.assert_allclose(getattr(a, field), getattr(b, field), **tolerance)


def test_the_portrait_has_one_face_where_it_is(detector, portrait):
    (faces,) = detector.detect([portrait])
    assert len(faces) == 1
    assert faces.scores[0] > 0.95
    x0, y0, x1, y1 = faces.boxes[0]
    assert 160 < x0 < 190 and 50 < y0 < 90 and 260 < x1 < 290 and 170 < y1 < 210
    left_eye, right_eye, nose, left_mouth, right_mouth = faces.landmarks[0]
    assert x0 < left_eye[0] < nose[0] < right_eye[0] < x1
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert y0 < left_eye[1] < nose[1] < left_mouth[1] < y1
    assert abs(left_eye[1] - right_eye[1]) < 12


def test_it_is_a_detector(detector):
    as_protocol: Detector = detector
    assert as_protocol.name.startswith("mtcnn-1.0.0")


def test_a_mirrored_photo_has_the_mirrored_face(detector, portrait):
    (faces,) = detector.detect([portrait])
    (mirrored,) = detector.detect([portrait[:, ::-1]])
    width = portrait.shape[1]
    np.testing.assert_allclose(mirrored.boxes[0, [0, 2]], width - faces.boxes[0, [2, 0]], atol=12)
    order = [1, 0, 2, 4, 3]
    expected = faces.landmarks[0, order] * [-1, 1] + [width, 0]
    np.testing.assert_allclose(mirrored.landmarks[0], expected, atol=8)


def test_a_photo_is_seen_alike_in_any_batch(detector, portrait):
    photos = [
        portrait,
        cv2.resize(portrait, (300, 200)),
        np.zeros((50, 70, 3), np.uint8),
        np.ascontiguousarray(np.rot90(portrait)),
        np.tile(portrait[:250, 100:350], (2, 2, 1)),
    ] * 3  # more than one group
    together = detector.detect(photos)
    for photo, batched in zip(photos[:5], together[:5], strict=True):
        (alone,) = detector.detect([photo])
        same(alone, batched, rtol=0, atol=0)
    for first, again in zip(together, together[5:], strict=False):
        same(first, again, rtol=0, atol=0)
    assert len(together[4]) == 4


def test_views_of_a_larger_array_are_read_right(detector, portrait):
    large = np.zeros((700, 800, 3), np.uint8)
    large[50:562, 100:612] = portrait
    same(detector.detect([large[50:562, 100:612]])[0], detector.detect([portrait])[0])


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 500), (500, 1), (11, 11), (12, 12), (19, 40), (20, 20), (21, 3000), (1500, 13)],
)
@pytest.mark.parametrize("value", [0, 128, 255])
def test_photos_without_content_have_no_face(detector, shape, value):
    (faces,) = detector.detect([np.full((*shape, 3), value, np.uint8)])
    assert len(faces) == 0
    assert faces.boxes.shape == (0, 4)
    assert faces.landmarks.shape == (0, 5, 2)


def test_no_photos_give_no_results(detector):
    assert detector.detect([]) == []


@pytest.mark.parametrize("stage", ["proposal_score", "refined_score", "min_score"])
def test_every_stage_may_find_nothing(stage, portrait):
    found = MtcnnDetector(**{stage: 0.99999994}).detect([portrait, portrait])
    assert [len(faces) for faces in found] == [0, 0]


def test_noise_does_not_break_any_stage(portrait):
    random = np.random.default_rng(0)
    photos = [random.integers(0, 256, (90, 120, 3), dtype=np.uint8), portrait]
    eager = MtcnnDetector(20, 0.0, proposal_score=0.0, refined_score=0.0)
    for faces in eager.detect(photos):
        assert len(faces) > 0
        assert np.isfinite(faces.boxes).all()
        assert np.isfinite(faces.landmarks).all()
        assert (np.diff(faces.scores) <= 0).all()
        assert ((faces.scores >= 0) & (faces.scores <= 1)).all()


def test_a_face_cut_by_the_edge_is_found_with_a_box_near_it(detector, portrait):
    cut = portrait[75:, 185:]
    (faces,) = detector.detect([cut])
    assert len(faces) >= 1
    assert faces.boxes[0, 0] < 15
    assert faces.boxes[0, 1] < 15


def test_min_face_leaves_small_faces_out(portrait):
    small = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    assert len(MtcnnDetector(12).detect([small])[0]) == 1
    assert len(MtcnnDetector(80).detect([small])[0]) == 0


@pytest.mark.parametrize(
    "settings",
    [
        {"min_face": 11},
        {"min_score": 1.0},
        {"min_score": -0.1},
        {"min_score": float("nan")},
        {"proposal_score": 2},
        {"refined_score": 1},
        {"pyramid_factor": 1.0},
        {"pyramid_factor": 0.0},
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings):
    with pytest.raises(InputError, match=rf"expected {next(iter(settings))}\b"):
        MtcnnDetector(**settings)


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((20, 20, 3), np.float32),
        np.zeros((0, 20, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(detector, photo):
    with pytest.raises(InputError, match="expected a photo RGB uint8"):
        detector.detect([photo])


def test_threads_share_a_detector(detector, portrait):
    photos = [cv2.resize(portrait, (200 + 20 * i, 260)) for i in range(8)]
    expected = [detector.detect([photo])[0] for photo in photos]
    found = [None] * len(photos)

    def work(number):
        found[number] = detector.detect([photos[number]])[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(photos))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for ours, alone in zip(found, expected, strict=True):
        same(ours, alone, rtol=0, atol=0)


def test_it_works_where_no_machine_code_can_be_cached():
    code = (
        "import numba.core.caching as caching\n"
        "for locator in caching.CacheImpl._locator_classes:\n"
        "    locator.from_function = classmethod(lambda cls, function, path: None)\n"
        "import numpy as np\n"
        "from facesearch.detect import boxes\n"
        "kept = boxes.nms(np.ones((2, 4), 'f4') * [0, 0, 1, 1], np.ones(2, 'f4'), 0.5)\n"
        "print(type(boxes._kept._cache).__name__, kept)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "NullCache [0]"


def test_importing_the_package_of_detectors_is_light():
    code = (
        "import sys, facesearch.detect\n"
        "print([m for m in ('torch', 'numba', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_large_labelled_faces_are_found(wider, detector):
    """A floor well under what is measured: easy faces of ten photos."""
    truth = json.loads((wider / "boxes.json").read_text())
    names = [name for name in truth if truth[name]["easy"]][:10]
    hits = total = 0
    for name in names:
        photo = cv2.cvtColor(cv2.imread(str(wider / "images" / name)), cv2.COLOR_BGR2RGB)
        boxes = np.array(truth[name]["boxes_xywh"], np.float64)
        boxes[:, 2:] += boxes[:, :2]
        taken = set(matched(detector.detect([photo])[0].boxes, boxes, 0.4).tolist())
        hits += len(taken & set(truth[name]["easy"]))
        total += len(truth[name]["easy"])
    assert hits / total > 0.7
