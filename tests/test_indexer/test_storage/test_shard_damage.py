"""Damaged and hostile shards: an error or a finding, never a crash and never other data."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer.errors import ShardError
from indexer.storage.atomic_files import sha256_of
from indexer.storage.shards import Shard, ShardContent, digest_path, shard_path, write_shard
from support.shards import everything, example
from support.vectors import unit_vectors

MUTATIONS = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = shard_path(tmp_path, 0)
    write_shard(path, example(0, count=40, dimension=4), "float32")
    return path


@given(data=st.data())
@MUTATIONS
def test_flipped_bytes_are_reported_or_change_nothing(shard: Path, data: st.DataObject) -> None:
    whole = shard.read_bytes()
    flips = st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255))
    damaged = bytearray(whole)
    for place, flip in data.draw(st.lists(flips, min_size=1, max_size=4, unique_by=lambda f: f[0])):
        damaged[place] ^= flip
    check_damaged(shard, whole, bytes(damaged))


@given(fraction=st.floats(0, 1, exclude_max=True))
@MUTATIONS
def test_truncated_files_are_reported(shard: Path, fraction: float) -> None:
    whole = shard.read_bytes()
    check_damaged(shard, whole, whole[: int(len(whole) * fraction)])


@given(data=st.data())
@MUTATIONS
def test_overwritten_stretches_are_reported(shard: Path, data: st.DataObject) -> None:
    whole = shard.read_bytes()
    start = data.draw(st.integers(0, len(whole) - 1))
    stretch = data.draw(st.binary(min_size=1, max_size=64))
    damaged = (whole[:start] + stretch + whole[start + len(stretch) :])[: len(whole)]
    if damaged != whole:
        check_damaged(shard, whole, damaged)


def check_damaged(path: Path, whole: bytes, damaged: bytes) -> None:
    """Reading ``damaged`` gives a ShardError or what ``whole`` holds, and verifying tells."""
    with Shard.open(path) as shard:
        truth = everything(shard)
    try:
        path.write_bytes(damaged)
        with Shard.open(path) as shard:
            assert shard.verify()
            assert everything(shard) == truth
    except ShardError as error:
        assert path.name in str(error)
    finally:
        path.write_bytes(whole)


def test_lost_or_wrong_digest_is_reported(shard: Path) -> None:
    beside = digest_path(shard)
    whole = beside.read_bytes()
    beside.write_bytes(whole.removesuffix(b"\n"))  # as sha256sum, which takes that too
    with Shard.open(shard) as opened:
        assert opened.verify() == []
    other = b"0" * 64 + b"  00000000.h5\n"
    spaces = (whole.replace(b"  ", b" "), whole.replace(b"  ", b"\t"), whole + b"\n")
    for text in (b"", b"\xff", other, whole[:-2], whole.upper(), *spaces):
        beside.write_bytes(text)
        with Shard.open(shard) as opened:
            assert len(opened.verify()) == 1
    beside.unlink()
    with Shard.open(shard) as opened:
        (problem,) = opened.verify()
    assert "00000000.h5.sha256" in problem


def test_absent_and_foreign_files_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="No such file"):
        Shard.open(tmp_path / "absent.h5")
    with pytest.raises(ShardError, match="expected a file"):
        Shard.open(tmp_path)
    os.mkfifo(tmp_path / "pipe.h5")  # reading which would never end
    with pytest.raises(ShardError, match="expected a file"):
        Shard.open(tmp_path / "pipe.h5")
    photo = tmp_path / "photo.h5"
    photo.write_bytes(b"\xff\xd8\xff\xe0 not a shard")
    with pytest.raises(ShardError, match="expected an HDF5 file"):
        Shard.open(photo)


def test_renamed_shard_is_refused(shard: Path) -> None:
    renamed = shard.rename(shard.with_name("00000001.h5"))
    with pytest.raises(ShardError, match="whose file is 00000000"):
        Shard.open(renamed)
    with Shard.open(renamed.rename(shard.with_name("copy.h5"))) as opened:
        assert opened.number == 0


def replace_array(file: h5py.File, key: str, values: object, **options: object) -> None:
    del file[key]
    if np.size(values):
        options = {"chunks": np.shape(values), "fletcher32": True, **options}
    file.create_dataset(key, data=values, **options)


def external_storage(file: h5py.File) -> None:
    del file["vectors"]
    file.create_dataset("vectors", (2, 4), "f4", external=[("/etc/hostname", 0, 32)])


def virtual_dataset(file: h5py.File) -> None:
    del file["vectors"]
    layout = h5py.VirtualLayout((2, 4), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "vectors", (2, 4))
    file.create_virtual_dataset("vectors", layout)


def link(key: str, target: object) -> Callable[[h5py.File], None]:
    def apply(file: h5py.File) -> None:
        del file[key]
        file[key] = target

    return apply


def array(key: str, values: object, **options: object) -> Callable[[h5py.File], None]:
    return lambda file: replace_array(file, key, values, **options)


def unwritten(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Callable[[h5py.File], None]:
    def apply(file: h5py.File) -> None:
        del file["vectors"]
        file.create_dataset("vectors", shape, "f4", chunks=chunks, fletcher32=True)

    return apply


def attribute(key: str, name: str, value: object) -> Callable[[h5py.File], None]:
    return lambda file: file[key].attrs.__setitem__(name, value)


def remove(key: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(key)


def open_all(path: Path) -> None:
    """Open a shard, its attributes and columns, each of which is checked when it is asked for."""
    with Shard.open(path) as opened:
        assert opened.attributes is not None
        for table in opened.table_names:
            opened.column_kinds(table)


FACES = np.zeros((40, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.attrs.__delitem__("format"), "format to be there"),
        (attribute("/", "format", np.bytes_("other")), "facesearch-shard"),
        (attribute("/", "version", 2), "version 2"),
        (attribute("/", "number", -1), "number"),
        (attribute("/", "number", 0.5), "number"),
        (attribute("/", "number", np.zeros(2, "i8")), "one value"),
        (attribute("attributes", "name", "of variable length"), "fixed length"),
        (attribute("attributes", "name", np.bytes_(b"\xff\xfe")), "attributes/name"),
        (attribute("attributes", "a/b", 1), "plain names"),
        (remove("vectors"), "vectors to be an array"),
        (remove("tables"), "tables to be a group"),
        (remove("attributes"), "attributes to be a group"),
        (remove("tables/photos/path/bytes"), "tables/photos/path/bytes"),
        (link("vectors", h5py.ExternalLink("other.h5", "/vectors")), "link out of it"),
        (link("vectors", h5py.SoftLink("/tables/faces/box")), "link out of it"),
        (link("tables", np.zeros(3)), "tables to be a group"),
        (link("tables/faces", np.zeros(3)), "tables/faces to be a group"),
        (external_storage, "outside it"),
        (virtual_dataset, "outside it"),
        (array("vectors", np.eye(4, dtype="f4"), compression="gzip"), "no other filter"),
        (array("vectors", np.eye(4, dtype="f4"), shuffle=True), "no other filter"),
        (array("vectors", np.eye(4, dtype="f4"), fletcher32=False), "no other filter"),
        (array("vectors", np.eye(4)), "float16 or float32"),
        (array("vectors", np.eye(4, dtype=">f4")), "float16 or float32"),
        (array("vectors", np.zeros(4, "f4")), r"\(n, d\)"),
        (array("vectors", np.zeros((4, 0), "f4")), "dimensions"),
        (unwritten((2**40, 2**20), (1, 128)), "to have the bytes"),
        (unwritten((2**62, 2**62), (1, 128)), "to have the bytes"),
        (unwritten((2**20, 128), (2**20, 128)), "to have the bytes"),
        (array("tables/faces/box", np.zeros((40, 4), "c8")), "numbers"),
        (array("tables/faces/box", np.zeros((40, 1, 1, 1))), "axes"),
        (array("tables/faces/box", np.zeros((39, 4))), "equally long"),
        (array("tables/faces/box", np.array([b"x"] * 40)), "numbers"),
        (array("tables/photos/path/offsets", np.zeros(0, "u8")), "uint64"),
        (array("tables/photos/path/offsets", np.zeros(4, "i4")), "uint64"),
        (array("tables/photos/path/bytes", np.zeros(7, "i4")), "uint8"),
    ],
)
def test_structure_that_is_not_a_shard(
    shard: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(shard, "r+") as file:
        change(file)
    with pytest.raises(ShardError, match=message):
        open_all(shard)
    with suppress(ShardError), Shard.open(shard) as opened:
        assert any(re.search(message, problem) for problem in opened.verify())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (array("vectors", np.full((40, 4), np.nan, "f4")), "unit length"),
        (array("vectors", np.full((40, 4), 0.6, "f4")), "unit length"),
        (array("tables/photos/path/offsets", np.array([0, 5, 3, 7], "u8")), "offsets"),
        (array("tables/photos/path/offsets", np.array([0, 1, 2, 2**63], "u8")), "offsets"),
        (array("tables/photos/path/offsets", np.array([1, 2, 3, 7], "u8")), "offsets"),
    ],
)
def test_contents_that_only_verifying_finds(
    shard: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(shard, "r+") as file:
        change(file)
    digest_path(shard).write_text(f"{sha256_of(shard)}  {shard.name}\n")
    with Shard.open(shard) as opened:
        (problem,) = opened.verify()
        assert message in problem


def test_arrays_that_share_bytes_cannot_multiply_them(tmp_path: Path) -> None:
    path = shard_path(tmp_path, 0)
    content = ShardContent(0, unit_vectors(1, 2, 0), {"t": {"c0": np.zeros(50_000)}}, {})
    write_shard(path, content)
    with h5py.File(path, "r+") as file:
        for number in range(1, 900):  # 360 MB of columns in a file of half a MB
            file[f"tables/t/c{number}"] = file["tables/t/c0"]
    with pytest.raises(ShardError, match="to have the bytes"):
        open_all(path)


def test_bomb_of_tiny_members_is_refused(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        for number in range(1001):
            file.create_group(f"tables/t{number}")
    with pytest.raises(ShardError, match="at most 1000 members"):
        open_all(shard)


def test_few_arrays_cannot_look_like_very_many(shard: Path) -> None:
    with h5py.File(shard, "r+") as file:
        table = file.create_group("tables/t0")
        table["c0"] = np.zeros(0)
        for number in range(1, 100):
            table[f"c{number}"] = table["c0"]
            file[f"tables/t{number}"] = table
    with pytest.raises(ShardError, match="at most 5000 arrays"):
        open_all(shard)
