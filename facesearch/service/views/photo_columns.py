"""The photos of a gallery by columns: their times, their places, the faces they show."""

from __future__ import annotations

import posixpath
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.gallery import GalleryState
from facesearch.gallery.records import PhotoRecord
from facesearch.service.views.face_columns import FaceColumns
from indexer.id_lookup import positions_of
from indexer.types import Ids

_SECONDS = 19  # letters of "2019-07-01T12:30:00": time on the photographer's clock


@dataclass(frozen=True)
class PhotoColumns:
    """Photos by content, those that are somewhere now, in ascending order of their ids.

    ``ids`` int64 (p,) · ``held`` int64 (p,) the row of the photo log that says its size and time,
    ``shown`` int64 (p,) that of the location to show · ``taken`` bytes (p,), "" if unknown.
    ``stills`` int64 (p,): when the first still of a video is shown, in microseconds, or -1.
    ``first`` and ``faces`` int64 (p,): the faces of photo i are ``by_photo[first[i]:][:faces[i]]``,
    rows of the columns of faces.
    """

    state: GalleryState
    ids: Ids
    held: NDArray[np.int64]
    shown: NDArray[np.int64]
    taken: NDArray[np.bytes_]
    by_photo: NDArray[np.int64]
    first: NDArray[np.int64]
    faces: NDArray[np.int64]
    stills: NDArray[np.int64]

    @classmethod
    def of(cls, state: GalleryState, columns: FaceColumns) -> PhotoColumns:
        """Those of ``state``, whose live faces are ``columns``."""
        table = state.log.photos
        held = np.flatnonzero(state.shown.rows >= 0)
        ids = table.ids[held]
        times = list(table.taken_at)
        taken = np.array([times[row][:_SECONDS] for row in held.tolist()], f"S{_SECONDS}")
        by_photo = np.argsort(columns.photo, kind="stable")
        photos = columns.photo[by_photo]
        first = np.searchsorted(photos, ids)
        return cls(
            state,
            ids,
            held,
            state.shown.rows[held],
            taken,
            by_photo,
            first,
            np.searchsorted(photos, ids, side="right") - first,
            _first_stills(columns, ids),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Ids) -> NDArray[np.int64]:
        """The row of each photo id, int64; -1 where there is none."""
        return positions_of(ids, self.ids, ascending=True)

    def faces_of(self, row: int) -> NDArray[np.int64]:
        """Rows of the columns of faces that are in the photo."""
        start = int(self.first[row])
        return self.by_photo[start : start + int(self.faces[row])]

    def still_of(self, row: int) -> int:
        """When the first still of a video with tracks is shown, in microseconds; -1 of a photo."""
        return int(self.stills[row])

    def record(self, row: int) -> PhotoRecord:
        """The location of the photo that is shown."""
        return self.state.log.photos.record(int(self.shown[row]))

    def size(self, row: int) -> tuple[int, int]:
        """Width and height of the upright photo."""
        table, held = self.state.log.photos, int(self.held[row])
        return int(table.width[held]), int(table.height[held])

    def taken_at(self, row: int) -> str | None:
        """When the photo was taken, as ISO 8601, with the offset where the file states one."""
        return self.state.log.photos.taken_at[int(self.held[row])].decode() or None

    @cached_property
    def by_name(self) -> NDArray[np.int64]:
        """All rows in the order of names, then ids."""
        return np.argsort(np.array(self.names, object), kind="stable")

    @cached_property
    def by_time(self) -> NDArray[np.int64]:
        """All rows, the earliest first, those of unknown time last, then by name."""
        return np.lexsort((self._name_rank, self.taken, self.taken == b""))

    @cached_property
    def time_rank(self) -> NDArray[np.int64]:
        """The place of each row in :attr:`by_time`."""
        return _ranks(self.by_time)

    @cached_property
    def newest_first(self) -> NDArray[np.int64]:
        """All rows, the latest first, those of unknown time last, then by name."""
        _, moment = np.unique(self.taken, return_inverse=True)
        return np.lexsort((self._name_rank, -moment, self.taken == b""))

    @cached_property
    def _name_rank(self) -> NDArray[np.int64]:
        """The place of each row in :attr:`by_name`."""
        return _ranks(self.by_name)

    @cached_property
    def names(self) -> list[str]:
        """The name of each: its path below its root, after the root's name if there are several."""
        return [self._name(row) for row in self.shown.tolist()]

    def name_of_record(self, record: PhotoRecord) -> str:
        """As :attr:`names` has it, of any location."""
        prefix = self.prefixes.get(record.root, "")
        return prefix + (record.name if record.path != b"." else "")

    def _name(self, row: int) -> str:
        table = self.state.log.photos
        path = table.path[row].decode("utf-8", "backslashreplace")
        return self.prefixes.get(table.root[row], "") + path

    @cached_property
    def roots(self) -> list[bytes]:
        """The folders that were indexed, as their photos have it."""
        table = self.state.log.photos
        newest = self.state.log.newest & ~table.having("gone")
        roots = list(table.root)
        return sorted({roots[row] for row in np.flatnonzero(newest).tolist()})

    @cached_property
    def prefixes(self) -> dict[bytes, str]:
        """What names begin with, by root: nothing where there is one root only."""
        roots = self.roots
        if len(roots) < 2:
            return dict.fromkeys(roots, "")
        names = [posixpath.basename(root).decode("utf-8", "backslashreplace") for root in roots]
        often = Counter(names)
        return {
            root: f"{name}/" if often[name] == 1 else f"{name}-{place}/"
            for place, (root, name) in enumerate(zip(roots, names, strict=True), start=1)
        }

    @cached_property
    def folders(self) -> list[str]:
        """The folder of each, as the part of its name before the last slash."""
        return [name.rpartition("/")[0] for name in self.names]

    @cached_property
    def by_folder(self) -> tuple[list[str], NDArray[np.int64]]:
        """Every folder that photos lie in, and the number of each photo's folder among them."""
        numbers: dict[str, int] = {}
        found = (numbers.setdefault(folder, len(numbers)) for folder in self.folders)
        codes = np.fromiter(found, np.int64, len(self))
        return list(numbers), codes

    def within(self, folder: str) -> NDArray[np.bool_]:
        """Which photos lie in a folder or below it; all in ""."""
        folders, codes = self.by_folder
        beneath = f"{folder}/"
        found = [not folder or each == folder or each.startswith(beneath) for each in folders]
        return np.array(found, bool)[codes]

    @cached_property
    def by_month(self) -> tuple[list[str], NDArray[np.int64]]:
        """Every month, "2019-07", in order, "" for none; and the number of each photo's."""
        months, codes = np.unique(self.taken.astype("S7"), return_inverse=True)
        return [month.decode() for month in months.tolist()], codes.reshape(-1)


def _first_stills(columns: FaceColumns, ids: Ids) -> NDArray[np.int64]:
    """When the first still of each photo of ``ids`` is shown, or -1."""
    found = np.full(len(ids), -1, np.int64)
    tracks = np.flatnonzero(columns.times[:, 2] >= 0)
    places = positions_of(columns.photo[tracks], ids, ascending=True)
    tracks = tracks[places >= 0]
    # The latest first, so that the earliest is what stays.
    order = np.argsort(-columns.times[tracks, 2], kind="stable")
    found[places[places >= 0][order]] = columns.times[tracks[order], 2]
    return found


def _ranks(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """The place of each row in ``order``."""
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    return ranks
