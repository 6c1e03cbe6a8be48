"""Which objects are a gallery: numbered lists of its files, of which the newest holds.

A file's object is named by its content, ``shards/00000003.h5.SHA256``, and never changes. A list is
made under the number that follows the newest, only where there is none of that number: of two
machines that send at one time, one succeeds.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facesearch.backup.snapshot import is_gallery_file
from facesearch.bucket.store import BucketError, BucketStore
from facesearch.errors import BusyGalleryError
from facesearch.gallery.description import DESCRIPTION
from indexer.storage.plain_files import parse_json

FORMAT = "facesearch-bucket"
VERSION = 1
FOLDER = "manifests"
# Made again from the others, or of this machine.
_DERIVED = re.compile(r"state\.h5|graph\.h5|index/.*|clusters/merges\.h5|outputs\.json")
_NAME = re.compile(r"(\d{8})\.json", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RACES = 5


def is_bucket_file(name: str) -> bool:
    """Whether a gallery's file ``name`` is kept in buckets: all but what others give again."""
    return is_gallery_file(name) and not _DERIVED.fullmatch(name)


@dataclass(frozen=True)
class BucketFile:
    """A file's size and the SHA-256 of its content."""

    size: int
    sha256: str


@dataclass(frozen=True)
class BucketManifest:
    """The files of a gallery by name, as they were sent under a ``number``, from 1 on.

    ``id`` tells apart two that were made under the same number.
    """

    number: int
    files: Mapping[str, BucketFile]
    id: str

    @classmethod
    def of(cls, number: int, files: Mapping[str, BucketFile]) -> BucketManifest:
        """A new one."""
        return cls(number, files, uuid.uuid4().hex)

    @property
    def objects(self) -> dict[str, BucketFile]:
        """The files by the names of their objects."""
        return {object_name(name, file): file for name, file in self.files.items()}


def object_name(name: str, file: BucketFile) -> str:
    """The name of the object that holds a file."""
    return f"{name}.{file.sha256}"


def newest_manifest(store: BucketStore) -> BucketManifest | None:
    """The list that holds; None where no gallery is. BucketError where it cannot be read."""
    for attempt in range(_RACES):
        found = _numbered(store)
        if not found:
            return None
        number, (name, size) = max(found.items())
        try:
            return _parsed(store.read(f"{FOLDER}/{name}", size), store, number)
        except (BucketError, FileNotFoundError):
            # One that was replaced while it was read is no damage.
            if attempt == _RACES - 1 or max(_numbered(store), default=0) == number:
                raise
    raise AssertionError("the last attempt raises")


def write_manifest(store: BucketStore, manifest: BucketManifest) -> None:
    """Make ``manifest`` the one that holds, and remove those before it.

    Raises BusyGalleryError where another machine was quicker.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "number": manifest.number,
        "id": manifest.id,
        "files": {name: asdict(file) for name, file in sorted(manifest.files.items())},
    }
    name = _file_name(manifest.number)
    made = store.make_first(f"{FOLDER}/{name}", json.dumps(document, indent=1).encode())
    newest = max(_numbered(store), default=0)
    if made and newest > manifest.number:  # of this number was one before, which is removed
        store.remove([f"{FOLDER}/{name}"])
    if not made or newest > manifest.number:
        raise BusyGalleryError(
            f"another machine has changed {store.address} meanwhile; fetch that first, then send"
        )
    store.remove(
        f"{FOLDER}/{_file_name(number)}" for number in _numbered(store) if number < manifest.number
    )


def _file_name(number: int) -> str:
    return f"{number:08d}.json"


def _numbered(store: BucketStore) -> dict[int, tuple[str, int]]:
    """Names and sizes of all lists by their numbers."""
    return {
        int(match[1]): (name, each.size)
        for name, each in store.listed(FOLDER).items()
        if (match := _NAME.fullmatch(name))
    }


def _parsed(data: bytes, store: BucketStore, number: int) -> BucketManifest:
    try:
        document: Any = parse_json(data)
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            raise ValueError(f"expected format {FORMAT!r}, version {VERSION}")
        files = {
            str(name): BucketFile(int(file["size"]), str(file["sha256"]))
            for name, file in document["files"].items()
        }
        wrong = [
            name
            for name, file in files.items()
            if not is_bucket_file(name) or file.size < 0 or not _SHA256.fullmatch(file.sha256)
        ]
        if wrong or DESCRIPTION not in files or document["number"] != number:
            raise ValueError(f"expected files of a gallery, got {wrong[:1] or 'none'}")
        return BucketManifest(number, files, str(document["id"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BucketError(
            f"the list of files {_file_name(number)} in {store.address} is damaged: {error}"
        ) from error
