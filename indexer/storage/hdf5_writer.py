"""Writes HDF5 files as :mod:`indexer.storage.hdf5_reader` reads them: every byte under a
checksum."""

from __future__ import annotations

import errno
import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from indexer.errors import ShardError
from indexer.storage.atomic_files import CheckedFile, partial_path, replacing_file
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.hdf5_reader import Checker
from indexer.storage.shard_format import BYTES, OFFSETS

_CHUNK_BYTES = 1 << 18
# Structures of HDF5 1.10, all of which carry checksums; older ones do not, newer ones are needless.
_HDF5_VERSIONS = ("v110", "v110")


def new_hdf5(place: BinaryIO | CheckedFile, format_name: str, version: int) -> h5py.File:
    """A new file at ``place`` that says what it is, open for writing.

    HDF5 must see no failed write, which it forgets or crashes on: ``place`` defers errors.
    """
    file = h5py.File(place, "w", libver=_HDF5_VERSIONS, locking=False)
    file.attrs["format"] = np.bytes_(format_name)
    file.attrs["version"] = np.int64(version)
    return file


@contextmanager
def interrupted_between_calls() -> Iterator[None]:
    """Hear Ctrl-C between the calls of HDF5, not within: there an exception ends in a crash, at
    once or when what was left open is closed. What comes within is heard at the end."""
    hear = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(hear):
        yield  # no other thread hears it
        return
    late: list[tuple[int, FrameType | None]] = []

    def hear_or_wait(number: int, frame: FrameType | None) -> None:
        if _is_within_hdf5(frame):
            late.append((number, frame))
        else:
            hear(number, frame)

    signal.signal(signal.SIGINT, hear_or_wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, hear)
        if late:
            hear(*late[0])


def _is_within_hdf5(frame: FrameType | None) -> bool:
    """Whether ``frame`` was called by h5py, which calls the file that is written."""
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == h5py.__name__:
            return True
        if isinstance(frame.f_locals.get("self"), CheckedFile):
            return True
        frame = frame.f_back
    return False


@contextmanager
def replacing_hdf5(path: Path, format_name: str, version: int) -> Iterator[h5py.File]:
    """A new file as :func:`new_hdf5` makes it, that takes the place of ``path`` once whole.

    Raises StorageError where it cannot be written.
    """
    partial = partial_path(path)
    with interrupted_between_calls(), replacing_file(path, defers_errors=True) as place:
        with new_hdf5(place, format_name, version) as file:
            yield file
        require_whole(place, partial)


def require_whole(file: CheckedFile, path: Path) -> None:
    """Raise OSError unless all arrays of a file just written are in it, checksums and all.

    HDF5 keeps chunks in memory until it closes an array, and h5py says nothing when that fails.
    """
    if file.failure is not None:
        raise file.failure
    try:
        with h5py.File(file, "r", locking=False) as written:
            checker = Checker(written, path)
            for name in _arrays_below(written):
                checker.dataset(written, name, name).read_through()
    except ShardError as error:
        raise OSError(errno.EIO, f"what was written cannot be read: {error}") from error


def _arrays_below(group: h5py.Group) -> list[str]:
    names: list[str] = []

    def note(name: bytes, described: Any) -> None:
        if described.type == h5py.h5o.TYPE_DATASET:
            names.append(name.decode())

    h5py.h5o.visit(group.id, note, info=True)
    return names


def new_array(
    group: h5py.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    values: NDArray[Any] | None = None,
) -> h5py.Dataset:
    """An array of ``values`` or to be filled, whose chunks carry checksums."""
    if not math.prod(shape):  # has no bytes to check, and HDF5 no chunks for it
        return group.create_dataset(name, shape, dtype)
    row_bytes = np.dtype(dtype).itemsize * math.prod(shape[1:])
    rows = min(shape[0], max(1, _CHUNK_BYTES // row_bytes))
    chunks = (rows, *shape[1:])
    return group.create_dataset(name, shape, dtype, values, chunks=chunks, fletcher32=True)


def write_array(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    """An array, whose chunks carry checksums."""
    new_array(group, name, values.shape, values.dtype, values)


def write_strings(group: h5py.Group, name: str, values: ByteStrings) -> None:
    """A column of byte strings: a group of offsets and bytes."""
    column = group.create_group(name)
    write_array(column, OFFSETS, values.offsets.astype("<u8"))
    write_array(column, BYTES, values.data)
