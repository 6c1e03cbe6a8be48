"""SCRFD: decoding against the plain formula, and a real file where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.detect import create_detector
from facesearch.detect.boxes import iou
from facesearch.detect.scrfd import STRIDES, ScrfdDetector, decoded
from facesearch.errors import InputError, WeightsError

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
MODEL = DATA / "models" / "scrfd_500m_bnkps.onnx"
PHOTOS = DATA / "photos" / "dlib"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_decoding_is_the_plain_formula(seed: int, least: float) -> None:
    generator = np.random.default_rng(seed)
    height, width = 64, 96
    counts = [height // stride * (width // stride) * 2 for stride in STRIDES]
    outputs = [
        generator.uniform(0, 1 if numbers == 1 else 3, (1, count, numbers)).astype(np.float32)
        for numbers in (1, 4, 10)
        for count in counts
    ]
    found = decoded(outputs, width, least)
    plain = []
    for level, stride in enumerate(STRIDES):
        for anchor in range(counts[level]):
            cell = anchor // 2
            x, y = cell % (width // stride) * stride, cell // (width // stride) * stride
            score = float(outputs[level][0, anchor, 0])
            if score >= np.float32(least):
                left, top, right, bottom = outputs[3 + level][0, anchor].astype(float) * stride
                points = outputs[6 + level][0, anchor].astype(float).reshape(5, 2) * stride
                plain.append(
                    (score, (x - left, y - top, x + right, y + bottom), points + np.array([x, y]))
                )
    assert len(found) == len(plain)
    if plain:
        np.testing.assert_allclose(found.scores, [each[0] for each in plain], rtol=1e-6)
        np.testing.assert_allclose(found.boxes, [each[1] for each in plain], atol=1e-3)
        np.testing.assert_allclose(found.landmarks, [each[2] for each in plain], atol=1e-3)


@pytest.mark.skipif(not (MODEL.exists() and PHOTOS.is_dir()), reason=f"no files in {DATA}")
def test_a_real_file_finds_the_faces_that_yunet_finds() -> None:
    detector, other = create_detector(MODEL), create_detector("yunet")
    assert isinstance(detector, ScrfdDetector)
    assert detector.name == "scrfd-6c6ba7956684"
    photo = np.ascontiguousarray(cv2.imread(str(sorted(PHOTOS.glob("*.jpg"))[0]))[:, :, ::-1])
    mine, theirs = detector.detect([photo])[0], other.detect([photo])[0]
    sure = theirs.rows(theirs.scores > 0.8)
    overlaps = iou(sure.boxes, mine.boxes)
    assert (overlaps.max(axis=1) > 0.5).all()
    for row, match in enumerate(overlaps.argmax(axis=1)):
        size = (sure.boxes[row, 2:] - sure.boxes[row, :2]).max()
        apart = np.linalg.norm(mine.landmarks[match] - sure.landmarks[row], axis=1)
        assert (apart < 0.2 * size).all()


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(WeightsError, match="cannot read the SCRFD file"):
        ScrfdDetector(path)
    with pytest.raises(InputError, match="min_face"):
        ScrfdDetector(path, min_face=0)
    with pytest.raises(InputError, match="min_score"):
        ScrfdDetector(path, min_score=1)
