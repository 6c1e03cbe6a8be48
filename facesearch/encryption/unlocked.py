"""An encrypted gallery while it is used: decrypted in memory, and sealed again as it changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from facesearch.backup.snapshot import SnapshotFile, snapshot
from facesearch.encryption.convert import place_file, remove_plain_files
from facesearch.encryption.keys import Secret
from facesearch.encryption.memory_folder import memory_folder
from facesearch.encryption.sealed_files import (
    CONTENTS,
    MissingContentError,
    SealedFile,
    SealedList,
    digest_and_size,
    is_sealed,
    pieces_of,
)
from facesearch.errors import BusyGalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.locks import writer_lock
from facesearch.repeated_work import repeated
from indexer.storage.atomic_files import sync_folder

EVERY = 60.0  # seconds
_ATTEMPTS = 20


@contextmanager
def unlocked_gallery(
    folder: Path, secret: Secret, *, reads_only: bool = False, every: float = EVERY
) -> Iterator[Path]:
    """The folder in memory of the gallery that is encrypted in ``folder``.

    It is a gallery like any other, under the same name. What changes in it is sealed ``every`` so
    many seconds and at the end, whatever ends it but the death of the process; then the folder in
    memory is removed, also by that. Until then no other process may write to the gallery. With
    ``reads_only`` others may, and a change is kept only where none did. Raises
    EncryptedGalleryError for another secret or a damaged file, BusyGalleryError where another
    process writes, InputError where there is too little memory.
    """
    if not is_sealed(folder):
        raise InputError(f"{folder} is no encrypted gallery")
    with ExitStack() as stack:
        if not reads_only:
            stack.enter_context(writer_lock(folder))
        sealed, work = _decrypted(stack, folder, secret)
        keeper = _Keeper(folder, sealed, work)
        if reads_only:
            yield work
            keeper.keep_if_unchanged(secret)
            return
        remove_plain_files(folder)
        sealed.remove_others(folder)
        with keeper.keeping(every):
            yield work


def _decrypted(stack: ExitStack, folder: Path, secret: Secret) -> tuple[SealedList, Path]:
    missing = MissingContentError()
    for _ in range(_ATTEMPTS):
        sealed = SealedList.read(folder, secret)
        total = sum(each.size for each in sealed.files.values())
        with ExitStack() as attempt:
            work = attempt.enter_context(memory_folder(total)) / folder.absolute().name
            try:
                for name in sealed.files:
                    place_file(sealed, folder, name, work / name)
            except MissingContentError as error:  # a writer may have put another in its place
                missing = error
                continue
            stack.push(attempt.pop_all())
            return sealed, work
    raise missing


class _Keeper:
    """Seals what has changed in the folder in memory since it did so last."""

    def __init__(self, folder: Path, sealed: SealedList, work: Path) -> None:
        self._folder, self._sealed, self._work = folder, sealed, work
        self._seen: dict[str, tuple[int, ...]] = {}
        with self._snapshot() as files:
            self._seen = {each.name: _identity(each) for each in files}

    @contextmanager
    def keeping(self, every: float) -> Iterator[None]:
        """Seal now and then, and at the end."""
        try:
            failure = f"what has changed in {self._folder} is not kept yet"
            with repeated(self.keep, every, failure):
                yield
        finally:
            self.keep()

    def keep_if_unchanged(self, secret: Secret) -> None:
        """Seal what has changed, unless another process writes or has written."""
        with suppress(BusyGalleryError), writer_lock(self._folder):
            if SealedList.read(self._folder, secret).state == self._sealed.state:
                self.keep()

    def keep(self) -> None:
        """Seal what has changed; raises StorageError where it cannot be written."""
        with self._snapshot() as files:
            now = {each.name: self._sealed_now(each) for each in files}
            if now == dict(self._sealed.files):
                return
            sync_folder(self._folder / CONTENTS)
            after = self._sealed.holding(now)
            after.write(self._folder)
            self._sealed = after
            self._seen = {each.name: _identity(each) for each in files}
        after.remove_others(self._folder)

    def _sealed_now(self, each: SnapshotFile) -> SealedFile:
        before = self._sealed.files.get(each.name)
        if before is not None and self._seen.get(each.name) == _identity(each) != ():
            return before
        sha256, size = digest_and_size(each.file)
        if before is not None and (before.sha256, before.size) == (sha256, size):
            return before
        return self._sealed.seal(self._folder, pieces_of(each.file), size, sha256)

    @contextmanager
    def _snapshot(self) -> Iterator[list[SnapshotFile]]:
        with snapshot(Gallery.open(self._work)) as files:
            yield files


def _identity(each: SnapshotFile) -> tuple[int, ...]:
    """Of a file that nothing changes in place; of the database, which is a copy, nothing."""
    return each.identity or ()
