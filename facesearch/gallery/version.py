"""Whether a gallery changed since it was read, from its files, without opening a shard."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from facesearch.gallery.gallery import Gallery

# Files that are replaced whole, and folders whose files are.
_WATCHED = (
    "shards",
    "clusters",
    "index",
    "forgotten.json",
    "calibration.json",
    "index/index.json",
    "state.h5",
)
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
