"""Videos as questions: in a folder of probes and in a list of many, with times in the answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import write_clip
from facesearch.api.batch import identify_photos
from facesearch.api.session import GallerySession
from facesearch.cli.main import main
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine_options import EngineOptions
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.recognition import batch_search
from facesearch.recognition.batch_search import BatchReport, search_batch
from facesearch.recognition.probes import Probes, open_probes
from facesearch.video import reader
from support.videos.colour_engine import PEOPLE, ColourEngine, actor, grey_shot

HERE = EmbedOptions(decoders=0, threads=1)
ENGINE: Any = ColourEngine()


def coloured_photo(path: Path, *people: str) -> Path:
    pixels = np.full((180, 320, 3), 60, np.uint8)
    for place, person in enumerate(people):
        pixels[60:120, 40 + 100 * place : 100 + 100 * place] = PEOPLE[person]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Photos of red and of blue, who have names, and a clip of green."""
    folder = tmp_path_factory.mktemp("probes")
    for person in ("red", "blue"):
        coloured_photo(folder / "photos" / f"{person}.png", person)
    green = actor("green", (0.5, 0.5), (0.5, 0.5))
    write_clip(folder / "photos" / "green.mp4", [grey_shot(1.2, green)])
    gallery = Gallery.create(folder / "my.gallery", ENGINE.contract, "float32")
    embed_photos(gallery, ENGINE, [folder / "photos"], HERE)
    state = gallery.state()
    records = gallery.faces(state.live_ids(), state)
    ids = {Path(each.photo.name).stem: each.face_id for each in records}
    store = PeopleStore(gallery.folder)
    store.enroll("Ruth", [ids["red"]])
    store.enroll("Ben", [ids["blue"]])
    return gallery


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Photos and videos side by side: who is seen when is known."""
    folder = tmp_path / "asked"
    coloured_photo(folder / "a.png", "red", "blue")
    red, green = actor("red", (0.3, 0.5), (0.4, 0.5)), actor("green", (0.6, 0.5), (0.5, 0.5))
    write_clip(folder / "b.mp4", [grey_shot(1.2, red), grey_shot(1.2, green, level=200)])
    coloured_photo(folder / "c.png", "red")
    (folder / "d.mov").write_text("no video")
    (folder / "e").mkdir()
    write_clip(folder / "e" / "empty.mkv", [grey_shot(1.0)])
    return folder


def probes_of(folder: Path, gallery: Gallery) -> Probes:
    return open_probes(folder, gallery, lambda: ENGINE, HERE)


def searched(folder: Path, gallery: Gallery, out: Path) -> tuple[BatchReport, list[dict[str, Any]]]:
    report = search_batch(gallery, probes_of(folder, gallery), out, 1)
    return report, [json.loads(line) for line in out.read_text().splitlines()]


def test_the_tracks_of_videos_are_searched(gallery: Gallery, asked: Path, tmp_path: Path) -> None:
    report, rows = searched(asked, gallery, tmp_path / "m.jsonl")
    assert (report.probes, report.faces, report.failed, report.without_face) == (5, 5, 1, 1)
    shown = [(Path(row["probe"]).name, row["face"], row["person"], row["reason"]) for row in rows]
    assert shown == [
        ("a.png", 1, "Ruth", ""),
        ("a.png", 2, "Ben", ""),
        ("c.png", 1, "Ruth", ""),
        ("b.mp4", 1, "Ruth", ""),
        ("b.mp4", 2, None, ""),
        ("d.mov", None, None, "not-a-video"),
        ("empty.mkv", None, None, "no-face"),
    ]
    first, second = (row for row in rows if row["probe"].endswith("b.mp4") and row["face"])
    assert (first["probe_start"], second["probe_start"]) == (0.0, pytest.approx(1.2, abs=0.05))
    assert first["probe_end"] == pytest.approx(1.0, abs=0.2)
    assert Path(second["match_photo"]).name == "green.mp4" and second["match_start"] == 0.0
    assert all(row["probe_start"] is None for row in rows if row["probe"].endswith(".png"))
    session = GallerySession(gallery, ENGINE)
    alone = session.search(asked / "b.mp4", 1)
    assert [face.matches[0].face.face_id for face in alone] == [
        first["match_face"], second["match_face"]
    ]  # fmt: skip
    assert [face.span.start if face.span else None for face in alone] == [
        first["probe_start"], second["probe_start"]
    ]  # fmt: skip


def test_one_video_can_be_all_that_is_asked(gallery: Gallery, asked: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.csv"
    report = search_batch(gallery, probes_of(asked / "b.mp4", gallery), out, 1)
    rows = list(csv.DictReader(out.open()))
    assert (report.probes, report.faces) == (1, 2)
    assert [row["probe_start"] for row in rows] == ["0.0", "1.2"]


def test_the_tracks_of_a_gallery_have_their_times(gallery: Gallery, tmp_path: Path) -> None:
    _, rows = searched(gallery.folder, gallery, tmp_path / "m.jsonl")
    times = {Path(row["probe"]).name: row["probe_start"] for row in rows}
    assert times == {"green.mp4": 0.0, "red.png": None, "blue.png": None}


def test_a_killed_search_goes_on_after_the_video(
    gallery: Gallery, asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = searched(asked, gallery, tmp_path / "whole.jsonl")
    monkeypatch.setitem(batch_search._PART_PROBES, "photos", 2)
    out, seen = tmp_path / "m.jsonl", []

    def stop(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 3:  # two photos, which are a part, and the first video, which is one
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search_batch(gallery, probes_of(asked, gallery), out, 1, stop)
    assert seen == [(0, 5), (2, 5), (3, 5)]
    calls, again = ENGINE.calls, []
    report = search_batch(
        gallery, probes_of(asked, gallery), out, 1, lambda done, total: again.append(done)
    )
    assert again == [3, 4, 5]
    assert ENGINE.calls - calls <= 6  # the frames of the empty clip alone
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    assert vars(report) == {**vars(whole), "out": out}


def test_without_pyav_each_video_is_a_failure_that_says_so(
    gallery: Gallery, asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "can_read_videos", lambda: False)
    _, rows = searched(asked, gallery, tmp_path / "m.jsonl")
    failures = {Path(row["probe"]).name: row for row in rows if row["reason"]}
    assert {name: row["reason"] for name, row in failures.items()} == dict.fromkeys(
        ("b.mp4", "d.mov", "empty.mkv"), "unsupported"
    )
    assert "facesearch[video]" in failures["b.mp4"]["detail"]


def test_people_in_many_videos_are_named_in_order(gallery: Gallery, asked: Path) -> None:
    found = list(identify_photos(gallery, [asked, asked / "b.mp4"], engine=ENGINE))
    assert [each.photo.name for each in found] == [
        *("a.png", "b.mp4", "c.png", "d.mov", "empty.mkv", "b.mp4")
    ]
    assert [each.reason for each in found] == ["", "", "", "not-a-video", "", ""]
    names = [[face.person for face in each.faces] for each in found]
    assert names == [["Ruth", "Ben"], ["Ruth", None], ["Ruth"], [], [], ["Ruth", None]]
    assert [face.span.text for face in found[1].faces if face.span] == ["0:00-0:01", "0:01-0:02"]
    assert list(found[1].faces) == GallerySession(gallery, ENGINE).identify(asked / "b.mp4")


def test_the_commands(
    gallery: Gallery,
    asked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(EngineOptions, "create", lambda *_, **__: ENGINE)
    place = str(gallery.folder)
    assert main(["identify", place, str(asked)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{asked / 'b.mp4'}: Ruth 0:00-0:01, unknown 0:01-0:02" in lines
    assert main(["identify", place, str(asked), "--json"]) == 0
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (video,) = (each for each in read if each["photo"].endswith("b.mp4"))
    assert video["faces"][0]["time"] == "0:00-0:01"
    assert video["faces"][0]["seconds"]["start"] == 0.0
    assert "time" not in read[0]["faces"][0]
    out = tmp_path / "found.csv"
    assert main(["search", place, "--probes", str(asked), "--out", str(out), "--quiet"]) == 0
    assert "of 5 photos" in capsys.readouterr().out
    assert main(["identify", place, str(asked / "d.mov")]) == 2
