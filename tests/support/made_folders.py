"""Folders that tests change, each time as they were made, and always at the same place.

A gallery knows the absolute places of its photos: a copy elsewhere would be another gallery.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

GALLERY = "my.gallery"

Stamps = dict[Path, tuple[int, int, int]]


class MadeFolder:
    """A folder that ``make`` fills with a gallery called "my.gallery" and what it is made of.

    The gallery is kept as a copy. What is beside it has to be the very same files, by which a
    gallery knows its photos again: once a test has changed those, all is made again.
    """

    def __init__(self, base: Path, make: Callable[[Path], object]) -> None:
        self._place, self._kept = base / "place", base / "kept"
        self._make = make
        self._stamps: Stamps | None = None

    def fresh(self) -> Path:
        """The folder as it was made; what an earlier call gave is no more."""
        if self._stamps is None or self._stamps_now() != self._stamps:
            self._make_all()
        else:
            shutil.rmtree(self._place / GALLERY, ignore_errors=True)
            shutil.copytree(self._kept, self._place / GALLERY, symlinks=True)
        return self._place

    def _make_all(self) -> None:
        for folder in (self._place, self._kept):
            shutil.rmtree(folder, ignore_errors=True)
        self._place.mkdir(parents=True)
        self._make(self._place)
        shutil.copytree(self._place / GALLERY, self._kept, symlinks=True)
        self._stamps = self._stamps_now()

    def _stamps_now(self) -> Stamps:
        """What tells the files beside the gallery from others, and from themselves changed."""
        found: Stamps = {}
        for path in self._place.rglob("*"):
            if not path.is_relative_to(self._place / GALLERY) and not path.is_dir():
                status = path.lstat()
                found[path] = (status.st_ino, status.st_ctime_ns, status.st_size)
        return found
