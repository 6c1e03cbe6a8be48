"""Send a gallery to an object store, and bring a copy up to date with what is there.

Each file is an object of its content, made once and read back; the list that names them is made
last. So a transfer that is killed changes nothing, and the next one finds what it has sent.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from facesearch.backup.snapshot import SnapshotFile, snapshot
from facesearch.bucket.manifest import (
    FOLDER,
    BucketFile,
    BucketManifest,
    is_bucket_file,
    newest_manifest,
    object_name,
    write_manifest,
)
from facesearch.bucket.store import BucketError, BucketStore, in_threads
from facesearch.bucket.sync_note import CopiedFile, SyncNote, local_files
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.description import DESCRIPTION
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.locks import STAGED, remove_staged, writer_lock
from facesearch.gallery.tombstones import FILE as TOMBSTONES
from indexer.storage.atomic_files import make_folder, sync_folder, write_atomically

logger = logging.getLogger(__name__)


# Objects that no list names are those of a killed transfer, or of one that still runs elsewhere.
_UNNAMED_SECONDS = 24 * 3600


@dataclass(frozen=True)
class TransferReport:
    """What lies at ``address``: list ``number``, of so many ``files`` with so many ``bytes``, and
    how many of these were ``moved`` now, and ``moved_bytes``."""

    address: str
    number: int
    files: int
    bytes: int
    moved: int
    moved_bytes: int


def push_gallery(gallery: Gallery, address: str) -> TransferReport:
    """Bring what lies at ``address`` up to date with a gallery, as it is at one moment.

    Raises InputError where another gallery lies there, ChangedGalleryError where another machine
    has changed it since, BusyGalleryError where one does now, and BucketError where the store
    refuses; then what lies there is as it was.
    """
    store = BucketStore(address)
    note, newest = SyncNote.read(gallery.folder), newest_manifest(store)
    if note is not None and note.address != store.address:
        note = None
    _require_same(note, newest, store, gallery.folder)
    note = note or SyncNote(store.address, 0)
    with gallery.presenting(), snapshot(gallery) as files:
        wanted = [each for each in files if is_bucket_file(each.name)]
        now = {each.name: note.digest(each.name, each.identity, each.file) for each in wanted}
        content = {name: each.file for name, each in now.items()}
        if newest is not None and content == newest.files:
            note = SyncNote(store.address, newest.number, now)
            note.write(gallery.folder)
            return _report(newest, store, [])
        number = max(note.number, newest.number if newest else 0) + 1
        manifest = BucketManifest.of(number, content)
        sent = _send(store, wanted, content, newest)
    _require_objects(store, manifest)
    write_manifest(store, manifest)
    SyncNote(store.address, number, now).write(gallery.folder)
    _remove_unnamed(store, manifest, newest)
    return _report(manifest, store, sent)


def pull_gallery(address: str, folder: Path, *, discard: bool = False) -> TransferReport:
    """Make the gallery at ``address`` in the new or empty ``folder``, or bring a copy up to date.

    Each file is compared with its digest before any takes its place. Raises InputError where
    nothing lies at the address, or something else in the folder, ChangedGalleryError where both
    have changed, unless the changes of the copy are to be ``discard``ed, BusyGalleryError where
    another process writes to it, BucketError where the store refuses or an object is damaged.
    """
    store = BucketStore(address)
    manifest = newest_manifest(store)
    if manifest is None:
        raise InputError(f"there is no gallery at {store.address}; send one there first")
    note = _note_of_copy(folder, store)
    local: Mapping[str, CopiedFile] = {}
    if note is not None:
        local = local_files(folder, note)
        is_changed = _content(local) != _content(note.files) and not note.is_changing
        if is_changed and not discard:
            if manifest.number == note.number:
                return _report(manifest, store, [])
            raise ChangedGalleryError(
                f"both {folder} and {store.address} have changed since the one was fetched from "
                "the other; discard the changes of the folder, or fetch into a new one"
            )
    missing = [
        file
        for name, file in manifest.files.items()
        if name not in local or local[name].file != file
    ]
    if not missing and _content(local) == manifest.files and note is not None:
        SyncNote(store.address, manifest.number, local, is_dirty=note.is_dirty).write(folder)
        return _report(manifest, store, [])
    make_folder(folder)
    with writer_lock(folder):
        staged = _fetch(store, manifest, folder, local)
        before = note or SyncNote(store.address, 0)
        before.marked(is_changing=True).write(folder)
        _place(manifest, folder, local)
        now = local_files(folder, SyncNote(store.address, 0))
        SyncNote(store.address, manifest.number, now).write(folder)
    return _report(manifest, store, staged)


def _require_same(
    note: SyncNote | None, newest: BucketManifest | None, store: BucketStore, folder: Path
) -> None:
    """Raise an error where what lies in the store is not what the gallery was last."""
    if newest is None or (note is not None and note.number == newest.number):
        return
    if note is None:
        raise InputError(
            f"expected no gallery at {store.address}, or the one that {folder} is a copy of, got "
            "another; send it to another address"
        )
    raise ChangedGalleryError(
        f"another machine has changed {store.address} since {folder} was brought up to date; "
        f"nothing was sent; fetch it first: facesearch pull {store.address} {folder}"
    )


def _note_of_copy(folder: Path, store: BucketStore) -> SyncNote | None:
    """The note of a copy; None of a folder that is new, or empty, or all but."""
    if not os.path.lexists(folder):
        return None
    note = SyncNote.read(folder)
    if note is not None and note.address == store.address:
        return note
    left = {each.name for each in os.scandir(folder)} - {STAGED, "lock"}
    if note is not None or left:
        raise InputError(
            f"{folder} exists, and is no copy of {store.address}; name a new or empty folder"
        )
    return None


def _content(files: Mapping[str, CopiedFile]) -> dict[str, BucketFile]:
    return {name: each.file for name, each in files.items()}


def _report(
    manifest: BucketManifest, store: BucketStore, moved: list[BucketFile]
) -> TransferReport:
    return TransferReport(
        store.address,
        manifest.number,
        len(manifest.files),
        sum(file.size for file in manifest.files.values()),
        len(moved),
        sum(file.size for file in moved),
    )


def _send(
    store: BucketStore,
    files: list[SnapshotFile],
    content: Mapping[str, BucketFile],
    newest: BucketManifest | None,
) -> list[BucketFile]:
    """Send what the store has not been sent; one file a thread is in memory."""
    known = set() if newest is None else {*newest.objects}
    there = {*store.listed()}
    wanted = [
        each
        for each in files
        if (name := object_name(each.name, content[each.name])) not in known or name not in there
    ]

    def send(each: SnapshotFile) -> None:
        each.file.seek(0)
        name = object_name(each.name, content[each.name])
        store.make(name, each.file.read(), is_listed=name in there)

    in_threads(send, wanted)
    return [content[each.name] for each in wanted]


def _require_objects(store: BucketStore, manifest: BucketManifest) -> None:
    """That nobody has removed, meanwhile, what the list is about to name."""
    there = store.listed()
    for name, file in manifest.objects.items():
        if name not in there or there[name].size != file.size:
            raise BucketError(
                f"{store.address}/{name} is gone again; see who removes objects there, then run "
                "the command again"
            )


def _remove_unnamed(
    store: BucketStore, manifest: BucketManifest, before: BucketManifest | None
) -> None:
    """Remove what the list before named and this one does not, and what none has for long.

    Forgotten faces are in such objects. What cannot be removed now, the next transfer removes.
    """
    named, replaced = manifest.objects, {} if before is None else before.objects
    oldest = (time.time() - _UNNAMED_SECONDS) * 1e9
    try:
        unnamed = [
            name
            for name, each in store.listed().items()
            if name not in named
            and not name.startswith(f"{FOLDER}/")
            and (name in replaced or each.mtime_ns < oldest)
        ]
        in_threads(lambda name: store.remove([name]), unnamed)
    except BucketError as error:
        logger.warning("objects of before are still there, until the next transfer: %s", error)


def _fetch(
    store: BucketStore, manifest: BucketManifest, folder: Path, local: Mapping[str, CopiedFile]
) -> list[BucketFile]:
    """Fetch into the folder of staged files what the copy lacks, by its digest."""
    staging = folder / STAGED
    remove_staged(folder)
    make_folder(staging)
    wanted = {
        file.sha256: (name, file)
        for name, file in manifest.files.items()
        if name not in local or local[name].file != file
    }

    def fetch(each: tuple[str, BucketFile]) -> None:
        name, file = each
        data = store.read(object_name(name, file), file.size, file.sha256)
        write_atomically(staging / file.sha256, data)

    in_threads(fetch, wanted.values())
    return [file for _, file in wanted.values()]


def _place(manifest: BucketManifest, folder: Path, local: Mapping[str, CopiedFile]) -> None:
    """Let the staged files take their places: first whom nobody may see any more, last what makes
    the folder a gallery."""
    names = sorted(
        (name for name, file in manifest.files.items()
         if name not in local or local[name].file != file),
        key=lambda name: (name == DESCRIPTION, name != TOMBSTONES, name),
    )  # fmt: skip
    uses = Counter(manifest.files[name].sha256 for name in names)
    for name in names:
        place = folder / name
        if place.parent != folder:
            make_folder(place.parent)
        staged = folder / STAGED / manifest.files[name].sha256
        if uses[staged.name] > 1:  # files of one content
            write_atomically(place, staged.read_bytes())
        else:
            staged.replace(place)
    for name in local.keys() - manifest.files.keys():
        (folder / name).unlink(missing_ok=True)
    for each in (folder, *(below for below in folder.iterdir() if below.is_dir())):
        sync_folder(each)
    remove_staged(folder)
