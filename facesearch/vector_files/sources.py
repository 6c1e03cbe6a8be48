"""Files of vectors made anywhere, read in blocks of rows: Parquet, and numpy's ``.npy``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import EncoderContract
from facesearch.errors import InputError
from facesearch.vector_files.layout import (
    FLAGS,
    LISTS,
    NUMBERS,
    TEXTS,
    VECTOR_NAMES,
    contract_of,
    pyarrow,
)

BLOCK_ROWS = 8192


@dataclass(frozen=True)
class VectorRows:
    """n rows of a file, the first of which is its row ``first``.

    ``vectors`` float64 (n, d), of any length, with NaN where a row has no d numbers. ``columns``
    are those of :data:`facesearch.vector_files.layout.COLUMNS` that the file has: lists of texts or
    None, numbers (n,) float64 or int64 in which NaN or -1 stands for none, lists of numbers as
    float32 (n, size), flags bool (n,).
    """

    first: int
    vectors: NDArray[np.float64]
    columns: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.vectors)


class VectorSource(Protocol):
    """A file with ``count`` vectors of ``dimension`` components; ``contract`` where it says so."""

    count: int
    dimension: int
    contract: EncoderContract | None

    def blocks(self) -> Iterator[VectorRows]:
        """All rows, in order, a bounded number at a time."""
        ...


def open_source(path: Path) -> VectorSource:
    """The file ``path``; raises InputError for one that is missing or of another kind."""
    if not path.is_file():
        raise InputError(f"expected a file of vectors, got {path}, which is none")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return NumpySource(path)
    if suffix in (".parquet", ".pq"):
        return ParquetSource(path)
    raise InputError(f"expected a file *.parquet or *.npy, got {path.name}")


class NumpySource:
    """An array of floating-point numbers (n, d), read from the disk as it is needed."""

    contract: EncoderContract | None = None

    def __init__(self, path: Path) -> None:
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"cannot read {path} as a numpy array: {error}") from error
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
            got = f"{getattr(array, 'dtype', type(array))} {getattr(array, 'shape', '')}"
            raise InputError(f"expected floating-point numbers (n, d) in {path}, got {got}")
        if not array.shape[1]:
            raise InputError(f"expected vectors of 1 or more components in {path}, got none")
        self._array = array
        self.count, self.dimension = array.shape

    def blocks(self) -> Iterator[VectorRows]:
        """See :class:`VectorSource`."""
        for first in range(0, self.count, BLOCK_ROWS):
            part = self._array[first : first + BLOCK_ROWS]
            yield VectorRows(first, np.asarray(part, np.float64))


class ParquetSource:
    """A Parquet file with a column of vectors, and any of the columns that an export has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        parquet, arrow = pyarrow("parquet"), pyarrow()
        try:
            self._file = parquet.ParquetFile(path)
            schema = self._file.schema_arrow
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise InputError(f"cannot read {path} as a Parquet file: {error}") from error
        self.contract = contract_of(schema.metadata)
        self._vector = self._vector_column(schema)
        self._names = [name for name in schema.names if _is_known(schema.field(name), arrow)]
        self.count = int(self._file.metadata.num_rows)
        self.dimension = self._dimension(schema.field(self._vector).type, arrow)

    def _vector_column(self, schema: Any) -> str:
        arrow = pyarrow()
        for name in VECTOR_NAMES:
            if name in schema.names and _is_list_of_floats(schema.field(name).type, arrow):
                return name
        raise InputError(
            f"expected a column {' or '.join(VECTOR_NAMES)} of lists of floating-point numbers in "
            f"{self._path}, got the columns {', '.join(schema.names)}"
        )

    def _dimension(self, kind: Any, arrow: Any) -> int:
        """How many components vectors have: of lists of any length, what the first one has."""
        if self.contract is not None:
            return self.contract.dimension
        if arrow.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        for batch in self._batches([self._vector]):
            for value in batch.column(0):
                if value.is_valid and len(value):
                    return len(value)
        raise InputError(f"expected vectors in {self._path}, which has none")

    def _batches(self, names: list[str]) -> Iterator[Any]:
        arrow = pyarrow()
        try:
            yield from self._file.iter_batches(batch_size=BLOCK_ROWS, columns=names)
        except (arrow.ArrowException, OSError) as error:
            raise InputError(
                f"{self._path} is damaged: {error}; copy it again, then import it again: what was "
                "imported before the damage is kept"
            ) from error

    def blocks(self) -> Iterator[VectorRows]:
        """See :class:`VectorSource`."""
        first = 0
        for batch in self._batches([self._vector, *self._names]):
            columns = {name: _values(name, batch.column(name)) for name in self._names}
            vectors = _lists(batch.column(self._vector), self.dimension, np.float64)
            yield VectorRows(first, vectors, columns)
            first += len(batch)


def _is_list_of_floats(kind: Any, arrow: Any) -> bool:
    types = arrow.types
    lists = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return any(is_list(kind) for is_list in lists) and bool(types.is_floating(kind.value_type))


def _is_known(each: Any, arrow: Any) -> bool:
    """Whether a column is one that an export has, and can be read as such; others are left out."""
    types, kind = arrow.types, each.type
    is_text = types.is_string(kind) or types.is_large_string(kind)
    if each.name == "id":  # other programs' ids may be numbers or texts
        return bool(is_text or types.is_integer(kind))
    if each.name in TEXTS:
        return bool(is_text)
    if each.name in NUMBERS:
        fits = types.is_floating(kind) and NUMBERS[each.name].startswith("float")
        return bool(fits or types.is_integer(kind))
    if each.name in FLAGS:
        return bool(types.is_boolean(kind))
    return each.name in LISTS and _is_list_of_floats(kind, arrow)


def _values(name: str, column: Any) -> Any:
    if name in TEXTS:
        return [None if value is None else str(value) for value in column.to_pylist()]
    if name in FLAGS:
        return np.array(column.fill_null(False).to_numpy(zero_copy_only=False), bool)
    if name in LISTS:
        return _lists(column, LISTS[name], np.float32)
    if NUMBERS[name].startswith("float"):
        return np.array(column.to_numpy(zero_copy_only=False), np.float64)
    return np.array(column.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _lists(column: Any, size: int, dtype: type[Any]) -> NDArray[Any]:
    """Lists of numbers as an array (n, ``size``); rows of another length, or none, are NaN."""
    compute = pyarrow("compute")
    fits = compute.fill_null(compute.equal(compute.list_value_length(column), size), False)
    found = np.full((len(column), size), np.nan, dtype)
    kept = np.array(fits.to_numpy(zero_copy_only=False), bool)
    if kept.any():
        flat = column.filter(fits).flatten().to_numpy(zero_copy_only=False)
        found[kept] = np.asarray(flat, dtype).reshape(-1, size)
    return found
