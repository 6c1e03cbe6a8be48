"""All files of a gallery as they were at one moment, also while another process writes.

Every file of a gallery but the database is replaced as a whole, never changed in place. So the
files are listed, opened, and listed again: where both lists are equal, all of them existed together
at any moment between, and stay readable through what is open. The database is copied between the
lists, in a transaction. It is what a kill at that moment would have left, and a gallery is whole
after that.
"""

from __future__ import annotations

import io
import os
import re
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facesearch.errors import BusyGalleryError, GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.people.ledger import Ledger
from indexer.errors import UnsafeFileError
from indexer.storage.plain_files import open_plain, require_plain

PEOPLE = "people.sqlite"
# Nothing else belongs to a gallery: locks, partial files and the report are left out.
_FILE = re.compile(
    r"gallery\.json|settings\.json|next-shard|people\.sqlite|forgotten\.json|state\.h5|graph\.h5"
    r"|calibration\.json|outputs\.json"
    r"|shards(-[0-9a-f]{12})?/(\d{8}\.h5(\.sha256)?|sources\.json)"
    r"|index/(index\.json|[a-z]{1,16}-[0-9a-f]{16}\.(faiss|safetensors))"
    r"|clusters/(\d{6}|merges)\.h5"
    r"|erasures/\d{6}\.json",
    re.ASCII,
)
_FOLDERS = re.compile(r"shards(-[0-9a-f]{12})?|index|clusters|erasures", re.ASCII)
_ATTEMPTS = 200
_PAUSE = 0.05  # seconds
_SPARE_FILES = 100
Identity = tuple[int, int, int, int]


def is_gallery_file(name: str) -> bool:
    """Whether ``name``, with ``/`` between folder and file, can be that of a gallery's file."""
    return _FILE.fullmatch(name) is not None


@dataclass(frozen=True)
class SnapshotFile:
    """A file by its ``name`` in the gallery, open at its start, of ``size`` bytes.

    ``identity`` is another where the file was replaced; the database has none.
    """

    name: str
    size: int
    file: BinaryIO
    identity: Identity | None


@contextmanager
def snapshot(gallery: Gallery) -> Iterator[list[SnapshotFile]]:
    """The files of ``gallery`` as they are at one moment, by name; closed when the context ends.

    Raises BusyGalleryError where other processes never leave the files alone, GalleryError where
    one cannot be read.
    """
    for _ in range(_ATTEMPTS):
        with ExitStack() as stack:
            before = _listed(gallery.folder)
            try:
                files = [
                    _opened(stack, gallery.folder, name, before[name]) for name in sorted(before)
                ]
            except FileNotFoundError:  # replaced or removed just now
                files = None
            rests = files is not None and _listed(gallery.folder) == before
            if files is not None and rests and not _is_replacing(gallery.shards_folder):
                yield files
                return
        time.sleep(_PAUSE)
    raise BusyGalleryError(
        f"other processes keep changing the files of {gallery.folder}; wait until they have ended. "
        f"Where none is running, one was killed: facesearch forget {gallery.folder} ends its work"
    )


def _is_replacing(shards: Path) -> bool:
    """Whether a shard is there whose digest is still to take its place."""
    for pending in shards.glob(".*.h5.sha256.partial"):
        if (shards / pending.name.removeprefix(".").removesuffix(".sha256.partial")).exists():
            return True
    return False


def _opened(stack: ExitStack, folder: Path, name: str, identity: Identity | None) -> SnapshotFile:
    if name == PEOPLE:
        data = Ledger(folder).image()
        return SnapshotFile(name, len(data), io.BytesIO(data), None)
    try:
        file = stack.enter_context(open_plain(folder / name))
    except UnsafeFileError as error:
        raise GalleryError(str(error)) from error
    return SnapshotFile(name, os.fstat(file.fileno()).st_size, file, identity)


def _listed(folder: Path) -> dict[str, Identity | None]:
    """Name to identity of every file; the database has none, which is changed in place."""
    names = [each.name for each in os.scandir(folder) if _FILE.fullmatch(each.name)]
    for below in os.scandir(folder):
        if _FOLDERS.fullmatch(below.name) and below.is_dir(follow_symlinks=False):
            inside = (f"{below.name}/{each.name}" for each in os.scandir(below.path))
            names += [name for name in inside if _FILE.fullmatch(name)]
    _allow_open_files(len(names))
    found: dict[str, Identity | None] = {}
    for name in names:
        try:
            seen = require_plain(folder / name)
        except FileNotFoundError:
            continue
        except UnsafeFileError as error:
            raise GalleryError(str(error)) from error
        identity = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        found[name] = None if name == PEOPLE else identity
    return found


def _allow_open_files(count: int) -> None:
    """See that this process may have so many files open at once."""
    least = count + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= least:
        return
    if hard not in (resource.RLIM_INFINITY,) and hard < least:
        raise GalleryError(
            f"the gallery has {count} files, and this system lets a process open {hard} at once; "
            f"raise that limit to {least} (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (least, hard))
