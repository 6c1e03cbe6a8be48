"""The schema of a gallery's shards: the columns of the tables of photos and faces.

``docs/format.md`` states the schema in prose. Nothing is read from a shard that does not follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import GalleryError
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.shards import ColumnKind, Shard

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
QUALITIES: Mapping[str, ColumnKind] = {
    "quality": ColumnKind("float32", ()),
    "sharpness": ColumnKind("float32", ()),
    "noise": ColumnKind("float32", ()),
}
# Those without a video lack these: when a track is seen, and its still; -1 of faces of photos.
TIMES: Mapping[str, ColumnKind] = {
    "start_us": ColumnKind("int64", ()),
    "end_us": ColumnKind("int64", ()),
    "still_us": ColumnKind("int64", ()),
}
# Those sealed before changes were noticed by them do not have these.
_STAMPS: Mapping[str, ColumnKind] = {
    "ctime_ns": ColumnKind("int64", ()),
    "inode": ColumnKind("int64", ()),
}
OPTIONAL: Mapping[str, Mapping[str, ColumnKind]] = {
    "photos": _STAMPS,
    "faces": {**QUALITIES, **TIMES},
}
# A table that shards with a video have: the faces that the vectors of tracks are made of.
FRAMES: Mapping[str, ColumnKind] = {
    "face": ColumnKind("int32", ()),
    "time_us": ColumnKind("int64", ()),
    "box": ColumnKind("float32", (4,)),
    "landmarks": ColumnKind("float32", (5, 2)),
    "score": ColumnKind("float32", ()),
}

TEXTS = ("taken_at", "reason", "detail")

_OK, _KNOWN = STATUSES.index("ok"), STATUSES.index("known")
_DIGITS = np.full(256, -1, np.int16)  # what a byte is worth as a hexadecimal digit
_DIGITS[list(b"0123456789abcdef")] = np.arange(16)


def status_codes(values: ByteStrings) -> NDArray[np.int8]:
    """The place of each status in :data:`STATUSES`, int8 (n,); -1 for any other word."""
    codes = np.full(len(values), -1, np.int8)
    for code, status in enumerate(STATUSES):
        codes[values.equal(status.encode())] = code
    return codes


def digests(values: ByteStrings) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """SHA-256s uint8 (n, 32) of hexadecimal digits, and which of ``values`` (n,) are such.

    Those of other values are zeros.
    """
    rows = np.flatnonzero(values.lengths == 64)
    digits = _DIGITS[values.data[values.offsets[rows, None] + np.arange(64)]]
    valid = np.zeros(len(values), bool)
    valid[rows] = (digits >= 0).all(axis=1)
    found = np.zeros((len(values), 32), np.uint8)
    found[rows] = digits[:, ::2] << 4 | digits[:, 1::2]
    found[~valid] = 0
    return found, valid


def with_content(status: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which rows speak of a photo that was read, here or in an "ok" row elsewhere."""
    return np.isin(status, (_OK, _KNOWN))


def schema_problems(shard: Shard) -> list[str]:
    """Where a shard does not follow :data:`SCHEMA`, or its rows contradict each other.

    Columns of :data:`OPTIONAL` may be missing; tables and columns that neither names are no
    problem. Empty when all is well. Raises ShardError where a column cannot be read at all.
    """
    problems = kind_problems(shard)
    if problems:
        return problems
    columns = {name: shard.strings("photos", name) for name in ("status", "sha256", *TEXTS)}
    status = status_codes(columns["status"])
    _, valid = digests(columns["sha256"])
    return (
        photo_problems(shard, columns, status, valid)
        + face_problems(shard, status)
        + quality_problems(shard)
        + time_problems(shard)
        + frame_problems(shard)
    )


def require_none(problems: Sequence[str]) -> None:
    """Raise GalleryError with the first of ``problems``, if there is any."""
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise GalleryError(
            f"{problems[0]}{more}; restore the shard from a backup, or move it out of the shards "
            "folder and index its photos again"
        )


def kind_problems(shard: Shard) -> list[str]:
    """What :data:`SCHEMA` asks for and is not there; nothing is read."""
    tables = {**SCHEMA, **({"frames": FRAMES} if "frames" in shard.table_names else {})}
    return [
        f"{shard.path}: expected {key}, got {got}"
        for table, columns in tables.items()
        for key, got in _table_differences(shard, table, columns)
    ]


def _table_differences(
    shard: Shard, table: str, columns: Mapping[str, ColumnKind]
) -> Iterator[tuple[str, object]]:
    if table not in shard.table_names:
        yield f"a table {table}", f"only {shard.table_names}"
        return
    kinds = shard.column_kinds(table)
    optional = {name: kind for name, kind in OPTIONAL.get(table, {}).items() if name in kinds}
    for name, expected in {**columns, **optional}.items():
        found = kinds.get(name)
        if found is None or (found.dtype, found.shape[1:]) != (expected.dtype, expected.shape):
            shape = ", ".join(map(str, ("rows", *expected.shape)))
            yield f"a column {table}/{name} of {expected.dtype} ({shape})", found or "none"
    rows = max((kind.shape[0] for kind in kinds.values()), default=0)
    if table == "faces" and rows != shard.count:
        yield f"a table faces of {shard.count} rows, one a vector", rows


def photo_problems(
    shard: Shard,
    columns: Mapping[str, ByteStrings],
    status: NDArray[np.int8],
    valid: NDArray[np.bool_],
) -> list[str]:
    """What is wrong in the columns status, sha256 and :data:`TEXTS` of the photo table.

    ``status`` are the codes of :func:`status_codes`; ``valid`` tells which rows :func:`digests`
    found to have a SHA-256.
    """
    none = (columns["sha256"].lengths == 0) & ~with_content(status)
    digest = "64 hexadecimal digits (or, unless ok or known, nothing)"
    return [
        *_row_problems(
            shard, "photos/status", " or ".join(STATUSES), columns["status"], status < 0
        ),
        *_row_problems(shard, "photos/sha256", digest, columns["sha256"], ~(valid | none)),
        *(problem for name in TEXTS for problem in text_problems(shard, name, columns[name])),
    ]


def text_problems(shard: Shard, name: str, values: ByteStrings) -> list[str]:
    """Which rows of a column of the photo table are not UTF-8."""
    return _row_problems(shard, f"photos/{name}", "UTF-8", values, values.not_utf8())


def face_problems(shard: Shard, status: NDArray[np.int8]) -> list[str]:
    """Which faces are of no photo of status ok."""
    photo = shard.column("faces", "photo")
    forgotten = photo < 0  # the complement of the row then
    rows = np.where(forgotten, ~photo, photo)
    outside = rows >= len(status)
    wrong = ~forgotten & ~outside
    wrong[wrong] = status[photo[wrong]] != _OK
    return [
        *_row_problems(shard, "faces/photo", f"one of {len(status)} rows", photo, outside),
        *_row_problems(shard, "faces/photo", "a photo of status ok", photo, wrong),
    ]


def quality_problems(shard: Shard) -> list[str]:
    """What is wrong in the columns that shards may lack."""
    problems = []
    present = shard.column_kinds("faces")
    for name in (name for name in QUALITIES if name in present):
        values = shard.column("faces", name)
        most = 1.0 if name == "quality" else np.finfo(np.float32).max
        wrong = ~(np.isnan(values) | ((values >= 0) & (values <= most)))
        expected = "in [0, 1], or NaN" if name == "quality" else "finite and 0 or more, or NaN"
        problems += _row_problems(shard, f"faces/{name}", expected, values, wrong)
    return problems


def time_problems(shard: Shard) -> list[str]:
    """What is wrong in the columns of tracks, of which a shard has all or none."""
    present = [name for name in TIMES if name in shard.column_kinds("faces")]
    if not present:
        return []
    if len(present) < len(TIMES):
        return [f"{shard.path}: expected columns faces/{', '.join(TIMES)}, or none, got {present}"]
    start, end, still = (shard.column("faces", name) for name in TIMES)
    none = (start == -1) & (end == -1) & (still == -1)
    wrong = ~(none | ((start >= 0) & (start <= still) & (still <= end)))
    expected = "at or before still_us, that before end_us, or all of them -1"
    return _row_problems(shard, "faces/start_us", expected, start, wrong)


def frame_problems(shard: Shard) -> list[str]:
    """Which rows of the table of tracks' frames are of no track."""
    if "frames" not in shard.table_names:
        return []
    face = shard.column("frames", "face")
    rows = np.where(face < 0, ~face, face)
    return _row_problems(
        shard, "frames/face", f"one of {shard.count} rows", face, rows >= shard.count
    )


def _row_problems(
    shard: Shard,
    key: str,
    expected: str,
    values: ByteStrings | NDArray[Any],
    wrong: NDArray[np.bool_],
) -> list[str]:
    """One line about the rows that are ``wrong``, or none."""
    rows = np.flatnonzero(wrong).tolist()
    if not rows:
        return []
    got = str(values[rows[0]])[:80]
    return [
        f"{shard.path}: expected {key} to be {expected}, got {got} in row {rows[0]} "
        f"({len(rows)} such rows)"
    ]
