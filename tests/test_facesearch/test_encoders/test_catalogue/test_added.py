"""Encoders that a user adds: kept whole, found again, refused where they are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facesearch.encoders import (
    ENCODERS,
    EncoderSettings,
    PixelFormat,
    add_encoder,
    add_ensemble,
    encoder_names,
    encoder_spec,
    load_encoder,
    remove_encoder,
    thresholds_of,
)
from facesearch.encoders.catalogue.added import PRESETS, added_folder
from facesearch.encoders.catalogue.learned import keep_learned, learned_file
from facesearch.encoders.catalogue.spec import UNLEARNED, Thresholds
from facesearch.encoders.catalogue.templates import OPEN_MODEL_ZOO, Template, template_of_text
from facesearch.encoders.ensemble import joined_chips, joined_vectors
from facesearch.encoders.types import FLIP, EncoderContract
from facesearch.engine import create_aligner
from facesearch.errors import InputError, WeightsError
from support.graphs import DIMENSION, SIDE, expected, write_graph


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESEARCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))


def chips(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)


def contract(sha256: str = "a" * 64, flip: bool = False) -> EncoderContract:
    return EncoderContract("unheard-of", sha256, 6, 12, "chips" + (FLIP if flip else ""), "found")


def test_an_added_encoder_is_found_by_name_and_runs(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.xml")
    settings = EncoderSettings(OPEN_MODEL_ZOO, PixelFormat("BGR", (5.0,) * 3, (2.0,) * 3), "MIT")
    spec = add_encoder("mine", file, settings)
    assert spec == encoder_spec("mine")
    assert encoder_names() == [*ENCODERS, "mine"]
    assert (spec.dimension, spec.input_size, spec.licence) == (DIMENSION, SIDE, "MIT")
    file.unlink()  # what was added is a copy
    encoder = load_encoder("mine", threads=1)
    vectors = expected(chips(), "BGR", 5, 2)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.embed(chips()).vectors, vectors, atol=1e-5)
    assert create_aligner(spec).name == "five-points-open-model-zoo-12+BGR less 5 over 2"


def test_names_are_taken_once(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "g.xml")
    add_encoder("mine", file)
    with pytest.raises(InputError, match="was added before"):
        add_encoder("mine", file)
    other = add_encoder("mine", write_graph(tmp_path / "h.xml", seed=3), replace=True)
    assert other.weights != encoder_spec("dlib-resnet-v1").weights
    for wrong in ("", "Ä", "a/b", "../up", "UPPER", "x" * 65):
        with pytest.raises(InputError, match="expected a name"):
            add_encoder(wrong, file)
    with pytest.raises(InputError, match="comes with the program"):
        add_encoder("sface", file, replace=True)
    remove_encoder("mine")
    with pytest.raises(InputError, match="there are none"):
        remove_encoder("mine")
    with pytest.raises(InputError, match="got 'mine'; add another"):
        encoder_spec("mine")


def test_a_file_that_is_no_encoder_leaves_nothing_behind(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("no network")
    with pytest.raises(WeightsError, match="cannot read"):
        add_encoder("mine", text)
    tiny = EncoderSettings(pixels=PixelFormat(divisor=(1e-38, 1e-38, 1e-38)))
    with pytest.raises(WeightsError, match="same or infinite vectors"):
        add_encoder("mine", write_graph(tmp_path / "g.xml"), tiny)
    assert not added_folder().exists() or not list(added_folder().iterdir())


def test_an_ensemble_of_known_and_added_encoders_is_found_and_runs(tmp_path: Path) -> None:
    add_encoder("mine", write_graph(tmp_path / "mine.xml"))
    add_encoder("yours", write_graph(tmp_path / "yours.xml", seed=3, dimension=4))
    spec = add_ensemble("ours", "mine", "yours", 0.75)
    assert spec == encoder_spec("ours")
    assert encoder_names() == [*ENCODERS, "mine", "ours", "yours"]
    assert (spec.dimension, spec.input_size, spec.chip_shape) == (10, SIDE, (SIDE, SIDE, 6))
    assert spec.present
    assert not spec.thresholds(True).learned
    assert "mine and yours, with 0.75 and 0.25" in spec.source
    encoder = load_encoder("ours", threads=1)
    alone = [load_encoder(name, threads=1).embed(chips()).vectors for name in ("mine", "yours")]
    found = encoder.embed(joined_chips(chips(), chips())).vectors
    np.testing.assert_allclose(found, joined_vectors(*alone, 0.75), atol=1e-6)
    with_known = add_ensemble("mixed", "dlib-resnet-v1", "mine", 0.5)
    assert (with_known.dimension, with_known.input_size) == (128 + DIMENSION, 150)
    assert create_aligner(with_known).size == 150
    again = add_ensemble("ours", "mine", "yours", 0.5, replace=True)
    assert load_encoder("ours", threads=1).weights_sha256 != encoder.weights_sha256
    assert again.ensemble != spec.ensemble


def test_ensembles_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    add_encoder("mine", write_graph(tmp_path / "mine.xml"))
    known = ("dlib-resnet-v1", "facenet-small")
    for share in (0, 1, -0.1, 1.5, float("nan"), True, "0.5", None):
        with pytest.raises(InputError, match="share above 0 and below 1"):
            add_ensemble("ours", *known, share)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="expected two different encoders"):
        add_ensemble("ours", "mine", "mine", 0.5)
    with pytest.raises(InputError, match="expected encoders that are no ensembles"):
        add_ensemble("ours", "mine", "dlib-facenet-ensemble", 0.5)
    with pytest.raises(InputError, match="got 'nobody'"):
        add_ensemble("ours", "mine", "nobody", 0.5)
    with pytest.raises(InputError, match="two other encoders, got mine in itself"):
        add_ensemble("mine", "mine", "sface", 0.5, replace=True)
    with pytest.raises(InputError, match="comes with the program"):
        add_ensemble("sface", *known, 0.5, replace=True)
    with pytest.raises(InputError, match="expected a name"):
        add_ensemble("Ours", *known, 0.5)
    assert encoder_names() == [*ENCODERS, "mine"]


def test_what_an_ensemble_joins_stays_until_it_is_removed(tmp_path: Path) -> None:
    file = write_graph(tmp_path / "mine.xml")
    add_encoder("mine", file)
    add_ensemble("ours", "mine", "facenet-small", 0.5)
    for change in (
        lambda: remove_encoder("mine"),
        lambda: add_encoder("mine", file, replace=True),
        lambda: add_ensemble("mine", "dlib-resnet-v1", "facenet-small", 0.5, replace=True),
    ):
        with pytest.raises(InputError, match="mine is part of the ensemble ours; remove ours"):
            change()
    description = added_folder() / "ours" / "encoder.json"
    whole = json.loads(description.read_text())
    for damage in ({"ensemble": ["mine"]}, {"share": 2}, {"ensemble": ["mine", "gone"]}):
        description.write_text(json.dumps(whole | damage))
        with pytest.raises(InputError, match="add the encoder again"):
            encoder_spec("ours")
    remove_encoder("ours")
    remove_encoder("mine")
    assert encoder_names() == [*ENCODERS]


def test_damage_is_reported(tmp_path: Path) -> None:
    add_encoder("mine", write_graph(tmp_path / "g.xml"))
    weights = added_folder() / "mine" / "weights.bin"
    data = bytearray(weights.read_bytes())
    data[0] ^= 1
    weights.write_bytes(data)
    with pytest.raises(WeightsError, match="not the model file that belongs there"):
        load_encoder("mine", threads=1)
    description = added_folder() / "mine" / "encoder.json"
    for damage in (b"{", b"[]", json.dumps({"version": 2}).encode()):
        description.write_bytes(damage)
        with pytest.raises(InputError, match="add the encoder again"):
            encoder_spec("mine")


def test_thresholds_are_learned_for_weights_and_way_of_flipping(tmp_path: Path) -> None:
    assert thresholds_of(contract()) is UNLEARNED
    assert not UNLEARNED.learned
    learned = Thresholds(1.0, 0.5, 0.7, "photos")
    keep_learned(contract(), learned)
    assert thresholds_of(contract()) == learned
    assert thresholds_of(contract(flip=True)) is UNLEARNED
    assert thresholds_of(contract(sha256="b" * 64)) is UNLEARNED
    learned_file(contract()).write_text('{"verification": 9}')
    with pytest.raises(InputError, match="delete it and calibrate again"):
        thresholds_of(contract())


def test_templates_of_text() -> None:
    points = "0.3,0.4 0.7,0.4 0.5,0.6 0.35,0.8 0.65,0.8"
    assert template_of_text(points).points[2] == (0.5, 0.6)
    for wrong in (
        "",
        "1,2",
        points + " 0.1,0.1",
        points.replace("0.3,", "x,"),
        "0,0 " * 5,
        points.replace("0.3,", "nan,"),
        points.replace("0.3,", "38,"),
    ):
        with pytest.raises(InputError, match="expected five points"):
            template_of_text(wrong)
    with pytest.raises(InputError):
        Template("short", ((0.0, 0.0),))


def test_presets_and_pixel_formats() -> None:
    assert "research only" in PRESETS["insightface"].licence
    assert str(PixelFormat()) == "RGB"
    assert str(PixelFormat("BGR", (1.0, 2.0, 3.0), (2.0,) * 3)) == "BGR less 1,2,3 over 2"
    with pytest.raises(InputError, match="other than 0"):
        PixelFormat(divisor=(1.0, 0.0, 1.0))
    with pytest.raises(InputError, match="three numbers"):
        PixelFormat(mean=(1.0, float("nan"), 1.0))
    with pytest.raises(InputError, match="RGB or BGR"):
        PixelFormat("GBR")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="between 0 and 4"):
        Thresholds(5.0, 1.0, 1.0, "")
