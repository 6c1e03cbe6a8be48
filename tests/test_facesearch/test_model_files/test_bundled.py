"""Model files of this package are found beside it and checked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from facesearch.errors import WeightsError
from facesearch.model_files import bundled
from facesearch.model_files.bundled import BundledFile


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BundledFile:
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    (tmp_path / "a.bin").write_bytes(b"weights")
    return BundledFile("a.bin", hashlib.sha256(b"weights").hexdigest())


def test_a_whole_file_is_located(file: BundledFile) -> None:
    assert file.present
    assert file.locate().read_bytes() == b"weights"


def test_another_file_is_refused_with_both_digests(file: BundledFile) -> None:
    file.path.write_bytes(b"others")
    with pytest.raises(WeightsError, match=f"expected SHA-256 {file.sha256}, found .*reinstall"):
        file.locate()


def test_a_missing_file_is_said(file: BundledFile) -> None:
    file.path.unlink()
    assert not file.present
    with pytest.raises(WeightsError, match="cannot read .*reinstall facesearch"):
        file.locate()
