"""The shard being filled: rows in memory until they are sealed in one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.engine import PhotoFaces
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord, face_table, photo_table
from facesearch.gallery.schema import TIMES
from facesearch.images import DecodeOutcome
from facesearch.images.types import KEYFRAMES, PARTIAL
from facesearch.video.rows import frames_table, track_faces, track_times
from facesearch.video.track import VideoTrack
from facesearch.video.types import VideoInfo
from facesearch.video_files import VideoMode
from indexer.storage.shards import ShardContent, shard_path, write_shard


@dataclass(frozen=True)
class PhotoRow:
    """A photo's record before it has an id, and the scale its pixels were decoded at."""

    record: PhotoRecord
    scale: float = 1.0

    @staticmethod
    def of(outcome: DecodeOutcome, status: str) -> PhotoRow:
        """The row for what became of a photo."""
        found, photo = outcome.found, outcome.photo
        record = PhotoRecord(
            photo_id=-1,
            root=os.fsencode(found.root),
            path=os.fsencode(found.name),
            size=found.size,
            mtime_ns=found.mtime_ns,
            sha256=outcome.sha256,
            width=photo.width if photo else 0,
            height=photo.height if photo else 0,
            taken_at=photo.taken_at if photo else "",
            status=status,
            reason=PARTIAL if photo and photo.partial else outcome.reason,
            detail=photo.partial if photo and photo.partial else outcome.detail,
            ctime_ns=found.ctime_ns,
            inode=found.inode,
        )
        return PhotoRow(record, photo.scale if photo else 1.0)

    @staticmethod
    def of_video(
        outcome: DecodeOutcome, info: VideoInfo, missing: str, mode: VideoMode
    ) -> PhotoRow:
        """The row of a video that was read; what is ``missing`` of it, "" for nothing."""
        whole = KEYFRAMES if mode == "keyframes" else ""
        record = replace(
            PhotoRow.of(outcome, "ok").record,
            width=info.width,
            height=info.height,
            taken_at=info.taken_at,
            reason=PARTIAL if missing else whole,
            detail=missing,
        )
        return PhotoRow(record)

    @staticmethod
    def gone(record: PhotoRecord) -> PhotoRow:
        """The row that says that a photo is no longer where it was."""
        return PhotoRow(
            PhotoRecord(
                photo_id=-1,
                root=record.root,
                path=record.path,
                size=0,
                mtime_ns=0,
                sha256="",
                width=0,
                height=0,
                taken_at="",
                status="gone",
                reason="",
                detail="",
            )
        )


@dataclass(frozen=True)
class FilledRow:
    """A photo and its faces, or a video and its tracks; ``weight`` is how many photos it counts."""

    photo: PhotoRow
    faces: PhotoFaces | None = None
    tracks: tuple[VideoTrack, ...] = ()
    weight: int = 1

    @staticmethod
    def of_video(row: PhotoRow, tracks: Sequence[VideoTrack], frames: int) -> FilledRow:
        """A video; it counts as many photos as ``frames`` of it were looked at."""
        return FilledRow(row, track_faces(tracks), tuple(tracks), max(1, frames))

    @property
    def face_count(self) -> int:
        return 0 if self.faces is None else len(self.faces)


class ShardBuilder:
    """Collects rows and seals a shard after every ``capacity`` photos."""

    def __init__(self, gallery: Gallery, capacity: int, sealed: Callable[[Path], None]) -> None:
        self._gallery = gallery
        self._capacity = capacity
        self._sealed = sealed
        self._number = gallery.next_shard_number()
        self._clear()

    def _clear(self) -> None:
        # One list, so that an interruption cannot leave a photo without its faces.
        self._rows: list[FilledRow] = []
        self._weight = 0

    def add(self, row: FilledRow) -> None:
        """Add a photo and its faces, or a video; seals the shard when it is full."""
        self._rows.append(row)
        self._weight += row.weight
        if self._weight >= self._capacity:
            self.seal()

    def seal(self) -> None:
        """Write what was collected as one immutable shard; nothing happens when that is nothing."""
        rows = self._rows
        if not rows:
            return
        self._clear()
        path = shard_path(self._gallery.shards_folder, self._number)
        content = shard_content(self._gallery, self._number, rows)
        write_shard(path, content, dtype=self._gallery.dtype)
        self._gallery.note_shard_numbers()
        self._number += 1
        self._sealed(path)


def shard_content(gallery: Gallery, number: int, rows: Sequence[FilledRow]) -> ShardContent:
    """The shard ``number`` of a gallery that holds ``rows``."""
    with_faces = [
        (place, row.photo.scale, row.faces)
        for place, row in enumerate(rows)
        if row.faces is not None and len(row.faces)
    ]
    none = np.zeros((0, gallery.contract.dimension), np.float32)
    return ShardContent(
        number=number,
        vectors=np.concatenate([none, *(each.embeddings.vectors for _, _, each in with_faces)]),
        tables={
            "photos": photo_table([row.photo.record for row in rows]),
            "faces": {**_face_table(with_faces), **_time_columns(rows)},
            **_frame_tables(rows),
        },
        attributes=asdict(gallery.contract),
    )


def _time_columns(rows: Sequence[FilledRow]) -> dict[str, NDArray[np.int64]]:
    """When tracks are seen, of every face; nothing where there are only photos."""
    if not any(each.tracks for each in rows):
        return {}
    parts = [
        track_times(each.tracks) if each.tracks else np.full((each.face_count, len(TIMES)), -1)
        for each in rows
    ]
    times = np.concatenate(parts).astype(np.int64)
    return {name: times[:, column] for column, name in enumerate(TIMES)}


def _frame_tables(rows: Sequence[FilledRow]) -> dict[str, dict[str, NDArray[Any]]]:
    """The frames that tracks are made of; nothing where there are only photos."""
    if not any(each.tracks for each in rows):
        return {}
    starts = np.cumsum([0, *(each.face_count for each in rows)]).tolist()
    parts = [(start, each.tracks) for start, each in zip(starts, rows, strict=False) if each.tracks]
    return {"frames": frames_table(parts)}


def _face_table(
    with_faces: Sequence[tuple[int, float, PhotoFaces]],
) -> dict[str, NDArray[Any]]:
    """The face columns: photo rows, and boxes and landmarks in pixels of the full-size photo."""
    found = [faces.detections.scaled(1 / scale) for _, scale, faces in with_faces]
    no_numbers = np.zeros(0, np.float32)
    return face_table(
        photo=np.repeat(
            np.array([number for number, _, _ in with_faces], np.int32),
            np.array([len(each) for each in found], np.int64),
        ),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *(each.boxes for each in found)]),
        landmarks=np.concatenate(
            [np.zeros((0, 5, 2), np.float32), *(each.landmarks for each in found)]
        ),
        scores=np.concatenate([no_numbers, *(each.scores for each in found)]),
        norms=np.concatenate([no_numbers, *(each.embeddings.norms for _, _, each in with_faces)]),
        qualities=[each.qualities for _, _, each in with_faces],
    )
