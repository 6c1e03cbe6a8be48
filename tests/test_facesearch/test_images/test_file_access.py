"""Digests equal hashlib's, for files and streams of every size around the piece size."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest

from facesearch.errors import PhotoError
from facesearch.images import sha256_of
from facesearch.images.file_access import sha256_of_stream


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_equals_hashlib(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    (tmp_path / "file").write_bytes(data)
    assert sha256_of(tmp_path / "file") == hashlib.sha256(data).hexdigest()


def test_a_stream_is_read_whole_and_rewound() -> None:
    stream = io.BytesIO(b"photo")
    stream.read(2)
    assert sha256_of_stream(stream) == hashlib.sha256(b"photo").hexdigest()
    assert stream.tell() == 0


def test_refusals(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "not-there"):
        with pytest.raises(PhotoError) as caught:
            sha256_of(path)
        assert caught.value.reason == "unreadable"
