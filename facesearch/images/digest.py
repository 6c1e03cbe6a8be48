"""SHA-256 of a file's bytes, the identity by which moved and copied photos are recognised."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from facesearch.errors import PhotoError
from facesearch.images.file_access import open_plain, refusal
from indexer.storage import atomic_files


def sha256_of(path: Path) -> str:
    """Lower-case hex digest of a file of any size, read in pieces.

    Raises PhotoError("unreadable") where the file system refuses or ``path`` is no plain file.
    """
    with open_plain(path) as stream:
        return sha256_of_stream(stream)


def sha256_of_stream(stream: BinaryIO) -> str:
    """Lower-case hex digest of everything from the start of ``stream``, which is left there."""
    try:
        stream.seek(0)
        digest = atomic_files.sha256_of_stream(stream)
        stream.seek(0)
    except OSError as error:
        raise PhotoError("unreadable", refusal(error)) from error
    return digest
