"""Reads a sealed shard: block by block, by row or by column, and verifies it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError, ShardError
from indexer.storage.atomic_files import partial_path, sha256_of
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.hdf5_reader import BytesColumn, Checker, Hdf5Holder, StoredArray, reading
from indexer.storage.plain_files import read_plain
from indexer.storage.shard_format import (
    COLUMN_TYPES,
    FORMAT,
    MAX_COLUMN_AXES,
    MAX_NUMBER,
    VERSION,
    ColumnKind,
    Scalar,
    VectorType,
    digest_path,
    is_shard_name,
    shard_path,
)
from indexer.types import Block, Vectors, make_ids

_BLOCK_ROWS = 65536
_SPAN_ROWS = 4096  # rows read together when single rows are asked for


class Shard(Hdf5Holder):
    """An open, immutable shard. Open with :meth:`open`; use as a context manager.

    Every method raises ShardError, naming file and key, where the file turns out to be damaged.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        super().__init__(path, file)
        self._checker = checker = Checker(file, path)
        self._require_format(checker)
        self.number = self._read_number(checker)
        self._vectors = self._open_vectors(checker)

    @classmethod
    def open(cls, path: Path) -> Shard:
        """Open a shard; :meth:`verify` checks its contents.

        Attributes and each column are checked when they are first asked for.
        """
        return cls.opened(path)

    @cached_property
    def attributes(self) -> Mapping[str, Scalar]:
        """What is stated of the shard as a whole."""
        group = self._checker.group(self._file, "attributes", "attributes")
        return MappingProxyType(self._checker.attributes(group, "attributes"))

    @cached_property
    def _tables(self) -> dict[str, _ShardTable]:
        parent = self._checker.group(self._file, "tables", "tables")
        names = self._checker.members(parent, "tables")
        return {name: _ShardTable(self._checker, parent, name) for name in names}

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return int(self._vectors.shape[0])

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        return int(self._vectors.shape[1])

    @property
    def dtype(self) -> VectorType:
        """How vectors are stored; they are read as float32 either way."""
        return "float16" if self._vectors.dtype.itemsize == 2 else "float32"

    @property
    def table_names(self) -> list[str]:
        """Names of the tables, sorted."""
        return sorted(self._tables)

    def blocks(self, rows: int = _BLOCK_ROWS) -> Iterator[Block]:
        """All vectors in order, at most ``rows`` of them a block."""
        if rows < 1:
            raise ValueError(f"expected blocks of 1 or more rows, got {rows}")
        for start in range(0, self.count, rows):
            end = min(start + rows, self.count)
            ids = make_ids(self.number, np.arange(start, end))
            try:
                yield Block(ids, self._span(start, end))
            except InvalidVectorsError as error:
                raise ShardError(f"{self.path}: vectors from row {start}: {error}") from error

    def vectors(self, rows: NDArray[Any] | None = None) -> Vectors:
        """Vectors of ``rows`` (any order, repeats allowed) or of all, float32 (n, d).

        Raises IndexError for a row that the shard does not have.
        """
        if rows is None:
            return self._span(0, self.count)
        rows = np.asarray(rows, np.int64)
        if rows.size and not (rows.min() >= 0 and rows.max() < self.count):
            raise IndexError(
                f"expected rows of shard {self.number} in [0, {self.count}), "
                f"got {rows.min()} to {rows.max()}"
            )
        vectors = np.empty((len(rows), self.dimension), np.float32)
        for span in np.unique(rows // _SPAN_ROWS):
            picked = np.flatnonzero(rows // _SPAN_ROWS == span)
            start, end = int(rows[picked].min()), int(rows[picked].max()) + 1
            vectors[picked] = self._span(start, end)[rows[picked] - start]
        return vectors

    def column_kinds(self, table: str) -> dict[str, ColumnKind]:
        """What each column of a table is, without reading it; KeyError for no such table."""
        columns = self._table(table)
        return {name: columns.kind(name) for name in columns.names}

    def table(self, name: str) -> dict[str, NDArray[Any]]:
        """All columns of a table; KeyError where there is no such table."""
        return {column: self.column(name, column) for column in self._table(name).names}

    def column(self, table: str, name: str) -> NDArray[Any]:
        """One column of a table; bytes come as an object array. KeyError where it is not there."""
        values = self._read(table, name)
        if not isinstance(values, ByteStrings):
            return values
        rows = np.empty(len(values), object)
        rows[:] = list(values)
        return rows

    def strings(self, table: str, name: str) -> ByteStrings:
        """One column of byte strings; KeyError where there is none."""
        values = self._read(table, name)
        if not isinstance(values, ByteStrings):
            raise KeyError(f"{self.path} has no column {table}/{name} of bytes")
        return values

    def _read(self, table: str, name: str) -> ByteStrings | NDArray[Any]:
        columns = self._table(table)
        if name not in columns.names:
            raise KeyError(f"{self.path} has no column {table}/{name}, but {columns.names}")
        column = columns.opened(name)
        with reading(self.path, f"tables/{table}/{name}"):
            return column.read()

    def verify(self) -> list[str]:
        """Read everything and tell every problem; empty when the shard is whole.

        Compares the file with its recorded SHA-256, has HDF5 check each chunk's Fletcher32, and
        checks that vectors are finite and of unit length.
        """
        problems = self._digest_problems()
        try:
            for _ in self.blocks():
                pass
        except ShardError as error:
            problems.append(str(error))
        problems += _problems(lambda: self.attributes)
        problems += (unreadable := _problems(lambda: self._tables))
        for table, columns in () if unreadable else self._tables.items():
            for name in columns.names:
                problems += _problems(partial(self._read, table, name))
        return problems

    def _digest_problems(self) -> list[str]:
        beside = digest_path(self.path)
        # The digest of a shard that is just being replaced, or whose writer was killed doing so.
        pending = partial_path(beside)
        try:
            recorded = _digest_line(beside)
            replaced = _digest_line(pending) if pending.exists() else recorded
            actual = f"{sha256_of(self.path)}  {self.path.name}".encode()
        except OSError as error:
            return [f"{beside}: the shard's digest cannot be read: {error}"]
        if actual not in (recorded, replaced):
            return [
                f"{self.path}: expected its digest to be {_shown(actual)}, but "
                f"{beside.name} says {_shown(recorded)}; the shard or its digest was changed "
                "after it was sealed"
            ]
        return []

    def _table(self, table: str) -> _ShardTable:
        if table not in self._tables:
            raise KeyError(f"{self.path} has no table {table!r}, but {self.table_names}")
        return self._tables[table]

    def _span(self, start: int, end: int) -> Vectors:
        with reading(self.path, "vectors"):
            return np.asarray(self._vectors[start:end], np.float32)

    def _require_format(self, checker: Checker) -> None:
        found = checker.attribute(self._file, "format", "format")
        if found != FORMAT:
            raise checker.fail("format", repr(FORMAT), repr(found))
        version = checker.attribute(self._file, "version", "version")
        if version != VERSION:
            raise ShardError(
                f"{self.path} is a shard of version {version!r}; this program reads version "
                f"{VERSION}: use the program that wrote it, or index its photos again"
            )

    def _read_number(self, checker: Checker) -> int:
        number = checker.attribute(self._file, "number", "number")
        if not isinstance(number, int) or not 0 <= number <= MAX_NUMBER:
            raise checker.fail("number", f"in [0, {MAX_NUMBER}]", repr(number))
        name = shard_path(self.path.parent, number).name
        if is_shard_name(self.path.name) and self.path.name != name:
            raise ShardError(
                f"{self.path} holds shard {number}, whose file is {name}; give it its name back"
            )
        return number

    def _open_vectors(self, checker: Checker) -> StoredArray:
        vectors = checker.dataset(self._file, "vectors", "vectors")
        if vectors.dtype not in (np.dtype("<f2"), np.dtype("<f4")) or vectors.ndim != 2:
            got = f"{vectors.dtype} {vectors.shape}"
            raise checker.fail("vectors", "float16 or float32 (n, d)", got)
        if vectors.shape[1] < 1:
            raise checker.fail("vectors", "of 1 or more dimensions", vectors.shape)
        return vectors


class _ShardTable:
    """The columns of a table. Each is opened and checked when it is first asked for: that takes
    half a millisecond, and a shard has some twenty, of which most readers want one or two."""

    def __init__(self, checker: Checker, parent: h5py.Group, name: str) -> None:
        self._checker = checker
        self._key = f"tables/{name}"
        self._group = checker.group(parent, name, self._key)
        self.names = checker.members(self._group, self._key)
        self._opened: dict[str, StoredArray | BytesColumn] = {}

    def opened(self, name: str) -> StoredArray | BytesColumn:
        """The column ``name``, as long as those that were opened before."""
        if name not in self._opened:
            column = self._checker.column(self._group, name, f"{self._key}/{name}")
            self._require_numbers(name, column)
            lengths = {each: len(values) for each, values in self._opened.items()}
            lengths[name] = len(column)
            if len(set(lengths.values())) > 1:
                raise self._checker.fail(self._key, "with equally long columns", lengths)
            self._opened[name] = column
        return self._opened[name]

    def kind(self, name: str) -> ColumnKind:
        """What the column is."""
        column = self.opened(name)
        if isinstance(column, BytesColumn):
            return ColumnKind("bytes", (len(column),))
        return ColumnKind(column.dtype.name, column.shape)

    def _require_numbers(self, name: str, column: StoredArray | BytesColumn) -> None:
        if isinstance(column, BytesColumn):
            return
        allowed = column.dtype in COLUMN_TYPES and column.ndim <= MAX_COLUMN_AXES
        if not allowed or 0 in column.shape[1:]:
            got = f"{column.dtype} {column.shape}"
            raise self._checker.fail(f"{self._key}/{name}", "of numbers with 1 to 3 axes", got)


def _problems(read: Callable[[], object]) -> list[str]:
    """What ``read`` finds wrong."""
    try:
        read()
    except ShardError as error:
        return [str(error)]
    return []


def _digest_line(path: Path) -> bytes:
    """The line of a digest file. The end of the line may be missing: nothing is lost with it."""
    return read_plain(path).removesuffix(b"\n")


def _shown(line: bytes) -> str:
    return repr(line[:200].decode("ascii", "backslashreplace"))
