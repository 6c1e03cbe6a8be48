"""The photo tables of all shards, folded to the rows that still count.

Folding is the same in one go and in parts: what one fold dropped, no later row makes count again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.photo_table import PhotoTable
from indexer.storage.shards import Shard
from indexer.types import Ids


@dataclass(frozen=True)
class PhotoLog:
    """The newest row of each location, and the row that holds the faces of each content.

    ``photos`` are these rows, ids ascending; ``newest`` bool (n,) says which are the newest of
    their location; ``holder`` int64 (n,) is for each row that has content the row of the first
    photo of this content whose status is "ok", else -1. Faces: ``shards`` int64 (s,) are numbers of
    shards, ascending, ``counts`` int64 (s,) how many faces each has, and ``faces`` int32 their
    columns faces/photo after each other.
    """

    photos: PhotoTable
    newest: NDArray[np.bool_]
    holder: NDArray[np.int64]
    shards: NDArray[np.int64]
    counts: NDArray[np.int64]
    faces: NDArray[np.int32]

    @classmethod
    def empty(cls) -> PhotoLog:
        """That of no shard."""
        none = np.zeros(0, np.int64)
        return cls(PhotoTable.empty(), none.astype(bool), none, none, none, none.astype(np.int32))

    def extended(self, parts: Sequence[ShardLog]) -> PhotoLog:
        """This and ``parts``, which are of shards of greater numbers, ascending."""
        photos = PhotoTable.joined([self.photos, *(part.photos for part in parts)])
        newest, holder = _newest(photos), _holders(photos)
        kept = newest | (holder == np.arange(len(photos)))
        places = np.append(np.cumsum(kept) - 1, -1)  # of rows among those kept; of none: none
        return PhotoLog(
            photos.only(kept),
            newest[kept],
            places[holder[kept]],
            np.append(self.shards, [part.number for part in parts]).astype(np.int64),
            np.append(self.counts, [len(part.faces) for part in parts]).astype(np.int64),
            np.concatenate([self.faces, *(part.faces for part in parts)]),
        )

    def equals(self, other: PhotoLog) -> bool:
        """Whether both say the same in every row."""
        return _equal(self, other)

    @property
    def owners(self) -> Ids:
        """The photo id of each face, int64; -1 of those that were forgotten."""
        numbers = self.shards.repeat(self.counts)
        return np.where(self.faces < 0, -1, numbers << 32 | self.faces)


@dataclass(frozen=True)
class ShardLog:
    """What one shard adds to the log: its photo table, and its column faces/photo int32."""

    number: int
    photos: PhotoTable
    faces: NDArray[np.int32]

    @classmethod
    def read(cls, shard: Shard) -> ShardLog:
        """That of a shard; raises as :meth:`PhotoTable.read` does."""
        return cls(shard.number, PhotoTable.read(shard), shard.column("faces", "photo"))


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, theirs)
    names = (each.name for each in fields(ours))
    return all(_equal(getattr(ours, name), getattr(theirs, name)) for name in names)


def _newest(photos: PhotoTable) -> NDArray[np.bool_]:
    """Which rows are the last of their location, (n,)."""
    last = {location: row for row, location in enumerate(photos.locations())}
    newest = np.zeros(len(photos), bool)
    newest[np.fromiter(last.values(), np.int64, len(last))] = True
    return newest


def _holders(photos: PhotoTable) -> NDArray[np.int64]:
    """For each row with content the first "ok" row of the same content, int64 (n,); else -1."""
    holder = np.full(len(photos), -1, np.int64)
    rows = np.flatnonzero(photos.with_content)
    if not len(rows):
        return holder
    words = photos.sha256[rows].view(np.uint64)  # equal digests next to each other; any order does
    order = np.lexsort(words.T)  # keeps equal ones in order
    words, rows = words[order], rows[order]
    starts = np.append(True, (words[1:] != words[:-1]).any(axis=1))
    groups = np.cumsum(starts) - 1
    first = np.full(groups[-1] + 1, -1, np.int64)
    ok = photos.having("ok")[rows]
    held, places = np.unique(groups[ok], return_index=True)
    first[held] = rows[ok][places]
    holder[rows] = first[groups]
    return holder
