"""The stages of the batch job: which photos need work, and the rows that come of them.

Shared by the job of one process (:mod:`facesearch.embed`) and that of many
(:mod:`facesearch.distributed.indexing`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.gallery.gallery import GalleryState
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.shard_builder import PhotoRow
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import DecodeOutcome, DecodeTask, find_photos, process_photos
from facesearch.images.discover import root_exists
from facesearch.images.remote.fetch_ahead import fetched
from indexer.runtime.cores import available_cores
from indexer.types import Ids

logger = logging.getLogger(__name__)

# Refusals of the file system may pass; damage inside a file stays until the file changes.
RETRIED_REASONS = ("unreadable", "timeout", "internal")

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class EmbedOptions:
    """How the job runs; none of it changes what is stored, but ``shard_photos``.

    ``decoders`` worker processes decode (0: in this process); ``threads`` detect and encode.
    """

    decoders: int = 1
    threads: int = 2
    shard_photos: int = 512
    retry_failed: bool = False
    decode_timeout: float = 60.0

    @classmethod
    def for_cores(cls, threads: int | None = None, decoders: int | None = None) -> EmbedOptions:
        """For ``threads`` threads, by default as many as cores, and half as many decoders."""
        threads = available_cores() if threads is None else threads
        return cls(max(1, threads // 2) if decoders is None else decoders, threads)


DEFAULT_OPTIONS = EmbedOptions()


@dataclass(frozen=True)
class Failure:
    """A photo this job could not use."""

    photo: Path
    reason: str
    detail: str


@dataclass
class EmbedReport:
    """What a job did, in photos, and faces found; ``shards`` are those it sealed."""

    found: int = 0
    unchanged: int = 0
    embedded: int = 0
    known: int = 0
    failed: int = 0
    gone: int = 0
    faces: int = 0
    shards: list[Path] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Photos this job has dealt with."""
        return self.embedded + self.known + self.failed

    def add(self, part: EmbedReport) -> None:
        """Count what another process did as part of this job."""
        self.embedded += part.embedded
        self.known += part.known
        self.failed += part.failed
        self.faces += part.faces
        self.shards += part.shards
        self.failures += part.failures


class EmbedPlan:
    """What a job finds under ``roots``, absolute, and what of it needs work, by the photo log."""

    def __init__(self, state: GalleryState, roots: Sequence[Path], *, retry_failed: bool) -> None:
        self._state = state
        self._roots = roots
        self.found = list(find_photos([root for root in roots if not self._vanished(root)]))
        self._rows = state.photos.rows(photo.location_bytes for photo in self.found)
        need = np.flatnonzero(self._need_work(retry_failed)).tolist()
        self.todo = [self.found[each] for each in need]

    def report(self) -> EmbedReport:
        """The report of a job that has done nothing yet."""
        return EmbedReport(found=len(self.found), unchanged=len(self.found) - len(self.todo))

    def tasks(self) -> Iterator[DecodeTask]:
        """What is to be decoded: all ``todo``, each unless its content is known."""
        by_size = self._state.contents.of_sizes({photo.size for photo in self.todo})
        for photo in self.todo:
            yield DecodeTask(photo, frozenset(by_size.get(photo.size, ())))

    def gone(self) -> list[PhotoRecord]:
        """The records of photos that are no longer there, by location."""
        # Beneath a folder that could not be read nothing is known, so nothing is gone.
        refused = [photo.location for photo in self.found if photo.error]
        gone = self._missing(self._roots, refused, self._rows[self._rows >= 0])
        if gone and not self.found:
            logger.warning(
                "found no photo at all, so the %d known there are now marked gone; if a drive was "
                "not mounted, mount it and index again: their faces and names come back",
                len(gone),
            )
        return gone

    def _vanished(self, root: Path) -> bool:
        """Whether a root that the gallery has photos of is no longer there."""
        return not root_exists(root) and bool(self._missing([root]))

    def _missing(
        self, folders: Sequence[Path], refused: Sequence[Path] = (), seen: Ids = _NONE
    ) -> list[PhotoRecord]:
        """The records, by location, of all in ``folders`` that were not gone.

        But for those in ``refused``, and those in rows ``seen`` of the log.
        """
        log = self._state.log
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

    def _need_work(self, retry_failed: bool) -> NDArray[np.bool_]:
        """Which of ``found`` are to be read, (n,)."""
        log, photos = self._state.log, self._state.log.photos
        failed = photos.having("failed")
        again = log.holder < 0  # of which nothing is known
        if not retry_failed:
            again[failed] = False
            for reason in RETRIED_REASONS:
                again |= failed & photos.reason.equal(reason.encode())
        sizes = np.array([photo.size for photo in self.found], np.int64)
        times = np.array([photo.mtime_ns for photo in self.found], np.int64)
        need = self._rows < 0
        known = np.flatnonzero(~need)
        rows = self._rows[known]
        changed = (photos.size[rows] != sizes[known]) | (photos.mtime_ns[rows] != times[known])
        need[known] = again[rows] | changed
        return need


class RowMaker:
    """What becomes of one photo after another, counted in ``report``.

    ``contents`` are the SHA-256s known before, ``before`` the newest records by location, and
    ``forgotten`` the faces that indexing must not bring back.
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

    def row(
        self, outcome: DecodeOutcome, faces: PhotoFaces | None
    ) -> tuple[PhotoRow, PhotoFaces | None] | None:
        """The row of a photo and its faces; None where that adds nothing to the log."""
        if outcome.reason:
            return self._failure(outcome)
        if outcome.sha256 in self._contents or outcome.sha256 in self._added:
            self._report.known += 1
            return PhotoRow.of(outcome, "known"), None
        self._added.add(outcome.sha256)
        faces = faces and self._remembered(outcome, faces)
        self._report.embedded += 1
        self._report.faces += len(faces) if faces else 0
        return PhotoRow.of(outcome, "ok"), faces

    def _remembered(self, outcome: DecodeOutcome, faces: PhotoFaces) -> PhotoFaces:
        """``faces`` without those that were to be forgotten, which indexing must not bring back."""
        scale = outcome.photo.scale if outcome.photo else 1.0
        boxes = faces.detections.scaled(1 / scale).boxes
        again = iou(boxes, self._forgotten.boxes_of(outcome.sha256)) >= SAME_FACE_IOU
        return faces.only(np.logical_not(again.any(axis=1)))

    def _failure(self, outcome: DecodeOutcome) -> tuple[PhotoRow, None] | None:
        self._report.failed += 1
        location = outcome.found.location
        self._report.failures.append(Failure(location, outcome.reason, outcome.detail))
        logger.info("%s: %s: %s", location, outcome.reason, outcome.detail)
        row = PhotoRow.of(outcome, "failed")
        before = self._before.get(row.record.location_bytes)
        # A retry that failed as before adds nothing to the log.
        if before is not None and replace(before, photo_id=-1) == row.record:
            return None
        return row, None


def _prefixes(folders: Iterable[Path]) -> tuple[bytes, ...]:
    """What the location of each of ``folders``, and of all beneath it, begins with, and a slash."""
    return tuple(os.path.join(os.fsencode(folder), b"") for folder in folders)  # noqa: PTH118


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
