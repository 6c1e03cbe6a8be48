"""Writes a shard: whole and on the disk before it can be seen, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError, ShardError
from indexer.storage.atomic_files import (
    CheckedFile,
    checked_file,
    partial_path,
    sha256_of,
    storing,
    sync_folder,
    write_atomically,
)
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.hdf5_writer import (
    interrupted_between_calls,
    new_hdf5,
    require_whole,
    write_array,
    write_strings,
)
from indexer.storage.shard_format import (
    COLUMN_TYPES,
    FORMAT,
    MAX_ARRAYS,
    MAX_COLUMN_AXES,
    MAX_MEMBERS,
    MAX_TEXT_BYTES,
    VERSION,
    Scalar,
    ShardContent,
    VectorType,
    digest_path,
    is_name,
    shard_path,
)
from indexer.types import check_unit_vectors

_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def write_shard(
    path: Path,
    content: ShardContent,
    dtype: VectorType = "float16",
    *,
    through: Path | None = None,
) -> str:
    """Seal ``content`` as the new file ``path`` and return the file's SHA-256.

    The file is made beside ``path``, or in the folder ``through`` of the same file system. Without
    that folder nothing can be sealed, so whoever moves it away stops a writer that is elsewhere.

    ``path`` must be what :func:`shard_path` gives for the content's number. Equal content makes
    equal files. A number must have one writer at a time. Raises InvalidVectorsError for vectors
    that are not unit length (before or after rounding to ``dtype``), ValueError for other content
    that a shard cannot hold, ShardError where the shard exists already, and StorageError where it
    cannot be written.
    """
    _require_new(path)
    place = partial_path(path) if through is None else through / path.name
    with _removed_on_failure(place) as partial:
        digest = _write_partial(partial, path, content, dtype)
        # First the digest, so that no sealed shard is ever without one.
        line = _digest_line(digest, path)
        if through is None:
            write_atomically(digest_path(path), line)
        else:
            write_atomically(digest_path(partial), line)
            with storing(path):
                digest_path(partial).replace(digest_path(path))
        with storing(path):
            _publish(partial, path)
    sync_folder(path.parent)
    return digest


def replace_shard(path: Path, content: ShardContent, dtype: VectorType) -> str:
    """Put ``content`` in the place of the sealed shard ``path``; returns the new file's SHA-256.

    For three purposes: to take out what must not be kept, to add rows at the end, and to give all
    faces the vectors of another encoder. All else must stay as it was, row by row. A crash leaves
    the old shard or the new one, whole; where it leaves the new one with the old digest, the new
    digest is beside it, and :func:`remove_partials` puts it in place. Raises as
    :func:`write_shard` does for content that a shard cannot hold.
    """
    with _removed_on_failure(partial_path(path)) as partial:
        digest = _write_partial(partial, path, content, dtype)
        pending = partial_path(digest_path(path))
        with checked_file(pending) as file:
            file.write(_digest_line(digest, path))
        sync_folder(path.parent)
        with storing(path):
            partial.replace(path)
            sync_folder(path.parent)
            pending.replace(digest_path(path))
    sync_folder(path.parent)
    return digest


def _write_partial(partial: Path, path: Path, content: ShardContent, dtype: VectorType) -> str:
    """Write the file that is to become ``path`` and return its SHA-256."""
    if path.name != shard_path(path.parent, content.number).name:
        raise ValueError(
            f"expected shard {content.number} to be written as "
            f"{shard_path(path.parent, content.number).name}, got {path.name}; use shard_path()"
        )
    vectors = _stored_vectors(content.vectors, dtype)
    tables = _checked_tables(content.tables)
    attributes = _checked_attributes(content.attributes)
    with (
        interrupted_between_calls(),
        checked_file(partial, defers_errors=True, shown=path) as place,
    ):
        _write_file(place, content.number, vectors, tables, attributes)
        require_whole(place, partial)
    return sha256_of(partial)


def _digest_line(digest: str, path: Path) -> bytes:
    return f"{digest}  {path.name}\n".encode()


def _stored_vectors(vectors: NDArray[Any], dtype: VectorType) -> NDArray[Any]:
    if dtype not in get_args(VectorType):
        raise ValueError(f"expected dtype 'float16' or 'float32', got {dtype!r}")
    if vectors.dtype != np.float32:
        raise InvalidVectorsError(f"expected vectors float32 (n, d), got {vectors.dtype}")
    check_unit_vectors(vectors)
    if vectors.shape[1] < 1:
        raise InvalidVectorsError(f"expected vectors of 1 or more dimensions, got {vectors.shape}")
    stored = vectors.astype(np.dtype(dtype).newbyteorder("<"))
    if dtype == "float16":
        check_unit_vectors(stored.astype(np.float32), "vectors rounded to float16")
    return stored


def _checked_tables(
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
) -> dict[str, dict[str, NDArray[Any]]]:
    _require_few(tables, "tables")
    checked = {name: _checked_table(name, table) for name, table in tables.items()}
    # A column of byte strings takes two arrays, and the vectors are one.
    arrays = 1 + sum(
        2 if values.dtype == object else 1
        for table in checked.values()
        for values in table.values()
    )
    if arrays > MAX_ARRAYS:
        raise ValueError(f"expected tables of fewer than {MAX_ARRAYS} arrays, got {arrays}")
    return checked


def _checked_table(name: str, table: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    _require_name(name, "table")
    _require_few(table, f"columns in table {name}")
    lengths = {column: len(values) for column, values in table.items() if np.ndim(values)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"expected columns of table {name} to be equally long, got {lengths}")
    return {
        column: _checked_column(f"{name}/{column}", column, values)
        for column, values in table.items()
    }


def _checked_column(where: str, name: str, values: NDArray[Any]) -> NDArray[Any]:
    _require_name(name, "column")
    if values.dtype == object:
        if values.ndim != 1 or not all(isinstance(value, bytes) for value in values):
            raise ValueError(f"expected object column {where} to be one axis of bytes")
        return values
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    if little.dtype not in COLUMN_TYPES or not 1 <= values.ndim <= MAX_COLUMN_AXES:
        raise ValueError(
            f"expected column {where} of integers or floats with 1 to {MAX_COLUMN_AXES} axes, or "
            f"an object array of bytes; got {values.dtype} {values.shape}"
        )
    if 0 in values.shape[1:]:
        raise ValueError(f"expected rows of column {where} to hold something, got {values.shape}")
    return little


def _checked_attributes(attributes: Mapping[str, Scalar]) -> dict[str, Any]:
    _require_few(attributes, "attributes")
    return {name: _checked_attribute(name, value) for name, value in attributes.items()}


def _checked_attribute(name: str, value: Scalar) -> Any:
    _require_name(name, "attribute")
    if isinstance(value, str):
        encoded = value.encode()
        if b"\0" in encoded or len(encoded) > MAX_TEXT_BYTES:
            raise ValueError(
                f"expected attribute {name} without NUL characters and of at most "
                f"{MAX_TEXT_BYTES} bytes, got {value[:80]!r}"
            )
        return np.array(encoded, h5py.string_dtype("utf-8", max(1, len(encoded))))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected attribute {name} to be text, int or float, got {value!r}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"expected attribute {name} to fit 64 bits, got {value}")
    return np.array(value, "<i8" if isinstance(value, int) else "<f8")


def _require_name(name: str, what: str) -> None:
    if not is_name(name):
        raise ValueError(
            f"expected a {what} name of at most 64 letters, digits and underscores that starts "
            f"with a letter, got {name!r}"
        )


def _require_few(members: Mapping[str, object], what: str) -> None:
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"expected at most {MAX_MEMBERS} {what}, got {len(members)}")


def _require_new(path: Path) -> None:
    if path.exists():
        raise ShardError(f"{path} exists, and a sealed shard is never changed; use a new number")


@contextmanager
def _removed_on_failure(partial: Path) -> Iterator[Path]:
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_file(
    place: CheckedFile,
    number: int,
    vectors: NDArray[Any],
    tables: Mapping[str, Mapping[str, NDArray[Any]]],
    attributes: Mapping[str, Any],
) -> None:
    with new_hdf5(place, FORMAT, VERSION) as file:
        file.attrs["number"] = np.int64(number)
        write_array(file, "vectors", vectors)
        described = file.create_group("attributes")
        for name, value in sorted(attributes.items()):
            described.attrs.create(name, value, dtype=value.dtype)
        parent = file.create_group("tables")
        for name, table in sorted(tables.items()):
            group = parent.create_group(name)
            for column, values in sorted(table.items()):
                _write_column(group, column, values)


def _write_column(table: h5py.Group, name: str, values: NDArray[Any]) -> None:
    if values.dtype == object:
        write_strings(table, name, ByteStrings.of(values.tolist()))
    else:
        write_array(table, name, values)


def _publish(partial: Path, path: Path) -> None:
    # A hard link, unlike a rename, never replaces a file that came meanwhile.
    try:
        os.link(partial, path)
    except FileExistsError:
        _require_new(path)
        raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _require_new(path)
        partial.rename(path)  # with nobody else at this number
    else:
        partial.unlink(missing_ok=True)
