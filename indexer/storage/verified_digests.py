"""Notes of files whose digest was verified, so that unchanged ones are not read again.

Beside the file lies ``NAME.verified``: the digest found, and what the file system said of the file
then. It is derived; without it the file is read. What changes bytes behind the file system's back,
as a decaying disk does, is not noticed by it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from indexer.storage.atomic_files import overwrite
from indexer.storage.plain_files import open_plain, parse_json

_MOST_BYTES = 4096


def verified_path(path: Path) -> Path:
    """Where it is said that ``path`` was found right."""
    return path.with_name(f"{path.name}.verified")


def identity(file: BinaryIO) -> dict[str, int]:
    """What the file system says of an open file: another after every change to it."""
    found = os.fstat(file.fileno())
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "inode": found.st_ino,
    }


def note_verified(path: Path, found: dict[str, int], sha256: str) -> None:
    """Remember that ``path`` had this digest when it was ``found`` so.

    Raises StorageError where that cannot be written. Written in place, since a rename would change
    the folder, which says that the index was: several may write at once, and what is not whole says
    nothing.
    """
    overwrite(verified_path(path), json.dumps({"sha256": sha256, **found}).encode())


def is_verified(path: Path, file: BinaryIO, sha256: str) -> bool:
    """Whether the open ``file`` at ``path`` had this digest and has not changed since."""
    found = identity(file)
    try:
        with open_plain(verified_path(path), _MOST_BYTES) as note:
            # Times come in ticks: of two changes within one, the second would not be seen.
            later = os.fstat(note.fileno()).st_mtime_ns > found["ctime_ns"]
            known = parse_json(note.read(_MOST_BYTES))
    except (OSError, ValueError):
        return False
    return later and known == {"sha256": sha256, **found}
