"""An encoder and a detector of a user's own, from files, all the way: the whole job and back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from facesearch.cli.main import main

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
ENCODER = DATA / "models" / "mobilefacenet_foamliu.onnx"
DETECTOR = DATA / "models" / "scrfd_500m_bnkps.onnx"
MANY = DATA / "many"
PEOPLE, INDEXED = 6, 7

pytestmark = pytest.mark.skipif(
    not (ENCODER.exists() and DETECTOR.exists() and MANY.is_dir()),
    reason=f"no model files or photos in {DATA}",
)


class Commands:
    """Runs commands and reads the JSON they print."""

    def __init__(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        self._capsys, self._caplog = capsys, caplog
        self.warnings = ""

    def __call__(self, *arguments: object, code: int | None = 0) -> dict[str, object]:
        self._caplog.clear()
        ended = main([*map(str, arguments), "--json"])
        assert ended == code or (code is None and ended < 2), self._capsys.readouterr().err
        self.warnings = self._caplog.text
        return dict(json.loads(self._capsys.readouterr().out))


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Commands:
    monkeypatch.setenv("FACESEARCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))
    return Commands(capsys, caplog)


def photos_of(folder: Path, people: range, count: int, skip: int = 0) -> Path:
    """Copies of some photos of some people of ``many``, a folder each."""
    for person in people:
        source = sorted((MANY / f"person{person:02d}").iterdir())[skip : skip + count]
        for photo in source:
            (folder / f"person{person:02d}").mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder / f"person{person:02d}" / photo.name)
    return folder


def named(run: Commands, gallery: Path, person: int) -> int:
    """In how many of five photos that are not in the gallery somebody is recognised."""
    found = 0
    for photo in sorted((MANY / f"person{person:02d}").iterdir())[INDEXED : INDEXED + 5]:
        # Exit code 1 says that nobody is known.
        faces = run("identify", gallery, photo, "--detector", DETECTOR, code=None)["faces"]
        found += any(face["person"] == "somebody" for face in faces)  # type: ignore[attr-defined]
    return found


@pytest.mark.slow
def test_added_calibrated_indexed_clustered_identified_upgraded_and_back(
    tmp_path: Path, run: Commands
) -> None:
    gallery, finding = tmp_path / "g.gallery", ("--detector", DETECTOR)
    added = run(
        "encoders", "add", "mine", "--onnx", ENCODER, "--mean", "123.675,116.28,103.53",
        "--divisor", "58.395,57.12,57.375", "--licence", "Apache-2.0",
    )  # fmt: skip
    assert (added["dimension"], added["input"], added["alignment"]) == (128, 112, "arcface")

    photos = photos_of(tmp_path / "photos", range(PEOPLE), INDEXED)
    indexed = run("index", photos, "--gallery", gallery, "--encoder", "mine", "--quiet", *finding)
    assert indexed["embedded"] == PEOPLE * INDEXED
    assert indexed["faces"] >= PEOPLE * INDEXED - 2
    run("cluster", gallery)
    assert "thresholds of mine are guesses" in run.warnings

    labelled = photos_of(tmp_path / "labelled", range(50), 3, skip=10)
    learned = run("encoders", "calibrate", "mine", labelled, "--quiet")
    assert 0.6 < float(str(learned["identification"])) < float(str(learned["verification"])) < 2
    assert learned["learned"]

    clustered = run("cluster", gallery, "--full")
    assert "guesses" not in run.warnings
    assert clustered["threshold"] == learned["cluster"]
    assert PEOPLE <= int(str(clustered["groups"])) <= PEOPLE * 2

    first = sorted((photos / "person00").iterdir())
    run("enroll", gallery, "somebody", *first[:3], *finding)
    assert named(run, gallery, 0) >= 3
    assert named(run, gallery, 40) == 0

    upgraded = run("upgrade", gallery, "--encoder", "dlib-resnet-v1", "--quiet")
    assert upgraded["upgraded"]
    assert upgraded["faces"] == indexed["faces"]
    assert run("info", gallery)["people_named"] == 1
    run("cluster", gallery)
    assert named(run, gallery, 0) >= 3
    assert named(run, gallery, 40) == 0

    assert run("upgrade", gallery, "--encoder", "mine", "--quiet")["upgraded"]
    again = run("index", photos, "--gallery", gallery, "--quiet", *finding)
    assert again["unchanged"] == PEOPLE * INDEXED
    assert run("cluster", gallery, "--full")["groups"] == clustered["groups"]


def test_a_gallery_of_a_file_of_a_detector_asks_for_it(tmp_path: Path, run: Commands) -> None:
    gallery = tmp_path / "g.gallery"
    photos = photos_of(tmp_path / "photos", range(1), 1)
    run("index", photos, "--gallery", gallery, "--quiet", "--detector", DETECTOR)
    assert main(["index", str(photos), "--gallery", str(gallery), "--quiet"]) == 2
