"""dlib's encoder in fp32 against dlib itself, on both back ends; what an encoder must be."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facesearch.encoders import encoder_spec, load_encoder
from facesearch.encoders.backends import Loaded
from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.dlib import resnet as module
from facesearch.encoders.dlib.layers import TAG, DlibConvolution, read_metric_network
from facesearch.encoders.dlib.resnet import read_dlib_resnet
from facesearch.encoders.load import read_network
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.errors import InputError, WeightsError
from facesearch.model_files.packaged import PackagedFile

LANDMARKS = PackagedFile(
    "face-recognition-models",
    "face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
)
PARITY = 1e-4  # largest difference of any number of a descriptor; found: 5e-7

DLIB = "dlib-resnet-v1"
WEIGHTS = encoder_spec(DLIB).weights

Chips = NDArray[np.uint8]
Described = tuple[Chips, NDArray[np.float64]]  # and what dlib itself makes of them


def by_torch(threads: int | None = None) -> NetworkEncoder:
    weighted = read_network(encoder_spec(DLIB))
    loaded = Loaded(TorchBackend(weighted.network, threads=threads), "fp32")
    return NetworkEncoder(DLIB, weighted.sha256, weighted.network, loaded)


def by_openvino() -> NetworkEncoder:
    pytest.importorskip("openvino")
    encoder = load_encoder(DLIB, device="cpu", precision="fp32")
    assert isinstance(encoder, NetworkEncoder)
    return encoder


@pytest.fixture(scope="module", params=[by_torch, by_openvino])
def encoder(request: pytest.FixtureRequest) -> NetworkEncoder:
    made: NetworkEncoder = request.param()
    return made


@pytest.fixture(scope="module")
def dlib() -> Any:
    return pytest.importorskip("dlib", reason="needs dlib-bin, the oracle (extra dev)")


def smooth_chips(count: int, seed: int = 0) -> Chips:
    """Random chips with structure at several scales, as photos have and noise has not."""
    generator = np.random.default_rng(seed)
    total = np.zeros((count, 150, 150, 3))
    for side in (2, 5, 15, 50, 150):
        coarse = generator.normal(size=(count, side, side, 3)) / np.sqrt(side)
        total += coarse.repeat(150 // side, axis=1).repeat(150 // side, axis=2)
    total -= total.min(axis=(1, 2, 3), keepdims=True)
    return (255 * total / total.max(axis=(1, 2, 3), keepdims=True)).astype(np.uint8)


def descriptors_by_dlib(dlib: Any, chips: Chips) -> NDArray[np.float64]:
    network = dlib.face_recognition_model_v1(str(WEIGHTS.locate()))
    return np.array([network.compute_face_descriptor(chip) for chip in chips])


def chips_by_dlib(dlib: Any, photos: list[Chips]) -> Chips:
    find, predict = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(LANDMARKS.locate()))
    return np.array(
        [
            dlib.get_face_chip(photo, predict(photo, box), 150, 0.25)
            for photo in photos
            for box in find(photo, 1)
        ]
    )


@pytest.fixture(scope="module")
def synthetic(dlib: Any) -> Described:
    flat = [np.full((150, 150, 3), level, np.uint8) for level in (0, 128, 255)]
    noise = np.random.default_rng(1).integers(0, 256, (2, 150, 150, 3), np.uint8)
    chips = np.concatenate([smooth_chips(5), flat, noise])
    return chips, descriptors_by_dlib(dlib, chips)


@pytest.fixture(scope="module")
def portrait(dlib: Any) -> Described:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image for a portrait")
    chips = chips_by_dlib(dlib, [np.ascontiguousarray(data.astronaut())])
    return chips, descriptors_by_dlib(dlib, chips)


@pytest.fixture(scope="module", params=[1800, pytest.param(600, marks=pytest.mark.slow)])
def photos(dlib: Any, request: pytest.FixtureRequest) -> Described:
    """Every so many photos of LFW."""
    root = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw" / "images"
    if not root.is_dir():
        pytest.skip(f"no photos at {root}; set FACESEARCH_TEST_DATA")
    paths = sorted(root.glob("*/*.jpg"))[:: request.param]
    chips = chips_by_dlib(dlib, [dlib.load_rgb_image(str(path)) for path in paths])
    return chips, descriptors_by_dlib(dlib, chips)


def test_parity_with_dlib_on_synthetic_chips(encoder: NetworkEncoder, synthetic: Described) -> None:
    chips, expected = synthetic
    assert np.abs(encoder.describe(chips) - expected).max() < PARITY


def test_parity_with_dlib_on_a_portrait(encoder: NetworkEncoder, portrait: Described) -> None:
    chips, expected = portrait
    assert len(chips) >= 1
    assert np.abs(encoder.describe(chips) - expected).max() < PARITY


def test_parity_with_dlib_on_real_photos(encoder: NetworkEncoder, photos: Described) -> None:
    chips, expected = photos
    assert len(chips) >= 5
    assert np.abs(encoder.describe(chips) - expected).max() < PARITY


def test_network_has_29_convolutions() -> None:
    network = read_metric_network(WEIGHTS.read(), "resnet")
    assert sum(isinstance(layer, DlibConvolution) for layer in network.layers) == 29
    np.testing.assert_allclose(network.mean, [122.782, 117.001, 104.298], atol=1e-4)


def test_vectors_are_unit_and_norms_those_of_the_descriptors(encoder: NetworkEncoder) -> None:
    chips = smooth_chips(3)
    embedded, descriptors = encoder.embed(chips), encoder.describe(chips)
    assert embedded.vectors.dtype == embedded.norms.dtype == np.float32
    assert embedded.vectors.shape == (3, encoder.dimension)
    np.testing.assert_allclose(np.linalg.norm(embedded.vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(embedded.vectors * embedded.norms[:, None], descriptors, atol=1e-6)


def test_no_chips_give_no_vectors(encoder: NetworkEncoder) -> None:
    embedded = encoder.embed(np.zeros((0, 150, 150, 3), np.uint8))
    assert embedded.vectors.shape == (0, 128)
    assert embedded.norms.shape == (0,)


def test_vectors_do_not_depend_on_the_batch(encoder: NetworkEncoder) -> None:
    chips = smooth_chips(35)  # more than one batch
    expected = encoder.embed(chips).vectors
    for rows in (slice(4, 5), slice(0, 3), slice(7, 20)):
        found = encoder.embed(chips[rows]).vectors
        np.testing.assert_allclose(found, expected[rows], atol=1e-6, rtol=0)
    np.testing.assert_allclose(
        encoder.embed(chips[::-1]).vectors[::-1], expected, atol=1e-6, rtol=0
    )


def test_chips_may_be_read_only_and_strided(encoder: NetworkEncoder) -> None:
    chips = smooth_chips(4)
    strided = chips[::2]
    strided.setflags(write=False)
    np.testing.assert_array_equal(encoder.describe(strided), encoder.describe(chips[::2].copy()))


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_used_and_then_given_back(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    during = []
    original = torch.nn.functional.conv2d

    def watched(*args: Any) -> torch.Tensor:
        during.append(torch.get_num_threads())
        return original(*args)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    before = torch.get_num_threads()
    by_torch(threads).embed(smooth_chips(1))
    assert during == [threads] * 29
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "chips",
    [
        np.zeros((150, 150, 3), np.uint8),
        np.zeros((1, 160, 160, 3), np.uint8),
        np.zeros((1, 3, 150, 150), np.uint8),
        np.zeros((1, 150, 150, 3), np.float32),
    ],
)
def test_other_arrays_are_refused(encoder: NetworkEncoder, chips: Chips) -> None:
    with pytest.raises(InputError, match=r"expected chips uint8 .* got .*aligner"):
        encoder.embed(chips)


def test_damaged_model_files_are_refused_at_their_position() -> None:
    data = WEIGHTS.read()
    for length in (0, 1, 40, 200, 400, 20_000, 1_000_000, len(data) - 1):
        with pytest.raises(WeightsError, match=rf"at byte \d+ of {length}, "):
            read_metric_network(data[:length], "resnet")
    with pytest.raises(WeightsError, match="expected the end, but 1 bytes are left"):
        read_metric_network(data + b"x", "resnet")


def test_networks_of_other_wiring_or_layers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = read_metric_network(WEIGHTS.read(), "resnet")
    nesting = list(network.nesting)
    tag = nesting.index(TAG)
    nesting[tag - 1], nesting[tag] = nesting[tag], nesting[tag - 1]
    others = (
        dataclasses.replace(network, nesting=tuple(nesting)),
        dataclasses.replace(network, layers=network.layers[:-1]),
        dataclasses.replace(network, side=160),
    )
    for other in others:
        monkeypatch.setattr(module, "read_metric_network", lambda *_, found=other: found)
        with pytest.raises(WeightsError, match="expected the 108 layers"):
            read_dlib_resnet(b"", "resnet")


def test_a_file_that_is_not_the_pinned_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.dat"
    other.write_bytes(b"\x01\x01")
    monkeypatch.setattr(PackagedFile, "locate", lambda self: other)
    with pytest.raises(WeightsError, match="expected SHA-256"):
        load_encoder(DLIB)
