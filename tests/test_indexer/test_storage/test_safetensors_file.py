"""Arrays in a file: as written, as safetensors reads them, and nothing else."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from indexer.errors import IndexerError
from indexer.storage.safetensors_file import ArrayFileError, read_arrays, write_arrays

SHAPES = {"a": ((3, 2), "i8"), "b": ((5,), "f4"), "c": ((7,), "u1"), "none": ((0, 4), "u1")}
DTYPES = {name: dtype for name, (_, dtype) in SHAPES.items()}


def write(path: Path) -> dict[str, np.ndarray]:
    values = {
        name: np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
        for name, (shape, dtype) in SHAPES.items()
    }
    with write_arrays(path, SHAPES, {"key": "value"}) as arrays:
        for name, array in values.items():
            arrays[name][...] = array
    return values


def test_round_trip_and_safetensors(tmp_path: Path) -> None:
    values = write(tmp_path / "file")
    arrays, metadata = read_arrays(tmp_path / "file", DTYPES)
    others = load_file(tmp_path / "file")
    assert metadata == {"key": "value"}
    for name, array in values.items():
        np.testing.assert_array_equal(arrays[name], array)
        np.testing.assert_array_equal(others[name], array)


def test_reads_what_safetensors_writes(tmp_path: Path) -> None:
    save_file({"x": np.arange(6, dtype=np.float32).reshape(2, 3)}, tmp_path / "file")
    arrays, _ = read_arrays(tmp_path / "file", {"x": "f4"})
    np.testing.assert_array_equal(arrays["x"], [[0, 1, 2], [3, 4, 5]])


def test_writing_to_what_was_read_does_not_change_the_file(tmp_path: Path) -> None:
    write(tmp_path / "file")
    before = (tmp_path / "file").read_bytes()
    arrays, _ = read_arrays(tmp_path / "file", DTYPES)
    arrays["a"][...] = -1
    assert (tmp_path / "file").read_bytes() == before


def test_arrays_of_small_items_first_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="greater items first"),
        write_arrays(tmp_path / "file", {"c": ((7,), "u1"), "a": ((1,), "i8")}, {}),
    ):
        pass


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_mutated_files_are_refused_or_arrays(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("arrays") / "file"
    write(path)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(content)
    try:
        arrays, _ = read_arrays(path, DTYPES)
    except ArrayFileError as error:
        assert str(path) in str(error)
    else:
        assert set(arrays) == set(DTYPES)
        assert all(np.asarray(array).nbytes <= len(content) for array in arrays.values())


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "U8", "shape": [2**62, 2**62], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]},
        {"dtype": "U8", "shape": [4], "data_offsets": [-4, 0]},
        {"dtype": "U8", "shape": [-4], "data_offsets": [0, -4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "U8", "shape": "4", "data_offsets": [0, 4]},
        {"shape": [4]},
        [],
        None,
    ],
)
def test_entries_that_lie_are_refused(tmp_path: Path, entry: object) -> None:
    text = json.dumps({"x": entry}).encode()
    (tmp_path / "file").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(ArrayFileError, match="file"):
        read_arrays(tmp_path / "file", {"x": "u1"})


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, struct.pack("<Q", 2**60), struct.pack("<Q", 2) + b"[]"]
)
def test_no_header(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ArrayFileError, match="header") as caught:
        read_arrays(tmp_path / "file", {"x": "u1"})
    assert isinstance(caught.value, IndexerError)  # as all errors that are raised on purpose
