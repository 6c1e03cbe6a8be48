"""Whether a gallery changed since it was read, from its files, without opening a shard."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from facesearch.gallery.gallery import Gallery

# Files that are replaced whole, and folders whose files are: first those that say which faces
# there are and find them, then those that say who is who.
_FACES = ("gallery.json", "shards", "index", "forgotten.json", "index/index.json", "state.h5")
_WATCHED = (*_FACES, "clusters", "calibration.json")
_LISTED = ("shards", "clusters")
_PEOPLE = "people.sqlite"
_CHANGE_COUNTER = slice(24, 28)  # of the file header: SQLite adds 1 at every commit

_FileStamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class GalleryVersion:
    """Equal for two moments between which nothing that answers depend on was changed."""

    stamps: tuple[_FileStamp | None, ...]
    names: tuple[frozenset[str], ...]
    decisions: bytes

    @classmethod
    def of(cls, gallery: Gallery) -> GalleryVersion:
        """The version on disk now; takes about a millisecond for thousands of shards."""
        folder = gallery.folder
        return cls(
            tuple(_stamp(folder / name) for name in (*_WATCHED, _PEOPLE)),
            tuple(_names(folder / name) for name in _LISTED),
            _commits(folder / _PEOPLE),
        )

    def same_faces(self, other: GalleryVersion) -> bool:
        """Whether both have the same faces, found in the same way, whoever they are of."""
        count = len(_FACES)
        return self.stamps[:count] == other.stamps[:count] and self.names[0] == other.names[0]

    @property
    def digest(self) -> str:
        """Names the version, in 16 characters; equal for equal ones."""
        names = [sorted(each) for each in self.names]
        return hashlib.sha256(repr((self.stamps, names, self.decisions)).encode()).hexdigest()[:16]


def _stamp(path: Path) -> _FileStamp | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - only names are wanted
    except FileNotFoundError:
        return frozenset()


def _commits(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_CHANGE_COUNTER.stop)[_CHANGE_COUNTER]
    except FileNotFoundError:
        return b""
