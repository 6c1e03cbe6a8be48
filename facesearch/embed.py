"""The batch job: photos to sealed shards, resumable at any moment.

Photos are taken in a fixed order and a shard is sealed after a fixed number of them, so a job
that was killed and started again writes the rows an uninterrupted one would have written: the very
same while shards hold whole batches, the same but for the encoder's rounding otherwise.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from facesearch.argument_checks import choice, number, whole_number
from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.embed_videos import VideoReader
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.gallery.changes import is_same_file, knows, missing, need_work, renamed_roots
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.shard_builder import PhotoRow, ShardBuilder
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import (
    DecodeOutcome,
    DecodeTask,
    FoundPhoto,
    check_roots,
    find_photos,
    process_photos,
)
from facesearch.images.file_access import absolute
from facesearch.images.types import PARTIAL
from facesearch.images.walk.skipped import SkippedFiles
from facesearch.video.checkpoint import VideoCheckpoints
from facesearch.video.pipeline import VideoReading
from facesearch.video.reader import MISSING, can_read_videos
from facesearch.video.types import MICROSECONDS, VideoMode
from indexer.runtime.cores import available_cores
from indexer.types import Ids

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EmbedOptions:
    """How the job runs; none of it changes what is stored, but ``shard_photos`` and ``video``.

    ``decoders`` worker processes decode (0: in this process); ``threads`` detect and encode. A
    photo that takes longer than ``decode_timeout`` seconds to decode is given up. ``video`` says
    how videos are read that are new; "off" leaves them out. ``verify`` reads the content of every
    photo, also of those that seem unchanged. Raises InputError for anything out of range.
    """

    decoders: int = 1
    threads: int = 2
    shard_photos: int = 512
    video: VideoMode = "tracks"
    retry_failed: bool = False
    verify: bool = False
    decode_timeout: float = 60.0

    def __post_init__(self) -> None:
        choice(self.video, get_args(VideoMode), "video")
        whole_number(self.decoders, "decoders")
        whole_number(self.threads, "threads", 1)
        whole_number(self.shard_photos, "shard_photos", 1)
        number(self.decode_timeout, "decode_timeout in seconds", 0, math.inf)

    @classmethod
    def for_cores(cls, threads: int | None = None, decoders: int | None = None) -> EmbedOptions:
        """For ``threads`` threads, by default as many as cores, and half as many decoders."""
        threads = available_cores() if threads is None else whole_number(threads, "threads", 1)
        return cls(max(1, threads // 2) if decoders is None else decoders, threads)


@dataclass(frozen=True)
class Failure:
    """A photo this job could not use, or not whole."""

    photo: Path
    reason: str
    detail: str


@dataclass
class EmbedReport:
    """What a job did, in photos, and faces found; ``shards`` are those it sealed.

    ``checked`` photos were read again and are what they were. ``partial`` are those of ``embedded``
    whose file ends early, ``absent`` folders that were asked for and are not there, ``renamed``
    folders indexed earlier whose photos are now found elsewhere. Every file that was not found to
    be a photo is counted in ``skipped``.

    Videos count as photos, and their tracks as faces: ``videos`` were read, of ``video_seconds``
    in all, and in them ``tracks`` found. ``videos_skipped`` were not, as ``skipped_because`` says.
    """

    found: int = 0
    unchanged: int = 0
    checked: int = 0
    embedded: int = 0
    known: int = 0
    failed: int = 0
    gone: int = 0
    faces: int = 0
    shards: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    partial: list[Failure] = field(default_factory=list)
    absent: list[Path] = field(default_factory=list)
    renamed: list[Path] = field(default_factory=list)
    skipped: SkippedFiles = field(default_factory=SkippedFiles)
    videos: int = 0
    tracks: int = 0
    video_seconds: float = 0.0
    videos_skipped: int = 0
    skipped_because: str = ""

    @property
    def done(self) -> int:
        """Photos this job has dealt with."""
        return self.embedded + self.known + self.checked + self.failed


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
    is no longer there, or that has another name now. A photo that fails is a row with its reason.
    ``progress`` is called with the report so far and the total of photos to do.

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
        self.failed: set[bytes] = set()  # locations of pictures in several files
        self.known: dict[bytes, str] = {}  # SHA-256 by location, of contents known before
        self.skipped = self.report.skipped
        self.standing_in: set[bytes] = set()  # locations of second files that are read
        self.forgotten = Tombstones.read(gallery.folder)
        self.shard = ShardBuilder(gallery, options.shard_photos, self._sealed)
        self.videos = VideoReader(
            gallery, engine, _video_reading(options), self.forgotten, self._is_known
        )
        self.finished_videos: list[VideoCheckpoints] = []  # whose tracks are not sealed yet

    def run(self, roots: Sequence[Path], progress: Progress) -> EmbedReport:
        """The whole job, for absolute ``roots``."""
        self.report.absent = [root for root in roots if self._vanished(root)]
        if len(self.report.absent) == len(roots) and not missing(self.state, roots):
            check_roots(roots)  # raises: there is nothing to read, nor anything to note
        there = [root for root in roots if root not in self.report.absent]
        found = self._with_stand_ins(list(find_photos(there, self.skipped, videos=True)))
        rows = self.state.photos.rows(photo.location_bytes for photo in found)
        work = need_work(
            self.state,
            found,
            rows,
            retry_failed=self.options.retry_failed,
            verify=self.options.verify,
        )
        todo = self._without_skipped([found[each] for each in np.flatnonzero(work).tolist()])
        self.report.found = len(found) - self.report.videos_skipped
        self.report.unchanged = self.report.found - len(todo)
        try:
            self._read(todo, progress)
            found += self._read_stand_ins(todo, progress)
            self.report.found = len(found) - self.report.videos_skipped
            self._mark_gone(roots, found)
        finally:
            # Also on an interruption or an error: what is done is kept.
            self.shard.seal()
        return self.report

    def _read(self, todo: Sequence[FoundPhoto], progress: Progress) -> None:
        total = self.report.done + len(todo)
        progress(self.report, total)
        photos = self._tasks([photo for photo in todo if not photo.video])
        for outcome, faces in processed_photos(self.engine, photos, self.options):
            self._store(outcome, faces)
            progress(self.report, total)
        for video in (photo for photo in todo if photo.video):
            self._read_video(video, lambda: progress(self.report, total))
            progress(self.report, total)

    def _without_skipped(self, todo: Sequence[FoundPhoto]) -> list[FoundPhoto]:
        """``todo`` without videos that are not read in this job, which are counted as skipped."""
        if self.options.video == "off":
            reason = "left out as asked for"
        elif not can_read_videos():
            reason = MISSING
        else:
            return list(todo)
        photos = [photo for photo in todo if not photo.video]
        self.report.videos_skipped = len(todo) - len(photos)
        self.report.skipped_because = reason if self.report.videos_skipped else ""
        self.skipped.counts["video"] += self.report.videos_skipped
        return photos

    def _with_stand_ins(self, found: Sequence[FoundPhoto]) -> list[FoundPhoto]:
        """``found``, and the second files of pictures whose first could not be read earlier."""
        failed = [
            photo
            for photo in found
            if photo.second
            and (before := self.state.photos.get(photo.location_bytes)) is not None
            and before.status == "failed"
        ]
        return [*found, *self._stand_ins(failed)]

    def _stand_ins(self, failed: Iterable[FoundPhoto]) -> list[FoundPhoto]:
        """The second files of pictures whose first cannot be read, which are files to read now."""
        second = [other for photo in failed for other in photo.second]
        self.skipped.counts["second-file"] -= len(second)
        self.standing_in.update(other.location_bytes for other in second)
        return second

    def _read_stand_ins(self, todo: Sequence[FoundPhoto], progress: Progress) -> list[FoundPhoto]:
        """Read the second files of pictures whose first failed just now, unless they were."""
        failed = (
            photo
            for photo in todo
            if photo.second
            and photo.location_bytes in self.failed
            and photo.second[0].location_bytes not in self.standing_in
        )
        second = self._stand_ins(failed)
        if second:
            self._read(second, progress)
        return second

    def _vanished(self, root: Path) -> bool:
        """Whether a root that the gallery had photos of is not there."""
        return not os.path.lexists(root) and knows(self.state, root)

    def _tasks(self, todo: Sequence[FoundPhoto]) -> Iterator[DecodeTask]:
        by_size = self.state.contents.of_sizes({photo.size for photo in todo})
        for photo in todo:
            yield DecodeTask(photo, frozenset(by_size.get(photo.size, ())))

    def _store(self, outcome: DecodeOutcome, faces: PhotoFaces | None) -> None:
        if outcome.reason:
            self._store_failure(outcome)
            return
        if self._is_known(outcome.sha256):
            self._store_known(outcome)
        else:
            self.contents.add(outcome.sha256)
            faces = faces and self._remembered(outcome, faces)
            self.report.embedded += 1
            self.report.faces += len(faces) if faces else 0
            if outcome.photo and outcome.photo.partial:
                location = outcome.found.location
                self.report.partial.append(Failure(location, PARTIAL, outcome.photo.partial))
            self.shard.add(PhotoRow.of(outcome, "ok"), faces)

    def _is_known(self, sha256: str) -> bool:
        return sha256 in self.state.contents or sha256 in self.contents

    def _read_video(self, found: FoundPhoto, progress: Callable[[], None]) -> None:
        read = self.videos.read(found, lambda time_us, duration_us: progress())
        if read.faces is None:
            self._store(read.outcome, None)
            return
        faces, end = read.faces, read.faces.end
        self.contents.add(read.outcome.sha256)
        self.report.embedded += 1
        self.report.videos += 1
        self.report.faces += len(faces.tracks)
        self.report.tracks += len(faces.tracks)
        self.report.video_seconds += end.time_us / MICROSECONDS
        missing_part = f"{end.reason}: {end.detail}" if end.reason else ""
        if missing_part:
            self.report.partial.append(Failure(found.location, PARTIAL, missing_part))
        if read.checkpoints is not None:
            self.finished_videos.append(read.checkpoints)
        row = PhotoRow.of_video(read.outcome, faces.info, missing_part)
        self.shard.add_video(row, faces.tracks, faces.frames)

    def _sealed(self, path: Path) -> None:
        self.report.shards.append(path)
        # Now that the tracks are on the disk, nobody needs to go on from the checkpoints.
        for checkpoints in self.finished_videos:
            checkpoints.remove()
        self.finished_videos = []

    def _store_known(self, outcome: DecodeOutcome) -> None:
        self.known[outcome.found.location_bytes] = outcome.sha256
        row = PhotoRow.of(outcome, "known")
        before = self.state.photos.get(row.record.location_bytes)
        if before is None or before.sha256 != outcome.sha256 or not self.state.holds(before):
            self.report.known += 1
            self.shard.add(row)
            return
        self.report.checked += 1
        if not is_same_file(outcome.found, before):
            record = replace(row.record, reason=before.reason, detail=before.detail)
            self.shard.add(replace(row, record=record))

    def _remembered(self, outcome: DecodeOutcome, faces: PhotoFaces) -> PhotoFaces:
        """``faces`` without those that were to be forgotten, which indexing must not bring back."""
        scale = outcome.photo.scale if outcome.photo else 1.0
        boxes = faces.detections.scaled(1 / scale).boxes
        again = iou(boxes, self.forgotten.boxes_of(outcome.sha256)) >= SAME_FACE_IOU
        return faces.only(np.logical_not(again.any(axis=1)))

    def _store_failure(self, outcome: DecodeOutcome) -> None:
        self.report.failed += 1
        if outcome.found.second:
            self.failed.add(outcome.found.location_bytes)
        location = outcome.found.location
        self.report.failures.append(Failure(location, outcome.reason, outcome.detail))
        logger.info("%s: %s: %s", location, outcome.reason, outcome.detail)
        row = PhotoRow.of(outcome, "failed")
        before = self.state.photos.get(row.record.location_bytes)
        # A retry that failed as before adds nothing to the log.
        if before is None or replace(before, photo_id=-1) != row.record:
            self.shard.add(row)

    def _mark_gone(self, roots: Sequence[Path], found: Sequence[FoundPhoto]) -> None:
        rows = self.state.photos.rows(photo.location_bytes for photo in found)
        # Beneath a folder that could not be read nothing is known, so nothing is gone.
        refused = [photo.location for photo in found if photo.error]
        self.report.renamed = renamed_roots(
            self.state, roots, found, lambda: self._contents(found, rows)
        )
        asked = [*roots, *self.report.renamed]
        for record in missing(self.state, asked, refused, rows[rows >= 0]):
            self.report.gone += 1
            self.shard.add(PhotoRow.gone(record))
        if self.report.gone and not found:
            logger.warning(
                "found no photo at all, so the %d known there are now marked gone; if a drive was "
                "not mounted, mount it and index again: their faces and names come back",
                self.report.gone,
            )

    def _contents(self, found: Sequence[FoundPhoto], rows: Ids) -> list[str]:
        """The SHA-256 of each of ``found``, "" where it is new or could not be read."""
        table = self.state.log.photos
        return [
            self.known.get(photo.location_bytes) or (table.hex_digest(row) if row >= 0 else "")
            for photo, row in zip(found, rows.tolist(), strict=True)
        ]


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
