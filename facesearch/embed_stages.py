"""The stages of the batch job: which photos need work, and the rows that come of them.

Shared by the job of one process (:mod:`facesearch.embed`) and that of many
(:mod:`facesearch.distributed.indexing`).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from facesearch.argument_checks import choice, number, whole_number
from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.embed_videos import VideoOutcome
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.gallery.changes import is_same_file, knows, missing, need_work, renamed_roots
from facesearch.gallery.gallery import GalleryState
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.shards.builder import FilledRow, PhotoRow
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import (
    DecodeOutcome,
    DecodeTask,
    FoundPhoto,
    check_roots,
    find_photos,
    process_photos,
)
from facesearch.images.discover import root_exists
from facesearch.images.remote.fetch_ahead import fetched
from facesearch.images.types import PARTIAL
from facesearch.images.walk.skipped import SkippedFiles
from facesearch.video.pipeline import VideoReading
from facesearch.video.reader import MISSING, can_read_videos
from facesearch.video.types import MICROSECONDS
from facesearch.video_files import VideoMode
from indexer.runtime.cores import available_cores

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


DEFAULT_OPTIONS = EmbedOptions()


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
    ``videos_by_keyframes`` were read by key frames alone by an earlier job, and are not read again
    by this one, which follows people.
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
    videos_by_keyframes: int = 0

    @property
    def done(self) -> int:
        """Photos this job has dealt with."""
        return self.embedded + self.known + self.checked + self.failed

    def add(self, part: EmbedReport) -> None:
        """Count what another process did with some of the photos."""
        self.checked += part.checked
        self.embedded += part.embedded
        self.known += part.known
        self.failed += part.failed
        self.faces += part.faces
        self.shards += part.shards
        self.failures += part.failures
        self.partial += part.partial
        self.videos += part.videos
        self.tracks += part.tracks
        self.video_seconds += part.video_seconds


class EmbedPlan:
    """What a job finds under ``roots``, absolute, and what of it needs work, by the photo log.

    ``found`` are all photos and videos, ``todo`` those to be read. Raises InputError where there is
    nothing to read, nor anything to note.
    """

    def __init__(self, state: GalleryState, roots: Sequence[Path], options: EmbedOptions) -> None:
        self.state = state
        self._roots = roots
        self._skipped = SkippedFiles()
        self._standing_in: set[bytes] = set()  # locations of second files that are read
        self._absent = [root for root in roots if self._vanished(root)]
        if len(self._absent) == len(roots) and not missing(state, roots):
            check_roots(roots)  # raises: there is nothing to read, nor anything to note
        there = [root for root in roots if root not in self._absent]
        self.found = self._with_stand_ins(list(find_photos(there, self._skipped, videos=True)))
        rows = state.photos.rows(photo.location_bytes for photo in self.found)
        work = need_work(
            state, self.found, rows, retry_failed=options.retry_failed, verify=options.verify
        )
        self._videos_skipped, self._skipped_because = 0, ""
        self._by_keyframes = (
            state.read_by_keyframes(rows[~work]) if options.video == "tracks" else 0
        )
        self.todo = self._without_skipped(
            [self.found[each] for each in np.flatnonzero(work).tolist()], options
        )

    def report(self) -> EmbedReport:
        """The report of a job that has read nothing yet."""
        return EmbedReport(
            found=self.found_count,
            unchanged=self.found_count - len(self.todo),
            absent=self._absent,
            skipped=self._skipped,
            videos_skipped=self._videos_skipped,
            skipped_because=self._skipped_because,
            videos_by_keyframes=self._by_keyframes,
        )

    @property
    def found_count(self) -> int:
        """How many photos and videos were found, but for videos that this job does not read."""
        return len(self.found) - self._videos_skipped

    def tasks(self, todo: Sequence[FoundPhoto]) -> Iterator[DecodeTask]:
        """What is to be decoded of ``todo``: all, each unless its content is known."""
        by_size = self.state.contents.of_sizes({photo.size for photo in todo})
        for photo in todo:
            yield DecodeTask(photo, frozenset(by_size.get(photo.size, ())))

    def stand_ins(self, failures: Iterable[Failure]) -> list[FoundPhoto]:
        """The second files of pictures whose first failed, unless they were read; now ``found``."""
        failed = {failure.photo for failure in failures}
        second = self._second_files(
            photo
            for photo in self.todo
            if photo.second
            and photo.location in failed
            and photo.second[0].location_bytes not in self._standing_in
        )
        self.found += second
        return second

    def gone(
        self, report: EmbedReport, contents: Callable[[Sequence[FoundPhoto]], Sequence[str]]
    ) -> list[PhotoRecord]:
        """The records of photos that are no longer there, by location, as ``report`` says too.

        ``contents`` gives the SHA-256 of photos, "" where not known.
        """
        rows = self.state.photos.rows(photo.location_bytes for photo in self.found)
        # Beneath a folder that could not be read nothing is known, so nothing is gone.
        refused = [photo.location for photo in self.found if photo.error]
        report.renamed = renamed_roots(
            self.state, self._roots, self.found, lambda: contents(self.found)
        )
        asked = [*self._roots, *report.renamed]
        gone = missing(self.state, asked, refused, rows[rows >= 0])
        report.gone = len(gone)
        if gone and not self.found:
            logger.warning(
                "found no photo at all, so the %d known there are now marked gone; if a drive was "
                "not mounted, mount it and index again: their faces and names come back",
                len(gone),
            )
        return gone

    def _vanished(self, root: Path) -> bool:
        """Whether a root that the gallery had photos of is not there."""
        return not root_exists(root) and knows(self.state, root)

    def _without_skipped(self, todo: list[FoundPhoto], options: EmbedOptions) -> list[FoundPhoto]:
        """``todo`` without videos that are not read in this job, which are counted as skipped."""
        if options.video == "off":
            reason = "left out as asked for"
        elif not can_read_videos():
            reason = MISSING
        else:
            return todo
        photos = [photo for photo in todo if not photo.video]
        self._videos_skipped = len(todo) - len(photos)
        self._skipped_because = reason if self._videos_skipped else ""
        self._skipped.counts["video"] += self._videos_skipped
        return photos

    def _with_stand_ins(self, found: Sequence[FoundPhoto]) -> list[FoundPhoto]:
        """``found``, and the second files of pictures whose first could not be read earlier."""
        failed = (
            photo
            for photo in found
            if photo.second
            and (before := self.state.photos.get(photo.location_bytes)) is not None
            and before.status == "failed"
        )
        return [*found, *self._second_files(failed)]

    def _second_files(self, failed: Iterable[FoundPhoto]) -> list[FoundPhoto]:
        """The second files of pictures whose first cannot be read, which are files to read now."""
        second = [other for photo in failed for other in photo.second]
        self._skipped.counts["second-file"] -= len(second)
        self._standing_in.update(other.location_bytes for other in second)
        return second


class RowMaker:
    """What becomes of one photo after another, counted in ``report``.

    ``contents`` are the SHA-256s known before, ``before`` the newest records by location, and
    ``forgotten`` the faces that indexing must not bring back. ``known`` gathers the SHA-256 by
    location of photos whose content was known.
    """

    def __init__(
        self,
        report: EmbedReport,
        contents: Container[str],
        before: Mapping[bytes, PhotoRecord],
        forgotten: Tombstones,
    ) -> None:
        self._report = report
        self._contents = contents
        self._before = before
        self._forgotten = forgotten
        self._added: set[str] = set()
        self.known: dict[bytes, str] = {}

    def row(self, outcome: DecodeOutcome, faces: PhotoFaces | None) -> FilledRow | None:
        """The row of a photo and its faces; None where that adds nothing to the log."""
        if outcome.reason:
            return self._failure(outcome)
        if self.is_known(outcome.sha256):
            return self._of_known(outcome)
        self._added.add(outcome.sha256)
        faces = faces and self._remembered(outcome, faces)
        self._report.embedded += 1
        self._report.faces += len(faces) if faces else 0
        if outcome.photo and outcome.photo.partial:
            location = outcome.found.location
            self._report.partial.append(Failure(location, PARTIAL, outcome.photo.partial))
        return FilledRow(PhotoRow.of(outcome, "ok"), faces)

    def video_row(self, read: VideoOutcome) -> FilledRow | None:
        """The row of a video and its tracks; None where that adds nothing to the log."""
        if read.faces is None:
            return self.row(read.outcome, None)
        faces, end, report = read.faces, read.faces.end, self._report
        self._added.add(read.outcome.sha256)
        report.embedded += 1
        report.videos += 1
        report.faces += len(faces.tracks)
        report.tracks += len(faces.tracks)
        report.video_seconds += end.time_us / MICROSECONDS
        missing_part = f"{end.reason}: {end.detail}" if end.reason else ""
        if missing_part:
            report.partial.append(Failure(read.outcome.found.location, PARTIAL, missing_part))
        row = PhotoRow.of_video(read.outcome, faces.info, missing_part, faces.mode)
        return FilledRow.of_video(row, faces.tracks, faces.frames)

    def is_known(self, sha256: str) -> bool:
        """Whether a content was known before, or has been added meanwhile."""
        return sha256 in self._contents or sha256 in self._added

    def _of_known(self, outcome: DecodeOutcome) -> FilledRow | None:
        self.known[outcome.found.location_bytes] = outcome.sha256
        row = PhotoRow.of(outcome, "known")
        before = self._before.get(row.record.location_bytes)
        if before is None or not is_checked(row.record, before, self._contents):
            self._report.known += 1
            return FilledRow(row)
        self._report.checked += 1
        if is_same_file(outcome.found, before):
            return None
        record = replace(row.record, reason=before.reason, detail=before.detail)
        return FilledRow(replace(row, record=record))

    def _remembered(self, outcome: DecodeOutcome, faces: PhotoFaces) -> PhotoFaces:
        """``faces`` without those that were to be forgotten, which indexing must not bring back."""
        scale = outcome.photo.scale if outcome.photo else 1.0
        boxes = faces.detections.scaled(1 / scale).boxes
        again = iou(boxes, self._forgotten.boxes_of(outcome.sha256)) >= SAME_FACE_IOU
        return faces.only(np.logical_not(again.any(axis=1)))

    def _failure(self, outcome: DecodeOutcome) -> FilledRow | None:
        self._report.failed += 1
        location = outcome.found.location
        self._report.failures.append(Failure(location, outcome.reason, outcome.detail))
        logger.info("%s: %s: %s", location, outcome.reason, outcome.detail)
        row = PhotoRow.of(outcome, "failed")
        before = self._before.get(row.record.location_bytes)
        # A retry that failed as before adds nothing to the log.
        if before is not None and replace(before, photo_id=-1) == row.record:
            return None
        return FilledRow(row)


def is_checked(record: PhotoRecord, before: PhotoRecord, contents: Container[str]) -> bool:
    """Whether a photo has the content that it had ``before``, whose faces are here."""
    held = before.has_content and before.sha256 in contents
    return held and before.sha256 == record.sha256


def video_reading(options: EmbedOptions) -> VideoReading:
    """How videos are read with ``options`` of a job."""
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
    """Outcomes in the order of ``tasks``, with the faces of the decoded; objects are fetched."""
    return process_photos(
        fetched(tasks),
        engine.faces,
        decoders=options.decoders,
        threads=options.threads,
        max_side=DECODE_SIDE,
        timeout=options.decode_timeout,
    )
