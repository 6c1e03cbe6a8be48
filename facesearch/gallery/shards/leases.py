"""Numbers of shards: which were ever given out, and ranges of them leased to writers elsewhere.

A lease is a folder ``leases/FIRST-END`` of the gallery, made by its only writer, who notes first
that the numbers below ``END`` were given out. A shard is written in a folder below it, one for each
attempt, and sealed by a link from there into ``shards``. So a lease is ended by moving its folder
away: whoever still writes in it, on a machine that was thought lost or for a job that was killed,
has nothing to link from. That is one step of the file system, without a clock.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import GalleryError
from indexer.storage.atomic_files import (
    make_folder,
    require_folder,
    storing,
    sync_folder,
    write_atomically,
)
from indexer.storage.plain_files import read_plain
from indexer.storage.shard_format import MAX_NUMBER
from indexer.storage.shards import list_shards, shard_path

LEASES = "leases"
_FILE = "next-shard"
_NUMBER_BYTES = 32
_ENDED = ".ended-"


def next_number(folder: Path, shards: Path) -> int:
    """The least number that no shard of a gallery ever had, so that face ids are never used again.

    ``folder`` is the gallery's, ``shards`` that of its shards. Raises GalleryError where the number
    noted cannot be read.
    """
    noted = _noted_number(folder)
    paths = list_shards(shards) if shards.exists() else []
    return max(noted, int(paths[-1].stem) + 1 if paths else 0)


def _noted_number(folder: Path) -> int:
    path = folder / _FILE
    try:
        noted = int(read_plain(path, _NUMBER_BYTES))
        if not 0 <= noted <= MAX_NUMBER + 1:
            raise ValueError(f"expected a number up to {MAX_NUMBER + 1}, got {noted}")
    except FileNotFoundError:
        return 0
    except (OSError, ValueError) as error:
        raise GalleryError(
            f"cannot read {path}: {error}; write into it a number greater than that of every shard "
            "this gallery ever had"
        ) from error
    return noted


def note_number(folder: Path, number: int) -> None:
    """Remember that all numbers below ``number`` were given out."""
    write_atomically(folder / _FILE, f"{number}\n".encode())


@dataclass(frozen=True)
class ShardAttempt:
    """One try to write shard ``number`` into ``shards``, through ``folder``, while that is there.

    It is plain data, for a writer on another machine that sees the same file system.
    """

    number: int
    shards: Path
    folder: Path

    @property
    def path(self) -> Path:
        """The shard, once it is sealed."""
        return shard_path(self.shards, self.number)

    def end(self) -> bool:
        """Stop whoever is still at it; whether the shard had been sealed before."""
        _move_away(self.folder)
        return self.path.exists()


class ShardLeases:
    """Hands out numbers of shards in ranges of ``size``; for the gallery's writer alone."""

    def __init__(self, folder: Path, shards: Path, size: int) -> None:
        if size < 1:
            raise ValueError(f"expected ranges of 1 or more shards, got {size}")
        self._folder = folder
        self._shards = shards
        self._size = size
        self._free: Iterator[int] = iter(())
        self._lease = folder
        self._attempts = 0
        self._end = 0  # of the last range

    def attempt(self, number: int | None = None) -> ShardAttempt:
        """A try at a number that nobody had, or another one at ``number`` after that had ended."""
        if number is None:
            number = next(self._free, None)
            if number is None:
                self._extend()
                number = next(self._free)
        self._attempts += 1
        place = self._lease / f"{number}-{self._attempts}"
        make_folder(place, parents=False)
        return ShardAttempt(number, self._shards, place)

    def _extend(self) -> None:
        # Listed once: a gallery may have very many shards, and nobody else gives out numbers.
        if self._end:
            first = max(self._end, _noted_number(self._folder))
        else:
            first = next_number(self._folder, self._shards)
        end = first + self._size
        if end > MAX_NUMBER + 1:
            raise GalleryError(
                f"expected numbers of shards up to {MAX_NUMBER}, got {end - 1}; go on in a new "
                "gallery"
            )
        note_number(self._folder, end)
        make_folder(self._folder / LEASES)
        self._lease = self._folder / LEASES / f"{first}-{end}"
        make_folder(self._lease, parents=False)
        sync_folder(self._lease.parent)
        self._free = iter(range(first, end))
        self._end = end


def end_leases(folder: Path) -> None:
    """End all leases of a gallery, and remove what was written under them and not sealed.

    For whoever has become its writer: then no job that could hold one is alive.
    """
    place = folder / LEASES
    if not place.exists():
        return
    require_folder(place)
    for lease in list(place.iterdir()):
        if not lease.name.startswith(_ENDED):
            _move_away(lease)
    with storing(place):
        sync_folder(place)
        shutil.rmtree(place, ignore_errors=True)


def _move_away(folder: Path) -> None:
    """Take a folder's name away from whoever writes in it, then the folder itself."""
    ended = folder.with_name(f"{_ENDED}{folder.name}")
    with storing(folder):
        folder.rename(ended)
        sync_folder(folder.parent)
    shutil.rmtree(ended, ignore_errors=True)
