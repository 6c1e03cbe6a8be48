"""Commands that ask the service print what they print without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.cli.main import main
from facesearch.engine_options import EngineOptions
from facesearch.gallery.gallery import Gallery
from facesearch.service.announcement import FILE, read_address
from facesearch.service.face_service import FaceService
from support.fake_engine import FakeEngine, write_photo
from support.serving.services import found_by_commands, named_gallery, open_service


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return named_gallery(folder)


@pytest.fixture(scope="module")
def probe(folder: Path) -> Path:
    return write_photo(folder / "probe.png", [2, 3, 1], variant=99)


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines that commands made."""
    made: list[str] = []

    def create(options: EngineOptions, contract: Any = None, *, callers: int = 1) -> FakeEngine:
        made.append(contract.name if contract else "fake")
        return FakeEngine()

    monkeypatch.setattr(EngineOptions, "create", create)
    return made


@pytest.fixture(scope="module")
def running(folder: Path, gallery: Gallery) -> Iterator[FaceService]:
    service = open_service(folder, gallery)
    with found_by_commands(service):
        yield service


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.mark.parametrize(
    "words",
    [
        ("identify", "GALLERY", "PROBE"),
        ("identify", "GALLERY", "PROBE", "--json"),
        ("identify", "GALLERY", "PROBE", "--threshold", "0.001"),
        ("search", "GALLERY", "PROBE", "-k", "3"),
        ("search", "GALLERY", "PROBE", "--json"),
        ("verify", "PROBE", "PHOTO", "--gallery", "GALLERY"),
        ("verify", "PROBE", "OTHER", "--gallery", "GALLERY", "--json"),
        ("identify", "GALLERY", "EMPTY"),
        ("search", "GALLERY", "EMPTY", "--json"),
        ("search", "GALLERY", "TEXT"),
        ("identify", "GALLERY", "MISSING"),
        ("verify", "PROBE", "EMPTY", "--gallery", "GALLERY"),
    ],
)
def test_with_and_without_a_service(
    capsys: pytest.CaptureFixture[str],
    running: FaceService,
    gallery: Gallery,
    probe: Path,
    engines: list[str],
    *,
    words: tuple[str, ...],
) -> None:
    folder = probe.parent
    places: dict[str, object] = {
        "GALLERY": gallery.folder,
        "PROBE": probe,
        "PHOTO": folder / "photos" / "2-0.png",
        "OTHER": folder / "photos" / "4-0.png",
        "EMPTY": write_photo(folder / "empty.png", [], 5),
        "TEXT": folder / "text.png",
        "MISSING": folder / "missing.png",
    }
    (folder / "text.png").write_text("no photo")
    asked = [places.get(word, word) for word in words]
    with_service = printed(capsys, *asked)
    made = list(engines)
    path = gallery.folder / FILE
    kept = path.read_bytes()
    path.unlink()
    without = printed(capsys, *asked)
    path.write_bytes(kept)
    path.chmod(0o600)
    assert with_service == without
    answerable = not {"TEXT", "MISSING"} & {*words} and words[1:3] != ("PROBE", "EMPTY")
    assert bool(made) != answerable, "the service answers what it can"


def test_another_engine_does_without_the_service(
    capsys: pytest.CaptureFixture[str],
    running: FaceService,
    gallery: Gallery,
    probe: Path,
    engines: list[str],
) -> None:
    for options in (("--min-face", "20"), ("--flip",), ("--device", "cpu")):
        engines.clear()
        code, _, _ = printed(capsys, "identify", gallery.folder, probe, *options)
        assert code == 0 and engines


@pytest.mark.parametrize("change", [{"port": 1}, {"token": "fsl_wrong"}, {"gallery": "another"}])
def test_a_file_that_leads_nowhere_does_no_harm(
    capsys: pytest.CaptureFixture[str],
    running: FaceService,
    gallery: Gallery,
    probe: Path,
    engines: list[str],
    *,
    change: dict[str, object],
) -> None:
    path = gallery.folder / FILE
    kept = path.read_bytes()
    path.write_text(json.dumps({**json.loads(kept), **change}))
    assert read_address(gallery.folder) is not None
    code, out, err = printed(capsys, "identify", gallery.folder, probe)
    path.write_bytes(kept)
    assert code == 0 and "Ada" in out and "service" not in err and engines
