"""The batch job: photos to sealed shards, resumable at any moment.

Photos are taken in a fixed order and a shard is sealed after a fixed number of them, so a job
that was killed and started again writes the rows an uninterrupted one would have written: the very
same while shards hold whole batches, the same but for the encoder's rounding otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from facesearch.embed_stages import (
    DEFAULT_OPTIONS,
    EmbedOptions,
    EmbedPlan,
    EmbedReport,
    Failure,
    RowMaker,
    processed_photos,
    video_reading,
)
from facesearch.embed_videos import VideoReader
from facesearch.engine import FaceEngine
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.builder import FilledRow, PhotoRow, ShardBuilder
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import FoundPhoto
from facesearch.images.file_access import absolute
from facesearch.video.checkpoint import VideoCheckpoints

__all__ = [
    "EmbedOptions",
    "EmbedReport",
    "Failure",
    "Progress",
    "embed_photos",
    "processed_photos",
]

Progress = Callable[[EmbedReport, int], None]


def embed_photos(
    gallery: Gallery,
    engine: FaceEngine,
    roots: Sequence[Path],
    options: EmbedOptions = DEFAULT_OPTIONS,
    progress: Progress = lambda report, total: None,
) -> EmbedReport:
    """Bring ``gallery`` up to date with the photos under ``roots``.

    New and changed photos are embedded; photos with known content (moved, copied) are only
    noted; photos no longer found under ``roots`` are marked gone, and so are all of a root that
    is no longer there, or that has another name now. A photo that fails is a row with its reason.
    ``progress`` is called with the report so far and the total of photos to do.

    Raises ContractError when the gallery holds another encoder's vectors, InputError when a root
    neither exists nor had photos in the gallery, BusyGalleryError when another process is writing.
    """
    gallery.require(engine.contract)
    with gallery.writing():
        state = gallery.state()
        plan = EmbedPlan(state, list(map(absolute, roots)), options)
        return _EmbedJob(gallery, engine, options, plan).run(progress)


class _EmbedJob:
    def __init__(
        self, gallery: Gallery, engine: FaceEngine, options: EmbedOptions, plan: EmbedPlan
    ) -> None:
        self.engine = engine
        self.options = options
        self.plan = plan
        self.report = plan.report()
        forgotten = Tombstones.read(gallery.folder)
        self.rows = RowMaker(self.report, plan.state.contents, plan.state.photos, forgotten)
        self.shard = ShardBuilder(gallery, options.shard_photos, self._sealed)
        self.videos = VideoReader(
            gallery, engine, video_reading(options), forgotten, self.rows.is_known
        )
        self.finished_videos: list[VideoCheckpoints] = []  # whose tracks are not sealed yet

    def run(self, progress: Progress) -> EmbedReport:
        """The whole job."""
        plan, report = self.plan, self.report
        try:
            self._read(plan.todo, progress)
            if second := plan.stand_ins(report.failures):
                self._read(second, progress)
            report.found = plan.found_count
            for record in plan.gone(report, self._contents):
                self.shard.add(FilledRow(PhotoRow.gone(record)))
        finally:
            # Also on an interruption or an error: what is done is kept.
            self.shard.seal()
        return report

    def _read(self, todo: Sequence[FoundPhoto], progress: Progress) -> None:
        total = self.report.done + len(todo)
        progress(self.report, total)
        photos = self.plan.tasks([photo for photo in todo if not photo.video])
        for outcome, faces in processed_photos(self.engine, photos, self.options):
            if (row := self.rows.row(outcome, faces)) is not None:
                self.shard.add(row)
            progress(self.report, total)
        for video in (photo for photo in todo if photo.video):
            self._read_video(video, lambda: progress(self.report, total))
            progress(self.report, total)

    def _read_video(self, found: FoundPhoto, progress: Callable[[], None]) -> None:
        read = self.videos.read(found, lambda time_us, duration_us: progress())
        row = self.rows.video_row(read)
        if read.checkpoints is not None:
            self.finished_videos.append(read.checkpoints)
        if row is not None:
            self.shard.add(row)

    def _sealed(self, path: Path) -> None:
        self.report.shards.append(path)
        # Now that the tracks are on the disk, nobody needs to go on from the checkpoints.
        for checkpoints in self.finished_videos:
            checkpoints.remove()
        self.finished_videos = []

    def _contents(self, found: Sequence[FoundPhoto]) -> list[str]:
        """The SHA-256 of each of ``found``, "" where it is new or could not be read."""
        table, known = self.plan.state.log.photos, self.rows.known
        rows = self.plan.state.photos.rows(photo.location_bytes for photo in found).tolist()
        return [
            known.get(photo.location_bytes) or (table.hex_digest(row) if row >= 0 else "")
            for photo, row in zip(found, rows, strict=True)
        ]
