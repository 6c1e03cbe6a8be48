"""Videos in galleries: indexed once, searched, clustered, shown, upgraded, and forgotten."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import write_clip
from facesearch import embed_stages
from facesearch.album.build import gallery_album
from facesearch.check import check_gallery
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.embed_videos import FOLDER
from facesearch.erasure.forget import Selection, forget
from facesearch.gallery.face_table import FaceTable
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.report.album_csv import album_csv
from facesearch.report.write import write_report
from facesearch.upgrade.gallery import upgrade_gallery
from indexer.storage.shards import Shard
from support.videos.colour_engine import ColourEngine, actor, grey_shot

HERE = EmbedOptions(decoders=0, threads=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of two shots, a shorter clip, and a text that is called a video."""
    folder = tmp_path_factory.mktemp("clips")
    shots = [
        grey_shot(2.0, actor("red", (0.2, 0.5), (0.3, 0.5)), actor("blue", (0.8, 0.5), (0.7, 0.5))),
        grey_shot(2.0, actor("red", (0.7, 0.5), (0.7, 0.4), sides=(70, 80)), level=200),
    ]
    write_clip(folder / "long.mp4", shots)
    write_clip(folder / "short.mkv", [grey_shot(1.2, actor("green", (0.5, 0.5), (0.5, 0.5)))])
    (folder / "text.mov").write_text("no video")
    return folder


@pytest.fixture
def videos(clips: Path, tmp_path: Path) -> Path:
    """The clips, to be changed at will."""
    return Path(shutil.copytree(clips, tmp_path / "videos"))


def indexed(
    videos: Path, options: EmbedOptions = HERE, engine: ColourEngine | None = None
) -> tuple[Gallery, EmbedReport]:
    engine = engine or ColourEngine()
    gallery = Gallery.open_or_create(videos.parent / "gallery", engine.contract, "float32")
    return gallery, embed_photos(gallery, engine, [videos], options)  # type: ignore[arg-type]


def names(gallery: Gallery) -> list[tuple[str, str]]:
    """Every live face's file and time range."""
    state = gallery.state()
    return [
        (each.photo.name, each.span.text)
        for each in gallery.faces(state.live_ids(), state)
        if each.span
    ]


def test_videos_are_indexed_once(videos: Path) -> None:
    gallery, report = indexed(videos)
    assert (report.videos, report.tracks, report.faces, report.failed) == (2, 4, 4, 1)
    assert report.video_seconds == pytest.approx(5.1, abs=0.2)
    assert [failure.reason for failure in report.failures] == ["not-a-video"]
    assert names(gallery) == [
        ("long.mp4", "0:00-0:01"),
        ("long.mp4", "0:00-0:01"),
        ("long.mp4", "0:02-0:03"),
        ("short.mkv", "0:00-0:01"),
    ]
    assert not [each for each in check_gallery(gallery) if each.severe]
    again = ColourEngine()
    (videos / "copy.mp4").write_bytes((videos / "long.mp4").read_bytes())
    _, report = indexed(videos, engine=again)
    assert (report.unchanged, report.known, again.calls) == (3, 1, 0)
    (videos / "long.mp4").unlink()
    _, report = indexed(videos)
    assert report.gone == 1 and len(names(gallery)) == 4


def test_videos_that_are_not_read_are_counted_and_keep_their_faces(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, report = indexed(videos, replace(HERE, video="off"))
    assert (report.videos_skipped, report.found, report.failed) == (3, 0, 0)
    assert "as asked for" in report.skipped_because
    indexed(videos)
    with monkeypatch.context() as patch:
        patch.setattr(embed_stages, "can_read_videos", lambda: False)
        write_clip(
            videos / "new.avi",
            [grey_shot(1, actor("pink", (0.5, 0.5), (0.5, 0.5)))],
        )
        _, report = indexed(videos)
    assert (report.videos_skipped, report.unchanged, report.gone) == (1, 3, 0)
    assert "facesearch[video]" in report.skipped_because
    assert len(names(gallery)) == 4


def test_shards_without_videos_are_as_they_were(videos: Path, tmp_path: Path) -> None:
    gallery, _ = indexed(videos, replace(HERE, shard_photos=1))
    kinds = []
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            kinds.append(("frames" in shard.table_names, "start_us" in shard.column_kinds("faces")))
    assert sorted(set(kinds)) == [(False, False), (True, True)]


def test_tracks_seen_together_are_two_people_and_others_may_be_one(videos: Path) -> None:
    gallery, _ = indexed(videos)
    state = gallery.state()
    table = FaceTable.read(gallery, state)
    for options in (
        ClusterOptions("agglomerative", threshold=3.9, full=True),
        ClusterOptions(
            "agglomerative", threshold=3.9, full=True, min_quality=0.9, attach_threshold=3.9
        ),
    ):
        run = run_clustering(gallery, state, options)
        label = dict(zip(run.clustering.ids.tolist(), run.clustering.labels.tolist(), strict=True))
        labels = [label[face] for face in table.ids.tolist()]
        assert labels[0] != labels[1] or labels[0] == -1
    run = run_clustering(gallery, state, ClusterOptions("agglomerative", threshold=0.3, full=True))
    label = dict(zip(run.clustering.ids.tolist(), run.clustering.labels.tolist(), strict=True))
    people = [label[face] for face in table.ids.tolist()]
    assert people[2] in people[:2] and people[3] not in people[:3]


def test_the_album_shows_stills_and_opens_the_video_there(videos: Path) -> None:
    gallery, _ = indexed(videos)
    state = gallery.state()
    run = run_clustering(gallery, state, ClusterOptions("agglomerative", threshold=0.3, full=True))
    album = gallery_album(gallery, state, run, "Album")
    assert max(len(person.faces) for person in album.people) == 2
    report = videos.parent / "report"
    write_report(album, report, workers=0)
    page = (report / "index.html").read_text()
    assert 'data-video="../videos/long.mp4#t=2"' in page and 'data-time="0:02-0:03"' in page
    assert len(list((report / "crops").iterdir())) == 4
    assert len(list((report / "previews").iterdir())) == len({face.picture for face in album.faces})
    before = {path: path.stat().st_mtime_ns for path in (report / "crops").iterdir()}
    write_report(album, report, workers=0)
    assert before == {path: path.stat().st_mtime_ns for path in (report / "crops").iterdir()}
    document = json.loads((report / "album.json").read_text())
    times = [face["seconds"]["start"] for person in document["people"] for face in person["faces"]]
    assert sorted(times) == [0, 0, 0, 2]
    rows = list(csv.DictReader(album_csv(album).splitlines()))
    assert sorted(row["start_seconds"] for row in rows) == ["0.0", "0.0", "0.0", "2.0"]


def test_a_killed_job_goes_on_within_the_video(videos: Path) -> None:
    options = replace(HERE, shard_photos=6)
    engine, steps = ColourEngine(), 0

    def stop(report: EmbedReport, total: int) -> None:
        nonlocal steps
        steps += 1
        if steps == 15:  # the first is before any frame
            raise KeyboardInterrupt

    gallery = Gallery.open_or_create(videos.parent / "gallery", engine.contract, "float32")
    with pytest.raises(KeyboardInterrupt):
        embed_photos(gallery, engine, [videos], options, stop)  # type: ignore[arg-type]
    assert list((gallery.folder / FOLDER).rglob("*.h5"))
    resumed = ColourEngine()
    embed_photos(gallery, resumed, [videos], options)  # type: ignore[arg-type]
    assert resumed.calls == 26 - 12
    assert not list((gallery.folder / FOLDER).rglob("*.h5"))
    assert len(names(gallery)) == 4


def test_an_upgrade_makes_the_tracks_vectors_of_the_same_frames(videos: Path) -> None:
    gallery, _ = indexed(videos)
    before, shown = gallery.vectors(gallery.state().live_ids()), names(gallery)
    engine = ColourEngine()
    engine.name = "colours-2"
    engine.contract = replace(engine.contract, name="colours-2")
    report = upgrade_gallery(gallery, engine, HERE)  # type: ignore[arg-type]
    assert report.upgraded and not report.failures and report.faces == 4
    upgraded = Gallery.open(gallery.folder)
    assert upgraded.contract.name == "colours-2"
    assert np.allclose(upgraded.vectors(upgraded.state().live_ids()), before, atol=1e-5)
    assert names(upgraded) == shown


def test_a_forgotten_track_is_nowhere_and_does_not_come_back(videos: Path) -> None:
    gallery, _ = indexed(videos)
    gone = int(gallery.state().live_ids()[0])
    (gallery.folder / FOLDER / "left").mkdir(parents=True)
    forget(gallery, Selection(ids=(gone,)))
    assert gone not in gallery.state().live_ids() and len(names(gallery)) == 3
    assert not (gallery.folder / FOLDER).exists()
    assert Tombstones.read(gallery.folder).ids.tolist() == [gone]
    assert not [each for each in check_gallery(gallery) if each.severe]
    (path, *_) = gallery.shard_paths()
    with Shard.open(path) as shard:
        frames = shard.table("frames")
        lost = frames["face"] < 0
        assert lost.any() and not frames["box"][lost].any() and not frames["time_us"][lost].any()
    for path in gallery.shard_paths():
        path.unlink()
        path.with_name(path.name + ".sha256").unlink()
    indexed(videos)
    assert len(names(gallery)) == 3
