"""Arrays in one file that is mapped into memory, not read: the safetensors format.

The file is 8 bytes that say how long the header is, the header (JSON: of each array its dtype,
shape and place), and the arrays as they lie in memory, one after the other. ``safetensors`` reads
it anywhere; what is here writes it piece by piece, for arrays that never are in memory whole. The
first array begins where a cache line does.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexerError
from indexer.storage.atomic_files import checked_file, storing, sync_file
from indexer.storage.plain_files import open_plain, parse_json, require_plain

Shapes = Mapping[str, tuple[tuple[int, ...], str]]
Arrays = dict[str, NDArray[Any]]

_NAMES = {"u1": "U8", "f2": "F16", "i4": "I32", "i8": "I64", "f4": "F32", "f8": "F64"}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}
_LINE = 64
_MOST_HEADER = 1 << 20
_MOST_AXES = 8
_MOST_ELEMENTS = 1 << 48


class ArrayFileError(IndexerError, ValueError):
    """A file that is not of this format, or not whole."""


@contextmanager
def write_arrays(path: Path, shapes: Shapes, metadata: Mapping[str, str]) -> Iterator[Arrays]:
    """Arrays of zeros to be filled: shape and dtype (u1, f2, i4, i8, f4, f8) by name.

    They are in the file ``path`` when the context ends, and the file on the disk. Raises
    StorageError where there is no room for them, before anything is written.
    """
    header, places = _header(shapes, metadata)
    size = len(header) + max((end for _, end in places.values()), default=0)
    with checked_file(path) as file:
        file.write(header)
        # Room that is missing must be missed here: a page that cannot be written ends the process.
        os.posix_fallocate(file.fileno(), 0, size)
    arrays = {
        name: _mapped(path, len(header) + places[name][0], shape, dtype, "r+")
        for name, (shape, dtype) in shapes.items()
    }
    yield arrays
    with storing(path):
        for array in arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        sync_file(path)


def read_arrays(
    path: Path, expected: Mapping[str, str], fixed: Collection[str] = ()
) -> tuple[Arrays, dict[str, str]]:
    """The arrays of a file, mapped so that writing to them changes memory alone; and its metadata.

    ``expected`` are the dtypes of the arrays that must be there, and no others. Those named
    ``fixed`` cannot be written to; they may be larger than memory, which the system must be able to
    find for all others, and rows of them are read here and there: the system is advised to read
    nothing but these. Raises ArrayFileError where the file is not as it should be.
    """
    size = require_plain(path).st_size
    with open_plain(path) as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(_MOST_HEADER, size - 8):
            raise ArrayFileError(f"{path}: expected a header of 2 to {_MOST_HEADER} bytes")
        text = file.read(length)
    try:
        header = parse_json(text)
        metadata = header.pop("__metadata__", {})
    except (ValueError, AttributeError, TypeError) as error:
        raise ArrayFileError(f"{path}: the header is not a JSON object: {error}") from error
    if set(header) != set(expected):
        raise ArrayFileError(f"{path}: expected arrays {sorted(expected)}, got {sorted(header)}")
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ArrayFileError(f"{path}: expected metadata of texts, got {str(metadata)[:200]}")
    arrays = {
        name: _mapped(
            path,
            8 + length + _place(path, entry, expected[name], size - 8 - length),
            tuple(entry["shape"]),
            expected[name],
            "r" if name in fixed else "c",
        )
        for name, entry in header.items()
    }
    return arrays, metadata


def _place(path: Path, entry: Any, dtype: str, size: int) -> int:
    """The first byte of an array of ``dtype`` among ``size`` bytes of all arrays."""
    try:
        found, shape, (first, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
        whole = isinstance(found, str)
        whole = whole and all(type(n) is int and n >= 0 for n in (*shape, first, end))
        # Of an array without elements too: numpy has no axes that are longer together.
        whole = whole and len(shape) <= _MOST_AXES
        whole = whole and math.prod(max(each, 1) for each in shape) <= _MOST_ELEMENTS
        bytes_ = math.prod(shape) * np.dtype(dtype).itemsize if whole else -1
    except (TypeError, KeyError, ValueError) as error:
        raise ArrayFileError(
            f"{path}: expected dtype, shape and place, got {entry!r:.200}"
        ) from error
    if bytes_ < 0 or _DTYPES.get(found) != dtype or end - first != bytes_ or end > size:
        raise ArrayFileError(f"{path}: expected {dtype} within the file, got {entry!r:.200}")
    return int(first)


def _mapped(path: Path, offset: int, shape: tuple[int, ...], dtype: str, mode: Any) -> NDArray[Any]:
    if not math.prod(shape):  # nothing to map
        return np.zeros(shape, dtype)
    array = np.memmap(path, f"<{dtype}", mode, offset, shape)
    if mode == "r":
        held: Any = array.base  # the mapping of this array alone
        held.madvise(mmap.MADV_RANDOM)
    return array


def _header(
    shapes: Shapes, metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """The header with its length before it, and the place of each array after both."""
    entries: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    places, at = {}, 0
    for name, (shape, dtype) in shapes.items():
        size = np.dtype(dtype).itemsize
        if at % size:
            raise ValueError(f"{name} would begin at byte {at}; put arrays of greater items first")
        end = at + math.prod(shape) * size
        places[name] = (at, end)
        offsets = {"data_offsets": [at, end]}
        entries[name] = {"dtype": _NAMES[dtype], "shape": list(shape), **offsets}
        at = end
    text = json.dumps(entries).encode()
    text += b" " * (-(8 + len(text)) % _LINE)
    return struct.pack("<Q", len(text)) + text, places
