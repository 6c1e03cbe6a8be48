"""Rows of photo tables by columns: a few hundred bytes a photo, however many there are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.schema import (
    OPTIONAL,
    SCHEMA,
    STATUSES,
    digests,
    face_problems,
    kind_problems,
    photo_problems,
    require_none,
    status_codes,
    with_content,
)
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.shards import Shard
from indexer.types import Ids, make_ids


@dataclass(frozen=True)
class PhotoTable:
    """What :class:`facesearch.gallery.records.PhotoRecord` says, of n photos.

    ``ids`` int64 (n,); ``sha256`` uint8 (n, 32), zeros where the file could not be read; ``status``
    int8 (n,), places in :data:`facesearch.gallery.schema.STATUSES`; ``ctime_ns`` and ``inode``
    are 0 where a shard does not have them.
    """

    ids: Ids
    root: ByteStrings
    path: ByteStrings
    size: NDArray[np.int64]
    mtime_ns: NDArray[np.int64]
    sha256: NDArray[np.uint8]
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    taken_at: ByteStrings
    status: NDArray[np.int8]
    reason: ByteStrings
    detail: ByteStrings
    ctime_ns: NDArray[np.int64]
    inode: NDArray[np.int64]

    @classmethod
    def read(cls, shard: Shard) -> Self:
        """The photo table of a shard.

        Raises GalleryError for a shard with any of :func:`schema_problems` but
        those of qualities, and ShardError for one that cannot be read.
        """
        require_none(kind_problems(shard))
        columns: dict[str, Any] = {
            name: (shard.strings if kind.dtype == "bytes" else shard.column)("photos", name)
            for name, kind in SCHEMA["photos"].items()
        }
        kinds = shard.column_kinds("photos")
        for name in OPTIONAL["photos"]:
            known = name in kinds
            columns[name] = (
                shard.column("photos", name) if known else np.zeros(len(columns["size"]), np.int64)
            )
        status = status_codes(columns["status"])
        sha256, valid = digests(columns["sha256"])
        problems = photo_problems(shard, columns, status, valid)
        require_none(problems + face_problems(shard, status))
        columns |= {"sha256": sha256, "status": status}
        return cls(ids=make_ids(shard.number, np.arange(len(status))), **columns)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of ``parts``, one or more, after each other."""
        columns: dict[str, Any] = {}
        for each in fields(cls):
            values = [getattr(part, each.name) for part in parts]
            join = ByteStrings.joined if isinstance(values[0], ByteStrings) else np.concatenate
            columns[each.name] = join(values)
        return cls(**columns)

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        none, numbers = ByteStrings.of([]), np.zeros(0, np.int64)
        pixels = np.zeros(0, np.int32)
        return cls(
            ids=numbers,
            root=none,
            path=none,
            size=numbers,
            mtime_ns=numbers,
            sha256=np.zeros((0, 32), np.uint8),
            width=pixels,
            height=pixels,
            taken_at=none,
            status=np.zeros(0, np.int8),
            reason=none,
            detail=none,
            ctime_ns=numbers,
            inode=numbers,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, kept: NDArray[np.bool_]) -> Self:
        """The rows with ``kept`` (n,), in order."""
        columns: dict[str, Any] = {}
        for each in fields(self):
            values = getattr(self, each.name)
            picked = values.only(kept) if isinstance(values, ByteStrings) else values[kept]
            columns[each.name] = picked
        return type(self)(**columns)

    @property
    def with_content(self) -> NDArray[np.bool_]:
        """As :attr:`facesearch.gallery.records.PhotoRecord.has_content`, of each row (n,)."""
        return with_content(self.status)

    def having(self, *statuses: str) -> NDArray[np.bool_]:
        """Which rows have one of ``statuses``, (n,)."""
        return np.isin(self.status, [STATUSES.index(status) for status in statuses])

    def locations(self) -> Iterator[bytes]:
        """As :attr:`facesearch.gallery.records.PhotoRecord.location_bytes`, of each row in
        order."""
        roots = list(self.root)
        folders = {root: os.path.join(root, b"") for root in set(roots)}  # noqa: PTH118
        for root, path in zip(roots, self.path, strict=True):
            yield root if path == b"." else folders[root] + path

    def hex_digest(self, row: int) -> str:
        """The SHA-256 of a row, or ""."""
        digest = self.sha256[row]
        return digest.tobytes().hex() if digest.any() or with_content(self.status[row]) else ""

    def record(self, row: int) -> PhotoRecord:
        """One row."""
        return PhotoRecord(
            photo_id=int(self.ids[row]),
            root=self.root[row],
            path=self.path[row],
            size=int(self.size[row]),
            mtime_ns=int(self.mtime_ns[row]),
            sha256=self.hex_digest(row),
            width=int(self.width[row]),
            height=int(self.height[row]),
            taken_at=self.taken_at[row].decode(),
            status=STATUSES[self.status[row]],
            reason=self.reason[row].decode(),
            detail=self.detail[row].decode(),
            ctime_ns=int(self.ctime_ns[row]),
            inode=int(self.inode[row]),
        )
