"""What a worker does with a block of photos: embed them and seal the shard, once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from facesearch.distributed.indexing.blocks import PhotoBlock
from facesearch.embed_stages import (
    EmbedOptions,
    EmbedReport,
    Failure,
    RowMaker,
    is_checked,
    processed_photos,
    video_reading,
)
from facesearch.embed_videos import VideoReader
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine
from facesearch.errors import InputError, PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.records import PhotoRecord, face_times
from facesearch.gallery.shards.builder import FilledRow, PhotoRow, shard_content
from facesearch.gallery.shards.leases import ShardAttempt
from facesearch.gallery.tombstones import Tombstones
from facesearch.images import DecodeOutcome, DecodeTask
from facesearch.images.decode import DEFAULT_LIMITS
from facesearch.images.file_access import photo_stream, sha256_of, sha256_of_stream
from facesearch.images.types import PARTIAL
from facesearch.video.reader import MISSING, can_read_videos
from indexer.storage.shards import Shard, write_shard


class EngineMaker(Protocol):
    """Makes the engine where it is used, as :class:`facesearch.engine_options.EngineOptions`."""

    def create(self, contract: EncoderContract | None = None, *, callers: int = 1) -> FaceEngine:
        """The engine, for vectors that can be compared with those of ``contract``."""
        ...


class BlockWriter:
    """Embeds blocks and seals shards of a gallery on a file system that its writer shares.

    Thread-safe. The engine is made at the first block, so that what is wrong with it is an error of
    that block's.
    """

    def __init__(self, folder: Path, engine: EngineMaker, options: EmbedOptions) -> None:
        self._folder = folder
        self._maker = engine
        self._options = options
        self._lock = threading.Lock()
        self._ready: tuple[Gallery, FaceEngine, Tombstones] | None = None

    def __reduce__(self) -> tuple[type[BlockWriter], tuple[Path, EngineMaker, EmbedOptions]]:
        """To another process it goes as it was made, without an engine."""
        return BlockWriter, (self._folder, self._maker, self._options)

    def write(self, block: PhotoBlock, attempt: ShardAttempt) -> EmbedReport:
        """Embed a block into the shard of ``attempt``; one that is sealed already stays as it is.

        Raises StorageError where the attempt was ended meanwhile: then nothing is sealed; and
        InputError for videos where this process cannot read any.
        """
        if attempt.path.exists():
            return sealed_report(block, attempt.path)
        if block.videos and not can_read_videos():
            raise InputError(
                f"on a worker, {MISSING}; install it on all machines, or leave videos out: "
                "--video off"
            )
        gallery, engine, forgotten = self._opened()
        report = EmbedReport()
        known = frozenset[str]().union(*(task.known for task in block.tasks))
        before = {record.location_bytes: record for record in block.before}
        maker = RowMaker(report, known, before, forgotten)
        done = processed_photos(engine, block.photos, self._options)
        rows = [maker.row(*pair) for pair in done]
        # No checkpoints: who was only thought dead would go on writing them, also after the faces
        # in them were forgotten. The next try reads a video from its start.
        videos = VideoReader(
            gallery,
            engine,
            video_reading(self._options),
            forgotten,
            maker.is_known,
            resumable=False,
        )
        rows += [
            maker.video_row(videos.read(task.found, lambda time_us, duration_us: None))
            for task in block.videos
        ]
        _seal(gallery, attempt, [row for row in rows if row is not None], report)
        return report

    def digests(self, tasks: Sequence[DecodeTask]) -> list[str]:
        """The SHA-256 of each photo, "" of one that cannot be read."""
        return [_digest(task) for task in tasks]

    def _opened(self) -> tuple[Gallery, FaceEngine, Tombstones]:
        with self._lock:
            if self._ready is None:
                gallery = Gallery.open(self._folder)
                engine = self._maker.create(gallery.contract, callers=self._options.threads)
                gallery.require(engine.contract)
                self._ready = gallery, engine, Tombstones.read(gallery.folder)
            return self._ready


def write_failure(
    gallery: Gallery, task: DecodeTask, attempt: ShardAttempt, detail: str
) -> EmbedReport:
    """Seal a shard that says of one photo that it could not be worked on."""
    outcome = DecodeOutcome(task.found, "", None, False, "internal", detail)
    failure = Failure(task.found.location, outcome.reason, detail)
    report = EmbedReport(failed=1, failures=[failure])
    _seal(gallery, attempt, [FilledRow(PhotoRow.of(outcome, "failed"))], report)
    return report


def sealed_report(block: PhotoBlock, path: Path) -> EmbedReport:
    """What was done with a block, as the shard tells that was sealed of it.

    It does not tell how long its videos are, so their seconds are not counted.
    """
    with Shard.open(path) as shard:
        table = PhotoTable.read(shard)
        faces = shard.count
        tracks = int((face_times(shard, np.arange(faces))[:, 0] >= 0).sum())
    records = [table.record(row) for row in range(len(table))]
    known = frozenset[str]().union(*(task.known for task in block.tasks))
    before = {record.location_bytes: record for record in block.before}
    videos = {task.found.location_bytes for task in block.videos}
    report = EmbedReport(faces=faces, tracks=tracks, shards=[path])
    for record in records:
        report.videos += record.status == "ok" and record.location_bytes in videos
        _count(report, record, before.pop(record.location_bytes, None), known)
    for task in block.tasks:  # those that are as they were have no row
        if (same := before.get(task.found.location_bytes)) is not None:
            _count(report, same, same, known)
    return report


def _count(
    report: EmbedReport, record: PhotoRecord, before: PhotoRecord | None, known: frozenset[str]
) -> None:
    """Count a photo by its row, and the row that it had ``before``."""
    failure = Failure(record.location, record.reason, record.detail)
    if record.status == "failed":
        report.failed += 1
        report.failures.append(failure)
    elif before is not None and is_checked(record, before, known):
        report.checked += 1
    elif record.status == "known":
        report.known += 1
    else:
        report.embedded += 1
        if record.reason == PARTIAL:
            report.partial.append(failure)


def _seal(
    gallery: Gallery, attempt: ShardAttempt, rows: Sequence[FilledRow], report: EmbedReport
) -> None:
    if rows:
        content = shard_content(gallery, attempt.number, rows)
        write_shard(attempt.path, content, gallery.dtype, through=attempt.folder)
        report.shards.append(attempt.path)


def _digest(task: DecodeTask) -> str:
    try:
        if task.found.video:  # of any size
            return sha256_of(task.found.location)
        with photo_stream(task.found.location, DEFAULT_LIMITS.file_bytes) as stream:
            return sha256_of_stream(stream)
    except PhotoError:
        return ""
