"""Encrypt a gallery, decrypt it, and put it under another key.

Each is done in one step at its end, the replacing or removing of ``gallery.sealed``: killed before
it, the gallery is as it was, and what was written so far is removed when it is begun again; killed
after it, the next command that writes removes what is left of before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facesearch.backup.snapshot import snapshot
from facesearch.encryption.keys import Secret
from facesearch.encryption.sealed_files import (
    CONTENTS,
    SealedFile,
    SealedList,
    digest_and_size,
    is_sealed,
    pieces_of,
    remove_contents,
)
from facesearch.errors import InputError
from facesearch.gallery.description import DESCRIPTION, SEALED, SHARDS
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.locks import writer_lock
from facesearch.images.walk.left_out import REPORT_MARKER
from indexer.storage.atomic_files import make_folder, replacing_file, storing, sync_folder

# In the gallery's folder; gallery.json first: without it nothing is taken for a gallery.
_FILES = (
    DESCRIPTION, "settings.json", "next-shard", "people.sqlite", "people.sqlite-journal",
    "people.sqlite-wal", "people.sqlite-shm", "forgotten.json", "state.h5", "graph.h5",
    "calibration.json", "outputs.json",
)  # fmt: skip
_FOLDERS = ("index", "clusters", "erasures", "pictures", "videos", "report", ".report.removed")
_KEPT = {SEALED, CONTENTS, "lock", "presenting", "service.json"}


@dataclass(frozen=True)
class SealReport:
    """``files`` with so many ``bytes`` were encrypted or decrypted in ``folder``.

    ``removed_report`` says whether a report was removed, which can be written again. ``left`` are
    files in the folder that are no part of a gallery: they are as they were.
    """

    folder: Path
    files: int
    bytes: int
    removed_report: bool = False
    left: tuple[str, ...] = ()


def encrypt_gallery(folder: Path, secret: Secret) -> SealReport:
    """Encrypt the gallery ``folder`` under ``secret``; see :class:`SealReport`.

    What was there unencrypted is deleted; a disk may keep the blocks until they are used again.
    Raises InputError where it is encrypted already, BusyGalleryError where another process writes,
    StorageError where a file cannot be written: then the gallery is as it was.
    """
    if is_sealed(folder):
        with writer_lock(folder):
            remove_plain_files(folder)
        raise InputError(f"{folder} is encrypted already")
    gallery = Gallery.open(folder)
    with gallery.writing(), gallery.erasing(), snapshot(gallery) as files:
        remove_contents(folder)
        plan = SealedList.new(secret)
        sealed: dict[str, SealedFile] = {}
        for each in files:
            sha256, size = digest_and_size(each.file)
            sealed[each.name] = plan.seal(folder, pieces_of(each.file), size, sha256)
        sync_folder(folder / CONTENTS)
        plan.holding(sealed).write(folder)
        had_report = os.path.lexists(folder / "report" / REPORT_MARKER)
        remove_plain_files(folder)
    return _report(folder, sealed, had_report)


def decrypt_gallery(folder: Path, secret: Secret) -> SealReport:
    """Make ``folder`` an ordinary gallery again.

    Raises InputError where it is not encrypted, EncryptedGalleryError for another secret or a
    damaged file, BusyGalleryError where another process writes, StorageError where a file cannot be
    written: then it is encrypted as it was.
    """
    with writer_lock(_sealed(folder)):
        sealed = SealedList.read(folder, secret)
        remove_plain_files(folder)
        for name in sealed.files:
            place_file(sealed, folder, name, folder / name)
        with storing(folder):
            for below in {(folder / name).parent for name in sealed.files}:
                sync_folder(below)
            (folder / SEALED).unlink()
            sync_folder(folder)
        remove_contents(folder)
    return _report(folder, sealed.files)


def rotate_key(folder: Path, secret: Secret, new: Secret) -> SealReport:
    """Put the encrypted gallery ``folder`` under another secret and a new key.

    Every file is encrypted again, so that neither the old secret nor an old copy of the key opens
    it. Raises as :func:`decrypt_gallery` does.
    """
    with writer_lock(_sealed(folder)):
        before = SealedList.read(folder, secret)
        before.remove_others(folder)
        remove_plain_files(folder)
        plan = SealedList.new(new)
        files = {
            name: plan.seal(folder, before.opened(folder, name), each.size, each.sha256)
            for name, each in before.files.items()
        }
        sync_folder(folder / CONTENTS)
        after = plan.holding(files)
        after.write(folder)
        after.remove_others(folder)
    return _report(folder, files)


def place_file(sealed: SealedList, folder: Path, name: str, place: Path) -> None:
    """Decrypt the file ``name`` of the gallery ``folder`` to ``place``.

    Raises as :meth:`SealedList.opened` does, then nothing is there.
    """
    make_folder(place.parent)
    with replacing_file(place) as file:
        for piece in sealed.opened(folder, name):
            file.write(piece)


def remove_plain_files(folder: Path) -> None:
    """Remove what is there unencrypted of the encrypted gallery ``folder``.

    It is there where encrypting or decrypting was killed. Nothing is removed that is no part of a
    gallery, and nothing that a link leads to.
    """
    with storing(folder):
        for name in _FILES:
            (folder / name).unlink(missing_ok=True)
        for path in list(folder.iterdir()):
            if path.name.startswith(".") and path.name.endswith(".partial"):
                path.unlink()
            elif _is_folder_of_gallery(path):
                path.unlink() if path.is_symlink() else shutil.rmtree(path)
        sync_folder(folder)


def _is_folder_of_gallery(path: Path) -> bool:
    if path.name == "report" and not path.is_symlink():
        return os.path.lexists(path / REPORT_MARKER)
    return path.name in _FOLDERS or path.name == SHARDS or path.name.startswith(f"{SHARDS}-")


def _sealed(folder: Path) -> Path:
    if is_sealed(folder):
        return folder
    if os.path.lexists(folder / DESCRIPTION) and (folder / CONTENTS).is_dir():
        with suppress(OSError):  # of a decryption that was killed at its very end
            remove_contents(folder)
    raise InputError(f"{folder} is no encrypted gallery")


def _report(folder: Path, files: Mapping[str, SealedFile], had_report: bool = False) -> SealReport:
    left = sorted({each.name for each in folder.iterdir()} - _KEPT) if is_sealed(folder) else []
    total = sum(each.size for each in files.values())
    return SealReport(folder, len(files), total, had_report, tuple(left))
