"""Where the live faces of a gallery are, by columns, of which only new shards are read again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import face_photos, face_qualities, face_times
from facesearch.gallery.schema import kind_problems, require_none
from indexer.id_lookup import positions_of
from indexer.storage.shards import Shard
from indexer.types import Ids, make_ids


@dataclass(frozen=True)
class FaceColumns:
    """Faces in ascending order of their ids, without their vectors.

    ``ids`` int64 (n,) · ``photo`` int64 (n,), the id of the photo that each was found in · ``box``
    float32 (n, 4), x0, y0, x1, y1 in pixels of the upright photo · ``score`` and ``quality``
    float32 (n,) in [0, 1], the latter NaN where it was not measured · ``times`` int64 (n, 3), of a
    track when it begins, when it ends, and when the still is shown that its box lies in, in
    microseconds of its video; all -1 of a face in a photo.
    """

    ids: Ids
    photo: Ids
    box: NDArray[np.float32]
    score: NDArray[np.float32]
    quality: NDArray[np.float32]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Ids) -> NDArray[np.int64]:
        """The row of each of ``ids``, int64; -1 where it is not live."""
        return positions_of(ids, self.ids, ascending=True)

    def still(self, row: int) -> int:
        """When the still is shown that the face in ``row`` lies in, or -1 in a photo."""
        return int(self.times[row, 2])

    def only(self, rows: NDArray[np.int64]) -> FaceColumns:
        """The faces in ``rows``, which ascend."""
        return FaceColumns(
            self.ids[rows],
            self.photo[rows],
            self.box[rows],
            self.score[rows],
            self.quality[rows],
            self.times[rows],
        )

    @classmethod
    def joined(cls, parts: list[FaceColumns]) -> FaceColumns:
        """All of ``parts``, of shards of ascending numbers, after each other."""
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(each.ids for each in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(each.photo for each in parts)]),
            np.concatenate([np.zeros((0, 4), np.float32), *(each.box for each in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(each.score for each in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(each.quality for each in parts)]),
            np.concatenate([np.zeros((0, 3), np.int64), *(each.times for each in parts)]),
        )


_Stamp = tuple[int, int, int]


class FaceColumnsReader:
    """Reads the columns of a gallery, each shard once while its file stays the same."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[_Stamp, Ids, FaceColumns]] = {}

    def read(self, gallery: Gallery, state: GalleryState) -> FaceColumns:
        """Those of the live faces of ``state``.

        Raises ChangedGalleryError where some were forgotten since ``state`` was read, GalleryError
        or ShardError where a shard is damaged.
        """
        kept, parts = {}, []
        for path in gallery.shard_paths():
            rows = state.live.get(int(path.stem))
            if rows is None or not len(rows):
                continue
            before = self._kept.get(str(path))
            stamp = _stamp(path)
            if before is None or before[0] != stamp or not np.array_equal(before[1], rows):
                before = stamp, rows, _columns(path, rows)
            kept[str(path)] = before
            parts.append(before[2])
        self._kept = kept
        return FaceColumns.joined(parts)


def _columns(path: Path, rows: NDArray[np.int64]) -> FaceColumns:
    with Shard.open(path) as shard:
        require_none(kind_problems(shard))
        return FaceColumns(
            make_ids(shard.number, rows),
            make_ids(shard.number, face_photos(shard, rows)),
            shard.column("faces", "box")[rows],
            shard.column("faces", "score")[rows],
            face_qualities(shard, rows),
            face_times(shard, rows),
        )


def _stamp(path: Path) -> _Stamp:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns
