"""What a gallery's shards say of photos and faces, row by row: the schema of their two tables.

``docs/format.md`` states the schema in prose. Nothing is read from a shard that does not follow it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import ChangedGalleryError, GalleryError
from facesearch.quality import Qualities
from indexer.shards import ColumnKind, Shard
from indexer.types import make_ids

# "ok": decoded here, faces in this shard. "known": the same content as an "ok" row elsewhere.
# "failed": see reason and detail. "gone": no longer where it was.
STATUSES = ("ok", "known", "failed", "gone")

# Each column of a row: "bytes", or the dtype and the shape that follows the row.
_PHOTOS: Mapping[str, ColumnKind] = {
    "root": ColumnKind("bytes", ()),
    "path": ColumnKind("bytes", ()),
    "size": ColumnKind("int64", ()),
    "mtime_ns": ColumnKind("int64", ()),
    "sha256": ColumnKind("bytes", ()),
    "width": ColumnKind("int32", ()),
    "height": ColumnKind("int32", ()),
    "taken_at": ColumnKind("bytes", ()),
    "status": ColumnKind("bytes", ()),
    "reason": ColumnKind("bytes", ()),
    "detail": ColumnKind("bytes", ()),
}
_FACES: Mapping[str, ColumnKind] = {
    "photo": ColumnKind("int32", ()),
    "box": ColumnKind("float32", (4,)),
    "landmarks": ColumnKind("float32", (5, 2)),
    "score": ColumnKind("float32", ()),
    "norm": ColumnKind("float32", ()),
}
SCHEMA: Mapping[str, Mapping[str, ColumnKind]] = {"photos": _PHOTOS, "faces": _FACES}
# Columns that shards need not have: those sealed before faces had a quality do not.
_QUALITIES: Mapping[str, ColumnKind] = {
    "quality": ColumnKind("float32", ()),
    "sharpness": ColumnKind("float32", ()),
    "noise": ColumnKind("float32", ()),
}
OPTIONAL: Mapping[str, Mapping[str, ColumnKind]] = {"photos": {}, "faces": _QUALITIES}

_TEXTS = ("taken_at", "reason", "detail")
_STATUSES = frozenset(status.encode() for status in STATUSES)
_WITH_CONTENT = (b"ok", b"known")
_SHA256 = re.compile(rb"[0-9a-f]{64}")


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
    width and height. ``quality`` is in [0, 1], or NaN where it was not measured.
    """

    face_id: int
    photo: PhotoRecord
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    score: float
    taken_at: str
    quality: float


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


def schema_problems(shard: Shard) -> list[str]:
    """Where a shard does not follow :data:`SCHEMA`, or its rows contradict each other.

    Columns of :data:`OPTIONAL` may be missing; tables and columns that neither names are no
    problem. Empty when all is well. Raises ShardError where a column cannot be read at all.
    """
    problems = _kind_problems(shard)
    if problems:
        return problems
    columns = {name: shard.column("photos", name) for name in ("status", "sha256", *_TEXTS)}
    return (
        _photo_problems(shard, columns)
        + _face_problems(shard, columns["status"])
        + _quality_problems(shard)
    )


def photo_records(shard: Shard) -> Iterator[PhotoRecord]:
    """The rows of a shard's photo table, in order.

    Raises GalleryError, before the first row, for a shard with any of :func:`schema_problems`,
    and ShardError for one that cannot be read.
    """
    _require_none(_kind_problems(shard))
    table = {name: shard.column("photos", name) for name in _PHOTOS}
    _require_none(_photo_problems(shard, table) + _face_problems(shard, table["status"]))
    ids = make_ids(shard.number, np.arange(len(table["size"])))
    for row, photo_id in enumerate(ids.tolist()):
        yield PhotoRecord(
            photo_id=photo_id,
            root=table["root"][row],
            path=table["path"][row],
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
            for name in _QUALITIES
        },
    }


def face_qualities(shard: Shard, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Quality float32 of some faces of a shard, in [0, 1]; NaN where it was not measured.

    Raises GalleryError for other values, ShardError where they cannot be read.
    """
    if "quality" not in shard.column_kinds("faces"):
        return np.full(len(rows), np.nan, np.float32)
    _require_none(_kind_problems(shard) + _quality_problems(shard))
    return np.asarray(shard.column("faces", "quality")[rows], np.float32)


def face_records(
    shard: Shard, rows: NDArray[np.int64], shown: Mapping[int, PhotoRecord]
) -> Iterator[FaceRecord]:
    """Records of some live faces of a shard; ``shown`` maps photo ids to the location to show.

    Raises GalleryError where what it reads does not follow :data:`SCHEMA`, ShardError where it
    cannot be read.
    """
    _require_none(_kind_problems(shard))
    names = ("width", "height", "taken_at", "status")
    width, height, taken_at, status = (shard.column("photos", name) for name in names)
    _require_none(_face_problems(shard, status) + _text_problems(shard, "taken_at", taken_at))
    photo_rows = shard.column("faces", "photo")[rows].astype(np.int64)
    require_remembered(shard, photo_rows)
    photo_ids = make_ids(shard.number, photo_rows).tolist()
    face_ids = make_ids(shard.number, rows).tolist()
    boxes = list(map(tuple, shard.column("faces", "box")[rows].tolist()))
    scores = shard.column("faces", "score")[rows].tolist()
    qualities = face_qualities(shard, rows).tolist()
    for i, photo in enumerate(photo_rows.tolist()):
        yield FaceRecord(
            face_id=face_ids[i],
            photo=shown[photo_ids[i]],
            size=(int(width[photo]), int(height[photo])),
            box=boxes[i],
            score=scores[i],
            taken_at=taken_at[photo].decode(),
            quality=qualities[i],
        )


def require_remembered(shard: Shard, photo_rows: NDArray[np.int64]) -> None:
    """Raise ChangedGalleryError where faces in these rows of photos were forgotten meanwhile."""
    forgotten = int((photo_rows < 0).sum())
    if forgotten:
        raise ChangedGalleryError(
            f"{forgotten} faces of {shard.path} were forgotten meanwhile; ask again"
        )


def _require_none(problems: Sequence[str]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise GalleryError(
            f"{problems[0]}{more}; restore the shard from a backup, or move it out of the shards "
            "folder and index its photos again"
        )


def _kind_problems(shard: Shard) -> list[str]:
    """What :data:`SCHEMA` asks for and is not there; nothing is read."""
    return [
        f"{shard.path}: expected {key}, got {got}"
        for table, columns in SCHEMA.items()
        for key, got in _table_differences(shard, table, columns)
    ]


def _table_differences(
    shard: Shard, table: str, columns: Mapping[str, ColumnKind]
) -> Iterator[tuple[str, object]]:
    if table not in shard.table_names:
        yield f"a table {table}", f"only {shard.table_names}"
        return
    kinds = shard.column_kinds(table)
    optional = {name: kind for name, kind in OPTIONAL[table].items() if name in kinds}
    for name, expected in {**columns, **optional}.items():
        found = kinds.get(name)
        if found is None or (found.dtype, found.shape[1:]) != (expected.dtype, expected.shape):
            shape = ", ".join(map(str, ("rows", *expected.shape)))
            yield f"a column {table}/{name} of {expected.dtype} ({shape})", found or "none"
    rows = max((kind.shape[0] for kind in kinds.values()), default=0)
    if table == "faces" and rows != shard.count:
        yield f"a table faces of {shard.count} rows, one a vector", rows


def _photo_problems(shard: Shard, columns: Mapping[str, NDArray[Any]]) -> list[str]:
    status, sha256 = columns["status"], columns["sha256"]
    unknown = [each not in _STATUSES for each in status]
    no_digest = [
        not (_SHA256.fullmatch(digest) or (not digest and each not in _WITH_CONTENT))
        for each, digest in zip(status, sha256, strict=True)
    ]
    digest = "64 hexadecimal digits (or, unless ok or known, nothing)"
    return [
        *_row_problems(shard, "photos/status", " or ".join(STATUSES), status, unknown),
        *_row_problems(shard, "photos/sha256", digest, sha256, no_digest),
        *(problem for name in _TEXTS for problem in _text_problems(shard, name, columns[name])),
    ]


def _text_problems(shard: Shard, name: str, values: NDArray[Any]) -> list[str]:
    wrong = [not _is_utf8(value) for value in values]
    return _row_problems(shard, f"photos/{name}", "UTF-8", values, wrong)


def _face_problems(shard: Shard, status: NDArray[Any]) -> list[str]:
    photo = shard.column("faces", "photo")
    forgotten = photo < 0  # the complement of the row then
    outside = np.where(forgotten, ~photo, photo) >= len(status)
    decoded = np.flatnonzero([each == b"ok" for each in status])
    wrong = ~outside & ~forgotten & ~np.isin(photo, decoded)
    return [
        *_row_problems(shard, "faces/photo", f"one of {len(status)} rows", photo, outside.tolist()),
        *_row_problems(shard, "faces/photo", "a photo of status ok", photo, wrong.tolist()),
    ]


def _quality_problems(shard: Shard) -> list[str]:
    problems = []
    present = shard.column_kinds("faces")
    for name in (name for name in OPTIONAL["faces"] if name in present):
        values = shard.column("faces", name)
        most = 1.0 if name == "quality" else np.finfo(np.float32).max
        wrong = ~(np.isnan(values) | ((values >= 0) & (values <= most)))
        expected = "in [0, 1], or NaN" if name == "quality" else "finite and 0 or more, or NaN"
        problems += _row_problems(shard, f"faces/{name}", expected, values, wrong.tolist())
    return problems


def _row_problems(
    shard: Shard, key: str, expected: str, values: NDArray[Any], wrong: Sequence[bool]
) -> list[str]:
    """One line about the rows that are ``wrong``, or none."""
    rows = np.flatnonzero(wrong)
    if not len(rows):
        return []
    got = str(values[rows[0]])[:80]
    return [
        f"{shard.path}: expected {key} to be {expected}, got {got} in row {rows[0]} "
        f"({len(rows)} such rows)"
    ]


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _strings(values: Iterable[bytes]) -> NDArray[np.object_]:
    items = list(values)
    array = np.empty(len(items), object)
    array[:] = items
    return array
