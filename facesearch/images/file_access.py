"""Opening and hashing what may not be a plain file: never waits on a pipe, never wakes a device."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from facesearch.errors import PhotoError
from facesearch.images.remote.addresses import is_remote, local_path
from facesearch.images.remote.objects import read_object
from facesearch.text import composed
from indexer.storage import atomic_files

# Files up to this size are read once into memory and then hashed and decoded from there.
WHOLE_FILE_BYTES = 64 * 2**20

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a character device"),
    (stat.S_ISBLK, "a block device"),
)


def refusal(error: OSError) -> str:
    """What the file system said, without the path, which stands beside it anyway."""
    return error.strerror or str(error) or type(error).__name__


def irregular(mode: int) -> str:
    """Why ``mode`` (of ``os.stat``) is not that of a plain file, or "" if it is."""
    if stat.S_ISREG(mode):
        return ""
    kind = next((words for test, words in _KINDS if test(mode)), "something else")
    return f"expected a file, found {kind}"


def open_plain(path: Path) -> BinaryIO:
    """``path`` opened for reading; PhotoError("unreadable") for anything but a plain file."""
    try:
        # Looked at before it is opened, since opening some devices already does something; and
        # opened without blocking, since it may be replaced by a pipe in between.
        _require_plain(path.stat().st_mode)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _require_plain(os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        raise PhotoError("unreadable", refusal(error)) from error


@contextmanager
def photo_stream(path: Path, max_bytes: int) -> Iterator[BinaryIO]:
    """The bytes of a photo as a seekable stream: from memory if small, else from the file.

    Those of an object in a store (:mod:`facesearch.images.remote`) are fetched.

    Raises PhotoError: "unreadable", "empty", or "too-large" for more than ``max_bytes``.
    """
    if is_remote(path):
        yield io.BytesIO(read_object(str(path), max_bytes))
        return
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size == 0:
            raise PhotoError("empty", "the file has no bytes")
        if size > max_bytes:
            raise PhotoError("too-large", f"{size} bytes, the limit is {max_bytes}")
        if size > WHOLE_FILE_BYTES:
            yield file
            return
        try:
            # One byte past the end shows a file that is still growing; it is read no further.
            data = file.read(size + 1)
        except OSError as error:
            raise PhotoError("unreadable", refusal(error)) from error
        if not data:
            raise PhotoError("empty", "the file lost its bytes while it was read")
        yield io.BytesIO(data)


def _require_plain(mode: int) -> None:
    if problem := irregular(mode):
        raise PhotoError("unreadable", problem)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file of any size, by which moved and copied photos are known; lower-case hex.

    Raises PhotoError("unreadable") where the file system refuses or ``path`` is no plain file.
    """
    with open_plain(path) as stream:
        return sha256_of_stream(stream)


def sha256_of_stream(stream: BinaryIO) -> str:
    """Lower-case hex digest of everything from the start of ``stream``, which is left there."""
    try:
        stream.seek(0)
        digest = atomic_files.sha256_of_stream(stream)
        stream.seek(0)
    except OSError as error:
        raise PhotoError("unreadable", refusal(error)) from error
    return digest


def as_spelled(path: Path) -> Path:
    """``path`` as the file system spells it, where that differs in Unicode's normal form only.

    What is not there in any spelling stays as it is.
    """
    if os.path.lexists(path) or str(path).isascii():
        return path
    parent = as_spelled(path.parent)
    try:
        names = os.listdir(parent)  # noqa: PTH208 - only names are wanted
    except OSError:
        return path
    wanted = composed(path.name)
    return parent / next((name for name in names if composed(name) == wanted), path.name)


def absolute(path: Path) -> Path:
    """Absolute and without ``..``, links kept: names stay as the user, and a browser, sees them.

    An address of an object store stays as it is, and ``file:///photos`` is ``/photos``.
    """
    if is_remote(path):
        return path
    return Path(os.path.abspath(local_path(path)))  # noqa: PTH100 - resolve() would follow links
