"""A gallery in an object store, used through a copy that this machine keeps."""

from __future__ import annotations

import fcntl
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from facesearch.bucket.manifest import newest_manifest
from facesearch.bucket.store import BucketStore
from facesearch.bucket.sync_note import SyncNote
from facesearch.bucket.transfer import pull_gallery, push_gallery
from facesearch.errors import ChangedGalleryError
from facesearch.gallery.description import DESCRIPTION
from facesearch.gallery.gallery import Gallery
from facesearch.model_files.download import cache_folder
from facesearch.repeated_work import repeated
from facesearch.search.gallery_index import refresh_index
from indexer.storage.atomic_files import make_folder, open_lock

logger = logging.getLogger(__name__)

EVERY = 300.0  # seconds
_NAME_LETTERS = 60


def copy_folder(address: str) -> Path:
    """Where this machine keeps its copy of the gallery at an address."""
    named = BucketStore(address).address
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    return cache_folder() / "galleries" / digest / named.rpartition("/")[2][-_NAME_LETTERS:]


@contextmanager
def bucket_gallery(
    address: str, *, reads_only: bool = False, every: float = EVERY
) -> Iterator[Path]:
    """The folder of this machine's copy of the gallery at ``address``, brought up to date.

    It is a gallery like any other, or no folder where none lies there yet. What changes in it is
    sent ``every`` so many seconds, and when the context ends without an error; what could not be
    sent stays in the copy, and is sent the next time. With ``reads_only`` nothing is sent. Raises
    ChangedGalleryError where both have changed, BucketError where the store refuses.
    """
    store = BucketStore(address)
    folder = copy_folder(address)
    make_folder(folder.parent)
    copy = _WorkingCopy(store.address, folder)
    copy.bring_up_to_date()
    if reads_only:
        yield folder
        return
    copy.mark_dirty()
    with copy.sending(every):
        yield folder
    copy.send()


class _WorkingCopy:
    """The copy in ``folder``; whoever transfers holds the lock beside it."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self._folder = folder

    def bring_up_to_date(self) -> None:
        """Fetch what has changed; what this machine changed and has not sent stays."""
        with self._lock():
            newest = newest_manifest(BucketStore(self._address))
            if newest is None:
                return
            is_gallery = (self._folder / DESCRIPTION).exists()
            note = SyncNote.read(self._folder) if is_gallery else None
            if is_gallery and note is None:
                raise ChangedGalleryError(
                    f"another machine has sent a gallery to {self._address}, and the one that this "
                    f"machine made, in {self._folder}, was never sent; move that folder away"
                )
            is_dirty = note is not None and note.is_dirty
            report = pull_gallery(self._address, self._folder, discard=not is_dirty)
            if report.moved:
                refresh_index(Gallery.open(self._folder))

    def mark_dirty(self) -> None:
        """Note that changes are to be sent from now on."""
        if (self._folder / DESCRIPTION).exists():
            note = SyncNote.read(self._folder)
            if note is not None:
                note.marked(is_dirty=True).write(self._folder)

    def send(self, *, goes_on: bool = False) -> None:
        """Send what has changed, if there is a gallery; ``goes_on``: more will change."""
        if (self._folder / DESCRIPTION).exists():
            with self._lock():
                push_gallery(Gallery.open(self._folder), self._address)
                if goes_on:
                    self.mark_dirty()

    @contextmanager
    def sending(self, every: float) -> Iterator[None]:
        """Send now and then."""
        failure = f"changes were not sent to {self._address} yet"
        with repeated(partial(self.send, goes_on=True), every, failure):
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with open_lock(self._folder.parent / "lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                logger.warning("waiting for another process that transfers %s", self._address)
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
