"""The one way out: files that are either whole or absent, and their digests.

A file is made beside its place, where nothing was (a link that somebody put there is never
followed), for its owner alone. Each write is read back, the file is forced to the disk, and only
then does it take its place. What goes wrong is a :class:`~indexer.errors.StorageError` that names
the file and what to do.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from indexer.errors import StorageError, UnsafeFileError
from indexer.storage.plain_files import open_plain

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_READ_BYTES = 1 << 20


def partial_path(path: Path) -> Path:
    """The hidden sibling that ``path`` is written as before it is renamed into place."""
    return path.with_name(f".{path.name}.partial")


@contextmanager
def storing(path: Path) -> Iterator[None]:
    """Turn errors of the file system into a StorageError that names ``path``."""
    try:
        yield
    except OSError as error:
        if (
            isinstance(error, StorageError | UnsafeFileError) or error.errno is None
        ):  # not the system's
            raise
        raise StorageError(path, error) from error


def create_file(path: Path, mode: int = PRIVATE_FILE) -> int:
    """A descriptor of the new file ``path``, in place of a file or link of that name.

    Raises OSError, also where a folder has the name.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, mode)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, mode)


class CheckedFile(io.RawIOBase):
    """A file being written: each write is done whole and read back.

    The first error is kept as :attr:`failure`. With ``defers_errors`` no error is raised: libraries
    that lose errors of their output, or crash on them, see none, and whoever closes the file asks
    for it (:func:`checked_file` does).
    """

    def __init__(self, descriptor: int, *, defers_errors: bool = False) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._defers = defers_errors
        self._place = 0
        self.failure: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place}.get(whence)
        self._place = offset + (os.fstat(self._descriptor).st_size if start is None else start)
        return self._place

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, len(view), self._place)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        if self.failure is None:
            with self._kept():
                self._write_checked(view)
        self._place += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        size = self._place if size is None else size
        with self._kept():
            os.ftruncate(self._descriptor, size)
        return size

    def finish(self, durable: bool = True) -> None:
        """Force what was written to the disk; raises the first error that there was."""
        if self.failure is not None:
            raise self.failure
        if durable:
            os.fsync(self._descriptor)

    def close(self) -> None:
        if not self.closed:
            super().close()
            os.close(self._descriptor)

    def _write_checked(self, view: memoryview) -> None:
        done = 0
        while done < len(view):
            done += os.pwrite(self._descriptor, view[done:], self._place + done)
        for start in range(0, len(view), _READ_BYTES):
            part = view[start : start + _READ_BYTES]
            if os.pread(self._descriptor, len(part), self._place + start) != part:
                raise OSError(errno.EIO, "what was written is not what can be read")

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            if not self._defers:
                raise


@contextmanager
def checked_file(
    path: Path,
    *,
    mode: int = PRIVATE_FILE,
    defers_errors: bool = False,
    shown: Path | None = None,
    durable: bool = True,
) -> Iterator[CheckedFile]:
    """The new file ``path``, open for writing; on the disk when the context ends, else removed.

    Raises StorageError, which names ``shown`` or else ``path``, where a write failed.
    """
    with storing(shown or path):
        file = CheckedFile(create_file(path, mode), defers_errors=defers_errors)
        try:
            try:
                yield file
            except Exception:
                if file.failure is not None:  # what failed since, failed because of that
                    raise file.failure from None
                raise
            file.finish(durable)
            if not os.path.samestat(os.fstat(file.fileno()), path.lstat()):
                raise OSError(errno.EBUSY, "another process is writing it")
        except BaseException:
            with suppress(OSError):
                path.unlink()
            raise
        finally:
            file.close()


@contextmanager
def replacing_file(
    path: Path,
    *,
    mode: int = PRIVATE_FILE,
    defers_errors: bool = False,
    replace: bool = True,
    durable: bool = True,
) -> Iterator[CheckedFile]:
    """A new file that takes the place of ``path`` once it is whole and on the disk.

    With ``replace`` False it takes no other's place: StorageError where ``path`` is there. A file
    that need not be ``durable`` may be lost, or empty, when the power fails. Raises StorageError
    where it cannot be written; what was there is as it was then.
    """
    partial = partial_path(path)
    with checked_file(
        partial, mode=mode, defers_errors=defers_errors, shown=path, durable=durable
    ) as file:
        yield file
    try:
        with storing(path):
            if not replace and os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, "it exists")
            partial.replace(path)
            if durable:
                sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def buffered(file: CheckedFile) -> Iterator[BinaryIO]:
    """For many small writes to ``file``, which are all done when the context ends."""
    out = io.BufferedWriter(file, _READ_BYTES)
    try:
        yield out
        out.flush()
    finally:
        with suppress(OSError):
            out.detach()


def write_atomically(
    path: Path, data: bytes, *, mode: int = PRIVATE_FILE, durable: bool = True
) -> None:
    """Put ``data`` in the place of ``path``: whole, or not at all; see :func:`replacing_file`."""
    with replacing_file(path, mode=mode, durable=durable) as file:
        file.write(data)


def overwrite(path: Path, data: bytes) -> None:
    """Put ``data`` into the file ``path`` itself, for what may as well be half there or lost.

    Raises StorageError where it cannot be written, and for a link.
    """
    with storing(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        file = CheckedFile(os.open(path, flags, PRIVATE_FILE))
        try:
            file.write(data)
        finally:
            file.close()


def make_folder(path: Path, *, parents: bool = True) -> None:
    """See that there is a folder ``path``, for its owner alone where it is made here.

    Raises StorageError where something else has its name: a link to a folder too, for whoever made
    that says where files go.
    """
    with storing(path):
        if parents and not path.parent.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            path.mkdir(PRIVATE_FOLDER)
        require_folder(path)


def require_folder(path: Path) -> None:
    """Raise StorageError unless ``path`` is a folder, and no link to one."""
    with storing(path):
        found = path.lstat().st_mode
        if stat.S_ISLNK(found):
            raise OSError(errno.ELOOP, "expected a folder, found a symbolic link")
        if not stat.S_ISDIR(found):
            raise NotADirectoryError(errno.ENOTDIR, "expected a folder, found a file")


def open_lock(path: Path) -> BinaryIO:
    """The lock file ``path``, made where it is missing; nothing is ever written to it.

    Raises StorageError for a link or anything but a plain file.
    """
    with storing(path):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, PRIVATE_FILE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "expected a plain file")
        return os.fdopen(descriptor, "rb")


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a power cut."""
    _sync(folder, os.O_RDONLY)


def _sync(path: Path, flags: int) -> None:
    with storing(path):
        descriptor = os.open(path, flags)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sha256_of(path: Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file, read in pieces."""
    with open_plain(path) as file:
        return sha256_of_stream(file)


def sha256_of_stream(file: BinaryIO) -> str:
    """Lower-case hexadecimal SHA-256 of what is left of an open file."""
    digest = hashlib.sha256()
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()
