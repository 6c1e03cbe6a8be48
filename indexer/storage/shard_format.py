"""What a shard file looks like: names, limits and the values a shard can hold.

``docs/format.md`` states the same in prose; the two change together with :data:`VERSION`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FORMAT = "facesearch-shard"
VERSION = 1

VectorType = Literal["float16", "float32"]
Scalar = str | int | float

# A bytes column is a group of these two datasets: HDF5's own variable-length strings live in a
# heap that no checksum covers.
OFFSETS = "offsets"
BYTES = "bytes"

COLUMN_TYPES = frozenset(
    np.dtype(name)
    for name in ("<i1", "<i2", "<i4", "<i8", "<u1", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8")
)
MAX_COLUMN_AXES = 3
MAX_MEMBERS = 1000  # of one group, or its attributes
MAX_ARRAYS = 5000  # of one file; links can make few bytes look like any number of arrays
MAX_TEXT_BYTES = 60_000  # HDF5 keeps an attribute of up to 64 KiB within its object header
MAX_NUMBER = 2**31 - 1

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_FILE_NAME = re.compile(r"\d{8,10}\.h5")


@dataclass(frozen=True)
class ColumnKind:
    """What a column of a table is: numpy's name of its dtype, or "bytes"; its shape, rows first."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


@dataclass(frozen=True)
class ShardContent:
    """What goes into one shard.

    ``vectors`` are float32 (n, d), unit length. Each of ``tables`` is a set of equally long
    columns by name: numbers of 1 to 3 axes, or object arrays of ``bytes``. ``attributes`` say how
    the vectors were made. What tables and attributes mean is the caller's business.
    """

    number: int
    vectors: NDArray[np.float32]
    tables: Mapping[str, Mapping[str, NDArray[Any]]]
    attributes: Mapping[str, Scalar]


def is_name(name: str) -> bool:
    """Whether ``name`` may name a table, a column or an attribute."""
    return _NAME.fullmatch(name) is not None


def shard_path(folder: Path, number: int) -> Path:
    """The file of shard ``number`` in ``folder``."""
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"expected a shard number in [0, {MAX_NUMBER}], got {number}")
    return folder / f"{number:08d}.h5"


def is_shard_name(name: str) -> bool:
    """Whether a file of this name is a sealed shard."""
    return _FILE_NAME.fullmatch(name) is not None and f"{int(name[:-3]):08d}.h5" == name


def digest_path(path: Path) -> Path:
    """The file beside a shard that holds its SHA-256, as ``sha256sum --check`` reads it."""
    return path.with_name(path.name + ".sha256")
