"""A gallery as one file, and back: a ZIP archive with a manifest of sizes and SHA-256 digests.

Nothing in it is compressed, so that no archive unpacks to more than its size.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO

from facesearch.backup.snapshot import SnapshotFile, is_gallery_file, snapshot
from facesearch.check import check_gallery
from facesearch.erasure.sidecars import note_output
from facesearch.errors import BusyGalleryError, GalleryError, InputError
from facesearch.gallery.description import DESCRIPTION
from facesearch.gallery.gallery import Gallery
from indexer.storage.atomic_files import (
    PRIVATE_FILE,
    CheckedFile,
    buffered,
    checked_file,
    make_folder,
    open_lock,
    partial_path,
    replacing_file,
    storing,
    sync_folder,
)
from indexer.storage.plain_files import open_plain, parse_json

MANIFEST = "facesearch-archive.json"
FORMAT = "facesearch-archive"
VERSION = 1
_MOST_FILES = 1_000_000
_MOST_MANIFEST = 1 << 28
_PIECE = 1 << 20


@dataclass(frozen=True)
class ArchiveReport:
    """``path`` of what was written, of so many ``files`` with so many ``bytes`` together.

    ``problems`` are what ``facesearch check`` calls damaged in an imported gallery: it was so when
    it was exported.
    """

    path: Path
    files: int
    bytes: int
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class _ArchivedFile:
    size: int
    sha256: str


def export_gallery(gallery: Gallery, path: Path) -> ArchiveReport:
    """Write ``gallery`` as it is at this moment to the new file ``path``.

    Other processes may write meanwhile; forgetting waits. The report is left out: it is made again.
    Raises InputError where ``path`` exists, GalleryError where a file of the gallery is damaged,
    BusyGalleryError where faces are being forgotten, StorageError where it cannot be written.
    """
    if os.path.lexists(path):
        raise InputError(f"{path} exists; name a new file for the archive, or remove this one")
    with gallery.presenting(), snapshot(gallery) as files:
        note_output(gallery, path.absolute())
        with replacing_file(path, replace=False) as place, buffered(place) as out:
            entries = _written(out, files)
    total = sum(entry.size for entry in entries.values())
    return ArchiveReport(path, len(entries), total)


def import_gallery(path: Path, folder: Path) -> ArchiveReport:
    """Make the gallery in the archive ``path`` again, in the new or empty ``folder``.

    Everything is unpacked beside ``folder`` and compared with the manifest; only then does it get
    its name. Raises InputError where ``folder`` has something in it, or ``path`` is no such
    archive, or damaged; StorageError where it cannot be written.
    """
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or _filled(folder)):
        raise InputError(f"{folder} exists; name a new or empty folder for the gallery")
    with _unpacking(folder) as partial:
        with _opened(path) as archive:
            entries = _manifest(archive, path)
            for name, entry in entries.items():
                _unpack(archive, path, partial / name, name, entry)
        problems = _problems(partial, path)
        with storing(folder):
            for below in (partial, *(each for each in partial.iterdir() if each.is_dir())):
                sync_folder(below)
            partial.replace(folder)
            sync_folder(folder.absolute().parent)
    total = sum(entry.size for entry in entries.values())
    return ArchiveReport(folder, len(entries), total, problems)


def _written(out: BinaryIO, files: list[SnapshotFile]) -> dict[str, _ArchivedFile]:
    entries: dict[str, _ArchivedFile] = {}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for each in files:
            with archive.open(_info(each.name), "w", force_zip64=True) as place:
                entries[each.name] = _copied(each.file, place)
            if entries[each.name].size != each.size:
                raise GalleryError(f"{each.name} changed while it was read; run the command again")
        _require_digests(files, entries)
        document = {
            "format": FORMAT,
            "version": VERSION,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": {name: vars(entry) for name, entry in entries.items()},
        }
        archive.writestr(_info(MANIFEST), json.dumps(document, indent=1))
    return entries


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980: times say nothing about a gallery
    info.external_attr = PRIVATE_FILE << 16
    return info


def _require_digests(files: list[SnapshotFile], entries: dict[str, _ArchivedFile]) -> None:
    """Raise GalleryError for a shard that is not what was sealed."""
    for each in files:
        digest = f"{each.name}.sha256"
        if digest not in entries:
            continue
        (beside,) = (other.file for other in files if other.name == digest)
        beside.seek(0)
        if beside.read(64) != entries[each.name].sha256.encode():
            raise GalleryError(
                f"{each.name} is not what was sealed, so nothing was exported; look at it with "
                "facesearch check"
            )


def _copied(source: IO[bytes], target: IO[bytes] | CheckedFile) -> _ArchivedFile:
    digest, size = hashlib.sha256(), 0
    while piece := source.read(_PIECE):
        digest.update(piece)
        target.write(piece)
        size += len(piece)
    return _ArchivedFile(size, digest.hexdigest())


def _filled(folder: Path) -> bool:
    return any(folder.iterdir())


@contextmanager
def _unpacking(folder: Path) -> Iterator[Path]:
    """An empty folder beside ``folder``, removed again unless it took another name."""
    partial = partial_path(folder.absolute())
    make_folder(partial)
    with open_lock(partial / "lock") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyGalleryError(f"another process is importing to {folder}") from None
        try:
            for left in partial.iterdir():  # by an import that was killed
                if left.name != "lock":
                    shutil.rmtree(
                        left
                    ) if left.is_dir() and not left.is_symlink() else left.unlink()
            yield partial
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(partial)
            raise


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive ``path``; whatever is wrong in it is an InputError."""
    try:
        # A link that the caller names is the caller's.
        with open_plain(path.resolve()) as file, zipfile.ZipFile(file) as archive:
            _require_plain_entries(archive, os.fstat(file.fileno()).st_size)
            yield archive
    except (InputError, GalleryError):
        raise
    except FileNotFoundError:
        raise InputError(f"there is no archive {path}") from None
    except (
        zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError, TypeError,
        ValueError, AttributeError, OverflowError, struct.error,
    ) as error:  # fmt: skip
        raise _damaged(path, error) from error


def _damaged(path: Path, problem: object) -> InputError:
    return InputError(
        f"{path} is no archive that facesearch export wrote, or is damaged: {problem}; use another "
        "copy of it"
    )


def _require_plain_entries(archive: zipfile.ZipFile, size: int) -> None:
    infos = archive.infolist()
    if len(infos) > _MOST_FILES:
        raise ValueError(f"expected at most {_MOST_FILES} files, got {len(infos)}")
    if len({info.filename for info in infos}) != len(infos):
        raise ValueError("two files have one name")
    for info in infos:
        if info.filename != MANIFEST and not is_gallery_file(info.filename):
            raise ValueError(f"expected files of a gallery, got {info.filename[:200]!a}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename} is compressed")
    if sum(info.file_size for info in infos) > size:
        raise ValueError("it says that it holds more than its size")


def _manifest(archive: zipfile.ZipFile, path: Path) -> dict[str, _ArchivedFile]:
    info = archive.getinfo(MANIFEST)
    if info.file_size > _MOST_MANIFEST:
        raise ValueError(f"its list of files has {info.file_size} bytes")
    document: Any = parse_json(archive.read(info))
    if (document["format"], document["version"]) != (FORMAT, VERSION):
        raise ValueError(f"expected format {FORMAT!r}, version {VERSION}")
    entries = {
        str(name): _ArchivedFile(int(entry["size"]), str(entry["sha256"]))
        for name, entry in document["files"].items()
    }
    held = {each.filename for each in archive.infolist()} - {MANIFEST}
    if {*entries} != held or DESCRIPTION not in entries:
        raise ValueError("its list of files is not that of the files in it")
    return entries


def _unpack(
    archive: zipfile.ZipFile, path: Path, place: Path, name: str, entry: _ArchivedFile
) -> None:
    make_folder(place.parent)
    with archive.open(name) as source, checked_file(place) as target:
        found = _copied(source, target)
    if found != entry:
        raise _damaged(path, f"{name} is not what its list of files says")


def _problems(partial: Path, path: Path) -> tuple[str, ...]:
    try:
        findings = check_gallery(Gallery.open(partial))
    except GalleryError as error:
        raise _damaged(path, error) from error
    return tuple(f"{each.subject}: {each.problem}" for each in findings if each.severe)
