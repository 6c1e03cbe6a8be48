"""The live faces of a gallery by columns, read in one pass over its shards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.argument_checks import instance
from facesearch.gallery.gallery import Gallery, require_gallery
from facesearch.gallery.records import face_photos, face_qualities, face_times
from facesearch.gallery.state import GalleryState
from indexer.id_lookup import contained, positions_of
from indexer.storage.shards import Shard, shard_path
from indexer.types import Ids, Vectors, make_ids, split_ids


@dataclass(frozen=True)
class FaceTable:
    """Faces in ascending order of their ids.

    ``ids`` int64 (n,) · ``vectors`` float32 (n, d), unit length · ``quality`` float32 (n,), in
    [0, 1], NaN where it was not measured · ``photo`` int64 (n,), the id of the photo, or video,
    that each face was found in · ``seen`` int64 (n, 2), when a track of a video begins and ends, in
    microseconds, -1 of a face of a photo.
    """

    ids: Ids
    vectors: Vectors
    quality: NDArray[np.float32]
    photo: Ids
    seen: NDArray[np.int64]

    @classmethod
    def read(cls, gallery: Gallery, state: GalleryState, *, with_vectors: bool = True) -> FaceTable:
        """All live faces of ``state``. Each shard is opened once: that checks all of its columns.

        Without vectors, which then are (n, 0), it takes 36 bytes a face.

        Raises ChangedGalleryError where some were forgotten since ``state`` was read, GalleryError
        or ShardError where a shard is damaged.
        """
        require_gallery(gallery)
        instance(state, GalleryState, "a GalleryState", "gallery.state() reads it")
        count = state.face_count
        dimension = gallery.contract.dimension if with_vectors else 0
        table = cls(
            np.empty(count, np.int64),
            np.empty((count, dimension), np.float32),
            np.empty(count, np.float32),
            np.empty(count, np.int64),
            np.empty((count, 2), np.int64),
        )
        end = 0
        for path in gallery.shard_paths():
            rows = state.live.get(int(path.stem))
            if rows is not None and len(rows):
                start, end = end, end + len(rows)
                table._fill(slice(start, end), path, rows)
        return table.rows(slice(end))

    def _fill(self, part: slice, path: Path, rows: NDArray[np.int64]) -> None:
        with Shard.open(path) as shard:
            self.ids[part] = make_ids(shard.number, rows)
            self.photo[part] = make_ids(shard.number, face_photos(shard, rows))
            if self.vectors.shape[1]:
                self.vectors[part] = shard.vectors(rows)
            self.quality[part] = face_qualities(shard, rows)
            self.seen[part] = face_times(shard, rows)[:, :2]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, which: slice | NDArray[np.bool_] | NDArray[np.int64]) -> FaceTable:
        """The faces in some rows, named as numpy indexes an array."""
        return FaceTable(
            self.ids[which],
            self.vectors[which],
            self.quality[which],
            self.photo[which],
            self.seen[which],
        )

    def of(self, ids: Ids) -> FaceTable:
        """The faces ``ids`` (m,), in that order; KeyError for one that is not in the table."""
        rows = positions_of(ids, self.ids, ascending=True)
        if (rows < 0).any():
            raise KeyError(f"there is no live face {int(ids[rows < 0][0])}")
        return self.rows(rows)


def faces_of_photos(gallery: Gallery, photo_ids: Collection[int]) -> dict[int, list[int]]:
    """Ids of the faces found in each of the photos whose content rows are ``photo_ids``.

    Each shard is opened once.
    """
    found: dict[int, list[int]] = {photo: [] for photo in photo_ids}
    wanted = np.array(sorted(found), np.int64)
    numbers, _ = split_ids(wanted)
    for number in np.unique(numbers).tolist():
        with Shard.open(shard_path(gallery.shards_folder, number)) as shard:
            of_faces = np.asarray(shard.column("faces", "photo"), np.int64)
        rows = np.flatnonzero(of_faces >= 0)  # others were forgotten
        photos = make_ids(number, of_faces[rows])
        asked = contained(photos, wanted)
        faces = make_ids(number, rows[asked]).tolist()
        for photo, face in zip(photos[asked].tolist(), faces, strict=True):
            found[photo].append(face)
    return found
