"""Shard contents for tests: examples, hypothesis strategies, and writers that get killed."""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from indexer.storage import atomic_files, shard_writer
from indexer.storage.shards import Shard, ShardContent, VectorType, shard_path, write_shard
from support.vectors import unit_vectors

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
COLUMN_DTYPES = ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")


def byte_strings(values: list[bytes]) -> NDArray[np.object_]:
    """An object array (n,) of ``values``."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def example(number: int = 0, count: int = 300, dimension: int = 16) -> ShardContent:
    """A shard of ``count`` vectors with a table of numbers and a table of byte strings."""
    random = np.random.default_rng(number)
    faces = {
        "photo": random.integers(0, 3, count).astype(np.int32),
        "box": random.random((count, 4)),
        "landmarks": random.random((count, 5, 2)).astype(np.float32),
    }
    photos = {"path": byte_strings([b"a.jpg", b"", b"\xff\x00"]), "size": np.array([3, 1, 2])}
    return ShardContent(
        number,
        unit_vectors(count, dimension, number),
        {"faces": faces, "photos": photos},
        {"name": "an encoder", "dimension": dimension, "version": 1.5},
    )


@st.composite
def contents(draw: st.DrawFn) -> ShardContent:
    """Any shard content."""
    seed, count = draw(st.integers(0, 2**32)), draw(st.integers(0, 40))
    tables = draw(st.dictionaries(NAMES, _tables(), max_size=3))
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    numbers = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    return ShardContent(
        draw(st.integers(0, 2**31 - 1)),
        unit_vectors(count, draw(st.integers(1, 9)), seed),
        tables,
        draw(st.dictionaries(NAMES, texts | numbers, max_size=4)),
    )


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    rows = draw(st.integers(0, 30))
    strings = st.lists(st.binary(max_size=20), min_size=rows, max_size=rows).map(byte_strings)
    shapes = st.lists(st.integers(1, 3), max_size=2).map(lambda rest: (rows, *rest))
    numbers = st.sampled_from(COLUMN_DTYPES).flatmap(lambda dtype: hnp.arrays(dtype, shapes))
    return draw(st.dictionaries(NAMES, strings | numbers, max_size=4))


def everything(shard: Shard) -> tuple[object, ...]:
    """All that a shard says, as values that can be compared."""
    tables = {
        name: {
            column: (values.shape, values.tolist()) for column, values in shard.table(name).items()
        }
        for name in shard.table_names
    }
    return shard.number, dict(shard.attributes), shard.vectors().tobytes(), str(tables)


def write_until_killed(folder: Path) -> None:
    """Seal one shard after another; to run in a process of its own."""
    for number in count():
        write_shard(shard_path(folder, number), example(number, 4000, 32))


def write_and_die(folder: Path, step: int, dtype: VectorType = "float16") -> None:
    """Seal a shard, but be killed at the ``step``-th system call that orders it on the disk."""
    steps = count()

    def dying(call: Any) -> Any:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return wrapped

    atomic_files.os.fsync = dying(os.fsync)  # type: ignore[attr-defined]
    shard_writer.os.link = dying(os.link)  # type: ignore[attr-defined]
    Path.replace = dying(Path.replace)  # type: ignore[method-assign]
    Path.unlink = dying(Path.unlink)  # type: ignore[method-assign]
    write_shard(shard_path(folder, 0), example(), dtype)
