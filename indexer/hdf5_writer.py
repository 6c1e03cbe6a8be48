"""Writes HDF5 files as :mod:`indexer.shard_checks` reads them: every byte under a checksum."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.byte_strings import ByteStrings
from indexer.shard_format import BYTES, OFFSETS

_CHUNK_BYTES = 1 << 18
# Structures of HDF5 1.10, all of which carry checksums; older ones do not, newer ones are needless.
_HDF5_VERSIONS = ("v110", "v110")


def new_hdf5(place: Path | BinaryIO, format_name: str, version: int) -> h5py.File:
    """A new file that says what it is, open for writing."""
    file = h5py.File(place, "w", libver=_HDF5_VERSIONS, locking=False)
    file.attrs["format"] = np.bytes_(format_name)
    file.attrs["version"] = np.int64(version)
    return file


def write_array(group: h5py.Group, name: str, values: NDArray[Any]) -> None:
    """An array, whose chunks carry checksums."""
    if not values.size:  # has no bytes to check, and HDF5 no chunks for it
        group.create_dataset(name, data=values)
        return
    row_bytes = values.itemsize * int(np.prod(values.shape[1:]))
    rows = min(len(values), max(1, _CHUNK_BYTES // row_bytes))
    group.create_dataset(name, data=values, chunks=(rows, *values.shape[1:]), fletcher32=True)


def write_strings(group: h5py.Group, name: str, values: ByteStrings) -> None:
    """A column of byte strings: a group of offsets and bytes."""
    column = group.create_group(name)
    write_array(column, OFFSETS, values.offsets.astype("<u8"))
    write_array(column, BYTES, values.data)
