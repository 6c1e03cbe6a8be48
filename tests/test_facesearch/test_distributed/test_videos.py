"""Videos among the photos of blocks: their rows are those of one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")

from benchmarks.clips.made_clips import write_clip
from facesearch.check import check_gallery
from facesearch.distributed.indexing import block_writer
from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.job import run_job
from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.embed_stages import EmbedPlan
from facesearch.embed_videos import FOLDER
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from indexer.storage.shards import Shard
from support.cluster.flaky_workers import AFTER, BEFORE, ZOMBIE, FlakyWorkers
from support.fake_engine import write_photo
from support.videos.colour_engine import ColourEngine, actor, grey_shot

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=2)
FIGURES = ("found", "unchanged", "embedded", "known", "failed", "gone", "faces", "videos", "tracks")


class ColourEngineMaker:
    """Makes engines that see colours."""

    def create(self, contract: EncoderContract | None = None, *, callers: int = 1) -> FaceEngine:
        """The engine; it has all that the job uses of a real one."""
        return ColourEngine()  # type: ignore[return-value]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Photos, two videos, a copy of one, and a text that is called a video."""
    folder = tmp_path / "archive"
    write_photo(folder / "a.png", [1], variant=1)
    write_photo(folder / "z.png", [2], variant=2)
    red, green = (actor(each, (0.3, 0.5), (0.5, 0.5)) for each in ("red", "green"))
    write_clip(folder / "long.mp4", [grey_shot(1.2, red), grey_shot(1.2, green, level=200)])
    write_clip(folder / "short.mkv", [grey_shot(1.2, green)])
    (folder / "copy.mp4").write_bytes((folder / "long.mp4").read_bytes())
    (folder / "text.mov").write_text("no video")
    return folder


def index(gallery: Gallery, archive: Path, fates: list[str] | None = None) -> EmbedReport:
    writer = BlockWriter(gallery.folder, ColourEngineMaker(), OPTIONS)
    with gallery.writing():
        plan = EmbedPlan(gallery.state(), [archive], OPTIONS)
        return run_job(gallery, plan, OPTIONS, FlakyWorkers(writer, fates or [], frozenset()))


def index_here(gallery: Gallery, archive: Path) -> EmbedReport:
    return embed_photos(gallery, ColourEngine(), [archive], OPTIONS)  # type: ignore[arg-type]


def figures(report: EmbedReport) -> dict[str, int]:
    return {name: getattr(report, name) for name in FIGURES}


def frames(gallery: Gallery) -> list[list[float]]:
    """All rows of the tables of frames, without the numbers of faces."""
    rows: list[list[float]] = []
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            if "frames" in shard.table_names:
                table = shard.table("frames")
                columns = [table[name].reshape(len(table["face"]), -1) for name in sorted(table)]
                rows += np.hstack(columns[:1] + columns[2:]).tolist()
    return sorted(rows)


@pytest.mark.parametrize("fates", [[], [BEFORE, AFTER, BEFORE], [ZOMBIE, AFTER, AFTER, AFTER]])
def test_the_tracks_are_those_of_one_process(
    tmp_path: Path, archive: Path, fates: list[str]
) -> None:
    contract = ColourEngine().contract
    one, many = (Gallery.create(tmp_path / name, contract, "float32") for name in ("one", "many"))
    expected = index_here(one, archive)
    report = index(many, archive, fates)
    assert figures(report) == figures(expected)
    assert (report.videos, report.tracks, report.known, report.failed) == (2, 3, 1, 1)
    if not fates:
        assert report.video_seconds == pytest.approx(expected.video_seconds)
    assert tracks(many) == tracks(one)
    assert frames(many) == frames(one)
    assert not [each for each in check_gallery(many) if each.severe]
    assert not (many.folder / FOLDER).exists()
    (archive / "short.mkv").unlink()
    again = index(many, archive)
    assert (again.unchanged, again.done, again.gone) == (5, 0, 1)


def tracks(gallery: Gallery) -> list[tuple[str, str, tuple[float, ...]]]:
    """Every face's file, time range and box."""
    state = gallery.state()
    return sorted(
        (each.photo.name, each.span.text if each.span else "", each.box)
        for each in gallery.faces(state.live_ids(), state)
    )


def test_a_worker_that_cannot_read_videos_ends_the_job(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery.create(tmp_path / "gallery", ColourEngine().contract, "float32")
    monkeypatch.setattr(block_writer, "can_read_videos", lambda: False)
    with pytest.raises(InputError, match=r"on a worker.*--video off"):
        index(gallery, archive)
