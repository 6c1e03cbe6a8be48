"""Rows of the tables of photos and faces, as records."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import ChangedGalleryError
from facesearch.gallery.schema import (
    QUALITIES,
    TIMES,
    face_problems,
    kind_problems,
    quality_problems,
    require_none,
    status_codes,
    text_problems,
    time_problems,
)
from facesearch.quality import Qualities
from facesearch.video.types import TimeSpan
from indexer.storage.shards import Shard
from indexer.types import Vectors, make_ids


@dataclass(frozen=True)
class PhotoRecord:
    """One row of a photo table. ``photo_id`` is ``shard_number << 32 | row``.

    ``width`` and ``height`` are pixels of the upright photo (0 unless "ok"); ``sha256`` is hex, or
    "" where the file could not be read; ``taken_at`` is ISO 8601 or "". ``ctime_ns`` and ``inode``
    are those of :class:`facesearch.images.types.FoundPhoto`.
    """

    photo_id: int
    root: bytes
    path: bytes
    size: int
    mtime_ns: int
    sha256: str
    width: int
    height: int
    taken_at: str
    status: str
    reason: str
    detail: str
    ctime_ns: int = 0
    inode: int = 0

    @property
    def location(self) -> Path:
        return Path(os.fsdecode(self.root), os.fsdecode(self.path))

    @property
    def location_bytes(self) -> bytes:
        return os.fsencode(self.location)

    @property
    def has_content(self) -> bool:
        """Whether the row speaks of a photo that was read, here or in an "ok" row elsewhere."""
        return self.status in ("ok", "known")

    @property
    def name(self) -> str:
        """The relative path, printable: bytes that are not UTF-8 shown as \\x escapes."""
        return self.path.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class FaceRecord:
    """One live face: ``box`` is x0, y0, x1, y1 in pixels of the upright photo at full size.

    ``photo`` is the record of a location that has the photo now; ``size`` is the upright photo's
    width and height. ``quality`` is in [0, 1], or NaN where it was not measured. ``span`` says when
    a track is seen in the video that ``photo`` is then, and where its ``box`` is; None in photos.
    """

    face_id: int
    photo: PhotoRecord
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    score: float
    taken_at: str
    quality: float
    span: TimeSpan | None = None

    @property
    def place(self) -> str:
        """The photo's name, or the video's with the time at which the track is seen."""
        return self.photo.name if self.span is None else f"{self.photo.name} {self.span.text}"


@dataclass(frozen=True)
class FacesWithVectors:
    """Records of n faces, and their vectors float32 (n, d)."""

    records: tuple[FaceRecord, ...]
    vectors: Vectors


def photo_table(rows: Sequence[PhotoRecord]) -> dict[str, NDArray[Any]]:
    """The columns of a shard's photo table."""
    return {
        "root": _strings(row.root for row in rows),
        "path": _strings(row.path for row in rows),
        "size": np.array([row.size for row in rows], np.int64),
        "mtime_ns": np.array([row.mtime_ns for row in rows], np.int64),
        "sha256": _strings(row.sha256.encode() for row in rows),
        "width": np.array([row.width for row in rows], np.int32),
        "height": np.array([row.height for row in rows], np.int32),
        "taken_at": _strings(row.taken_at.encode() for row in rows),
        "status": _strings(row.status.encode() for row in rows),
        "reason": _strings(row.reason.encode() for row in rows),
        "detail": _strings(row.detail.encode("utf-8", "backslashreplace") for row in rows),
        "ctime_ns": np.array([row.ctime_ns for row in rows], np.int64),
        "inode": np.array([row.inode for row in rows], np.int64),
    }


def face_table(
    *,
    photo: NDArray[np.int32],
    boxes: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    scores: NDArray[np.float32],
    norms: NDArray[np.float32],
    qualities: Sequence[Qualities],
) -> dict[str, NDArray[Any]]:
    """The columns of a shard's face table; ``photo`` is the row of the shard's photo table.

    ``qualities`` are those of the same faces, in pieces.
    """
    none = np.zeros(0, np.float32)
    return {
        "photo": photo,
        "box": boxes,
        "landmarks": landmarks,
        "score": scores,
        "norm": norms,
        **{
            name: np.concatenate([none, *(getattr(each, name) for each in qualities)])
            for name in QUALITIES
        },
    }


def face_qualities(shard: Shard, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Quality float32 of some faces of a shard, in [0, 1]; NaN where it was not measured.

    Raises GalleryError for other values, ShardError where they cannot be read.
    """
    if "quality" not in shard.column_kinds("faces"):
        return np.full(len(rows), np.nan, np.float32)
    require_none(kind_problems(shard) + quality_problems(shard))
    return np.asarray(shard.column("faces", "quality")[rows], np.float32)


def face_times(shard: Shard, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Start, end and still of some faces of a shard, in microseconds, int64 (n, 3); -1 in photos.

    Raises GalleryError for other values, ShardError where they cannot be read.
    """
    if "start_us" not in shard.column_kinds("faces"):
        return np.full((len(rows), len(TIMES)), -1, np.int64)
    require_none(kind_problems(shard) + time_problems(shard))
    return np.stack([shard.column("faces", name)[rows] for name in TIMES], axis=1)


def face_records(
    shard: Shard, rows: NDArray[np.int64], shown: Mapping[int, PhotoRecord]
) -> Iterator[FaceRecord]:
    """Records of some live faces of a shard; ``shown`` maps photo ids to the location to show.

    Raises GalleryError where what it reads does not follow :data:`SCHEMA`, ShardError where it
    cannot be read.
    """
    require_none(kind_problems(shard))
    width, height = (shard.column("photos", name) for name in ("width", "height"))
    taken_at, status = (shard.strings("photos", name) for name in ("taken_at", "status"))
    require_none(
        face_problems(shard, status_codes(status)) + text_problems(shard, "taken_at", taken_at)
    )
    photo_rows = face_photos(shard, rows)
    photo_ids = make_ids(shard.number, photo_rows).tolist()
    photos = {photo_id: shown[photo_id] for photo_id in set(photo_ids)}
    face_ids = make_ids(shard.number, rows).tolist()
    boxes = list(map(tuple, shard.column("faces", "box")[rows].tolist()))
    scores = shard.column("faces", "score")[rows].tolist()
    qualities = face_qualities(shard, rows).tolist()
    times = face_times(shard, rows).tolist()
    for i, photo in enumerate(photo_rows.tolist()):
        yield FaceRecord(
            face_id=face_ids[i],
            photo=photos[photo_ids[i]],
            size=(int(width[photo]), int(height[photo])),
            box=boxes[i],
            score=scores[i],
            taken_at=taken_at[photo].decode(),
            quality=qualities[i],
            span=None if times[i][0] < 0 else TimeSpan(*times[i]),
        )


def face_photos(shard: Shard, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of the photo of some faces of a shard, int64 (n,).

    Raises ChangedGalleryError where one of these faces was forgotten.
    """
    photos: NDArray[np.int64] = shard.column("faces", "photo")[rows].astype(np.int64)
    forgotten = int((photos < 0).sum())
    if forgotten:
        raise ChangedGalleryError(
            f"{forgotten} faces of {shard.path} were forgotten meanwhile; ask again"
        )
    return photos


def _strings(values: Iterable[bytes]) -> NDArray[np.object_]:
    items = list(values)
    array = np.empty(len(items), object)
    array[:] = items
    return array
