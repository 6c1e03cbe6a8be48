"""What a gallery holds now: the newest record of each location, and which faces are live."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.photo_log import PhotoLog
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.records import PhotoRecord
from facesearch.images.types import KEYFRAMES, PARTIAL
from facesearch.text import composed
from indexer.id_lookup import positions_of
from indexer.types import Ids, make_ids, split_ids


@dataclass(frozen=True)
class GalleryState:
    """The photo log and the faces that are live; records are made for what is asked for.

    ``photos`` maps an absolute location to its newest record. ``contents`` maps a SHA-256 to the
    photo id whose shard row holds its faces. ``shown`` maps such a photo id to the record of the
    location where the content was seen last. ``live`` maps shard numbers to rows of faces.
    ``with_faces`` bool (n,) are the rows of the log of which a face is not forgotten.
    """

    log: PhotoLog
    photos: NewestPhotos
    contents: Contents
    shown: ShownPhotos
    live: Mapping[int, NDArray[np.int64]]
    with_faces: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def of(cls, log: PhotoLog, forgotten: Ids) -> GalleryState:
        """The state that ``log`` comes to, without the faces ``forgotten``, ascending."""
        table = log.photos
        photo = positions_of(log.owners, table.ids, ascending=True)
        starts = np.cumsum(log.counts) - log.counts
        numbers, rows = split_ids(forgotten)
        shard = positions_of(numbers, log.shards, ascending=True)
        there = shard >= 0
        there[there] = rows[there] < log.counts[shard[there]]
        photo[starts[shard[there]] + rows[there]] = -1
        with_faces = np.zeros(len(table) + 1, bool)
        with_faces[photo] = True
        shown = np.full(len(table) + 1, -1, np.int64)  # the last is of no photo
        held = np.flatnonzero(log.newest & (log.holder >= 0))
        shown[log.holder[held]] = held  # ascending, so the last one stays
        alive = shown[photo] >= 0
        live = {
            number: np.flatnonzero(alive[start : start + count])
            for number, start, count in zip(
                log.shards.tolist(), starts.tolist(), log.counts.tolist(), strict=True
            )
        }
        return cls(
            log,
            NewestPhotos(table, log.newest),
            Contents(table, np.flatnonzero(log.holder == np.arange(len(table)))),
            ShownPhotos(table, shown[:-1]),
            live,
            with_faces[:-1],
        )

    def count(self, *statuses: str) -> int:
        """How many locations have one of ``statuses``."""
        return int((self.log.newest & self.log.photos.having(*statuses)).sum())

    def having(self, *statuses: str) -> list[PhotoRecord]:
        """The newest records that have one of ``statuses``, by location."""
        return self._records(self.log.newest & self.log.photos.having(*statuses))

    def partial(self) -> list[PhotoRecord]:
        """The newest records of photos that were read as far as their files go, by location."""
        photos = self.log.photos
        return self._records(
            self.log.newest & photos.with_content & photos.reason.equal(PARTIAL.encode())
        )

    def read_by_keyframes(self, rows: NDArray[np.int64]) -> int:
        """How many of the files in ``rows`` of the log, or -1, are videos that were read by key
        frames alone."""
        holders = self.log.holder[rows[rows >= 0]]
        by_keyframes = self.log.photos.reason.equal(KEYFRAMES.encode())
        return int(by_keyframes[holders[holders >= 0]].sum())

    def _records(self, kept: NDArray[np.bool_]) -> list[PhotoRecord]:
        records = map(self.log.photos.record, np.flatnonzero(kept).tolist())
        return sorted(records, key=lambda record: record.location_bytes)

    def holds(self, record: PhotoRecord) -> bool:
        """Whether the faces of a photo are here: a shard that was lost takes its own with it."""
        return record.has_content and record.sha256 in self.contents

    @property
    def lost_count(self) -> int:
        """How many locations have content whose faces are not here."""
        return int((self.log.newest & self.log.photos.with_content & (self.log.holder < 0)).sum())

    @property
    def faceless_count(self) -> int:
        """How many locations have a photo in which no face was found."""
        holders = self.log.holder[self.log.newest & (self.log.holder >= 0)]
        return int((~self.with_faces[holders]).sum())

    @property
    def face_count(self) -> int:
        """How many faces are live."""
        return sum(len(rows) for rows in self.live.values())

    def live_ids(self) -> Ids:
        """Ids of all live faces, ascending, int64 (n,)."""
        parts = [make_ids(number, rows) for number, rows in sorted(self.live.items())]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def only(self, ids: Ids) -> GalleryState:
        """The same with ``ids``, all of them live, as the only live faces."""
        numbers, rows = split_ids(np.sort(ids))
        live = {number: rows[numbers == number] for number in np.unique(numbers).tolist()}
        return replace(self, live=live)

    def digest(self) -> str:
        """Names the set of live faces: equal digests, equal sets."""
        return hashlib.sha256(self.live_ids().tobytes()).hexdigest()


class NewestPhotos(Mapping[bytes, PhotoRecord]):
    """The newest record of each location; ``table`` has their rows among others."""

    def __init__(self, table: PhotoTable, newest: NDArray[np.bool_]) -> None:
        self.table = table
        self._newest = newest

    @cached_property
    def _by_location(self) -> dict[bytes, int]:
        newest = self._newest.tolist()
        locations = enumerate(self.table.locations())
        return {location: row for row, location in locations if newest[row]}

    def rows(self, locations: Iterable[bytes]) -> NDArray[np.int64]:
        """The row of each location in ``table``, int64; -1 where there is none."""
        get = self._by_location.get
        return np.array([get(location, -1) for location in locations], np.int64)

    def spelled(self, location: bytes) -> PhotoRecord | None:
        """The record of a location, also where it is spelled in another Unicode normal form."""
        row = self._by_location.get(location)
        if row is None and not location.isascii():
            row = self._by_spelling.get(composed(os.fsdecode(location)))
        return None if row is None else self.table.record(row)

    @cached_property
    def _by_spelling(self) -> dict[str, int]:
        return {
            composed(os.fsdecode(location)): row
            for location, row in self._by_location.items()
            if not location.isascii()
        }

    def of_content(self, sha256: str) -> PhotoRecord | None:
        """The record of some location of a content, rather one that was read; None: there is none.

        ``sha256`` is hex.
        """
        digest = np.frombuffer(bytes.fromhex(sha256), np.uint8)
        rows = np.flatnonzero((self.table.sha256 == digest).all(axis=1) & self._newest)
        read = self.table.with_content[rows]
        return self.table.record(int(rows[np.argmax(read)])) if len(rows) else None

    def copies(self, contents: Collection[str]) -> dict[str, list[PhotoRecord]]:
        """The records of every location of each of ``contents``, SHA-256s in hex, by location."""
        wanted = {bytes.fromhex(each) for each in contents if each}
        found: dict[str, list[PhotoRecord]] = {}
        newest = self._newest & self.table.with_content
        for row in np.flatnonzero(newest).tolist():
            if self.table.sha256[row].tobytes() in wanted:
                record = self.table.record(row)
                found.setdefault(record.sha256, []).append(record)
        for records in found.values():
            records.sort(key=lambda record: record.location_bytes)
        return found

    def __getitem__(self, location: bytes) -> PhotoRecord:
        return self.table.record(self._by_location[location])

    def __contains__(self, location: object) -> bool:
        return location in self._by_location

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._by_location)

    def __len__(self) -> int:
        return int(self._newest.sum())


class Contents(Mapping[str, int]):
    """By SHA-256 the photo id that holds the faces; ``rows`` of ``table`` are of such photos."""

    def __init__(self, table: PhotoTable, rows: NDArray[np.int64]) -> None:
        self._table = table
        self._rows = rows

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """The first eight bytes of each digest, ascending, and the rows in this order."""
        words = self._table.sha256[self._rows].view(np.uint64)[:, 0]
        order = np.argsort(words)
        return words[order], self._rows[order]

    def of_sizes(self, sizes: Collection[int]) -> dict[int, set[str]]:
        """The SHA-256s of photos whose files have one of ``sizes``, by size."""
        found: dict[int, set[str]] = {}
        rows = self._rows[np.isin(self._table.size[self._rows], list(sizes))]
        for row, size in zip(rows.tolist(), self._table.size[rows].tolist(), strict=True):
            found.setdefault(size, set()).add(self._table.hex_digest(row))
        return found

    def __getitem__(self, sha256: str) -> int:
        words, rows = self._sorted
        try:
            digest = np.frombuffer(bytes.fromhex(sha256), np.uint8)
            word = digest.view(np.uint64)[0]
        except (ValueError, IndexError):
            raise KeyError(sha256) from None
        start, end = np.searchsorted(words, word), np.searchsorted(words, word, side="right")
        for row in rows[start:end].tolist():
            if np.array_equal(self._table.sha256[row], digest):
                return int(self._table.ids[row])
        raise KeyError(sha256)

    def __iter__(self) -> Iterator[str]:
        return map(self._table.hex_digest, self._rows.tolist())

    def __len__(self) -> int:
        return len(self._rows)


class ShownPhotos(Mapping[int, PhotoRecord]):
    """By the id of a photo that holds faces, the record of the location to show.

    ``rows`` int64 (n,) are for each row of ``table`` the row to show, or -1.
    """

    def __init__(self, table: PhotoTable, rows: NDArray[np.int64]) -> None:
        self._table = table
        self.rows = rows

    def __getitem__(self, photo_id: int) -> PhotoRecord:
        (row,) = positions_of(np.array([photo_id]), self._table.ids, ascending=True)
        if row < 0 or self.rows[row] < 0:
            raise KeyError(photo_id)
        return self._table.record(int(self.rows[row]))

    def __iter__(self) -> Iterator[int]:
        return iter(self._table.ids[self.rows >= 0].tolist())

    def __len__(self) -> int:
        return int((self.rows >= 0).sum())
