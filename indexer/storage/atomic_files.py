"""Files that are either whole or absent, and their digests."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

_READ_BYTES = 1 << 20


def partial_path(path: Path) -> Path:
    """The hidden sibling that ``path`` is written as before it is renamed into place."""
    return path.with_name(f".{path.name}.partial")


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a power cut."""
    _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, flush it to the disk, rename it into place."""
    partial = partial_path(path)
    partial.write_bytes(data)
    sync_file(partial)
    partial.replace(path)
    sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return sha256_of_stream(file)


def sha256_of_stream(file: BinaryIO) -> str:
    """Lower-case hexadecimal SHA-256 of what is left of an open file."""
    digest = hashlib.sha256()
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()
