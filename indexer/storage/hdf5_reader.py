"""Access to an HDF5 file that may be damaged or hostile, without trusting what it declares.

HDF5 can point outside the file, generate data from formulas and unpack to any size. None of that
is allowed here: only arrays whose bytes lie within the file are ever read, so that reading takes
no more memory than the file has bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ShardError
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.plain_files import open_plain
from indexer.storage.shard_format import BYTES, MAX_ARRAYS, MAX_MEMBERS, OFFSETS, Scalar, is_name

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# Whatever h5py raises on a file that is not what it seems.
_HDF5_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    OverflowError,
    MemoryError,
)


@contextmanager
def reading(path: Path, key: str) -> Iterator[None]:
    """Turn every error of h5py into a ShardError that names the file and the key."""
    try:
        yield
    except ShardError:
        raise
    except _HDF5_ERRORS as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ShardError(f"{path}: cannot read {key}: {text}") from error


def open_hdf5(path: Path) -> h5py.File:
    """Open a file that starts as HDF5, for reading, without locks."""
    with reading(path, "the file"):
        with open_plain(path) as file:
            start = file.read(len(_SIGNATURE))
        if start != _SIGNATURE:
            raise ShardError(
                f"{path}: expected an HDF5 file, which starts with {_SIGNATURE!r}, got {start!r}"
            )
        return h5py.File(path, "r", locking=False)


class Hdf5Holder:
    """What reads from an HDF5 file that it holds open; a context manager."""

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file

    @classmethod
    def opened(cls, path: Path) -> Self:
        """Of the file ``path``, which is closed again where it turns out not to be of this kind."""
        with ExitStack() as stack:
            file = stack.enter_context(open_hdf5(path))
            with reading(path, "the file"):
                holder = cls(path, file)
            stack.pop_all()
        return holder

    def close(self) -> None:
        """Close the file; nothing can be read from it afterwards."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class StoredArray:
    """An array of a file, checked. What it holds is read when it is asked for.

    An object of h5py's for each array of a shard, most of which nobody reads, would take most of
    the time that opening a shard takes.
    """

    def __init__(self, identifier: h5py.h5d.DatasetID, chunks: tuple[int, ...] | None) -> None:
        self._identifier = identifier
        self.shape: tuple[int, ...] = identifier.shape
        self.dtype: np.dtype[Any] = identifier.dtype
        self.chunks = chunks

    @property
    def ndim(self) -> int:
        """How many axes there are, 1 or more."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        if rows == slice(0, len(self)):
            return self.read()
        return np.asarray(h5py.Dataset(self._identifier)[rows])

    def read(self) -> NDArray[Any]:
        """All of it."""
        values = np.zeros(self.shape, self.dtype)
        if values.size:
            self._identifier.read(h5py.h5s.ALL, h5py.h5s.ALL, values)
        return values

    def read_through(self) -> None:
        """Have HDF5 compare each chunk with its checksum; no more than one is in memory at once."""
        rows = self.chunks[0] if self.chunks else len(self)
        for start in range(0, len(self), max(1, rows)):
            self[start : start + rows]


@dataclass(frozen=True)
class BytesColumn:
    """Byte strings: row i is ``data[offsets[i]:offsets[i + 1]]``."""

    offsets: StoredArray
    data: StoredArray

    def __len__(self) -> int:
        return int(self.offsets.shape[0]) - 1

    def read(self) -> ByteStrings:
        """All rows; ValueError where offsets are wrong."""
        return ByteStrings(self.offsets.read().astype(np.int64), self.data.read())


class Checker:
    """Gives the members of a shard file, each checked to be what the format allows."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self._path = path
        self._bytes_left = path.stat().st_size
        self._arrays_left = MAX_ARRAYS

    def fail(self, key: str, expected: str, got: object) -> ShardError:
        """The error to raise where ``key`` is not what was expected."""
        return ShardError(
            f"{self._path}: expected {key} {expected}, got {got}; the file is damaged or not a "
            "shard: restore it from a backup"
        )

    def members(self, group: h5py.Group, key: str) -> list[str]:
        """Names in a group, sorted: few and well formed."""
        with reading(self._path, key):
            if len(group) > MAX_MEMBERS:
                raise self.fail(key, f"with at most {MAX_MEMBERS} members", len(group))
            names = sorted(group)
            for name in names:
                if not is_name(name):
                    raise self.fail(key, "with members of plain names", repr(name))
            return names

    def _member(self, parent: h5py.Group, name: str, key: str, what: str) -> h5py.h5g.GroupID:
        """HDF5's identifier of a member, of whatever kind it is."""
        links, encoded = parent.id.links, name.encode()
        if not links.exists(encoded):
            raise self.fail(key, f"to be {what}", "nothing")
        if links.get_info(encoded).type != h5py.h5l.TYPE_HARD:
            raise self.fail(key, "to be within the file", "a link out of it")
        return h5py.h5o.open(parent.id, encoded)

    def group(self, parent: h5py.Group, name: str, key: str) -> h5py.Group:
        """The group ``name`` of ``parent``."""
        with reading(self._path, key):
            member = self._member(parent, name, key, "a group")
            if not isinstance(member, h5py.h5g.GroupID):
                raise self.fail(key, "to be a group", _kind(member))
            return h5py.Group(member)

    def column(self, table: h5py.Group, name: str, key: str) -> StoredArray | BytesColumn:
        """A table's column: a dataset, or a group of offsets and bytes."""
        with reading(self._path, key):
            member = self._member(table, name, key, "a column")
            if not isinstance(member, h5py.h5g.GroupID):
                return self._array(member, key)
            group = h5py.Group(member)
            column = BytesColumn(
                self.dataset(group, OFFSETS, f"{key}/{OFFSETS}"),
                self.dataset(group, BYTES, f"{key}/{BYTES}"),
            )
            if column.offsets.dtype != "<u8" or column.offsets.ndim != 1 or not column.offsets.size:
                raise self.fail(f"{key}/{OFFSETS}", "uint64 (n + 1,)", _kind(column.offsets))
            if column.data.dtype != np.uint8 or column.data.ndim != 1:
                raise self.fail(f"{key}/{BYTES}", "uint8 (n,)", _kind(column.data))
            return column

    def dataset(self, parent: h5py.Group, name: str, key: str) -> StoredArray:
        """An array whose bytes, with checksums, all lie in the file."""
        with reading(self._path, key):
            return self._array(self._member(parent, name, key, "an array"), key)

    def _array(self, member: h5py.h5g.GroupID | h5py.h5d.DatasetID, key: str) -> StoredArray:
        self._arrays_left -= 1
        if self._arrays_left < 0:
            raise self.fail("the file", f"to hold at most {MAX_ARRAYS} arrays", "more")
        if not isinstance(member, h5py.h5d.DatasetID) or not member.shape:
            raise self.fail(key, "to be an array", _kind(member))
        plist = member.get_create_plist()
        chunked = plist.get_layout() == h5py.h5d.CHUNKED
        array = StoredArray(member, plist.get_chunk() if chunked else None)
        self._require_inside(plist, array, member.get_storage_size(), key)
        return array

    def _require_inside(
        self, plist: h5py.h5p.PropDCID, array: StoredArray, stored: int, key: str
    ) -> None:
        if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
            raise self.fail(key, "to be within the file", "data stored outside it")
        filters = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
        declared = array.size * array.dtype.itemsize
        allowed = [h5py.h5z.FILTER_FLETCHER32] if declared else []
        if filters != allowed or (declared and array.chunks is None):
            raise self.fail(key, "in chunks with Fletcher32 and no other filter", filters)
        # Each array is charged against the file's size, so all of them together fit in it too.
        self._bytes_left -= declared
        chunk = math.prod(array.chunks or ()) * array.dtype.itemsize
        if self._bytes_left < 0 or (declared and max(declared, chunk) > stored):
            raise self.fail(key, f"to have the bytes of {array.shape}", f"{stored} bytes")

    def attribute(self, holder: h5py.Group, name: str, key: str) -> Scalar:
        """A text, int or float attribute."""
        with reading(self._path, key):
            if not h5py.h5a.exists(holder.id, name.encode()):
                raise self.fail(key, "to be there", "nothing")
            described = h5py.h5a.open(holder.id, name.encode())
            if described.shape != ():
                raise self.fail(key, "to be one value", f"shape {described.shape}")
            return self._scalar(described, key)

    def _scalar(self, described: Any, key: str) -> Scalar:
        kind = described.get_type()
        fixed_text = isinstance(kind, h5py.h5t.TypeStringID) and not kind.is_variable_str()
        if not fixed_text and not isinstance(kind, h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID):
            raise self.fail(key, "to be text of fixed length or a number", type(kind).__name__)
        value = np.empty((), described.dtype)
        described.read(value)
        plain = value.item()
        return plain.decode("utf-8") if isinstance(plain, bytes) else plain

    def attributes(self, holder: h5py.Group, key: str) -> dict[str, Scalar]:
        """All attributes of a group."""
        with reading(self._path, key):
            if len(holder.attrs) > MAX_MEMBERS:
                raise self.fail(key, f"with at most {MAX_MEMBERS} attributes", len(holder.attrs))
            names = sorted(holder.attrs)
            if not all(is_name(name) for name in names):
                raise self.fail(key, "with attributes of plain names", names)
            return {name: self.attribute(holder, name, f"{key}/{name}") for name in names}


def _kind(member: object) -> str:
    if isinstance(member, StoredArray | h5py.h5d.DatasetID):
        return f"{member.dtype} {member.shape}"
    return "a group" if isinstance(member, h5py.h5g.GroupID) else "a type"
