"""The one way out and the one way in: what fails is told, and links are never followed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import ShardError, StorageError, UnsafeFileError
from indexer.storage import atomic_files
from indexer.storage.atomic_files import (
    buffered,
    make_folder,
    open_lock,
    partial_path,
    replacing_file,
    write_atomically,
)
from indexer.storage.plain_files import parse_json, read_json, read_plain
from indexer.storage.sealed_arrays import SealedArrays, read_sealed, write_sealed
from indexer.storage.shards import Shard, replace_shard, shard_path, write_shard
from support.shards import everything, example

CALLS = ("pwrite", "fsync", "ftruncate")


class Fault:
    """Lets the ``at``-th of some calls of the system fail, or do nothing."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int, error: int | None) -> None:
        self.seen = 0
        for name in CALLS:
            patch.setattr(atomic_files.os, name, self._wrapped(getattr(os, name), at, error))

    def _wrapped(self, call: Callable[..., Any], at: int, error: int | None) -> Callable[..., Any]:
        def wrapped(descriptor: int, *values: Any) -> Any:
            self.seen += 1
            if self.seen - 1 != at:
                return call(descriptor, *values)
            if error is not None:
                raise OSError(error, os.strerror(error))
            return len(values[0]) if call.__name__ == "pwrite" else None

        return wrapped


def faults_in(work: Callable[[], object], error: int | None) -> int:
    """How many calls ``work`` makes that can fail."""
    with pytest.MonkeyPatch.context() as patch:
        fault = Fault(patch, -1, error)
        work()
    return fault.seen


def writers(folder: Path) -> dict[str, Callable[[], object]]:
    """Writers of files that exist already, each of something else than is there."""
    sealed = SealedArrays({"a": 1}, {"b": np.arange(70_000), "none": np.zeros(0)})
    number = shard_path(folder, 0)
    return {
        "shard": lambda: replace_shard(number, example(0, count=200), "float32"),
        "sealed": lambda: write_sealed(folder / "sealed.h5", "format", 1, sealed),
        "bytes": lambda: write_atomically(folder / "file", b"new"),
    }


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, None])
@pytest.mark.parametrize("name", ["shard", "sealed", "bytes"])
def test_no_change_that_fails_damages_what_was_there(
    tmp_path: Path, name: str, error: int | None
) -> None:
    write_shard(shard_path(tmp_path, 0), example(0), "float32")
    write_sealed(tmp_path / "sealed.h5", "format", 1, SealedArrays({"a": 0}, {}))
    write_atomically(tmp_path / "file", b"old")
    path = {"shard": shard_path(tmp_path, 0), "sealed": tmp_path / "sealed.h5"}.get(
        name, tmp_path / "file"
    )
    old = path.read_bytes()
    writer = writers(tmp_path)[name]
    total = faults_in(writer, error)
    new = path.read_bytes()
    path.write_bytes(old)
    assert total >= 2 and new != old
    for at in range(total):
        with pytest.MonkeyPatch.context() as patch:
            Fault(patch, at, error)
            try:
                writer()
            except StorageError as failure:
                assert str(tmp_path) in str(failure) and "; " in str(failure)
                assert path.read_bytes() in (old, new)
            else:  # a flush that says it did, or a size that was right before
                assert path.read_bytes() == new
        path.write_bytes(old)
        assert not partial_path(path).exists()


def test_a_new_shard_is_whole_or_not_there(tmp_path: Path) -> None:
    path = shard_path(tmp_path, 0)
    total = faults_in(lambda: write_shard(path, example(0)), errno.EIO)
    for each in tmp_path.iterdir():
        each.unlink()
    for at in range(total):
        with pytest.MonkeyPatch.context() as patch:
            Fault(patch, at, errno.EIO)
            with pytest.raises(StorageError):
                write_shard(path, example(0))
        if path.exists():  # its folder could not be forced to the disk
            with Shard.open(path) as shard:
                assert shard.verify() == []
            path.unlink()
        for each in tmp_path.iterdir():
            each.unlink()
    write_shard(path, example(0))
    with Shard.open(path) as shard:
        assert everything(shard)[0] == 0


def test_links_are_replaced_and_never_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    partial_path(tmp_path / "file").symlink_to(victim)
    (tmp_path / "file").symlink_to(victim)
    (tmp_path / "lock").symlink_to(victim)
    write_atomically(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"precious"
    assert (tmp_path / "file").read_bytes() == b"new" and not (tmp_path / "file").is_symlink()
    with pytest.raises(StorageError, match="lock"):
        open_lock(tmp_path / "lock")
    (tmp_path / "folder").symlink_to(tmp_path)
    with pytest.raises(StorageError, match="found a symbolic link"):
        make_folder(tmp_path / "folder")


def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "folder")
        write_atomically(tmp_path / "folder" / "file", b"x")
        write_shard(shard_path(tmp_path / "folder", 0), example())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(each.stat().st_mode) for each in (tmp_path / "folder").iterdir()}
    assert modes == {0o600}


def test_a_file_that_exists_may_be_kept(tmp_path: Path) -> None:
    write_atomically(tmp_path / "file", b"old")
    with (
        pytest.raises(StorageError, match="exists"),
        replacing_file(tmp_path / "file", replace=False) as file,
    ):
        file.write(b"new")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"old"]


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_small_writes_make_the_file(tmp_path_factory: pytest.TempPathFactory, parts: Any) -> None:
    path = tmp_path_factory.mktemp("small") / "file"
    with replacing_file(path) as file, buffered(file) as out:
        for part in parts:
            out.write(part)
    assert path.read_bytes() == b"".join(parts)


def test_what_is_no_plain_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(bytes(101))
    for name, found in (
        ("pipe", "a named pipe"),
        ("link", "a symbolic link"),
        ("folder", "a folder"),
        ("large", "at most 100 bytes"),
    ):
        with pytest.raises(UnsafeFileError, match=found):
            read_plain(tmp_path / name, 100)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "nothing")


@pytest.mark.parametrize("text", ["[" * 100_000, "NaN", "-Infinity", "1e999", "{", "\xff"])
def test_json_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text.encode("latin-1"))


def sealed(path: Path) -> SealedArrays:
    content = SealedArrays(
        {"name": "x", "count": 3, "reach": 1.5},
        {"ids": np.arange(300), "labels": np.zeros((300, 2), np.int32), "none": np.zeros(0, "f4")},
    )
    write_sealed(path, "format", 1, content)
    return content


def test_sealed_arrays_are_read_as_written(tmp_path: Path) -> None:
    content = sealed(tmp_path / "a.h5")
    found = read_sealed(tmp_path / "a.h5", "format", 1)
    assert found.attributes == content.attributes
    for name, values in content.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)
        assert found.arrays[name].dtype == values.dtype
    for wrong in (("other", 1), ("format", 2)):
        with pytest.raises(ShardError, match="format and version"):
            read_sealed(tmp_path / "a.h5", *wrong)


@given(st.data())
def test_no_damage_of_sealed_arrays_is_believed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    content = sealed(folder / "a.h5")
    whole = bytearray((folder / "a.h5").read_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    size = data.draw(st.sampled_from([1, 4, 512]))
    filler = data.draw(st.sampled_from([b"\0", b"\xff", b"\x5a"]))
    whole[at : at + size] = filler * len(whole[at : at + size])
    (folder / "a.h5").write_bytes(whole)
    try:
        found = read_sealed(folder / "a.h5", "format", 1)
    except ShardError:
        return
    assert found.attributes == content.attributes  # what no reader looks at was damaged
    for name, values in content.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)


def test_zeros_for_labels_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_sealed(path, "format", 1, SealedArrays({}, {"labels": np.full(300, -1, np.int32)}))
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        file["labels"][:] = 0
    with pytest.raises(ShardError, match="SHA-256"):
        read_sealed(path, "format", 1)


@pytest.mark.parametrize("number", [0, -1, 2**63, 2**64 - 1, -(2**63)])
def test_numbers_of_64_bits_are_read(number: int) -> None:
    assert parse_json(f"[{number}]") == [number]


@pytest.mark.parametrize("digits", ["18446744073709551616", "-9223372036854775809", "9" * 5000])
def test_larger_numbers_are_refused(digits: str) -> None:
    """No array holds them, and of the largest no float can be made."""
    with pytest.raises(ValueError, match="64 bits"):
        parse_json(digits)
