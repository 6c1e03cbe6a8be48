"""What a copy of a gallery is a copy of: the address, the number, and the files it then had."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from facesearch.backup.snapshot import Identity
from facesearch.bucket.manifest import BucketFile, is_bucket_file
from facesearch.encryption.sealed_files import digest_and_size
from facesearch.errors import GalleryError
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import open_plain, read_json

FILE = "bucket.json"
FORMAT = "facesearch-bucket-copy"
VERSION = 1
_MOST_BYTES = 1 << 28


@dataclass(frozen=True)
class CopiedFile:
    """A file as it was sent or fetched, and what it was to the file system (None: the database)."""

    file: BucketFile
    identity: Identity | None


@dataclass(frozen=True)
class SyncNote:
    """The ``address`` and the ``number`` that the copy was brought to, and its files by name.

    ``is_changing``: files are being replaced by those of the store. ``is_dirty``: a command that
    may change the gallery has begun, and what it changed was not sent yet.
    """

    address: str
    number: int
    files: Mapping[str, CopiedFile] = field(default_factory=dict)
    is_changing: bool = False
    is_dirty: bool = False

    @classmethod
    def read(cls, folder: Path) -> SyncNote | None:
        """The note in a gallery's folder; None where it is no copy. GalleryError: it is damaged."""
        path = folder / FILE
        try:
            document: Any = read_json(path, _MOST_BYTES)
            if (document["format"], document["version"]) != (FORMAT, VERSION):
                raise ValueError(f"expected format {FORMAT!r}, version {VERSION}")
            files = {
                str(name): CopiedFile(
                    BucketFile(int(file["size"]), str(file["sha256"])),
                    None if file["identity"] is None else _identity(file["identity"]),
                )
                for name, file in document["files"].items()
            }
            return cls(
                str(document["address"]),
                int(document["number"]),
                files,
                bool(document["is_changing"]),
                bool(document["is_dirty"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise GalleryError(
                f"cannot read {path}: {error}; fetch the gallery into a new folder"
            ) from error

    def write(self, folder: Path) -> None:
        """Put the note in the place of the one before."""
        document = {
            "format": FORMAT,
            "version": VERSION,
            "address": self.address,
            "number": self.number,
            "is_changing": self.is_changing,
            "is_dirty": self.is_dirty,
            "files": {
                name: {
                    "size": each.file.size,
                    "sha256": each.file.sha256,
                    "identity": each.identity,
                }
                for name, each in sorted(self.files.items())
            },
        }
        write_atomically(folder / FILE, json.dumps(document, indent=1).encode())

    def marked(self, *, is_changing: bool = False, is_dirty: bool = False) -> SyncNote:
        """The same, of a copy in another state."""
        return replace(self, is_changing=is_changing, is_dirty=is_dirty)

    def digest(self, name: str, identity: Identity | None, file: BinaryIO) -> CopiedFile:
        """A file by its content, which is read only if the file is another than it was."""
        known = self.files.get(name)
        if known is not None and known.identity == identity is not None:
            return known
        sha256, size = digest_and_size(file)
        return CopiedFile(BucketFile(size, sha256), identity)


def local_files(folder: Path, note: SyncNote) -> dict[str, CopiedFile]:
    """The files of the copy in ``folder`` that buckets keep, as they are now."""
    found = {}
    for name in _names(folder):
        if is_bucket_file(name):
            with open_plain(folder / name) as file:
                seen = os.fstat(file.fileno())
                identity = (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
                found[name] = note.digest(name, identity, file)
    return found


def _names(folder: Path) -> Iterator[str]:
    for each in os.scandir(folder):
        if each.is_dir(follow_symlinks=False):
            yield from (f"{each.name}/{below.name}" for below in os.scandir(each.path))
        else:
            yield each.name


def _identity(values: Any) -> Identity:
    inode, size, mtime, ctime = map(int, values)
    return inode, size, mtime, ctime
