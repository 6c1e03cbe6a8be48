"""Shards: what is written is read again, and what a shard cannot hold is refused."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import InvalidVectorsError, ShardError
from indexer.storage import shard_format, shard_writer
from indexer.storage.atomic_files import sha256_of
from indexer.storage.shards import (
    ColumnKind,
    Shard,
    ShardContent,
    VectorType,
    digest_path,
    list_shards,
    remove_partials,
    shard_path,
    write_shard,
)
from indexer.types import UNIT_LENGTH_TOLERANCE, split_ids
from support.shards import byte_strings, contents, everything, example
from support.vectors import unit_vectors


def sealed(folder: Path, content: ShardContent, dtype: VectorType = "float16") -> Path:
    path = shard_path(folder, content.number)
    write_shard(path, content, dtype)
    return path


@given(content=contents(), dtype=st.sampled_from(["float16", "float32"]))
@settings(max_examples=60, deadline=None)
def test_round_trip(content: ShardContent, dtype: VectorType) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = sealed(Path(folder), content, dtype)
        with Shard.open(path) as shard:
            assert shard.verify() == []
            assert (shard.number, shard.dtype) == (content.number, dtype)
            assert (shard.count, shard.dimension) == content.vectors.shape
            assert dict(shard.attributes) == dict(content.attributes)
            expected = content.vectors.astype(dtype).astype(np.float32)
            np.testing.assert_array_equal(shard.vectors(), expected)
            assert shard.vectors().dtype == np.float32
            assert shard.table_names == sorted(content.tables)
            for name, table in content.tables.items():
                read = shard.table(name)
                assert set(read) == set(table)
                for column, values in table.items():
                    assert read[column].dtype == values.dtype
                    np.testing.assert_array_equal(read[column], values)


def test_attributes_keep_their_types(tmp_path: Path) -> None:
    attributes = {"text": "naïve ☺", "empty": "", "int": 3, "float": 3.0}
    with Shard.open(sealed(tmp_path, replace(example(), attributes=attributes))) as shard:
        assert dict(shard.attributes) == attributes
        assert {key: type(value) for key, value in shard.attributes.items()} == {
            key: type(value) for key, value in attributes.items()
        }


def test_equal_contents_make_equal_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
        sealed(folder, example())
    assert shard_path(first, 0).read_bytes() == shard_path(second, 0).read_bytes()


def test_digest_is_that_of_the_file_and_sha256sum_reads_it(tmp_path: Path) -> None:
    digest = write_shard(shard_path(tmp_path, 7), example(7))
    assert digest == sha256_of(tmp_path / "00000007.h5")
    command = ["sha256sum", "--check", "00000007.h5.sha256"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)


def test_float16_keeps_the_length_within_tolerance(tmp_path: Path) -> None:
    content = replace(example(), vectors=unit_vectors(2000, 512, seed=1))
    with Shard.open(sealed(tmp_path, content)) as shard:
        lengths = np.linalg.norm(shard.vectors(), axis=1)
    assert np.abs(lengths - 1).max() < UNIT_LENGTH_TOLERANCE / 4


@given(rows=st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_blocks_of_any_size_hold_the_same(shared_shard: Path, rows: int) -> None:
    with Shard.open(shared_shard) as shard:
        blocks = list(shard.blocks(rows))
        assert max(map(len, blocks)) <= rows
        vectors = np.concatenate([block.vectors for block in blocks])
        np.testing.assert_array_equal(vectors, shard.vectors())
        numbers, found = split_ids(np.concatenate([block.ids for block in blocks]))
    assert set(numbers.tolist()) == {5}
    assert found.tolist() == list(range(300))


@given(rows=st.lists(st.integers(0, 299), max_size=30))
@settings(max_examples=20, deadline=None)
def test_vectors_of_rows_come_in_the_order_asked(shared_shard: Path, rows: list[int]) -> None:
    with Shard.open(shared_shard) as shard:
        picked = shard.vectors(np.array(rows, np.int64))
        np.testing.assert_array_equal(picked, shard.vectors()[rows])


@pytest.fixture(scope="module")
def shared_shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sealed(tmp_path_factory.mktemp("shard"), example(5))


def test_rows_far_apart_are_read_in_pieces(tmp_path: Path) -> None:
    vectors = unit_vectors(10_000, 8, seed=0)
    rows = np.array([9_999, 0, 4_095, 4_096, 9_999])
    with Shard.open(sealed(tmp_path, ShardContent(0, vectors, {}, {}), "float32")) as shard:
        np.testing.assert_array_equal(shard.vectors(rows), vectors[rows])


@pytest.mark.parametrize("row", [-1, 300])
def test_row_that_is_not_there(shared_shard: Path, row: int) -> None:
    with Shard.open(shared_shard) as shard, pytest.raises(IndexError, match=r"\[0, 300\)"):
        shard.vectors(np.array([row]))


@given(content=contents())
@settings(max_examples=50, deadline=None)
def test_column_kinds_are_those_of_the_columns(content: ShardContent) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Shard.open(sealed(Path(folder), content)) as shard,
    ):
        for table in shard.table_names:
            assert shard.column_kinds(table) == {
                name: ColumnKind(
                    "bytes" if values.dtype == object else str(values.dtype), values.shape
                )
                for name, values in shard.table(table).items()
            }


def test_table_or_column_that_is_not_there(shared_shard: Path) -> None:
    with Shard.open(shared_shard) as shard:
        with pytest.raises(KeyError, match="no table 'people'"):
            shard.table("people")
        with pytest.raises(KeyError, match="faces/size"):
            shard.column("faces", "size")
        with pytest.raises(KeyError, match="no table 'people'"):
            shard.column_kinds("people")
        with pytest.raises(ValueError, match="1 or more rows"):
            list(shard.blocks(0))


def test_sealed_shard_is_never_overwritten(tmp_path: Path) -> None:
    path = sealed(tmp_path, example())
    before = path.read_bytes(), digest_path(path).read_bytes()
    with pytest.raises(ShardError, match="never changed"):
        write_shard(path, replace(example(), vectors=unit_vectors(3, 16, seed=9)))
    assert (path.read_bytes(), digest_path(path).read_bytes()) == before


def test_shard_that_comes_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shard_path(tmp_path, 0)

    def other_was_first(source: Path, target: Path) -> None:
        target.write_bytes(b"another's")
        os_link(source, target)

    os_link = os.link
    monkeypatch.setattr(shard_writer.os, "link", other_was_first)
    with pytest.raises(ShardError, match="exists"):
        write_shard(path, example())
    assert path.read_bytes() == b"another's"
    assert not list(tmp_path.glob(".*"))


def test_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(shard_writer.os, "link", no_links)
    with Shard.open(sealed(tmp_path, example())) as shard:
        assert shard.verify() == []
    assert not list(tmp_path.glob(".*"))


def test_failed_writer_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"00000000\.h5: No space .*; free some space"):
        write_shard(shard_path(tmp_path, 0), example())
    assert list(tmp_path.iterdir()) == []


UNITS = unit_vectors(4, 3, seed=0)
ABC, EMPTY = "abc", byte_strings([])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": UNITS * 1.1}, "unit length"),
        ({"vectors": np.full((2, 3), np.nan, np.float32)}, "unit length"),
        ({"vectors": UNITS.astype(np.float64)}, "float32"),
        ({"vectors": UNITS[0]}, r"\(n, d\)"),
        ({"vectors": np.zeros((0, 0), np.float32)}, "dimensions"),
        ({"tables": {"t": {"a": np.arange(2), "b": np.arange(3)}}}, "equally long"),
        ({"tables": {"t": {"a": np.array(3)}}}, "t/a"),
        ({"tables": {"t": {"a": np.zeros((2, 1, 1, 1))}}}, "axes"),
        ({"tables": {"t": {"a": np.zeros((2, 0))}}}, "hold something"),
        ({"tables": {"t": {"a": np.array([True])}}}, "bool"),
        ({"tables": {"t": {"a": np.array(["x"])}}}, "<U1"),
        ({"tables": {"t": {"a": np.array([1j])}}}, "complex"),
        ({"tables": {"t": {"a": np.array(["x"], object)}}}, "bytes"),
        ({"tables": {"t": {"a/b": np.arange(2)}}}, "column name"),
        ({"tables": {"..": {}}}, "table name"),
        ({"tables": {f"t{n}": {} for n in range(1001)}}, "1000 tables"),
        ({"tables": {f"t{n}": dict.fromkeys(ABC, EMPTY) for n in range(1000)}}, "got 6001"),
        ({"attributes": {"a": True}}, "text, int or float"),
        ({"attributes": {"a": None}}, "text, int or float"),
        ({"attributes": {"a": "x\0"}}, "NUL"),
        ({"attributes": {"a": "x" * 70_000}}, "60000 bytes"),
        ({"attributes": {"a": 2**63}}, "64 bits"),
        ({"attributes": {f"a{n}": n for n in range(1001)}}, "1000 attributes"),
        ({"number": 3}, "00000003.h5"),
    ],
)
def test_what_a_shard_cannot_hold(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = replace(ShardContent(0, UNITS, {}, {}), **change)
    with pytest.raises(ValueError, match=message):
        write_shard(tmp_path / "00000000.h5", content)
    assert list(tmp_path.iterdir()) == []


def test_vectors_that_only_rounding_moves_too_far(tmp_path: Path) -> None:
    vector = np.full((1, 3), 1.0018 / np.sqrt(3), np.float32)  # each component rounds up
    content = ShardContent(0, vector, {}, {})
    with pytest.raises(InvalidVectorsError, match="rounded to float16"):
        write_shard(tmp_path / "00000000.h5", content)
    write_shard(tmp_path / "00000000.h5", content, "float32")


def test_unknown_vector_type(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="int8"):
        write_shard(tmp_path / "00000000.h5", example(), "int8")  # type: ignore[arg-type]


def test_list_is_by_number_and_only_of_sealed_shards(tmp_path: Path) -> None:
    numbers = [2, 123_456_789, 0, 2**31 - 1]
    for number in numbers:
        shard_path(tmp_path, number).touch()
    for name in (".00000004.h5.partial", "00000005.h5.sha256", "5.h5", "0000000005.h5", "a.h5"):
        (tmp_path / name).touch()
    assert list_shards(tmp_path) == [shard_path(tmp_path, number) for number in sorted(numbers)]
    with pytest.raises(ShardError, match="folder of shards"):
        list_shards(tmp_path / "absent")
    with pytest.raises(ValueError, match="shard number"):
        shard_path(tmp_path, -1)


def test_remove_partials_keeps_what_is_sealed(tmp_path: Path) -> None:
    path = sealed(tmp_path, example())
    kept = {path, digest_path(path), tmp_path / "notes.h5.sha256"}
    for name in (".00000001.h5.partial", "00000001.h5.sha256", "notes.h5.sha256"):
        (tmp_path / name).touch()
    remove_partials(tmp_path)
    assert set(tmp_path.iterdir()) == kept


def test_plain_hdf5_reader_sees_what_the_format_page_says(tmp_path: Path) -> None:
    with h5py.File(sealed(tmp_path, example(3)), "r") as file:
        assert file.attrs["format"] == shard_format.FORMAT.encode()
        assert file.attrs["version"] == shard_format.VERSION
        assert file.attrs["number"] == 3
        assert file["vectors"].dtype == np.float16
        assert file["attributes"].attrs["name"].decode() == "an encoder"
        paths = file["tables/photos/path"]
        assert paths["offsets"][()].tolist() == [0, 5, 5, 7]
        assert paths["bytes"][()].tobytes() == b"a.jpg\xff\x00"
        arrays: list[h5py.Dataset] = []
        file.visititems(
            lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None
        )
        assert arrays
        assert all(array.fletcher32 and array.chunks for array in arrays)


def test_large_columns_are_stored_in_several_chunks(tmp_path: Path) -> None:
    values = byte_strings([b"x" * (1 << 20), b"y"])
    vectors = unit_vectors(5000, 64, seed=0)
    path = sealed(tmp_path, ShardContent(0, vectors, {"t": {"a": values}}, {}), "float32")
    with Shard.open(path) as shard:
        assert shard.column("t", "a").tolist() == values.tolist()
        np.testing.assert_array_equal(shard.vectors(), vectors)
        assert everything(shard)[0] == 0
