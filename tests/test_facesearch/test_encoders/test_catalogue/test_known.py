"""Encoders that are fetched, in files of the same shape: SFace's and ArcFace's are not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facesearch.encoders import encoder_spec, load_encoder, thresholds_of
from facesearch.encoders.types import FLIP, EncoderContract
from facesearch.engine import create_aligner
from facesearch.errors import WeightsError
from support.graphs import expected, write_onnx_encoder

NAMES = ("sface", "arcface-r100")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESEARCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_same_shape_is_loaded_and_given_rgb_bytes(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name)
    assert not spec.present
    file = write_onnx_encoder(tmp_path / "network.onnx", spec.input_size, spec.dimension)
    encoder = load_encoder(name, weights=file, threads=1)
    assert (encoder.name, encoder.dimension, encoder.input_size) == (name, spec.dimension, 112)
    chips = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    wanted = expected(chips, "RGB", 0, 1, dimension=spec.dimension)
    norms = np.linalg.norm(wanted, axis=1)
    found = encoder.embed(chips)
    np.testing.assert_allclose(found.vectors, wanted / norms[:, None], atol=1e-5)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-5)
    assert create_aligner(spec).name == "five-points-arcface-112+RGB"


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_shape_or_content_is_refused(name: str, tmp_path: Path) -> None:
    spec = encoder_spec(name)
    other = write_onnx_encoder(tmp_path / "other.onnx", 96, spec.dimension)
    with pytest.raises(WeightsError, match=r"chips of 112 pixels .* found 96"):
        load_encoder(name, weights=other)
    short = write_onnx_encoder(tmp_path / "short.onnx", 112, 64)
    with pytest.raises(WeightsError, match=rf"vectors of {spec.dimension} numbers .* 112 and 64"):
        load_encoder(name, weights=short)
    with pytest.raises(WeightsError, match=f"facesearch encoders fetch {name}"):
        load_encoder(name)


@pytest.mark.parametrize("name", NAMES)
def test_thresholds_that_were_not_learned_are_said_to_be_guesses(name: str) -> None:
    spec = encoder_spec(name)
    contract = EncoderContract(name, "a" * 64, spec.dimension, 112, f"chips{FLIP}", "found")
    thresholds = thresholds_of(contract)
    assert not thresholds.learned
    assert "guesses" in thresholds.chosen_on
    assert "not measured here" in spec.lfw
