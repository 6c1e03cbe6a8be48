"""What a gallery's shards say of photos and faces, row by row: the schema of their two tables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.shards import Shard
from indexer.types import make_ids

# "ok": decoded here, faces in this shard. "known": the same content as an "ok" row elsewhere.
# "failed": see reason and detail. "gone": no longer where it was.
STATUSES = ("ok", "known", "failed", "gone")
EMPTY_SHA256 = ""


@dataclass(frozen=True)
class PhotoRecord:
    """One row of a photo table. ``photo_id`` is ``shard_number << 32 | row``.

    ``width`` and ``height`` are pixels of the upright photo (0 unless "ok"); ``sha256`` is hex, or
    "" where the file could not be read; ``taken_at`` is ISO 8601 or "".
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

    @property
    def location_bytes(self) -> bytes:
        return os.fsencode(Path(os.fsdecode(self.root)) / os.fsdecode(self.path))

    @property
    def location(self) -> Path:
        return Path(os.fsdecode(self.location_bytes))

    @property
    def name(self) -> str:
        """The relative path, printable: bytes that are not UTF-8 shown as \\x escapes."""
        return self.path.decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class FaceRecord:
    """One live face: ``box`` is x0, y0, x1, y1 in pixels of the upright photo at full size.

    ``photo`` is the record of a location that has the photo now; ``size`` is the upright photo's
    width and height.
    """

    face_id: int
    photo: PhotoRecord
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    score: float
    taken_at: str


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
    }


def photo_records(shard: Shard) -> Iterator[PhotoRecord]:
    """The rows of a shard's photo table, in order."""
    table = shard.table("photos")
    ids = make_ids(shard.number, np.arange(len(table["size"])))
    for row, photo_id in enumerate(ids):
        yield PhotoRecord(
            photo_id=int(photo_id),
            root=bytes(table["root"][row]),
            path=bytes(table["path"][row]),
            size=int(table["size"][row]),
            mtime_ns=int(table["mtime_ns"][row]),
            sha256=table["sha256"][row].decode(),
            width=int(table["width"][row]),
            height=int(table["height"][row]),
            taken_at=table["taken_at"][row].decode(),
            status=table["status"][row].decode(),
            reason=table["reason"][row].decode(),
            detail=table["detail"][row].decode(),
        )


def face_table(
    photo: NDArray[np.int32],
    boxes: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    scores: NDArray[np.float32],
    norms: NDArray[np.float32],
) -> dict[str, NDArray[Any]]:
    """The columns of a shard's face table; ``photo`` is the row of the shard's photo table."""
    return {"photo": photo, "box": boxes, "landmarks": landmarks, "score": scores, "norm": norms}


def face_records(
    shard: Shard, rows: NDArray[np.int64], shown: Mapping[int, PhotoRecord]
) -> Iterator[FaceRecord]:
    """Records of some faces of a shard; ``shown`` maps photo ids to the location to show."""
    faces = shard.table("faces")
    photos = shard.table("photos")
    ids = make_ids(shard.number, rows)
    for row, face_id in zip(rows, ids, strict=True):
        photo_row = int(faces["photo"][row])
        x0, y0, x1, y1 = (float(value) for value in faces["box"][row])
        yield FaceRecord(
            face_id=int(face_id),
            photo=shown[int(make_ids(shard.number, np.array([photo_row]))[0])],
            size=(int(photos["width"][photo_row]), int(photos["height"][photo_row])),
            box=(x0, y0, x1, y1),
            score=float(faces["score"][row]),
            taken_at=photos["taken_at"][photo_row].decode(),
        )


def _strings(values: Iterator[bytes] | Any) -> NDArray[np.object_]:
    items = list(values)
    array = np.empty(len(items), object)
    array[:] = items
    return array
