"""A video is read once, whatever the mode of later jobs: faces and decisions stay as they are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import ClipFormat, write_clip
from facesearch.check import check_gallery
from facesearch.cli.main import main
from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.embed_videos import FOLDER
from facesearch.engine_options import EngineOptions
from facesearch.erasure.forget import lift
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.video_files import VideoMode
from support.videos.colour_engine import ColourEngine, actor, grey_shot

HERE = EmbedOptions(decoders=0, threads=1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Red all the time; and blue for so short that no key frame shows them."""
    folder = tmp_path / "videos"
    folder.mkdir()
    red = actor("red", (0.3, 0.5), (0.35, 0.5))
    blue = actor("blue", (0.7, 0.5), (0.75, 0.5), seconds=(0.3, 1.5))
    write_clip(folder / "clip.mp4", [grey_shot(4.0, red, blue)], ClipFormat(keyframe_every=50))
    return folder / "clip.mp4"


def index(clip: Path, mode: VideoMode, **changes: Any) -> tuple[Gallery, EmbedReport, int]:
    """The gallery, the report, and how many frames were looked at."""
    engine: Any = ColourEngine()
    gallery = Gallery.open_or_create(clip.parents[1] / "my.gallery", engine.contract, "float32")
    options = replace(HERE, video=mode, **changes)
    return gallery, embed_photos(gallery, engine, [clip.parent], options), engine.calls


def test_what_was_read_in_one_mode_is_not_read_in_another(clip: Path) -> None:
    gallery, first, looked_at = index(clip, "keyframes")
    assert (first.videos, first.tracks, first.videos_by_keyframes) == (1, 1, 0)
    assert looked_at == 2  # at 0 and at 2 seconds
    (red,) = gallery.state().live_ids().tolist()
    PeopleStore(gallery.folder).enroll("Ruth", [red])
    for mode, noted in (("tracks", 1), ("keyframes", 0), ("off", 0), ("tracks", 1)):
        _, later, frames = index(clip, mode, verify=mode == "keyframes")  # type: ignore[arg-type]
        assert (later.videos, later.gone, frames, later.videos_by_keyframes) == (0, 0, 0, noted)
        assert gallery.state().live_ids().tolist() == [red]
        assert PeopleStore(gallery.folder).memberships().by_id() == {red: "Ruth"}


def test_tracks_stay_tracks(clip: Path) -> None:
    gallery, first, _ = index(clip, "tracks")
    assert first.tracks == 2
    before = gallery.state().live_ids().tolist()
    for mode in ("keyframes", "off", "tracks"):
        _, later, frames = index(clip, mode)  # type: ignore[arg-type]
        assert (later.videos, frames, later.videos_by_keyframes) == (0, 0, 0)
    assert gallery.state().live_ids().tolist() == before


def test_a_copy_counts_as_read_by_key_frames_too(clip: Path) -> None:
    index(clip, "keyframes")
    (clip.parent / "copy.mp4").write_bytes(clip.read_bytes())
    _, copied, frames = index(clip, "tracks")
    assert (copied.known, frames, copied.videos_by_keyframes) == (1, 0, 1)
    assert index(clip, "tracks")[1].videos_by_keyframes == 2


def test_a_video_that_is_lifted_is_read_in_the_new_mode(clip: Path) -> None:
    gallery, _, _ = index(clip, "keyframes")
    (old,) = gallery.state().live_ids().tolist()
    PeopleStore(gallery.folder).enroll("Ruth", [old])
    lift(gallery, [clip])
    assert gallery.state().face_count == 0
    _, again, _ = index(clip, "tracks")
    assert (again.videos, again.tracks, again.videos_by_keyframes) == (1, 2, 0)
    ids = gallery.state().live_ids().tolist()
    assert len(ids) == 2 and old not in ids
    assert PeopleStore(gallery.folder).memberships().by_id() == {}
    assert not [each for each in check_gallery(gallery) if each.severe]
    assert index(clip, "tracks")[2] == 0


def test_what_one_mode_left_unfinished_is_of_no_use_to_another(clip: Path) -> None:
    engine: Any = ColourEngine()
    gallery = Gallery.create(clip.parents[1] / "my.gallery", engine.contract, "float32")
    steps = 0

    def stop(report: EmbedReport, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == 3:
            raise KeyboardInterrupt

    options = replace(HERE, video="keyframes", shard_photos=1)
    with pytest.raises(KeyboardInterrupt):
        embed_photos(gallery, engine, [clip.parent], options, stop)
    assert list((gallery.folder / FOLDER).iterdir())
    _, report, frames = index(clip, "tracks")
    assert (report.tracks, frames) == (2, 20)
    assert not list((gallery.folder / FOLDER).iterdir())


def test_the_command_says_what_was_not_read_again(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery, _, _ = index(clip, "keyframes")
    monkeypatch.setattr(EngineOptions, "create", lambda *_, **__: ColourEngine())
    command = ["index", str(clip.parent), "--gallery", str(gallery.folder), "--quiet"]
    assert main(command) == 0
    shown = capsys.readouterr().err
    assert "1 video read by key frames earlier, and not read again" in shown
    assert f"facesearch forget {gallery.folder} --lift VIDEO" in shown
    assert main([*command, "--video", "keyframes"]) == 0
    assert "key frames" not in capsys.readouterr().err


@pytest.mark.parametrize("time", [-1, 2**63 + 10**12], ids=["before 1970", "after 2262"])
def test_a_video_of_any_time_is_read_and_known_again(clip: Path, time: int) -> None:
    os.utime(clip, ns=(time, time))
    if clip.stat().st_mtime_ns != time:
        pytest.skip("this file system keeps no such times")
    _, report, _ = index(clip, "keyframes")
    assert (report.videos, report.failed) == (1, 0)
    assert index(clip, "keyframes")[1].unchanged == 1
