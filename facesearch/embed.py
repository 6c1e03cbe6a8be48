"""The batch job: photos to sealed shards, resumable at any moment.

Photos are taken in a fixed order and a shard is sealed after a fixed number of them, so a job
that was killed and started again writes the rows an uninterrupted one would have written: the very
same while shards hold whole batches, the same but for the encoder's rounding otherwise.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.embed_videos import VideoReader
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.shard_builder import PhotoRow, ShardBuilder
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import DecodeOutcome, DecodeTask, FoundPhoto, find_photos, process_photos
from facesearch.images.file_access import absolute
from facesearch.video.checkpoint import VideoCheckpoints
from facesearch.video.pipeline import VideoReading
from facesearch.video.reader import MISSING, can_read_videos
from facesearch.video.types import MICROSECONDS, VideoMode
from indexer.runtime.cores import available_cores
from indexer.types import Ids

logger = logging.getLogger(__name__)

# Refusals of the file system may pass; damage inside a file stays until the file changes.
RETRIED_REASONS = ("unreadable", "timeout", "internal")

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class EmbedOptions:
    """How the job runs; none of it changes what is stored, but ``shard_photos`` and ``video``.

    ``decoders`` worker processes decode (0: in this process); ``threads`` detect and encode.
    ``video`` says how videos are read that are new; "off" leaves them out.
    """

    decoders: int = 1
    threads: int = 2
    shard_photos: int = 512
    video: VideoMode = "tracks"
    retry_failed: bool = False
    decode_timeout: float = 60.0

    @classmethod
    def for_cores(cls, threads: int | None = None, decoders: int | None = None) -> EmbedOptions:
        """For ``threads`` threads, by default as many as cores, and half as many decoders."""
        threads = available_cores() if threads is None else threads
        return cls(max(1, threads // 2) if decoders is None else decoders, threads)


@dataclass(frozen=True)
class Failure:
    """A photo this job could not use."""

    photo: Path
    reason: str
    detail: str


@dataclass
class EmbedReport:
    """What a job did, in photos, and faces found; ``shards`` are those it sealed.

    Videos count as photos, and their tracks as faces. ``videos`` were read, of ``video_seconds``
    in all, and in them ``tracks`` found; ``videos_skipped`` were found and not read, for the
    reason ``skipped_because``. ``damaged`` are videos of which only a part could be read.
    """

    found: int = 0
    unchanged: int = 0
    embedded: int = 0
    known: int = 0
    failed: int = 0
    gone: int = 0
    faces: int = 0
    shards: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    videos: int = 0
    tracks: int = 0
    video_seconds: float = 0.0
    videos_skipped: int = 0
    skipped_because: str = ""
    damaged: list[Failure] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Photos this job has dealt with."""
        return self.embedded + self.known + self.failed


Progress = Callable[[EmbedReport, int], None]


def embed_photos(
    gallery: Gallery,
    engine: FaceEngine,
    roots: Sequence[Path],
    options: EmbedOptions = EmbedOptions(),
    progress: Progress = lambda report, total: None,
) -> EmbedReport:
    """Bring ``gallery`` up to date with the photos under ``roots``.

    New and changed photos are embedded; photos with known content (moved, copied) are only
    noted; photos no longer found under ``roots`` are marked gone, and so are all of a root that
    is no longer there. A photo that fails is a row with its reason. ``progress`` is called with
    the report so far and the total of photos to do.

    Raises ContractError when the gallery holds another encoder's vectors, InputError when a root
    neither exists nor had photos in the gallery, BusyGalleryError when another process is writing.
    """
    gallery.require(engine.contract)
    with gallery.writing():
        job = _EmbedJob(gallery, engine, options, gallery.state())
        return job.run([absolute(root) for root in roots], progress)


class _EmbedJob:
    def __init__(
        self, gallery: Gallery, engine: FaceEngine, options: EmbedOptions, state: GalleryState
    ) -> None:
        self.engine = engine
        self.options = options
        self.state = state
        self.report = EmbedReport()
        self.contents: set[str] = set()  # that this job added
        self.forgotten = Tombstones.read(gallery.folder)
        self.shard = ShardBuilder(gallery, options.shard_photos, self._sealed)
        self.videos = VideoReader(
            gallery, engine, _video_reading(options), self.forgotten, self._is_known
        )
        self.finished_videos: list[VideoCheckpoints] = []  # whose tracks are not sealed yet

    def run(self, roots: Sequence[Path], progress: Progress) -> EmbedReport:
        """The whole job, for absolute ``roots``."""
        there = [root for root in roots if not self._vanished(root)]
        found = list(find_photos(there, videos=True))
        rows = self.state.photos.rows(photo.location_bytes for photo in found)
        need = self._need_work(found, rows)
        skipped = self._skipped(found, need)
        self.report.found = len(found) - int(skipped.sum())
        todo = [found[each] for each in np.flatnonzero(need & ~skipped).tolist()]
        self.report.unchanged = self.report.found - len(todo)
        progress(self.report, len(todo))
        try:
            tasks = self._tasks([each for each in todo if not each.video])
            for outcome, faces in processed_photos(self.engine, tasks, self.options):
                self._store(outcome, faces)
                progress(self.report, len(todo))
            for video in (each for each in todo if each.video):
                self._read_video(video, lambda: progress(self.report, len(todo)))
                progress(self.report, len(todo))
            self._mark_gone(roots, found, rows)
        finally:
            # Also on an interruption or an error: what is done is kept.
            self.shard.seal()
        return self.report

    def _vanished(self, root: Path) -> bool:
        """Whether a root that the gallery has photos of is no longer there."""
        return not os.path.lexists(root) and bool(self._missing([root]))

    def _missing(
        self, folders: Sequence[Path], refused: Sequence[Path] = (), seen: Ids = _NONE
    ) -> list[PhotoRecord]:
        """The records, by location, of all in ``folders`` that were not gone.

        But for those in ``refused``, and those in rows ``seen`` of the log.
        """
        log = self.state.log
        there = log.newest & ~log.photos.having("gone")
        there[seen] = False
        if not there.any():
            return []
        within, beyond = _prefixes(folders), _prefixes(refused)
        found = [
            (location, row)
            for row, location in enumerate(log.photos.locations())
            if there[row]
            and (location + b"/").startswith(within)
            and not (location + b"/").startswith(beyond)
        ]
        return [log.photos.record(row) for _, row in sorted(found)]

    def _need_work(self, found: Sequence[FoundPhoto], rows: Ids) -> NDArray[np.bool_]:
        """Which of ``found`` are to be read, (n,); ``rows`` of the log are theirs, or -1."""
        log, photos = self.state.log, self.state.log.photos
        failed = photos.having("failed")
        again = log.holder < 0  # of which nothing is known
        if not self.options.retry_failed:
            again[failed] = False
            for reason in RETRIED_REASONS:
                again |= failed & photos.reason.equal(reason.encode())
        sizes = np.array([photo.size for photo in found], np.int64)
        times = np.array([photo.mtime_ns for photo in found], np.int64)
        need = rows < 0
        known = np.flatnonzero(~need)
        rows = rows[known]
        changed = (photos.size[rows] != sizes[known]) | (photos.mtime_ns[rows] != times[known])
        need[known] = again[rows] | changed
        return need

    def _skipped(self, found: Sequence[FoundPhoto], need: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of ``found`` are videos that are not read in this job, (n,)."""
        videos = np.array([photo.video for photo in found], bool) & need
        if self.options.video == "off":
            reason = "videos were left out as asked for"
        elif not can_read_videos():
            reason = MISSING
        else:
            return np.zeros(len(found), bool)
        self.report.videos_skipped = int(videos.sum())
        self.report.skipped_because = reason if self.report.videos_skipped else ""
        return videos

    def _tasks(self, todo: Sequence[FoundPhoto]) -> Iterator[DecodeTask]:
        by_size = self.state.contents.of_sizes({photo.size for photo in todo})
        for photo in todo:
            yield DecodeTask(photo, frozenset(by_size.get(photo.size, ())))

    def _store(self, outcome: DecodeOutcome, faces: PhotoFaces | None) -> None:
        if outcome.reason:
            self._store_failure(outcome)
        elif self._is_known(outcome.sha256):
            self.report.known += 1
            self.shard.add(PhotoRow.of(outcome, "known"))
        else:
            self.contents.add(outcome.sha256)
            faces = faces and self._remembered(outcome, faces)
            self.report.embedded += 1
            self.report.faces += len(faces) if faces else 0
            self.shard.add(PhotoRow.of(outcome, "ok"), faces)

    def _is_known(self, sha256: str) -> bool:
        return sha256 in self.state.contents or sha256 in self.contents

    def _read_video(self, found: FoundPhoto, progress: Callable[[], None]) -> None:
        read = self.videos.read(found, lambda time_us, duration_us: progress())
        if read.faces is None:
            self._store(read.outcome, None)
            return
        faces, sha256 = read.faces, read.outcome.sha256
        self.contents.add(sha256)
        self.report.embedded += 1
        self.report.videos += 1
        self.report.faces += len(faces.tracks)
        self.report.tracks += len(faces.tracks)
        self.report.video_seconds += faces.end.time_us / MICROSECONDS
        detail = ""
        if faces.end.reason:
            detail = f"{faces.end.reason}: {faces.end.detail}"
            self.report.damaged.append(Failure(found.location, faces.end.reason, faces.end.detail))
            logger.info("%s: %s", found.location, detail)
        if read.checkpoints is not None:
            self.finished_videos.append(read.checkpoints)
        row = PhotoRow.of_video(found, sha256, faces.info, detail)
        self.shard.add_video(row, faces.tracks, faces.frames)

    def _sealed(self, path: Path) -> None:
        self.report.shards.append(path)
        # Now that the tracks are on the disk, nobody needs to go on from the checkpoints.
        for checkpoints in self.finished_videos:
            checkpoints.remove()
        self.finished_videos = []

    def _remembered(self, outcome: DecodeOutcome, faces: PhotoFaces) -> PhotoFaces:
        """``faces`` without those that were to be forgotten, which indexing must not bring back."""
        scale = outcome.photo.scale if outcome.photo else 1.0
        boxes = faces.detections.scaled(1 / scale).boxes
        again = iou(boxes, self.forgotten.boxes_of(outcome.sha256)) >= SAME_FACE_IOU
        return faces.only(np.logical_not(again.any(axis=1)))

    def _store_failure(self, outcome: DecodeOutcome) -> None:
        self.report.failed += 1
        location = outcome.found.location
        self.report.failures.append(Failure(location, outcome.reason, outcome.detail))
        logger.info("%s: %s: %s", location, outcome.reason, outcome.detail)
        row = PhotoRow.of(outcome, "failed")
        before = self.state.photos.get(row.record.location_bytes)
        # A retry that failed as before adds nothing to the log.
        if before is None or replace(before, photo_id=-1) != row.record:
            self.shard.add(row)

    def _mark_gone(self, roots: Sequence[Path], found: Sequence[FoundPhoto], rows: Ids) -> None:
        # Beneath a folder that could not be read nothing is known, so nothing is gone.
        refused = [photo.location for photo in found if photo.error]
        for record in self._missing(roots, refused, rows[rows >= 0]):
            self.report.gone += 1
            self.shard.add(PhotoRow.gone(record))
        if self.report.gone and not found:
            logger.warning(
                "found no photo at all, so the %d known there are now marked gone; if a drive was "
                "not mounted, mount it and index again: their faces and names come back",
                self.report.gone,
            )


def _prefixes(folders: Iterable[Path]) -> tuple[bytes, ...]:
    """What the location of each of ``folders``, and of all beneath it, begins with, and a slash."""
    return tuple(os.path.join(os.fsencode(folder), b"") for folder in folders)  # noqa: PTH118


def _video_reading(options: EmbedOptions) -> VideoReading:
    return VideoReading(
        options.video,
        options.threads,
        options.decoders,
        options.decode_timeout,
        between_checkpoints=options.shard_photos,
    )


def processed_photos(
    engine: FaceEngine, tasks: Iterable[DecodeTask], options: EmbedOptions
) -> Iterator[tuple[DecodeOutcome, PhotoFaces | None]]:
    """Outcomes in the order of ``tasks``, with the faces of the decoded."""
    return process_photos(
        tasks,
        engine.faces,
        decoders=options.decoders,
        threads=options.threads,
        max_side=DECODE_SIDE,
        timeout=options.decode_timeout,
    )
