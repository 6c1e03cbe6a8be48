"""A few arrays and attributes in an HDF5 file that holds the digest of all of them.

HDF5's own checksums say where a file is damaged, but cannot tell bytes of zeros from bytes of
ones; the digest can. It also covers attributes and which arrays there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ShardError
from indexer.storage.hdf5_reader import Checker, open_hdf5, reading
from indexer.storage.hdf5_writer import replacing_hdf5, write_array
from indexer.storage.shard_format import Scalar

DIGEST = "sha256"


@dataclass(frozen=True)
class SealedArrays:
    """``attributes`` (text, int or float) and ``arrays`` of numbers, each by name."""

    attributes: Mapping[str, Scalar]
    arrays: Mapping[str, NDArray[Any]]


def write_sealed(path: Path, format_name: str, version: int, content: SealedArrays) -> None:
    """Put ``content`` in the place of ``path``: whole, or not at all.

    Raises StorageError where it cannot be written.
    """
    with replacing_hdf5(path, format_name, version) as file:
        for name, value in content.attributes.items():
            file.attrs[name] = _stored(value)
        for name, values in content.arrays.items():
            write_array(file, name, _little(values))
        file.attrs[DIGEST] = np.bytes_(_digest(content).encode())


def read_sealed(path: Path, format_name: str, version: int) -> SealedArrays:
    """What :func:`write_sealed` wrote to ``path``.

    Raises ShardError, naming file and key, for a file of another format or version, or whose
    content is not what was written; nothing larger than the file is ever allocated.
    """
    with open_hdf5(path) as file, reading(path, "the file"):
        return sealed_content(Checker(file, path), file, format_name, version)


def sealed_content(
    checker: Checker, file: h5py.File, format_name: str, version: int
) -> SealedArrays:
    """As :func:`read_sealed`, of a file that is open."""
    attributes = checker.attributes(file, "attributes")
    found = (attributes.pop("format", None), attributes.pop("version", None))
    if found != (format_name, version):
        raise checker.fail("format and version", f"{format_name!r}, {version}", found)
    digest = attributes.pop(DIGEST, None)
    content = SealedArrays(attributes, read_arrays(checker, file))
    if digest != _digest(content):
        raise checker.fail("the content", f"of SHA-256 {digest}", "another")
    return content


def read_arrays(checker: Checker, file: h5py.File) -> dict[str, NDArray[Any]]:
    """All arrays of a file by name, none larger than the file."""
    names = checker.members(file, "arrays")
    return {name: checker.dataset(file, name, name).read() for name in names}


def require_array(
    content: SealedArrays, path: Path, name: str, dtype: str, shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """The array ``name``, of this dtype and shape (None: any length); ShardError for another."""
    array = content.arrays.get(name)
    fits = array is not None and array.dtype == dtype and array.ndim == len(shape)
    if (
        array is None
        or not fits
        or any(wanted not in (None, got) for wanted, got in zip(shape, array.shape, strict=True))
    ):
        got = "nothing" if array is None else f"{array.dtype} {array.shape}"
        raise ShardError(f"{path}: expected {name} {dtype} {shape}, got {got}")
    return array


def _stored(value: Scalar) -> Any:
    if isinstance(value, str):
        return np.bytes_(value.encode())
    return np.int64(value) if isinstance(value, int) else np.float64(value)


def _little(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("<"), copy=False)


def _digest(content: SealedArrays) -> str:
    """Of names, kinds and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, value in sorted(content.attributes.items()):
        digest.update(f"{name} {_stored(value).dtype.kind} {value!r}\n".encode())
    for name, values in sorted(content.arrays.items()):
        little = np.ascontiguousarray(_little(values))
        digest.update(f"{name} {little.dtype.str} {values.shape}\n".encode())
        digest.update(little.data)
    return digest.hexdigest()
