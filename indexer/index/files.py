"""The index folder: a description, and the index file that it names by its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from indexer.errors import StaleIndexError
from indexer.index.manifest import FILES, IndexManifest
from indexer.storage.atomic_files import (
    make_folder,
    partial_path,
    sha256_of,
    sha256_of_stream,
    storing,
    sync_file,
    sync_folder,
)
from indexer.storage.plain_files import open_plain
from indexer.storage.verified_digests import identity, is_verified, note_verified, verified_path


def replace_index(folder: Path, write: Callable[[Path], IndexManifest]) -> IndexManifest:
    """Replace the index in ``folder`` by the one that ``write`` makes at a path and describes.

    The digest in the description is filled in here. A crash leaves the old or the new index;
    readers that have the old one open keep it. A folder must have one writer at a time.
    """
    make_folder(folder)
    partial = partial_path(folder / "index")
    try:
        description = write(partial)
        description = replace(description, sha256=sha256_of(partial))
        sync_file(partial)
        with storing(folder / description.file_name):
            partial.replace(folder / description.file_name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    description.write(folder)
    path = folder / description.file_name
    with suppress(OSError), open_plain(path) as file:  # without a note it is read again
        note_verified(path, identity(file), description.sha256)
    kept = {path, verified_path(path)}
    for start, end in FILES.values():
        for old in folder.glob(f"{start}-*.{end}*"):
            if old not in kept:
                old.unlink(missing_ok=True)
    return description


@contextmanager
def opened_index(
    folder: Path, description: IndexManifest, shards: Mapping[str, str], *, verify: bool = False
) -> Iterator[tuple[BinaryIO, Path]]:
    """The index file that ``description`` names, at its start, once its digest was found right.

    A file that had it and has not changed since (:mod:`indexer.storage.verified_digests`) is only
    checked again with ``verify``. Raises StaleIndexError where
    :func:`indexer.build.open_index` would.
    """
    description.require_usable(shards)
    path = folder / description.file_name
    try:
        with open_plain(path) as file:
            if verify or not is_verified(path, file, description.sha256):
                _verify(path, file, description.sha256)
            yield file, path
    except OSError as error:
        raise StaleIndexError(f"{path} cannot be read: {error}; rebuild it") from error


def _verify(path: Path, file: BinaryIO, expected: str) -> None:
    """Read all of a file; StaleIndexError where it is damaged, which is then not noted as whole."""
    found = identity(file)
    digest = sha256_of_stream(file)
    if digest != expected:
        with suppress(OSError):
            verified_path(path).unlink()
        raise StaleIndexError(
            f"{path}: expected SHA-256 {expected}, got {digest}; the file is damaged: rebuild it"
        )
    file.seek(0)
    with suppress(OSError):  # who may only read the folder reads the file again next time
        note_verified(path, found, digest)
