"""The index folder: a description, and the index file that it names by its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from indexer.errors import StaleIndexError
from indexer.files import partial_path, sha256_of, sha256_of_stream, sync_file, sync_folder
from indexer.index_description import FILES, IndexDescription


def replace_index(folder: Path, write: Callable[[Path], IndexDescription]) -> IndexDescription:
    """Replace the index in ``folder`` by the one that ``write`` makes at a path and describes.

    The digest in the description is filled in here. A crash leaves the old or the new index;
    readers that have the old one open keep it. A folder must have one writer at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = partial_path(folder / "index")
    try:
        description = write(partial)
        description = replace(description, sha256=sha256_of(partial))
        sync_file(partial)
        partial.replace(folder / description.file_name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    description.write(folder)
    for start, end in FILES.values():
        for old in folder.glob(f"{start}-*.{end}"):
            if old.name != description.file_name:
                old.unlink()
    return description


def check_index(folder: Path, shards: Mapping[str, str]) -> IndexDescription:
    """What is said of the index in ``folder``, whose file has the right digest.

    Raises StaleIndexError where :func:`indexer.build.open_index` would for another. Loads neither
    the index nor FAISS.
    """
    with opened_index(folder, shards) as (_, _, description):
        return description


@contextmanager
def opened_index(
    folder: Path, shards: Mapping[str, str]
) -> Iterator[tuple[BinaryIO, Path, IndexDescription]]:
    """The index file at its start, once its description and digest were found right."""
    description = IndexDescription.read(folder)
    description.require_usable(shards)
    path = folder / description.file_name
    try:
        with path.open("rb") as file:
            # FAISS believes what it reads, so it reads nothing that was not written by save().
            digest = sha256_of_stream(file)
            if digest != description.sha256:
                raise StaleIndexError(
                    f"{path}: expected SHA-256 {description.sha256}, got {digest}; the file is "
                    "damaged: build it anew"
                )
            file.seek(0)
            yield file, path, description
    except OSError as error:
        raise StaleIndexError(f"{path} cannot be read: {error}; build it anew") from error
