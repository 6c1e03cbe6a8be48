"""The shard being filled: rows in memory until they are sealed in one file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.engine import PhotoFaces
from facesearch.gallery import Gallery
from facesearch.images import DecodeOutcome
from facesearch.records import PhotoRecord, face_table, photo_table
from indexer.shards import ShardContent, shard_path, write_shard


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
            path=os.fsencode(found.path),
            size=found.size,
            mtime_ns=found.mtime_ns,
            sha256=outcome.sha256,
            width=photo.width if photo else 0,
            height=photo.height if photo else 0,
            taken_at=photo.taken_at if photo else "",
            status=status,
            reason=outcome.reason,
            detail=outcome.detail,
        )
        return PhotoRow(record, photo.scale if photo else 1.0)

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


class OpenShard:
    """Collects rows and seals a shard after every ``capacity`` photos."""

    def __init__(self, gallery: Gallery, capacity: int, sealed: Callable[[Path], None]) -> None:
        self._gallery = gallery
        self._capacity = capacity
        self._sealed = sealed
        self._number = gallery.next_shard_number()
        self._clear()

    def _clear(self) -> None:
        self._photos: list[PhotoRecord] = []
        self._faces: list[PhotoFaces] = []
        self._owners: list[int] = []
        self._scales: list[float] = []

    def add(self, row: PhotoRow, faces: PhotoFaces | None = None) -> None:
        """Add a photo and its faces; seals the shard when it is full."""
        if faces is not None and len(faces):
            self._faces.append(faces)
            self._owners += [len(self._photos)] * len(faces)
            self._scales += [row.scale] * len(faces)
        self._photos.append(row.record)
        if len(self._photos) >= self._capacity:
            self.seal()

    def seal(self) -> None:
        """Write what was collected as one immutable shard; nothing happens when that is nothing."""
        if not self._photos:
            return
        path = shard_path(self._gallery.shards_folder, self._number)
        content = ShardContent(
            number=self._number,
            vectors=self._vectors(),
            tables={"photos": photo_table(self._photos), "faces": self._face_table()},
            attributes=asdict(self._gallery.contract),
        )
        write_shard(path, content, dtype=self._gallery.dtype)
        self._sealed(path)
        self._number += 1
        self._clear()

    def _vectors(self) -> NDArray[np.float32]:
        empty = np.zeros((0, self._gallery.contract.dimension), np.float32)
        return np.concatenate([empty, *(faces.embeddings.vectors for faces in self._faces)])

    def _face_table(self) -> dict[str, NDArray[np.generic]]:
        scales = np.array(self._scales, np.float32)
        found = [faces.detections for faces in self._faces]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(each.boxes for each in found)])
        points = np.concatenate(
            [np.zeros((0, 5, 2), np.float32), *(each.landmarks for each in found)]
        )
        no_numbers = np.zeros(0, np.float32)
        return face_table(
            photo=np.array(self._owners, np.int32),
            boxes=np.divide(boxes, scales[:, None], dtype=np.float32),
            landmarks=np.divide(points, scales[:, None, None], dtype=np.float32),
            scores=np.concatenate([no_numbers, *(each.scores for each in found)]),
            norms=np.concatenate([no_numbers, *(each.embeddings.norms for each in self._faces)]),
        )
