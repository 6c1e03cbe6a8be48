"""The folded photo log in one file, so that not every command reads the tables of every shard.

It is derived: what it says holds for the shards and the contract that it names, and a file that
names others, or is damaged, is not used.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import EncoderContract
from facesearch.gallery.photo_log import PhotoLog
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.schema import STATUSES, TEXTS
from indexer.errors import ShardError
from indexer.storage.byte_strings import ByteStrings
from indexer.storage.hdf5_reader import BytesColumn, Checker, open_hdf5, reading
from indexer.storage.hdf5_writer import replacing_hdf5, write_array, write_strings
from indexer.storage.plain_files import parse_json

logger = logging.getLogger(__name__)

FILE = "state.h5"
FORMAT = "facesearch-state"
VERSION = 2  # 1 had no ctime_ns and inode

# Of a photo table's columns of numbers: dtype, and axes after the first.
_NUMBERS = {
    "ids": ("int64", ()),
    "size": ("int64", ()),
    "mtime_ns": ("int64", ()),
    "sha256": ("uint8", (32,)),
    "width": ("int32", ()),
    "height": ("int32", ()),
    "status": ("int8", ()),
    "ctime_ns": ("int64", ()),
    "inode": ("int64", ()),
}
_LOG = {
    "newest": "uint8",
    "holder": "int64",
    "shards": "int64",
    "counts": "int64",
    "faces": "int32",
}


@dataclass(frozen=True)
class CachedLog:
    """A photo log, and the shards that it is of: their SHA-256 by file name."""

    log: PhotoLog
    shards: Mapping[str, str]


def write_state(folder: Path, kept: CachedLog, contract: EncoderContract) -> None:
    """Replace the file in a gallery's folder; the caller is the gallery's writer.

    Raises OSError where it cannot be written, as on a full disk, and leaves nothing behind then.
    """
    with replacing_hdf5(folder / FILE, FORMAT, VERSION) as file:
        _write(file, kept, contract)


def _write(file: h5py.File, kept: CachedLog, contract: EncoderContract) -> None:
    covered = json.dumps({"contract": asdict(contract), "shards": dict(kept.shards)}).encode()
    write_array(file, "covered", np.frombuffer(covered, np.uint8))
    for name, dtype in _LOG.items():
        write_array(file, name, getattr(kept.log, name).astype(dtype))
    group = file.create_group("photos")
    for each in fields(PhotoTable):
        values = getattr(kept.log.photos, each.name)
        if isinstance(values, ByteStrings):
            write_strings(group, each.name, values)
        else:
            write_array(group, each.name, values)


def read_state(folder: Path, contract: EncoderContract) -> CachedLog | None:
    """What the file in a gallery's folder holds; None where there is none that can be used."""
    path = folder / FILE
    if not os.path.lexists(path):
        return None
    try:
        with open_hdf5(path) as file, reading(path, "the file"):
            return _read(path, file, contract)
    except (ShardError, ValueError) as error:
        logger.info("%s is not used: %s", path, error)
        return None


def _read(path: Path, file: h5py.File, contract: EncoderContract) -> CachedLog:
    checker = Checker(file, path)
    for name, expected in (("format", FORMAT), ("version", VERSION)):
        if (found := checker.attribute(file, name, name)) != expected:
            raise checker.fail(name, repr(expected), repr(found))
    covered = parse_json(_numbers(checker, file, "covered", "uint8").tobytes())
    if covered["contract"] != asdict(contract):
        raise checker.fail("contract", repr(asdict(contract)), repr(covered["contract"]))
    parts = {name: _numbers(checker, file, name, dtype) for name, dtype in _LOG.items()}
    parts["newest"] = parts["newest"].astype(bool)
    group = checker.group(file, "photos", "photos")
    columns: dict[str, Any] = {
        each.name: _column(checker, group, each.name) for each in fields(PhotoTable)
    }
    log = PhotoLog(photos=PhotoTable(**columns), **parts)
    _check(log)
    return CachedLog(log, covered["shards"])


def _column(checker: Checker, group: h5py.Group, name: str) -> ByteStrings | NDArray[Any]:
    if name in _NUMBERS:
        return _numbers(checker, group, name, *_NUMBERS[name])
    column = checker.column(group, name, f"photos/{name}")
    if not isinstance(column, BytesColumn):
        raise checker.fail(f"photos/{name}", "byte strings", column.dtype)
    return column.read()


def _numbers(
    checker: Checker, group: h5py.Group, name: str, dtype: str, shape: tuple[int, ...] = ()
) -> NDArray[Any]:
    array = checker.dataset(group, name, name)
    if array.dtype != dtype or array.shape[1:] != shape:
        raise checker.fail(name, f"{dtype} (rows, *{shape})", f"{array.dtype} {array.shape}")
    return array.read()


def _check(log: PhotoLog) -> None:
    """Raise ValueError where parts do not fit each other, so that no reader can fail on them."""
    photos, n = log.photos, len(log.photos)
    lengths = {len(getattr(photos, each.name)) for each in fields(photos)}
    wrong = {
        "lengths": {*lengths, len(log.newest), len(log.holder)} != {n},
        "ids": (np.diff(photos.ids) <= 0).any(),
        "status": ((photos.status < 0) | (photos.status >= len(STATUSES))).any(),
        "holder": ((log.holder < -1) | (log.holder >= n)).any(),
        "shards": len(log.shards) != len(log.counts) or (np.diff(log.shards) <= 0).any(),
        "counts": (log.counts < 0).any() or log.counts.sum() != len(log.faces),
        **{name: getattr(photos, name).not_utf8().any() for name in TEXTS},
    }
    if any(wrong.values()):
        raise ValueError(f"wrong: {', '.join(name for name, each in wrong.items() if each)}")
