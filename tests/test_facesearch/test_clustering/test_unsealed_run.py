"""Runs that were saved before files of runs held a digest are still read."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from facesearch.clustering.run_store import FORMAT, read_run, run_at
from facesearch.errors import GalleryError

IDS = np.arange(5, dtype=np.int64) * 3
LABELS = np.array([0, 0, 1, -1, 1], np.int32)
STORY = {"how": {"full": True, "why": "asked for", "linkage": "average"}, "contradictions": ["x"]}


def write_version_1(path: Path, **changed: object) -> Path:
    """A run as version 1 was written: attributes of any length, checksums, no digest."""
    attributes: dict[str, object] = {
        "format": FORMAT,
        "version": 1,
        "method": "agglomerative",
        "threshold": 0.14,
        "created_at": "2026-05-01T10:00:00+00:00",
        "state": "ab" * 32,
        "min_quality": 0.3,
        "same_photo": False,
    }
    with h5py.File(path, "w") as file:
        file.attrs.update({k: v for k, v in (attributes | changed).items() if v is not None})
        for name, values in (
            ("ids", IDS),
            ("labels", LABELS),
            ("confidence", np.linspace(0, 1, 5).astype(np.float32)),
            ("people", np.array([7, 7, 9, 0, 9], np.int64)),
            ("story", np.frombuffer(json.dumps(STORY).encode(), np.uint8)[None]),
        ):
            file.create_dataset(name, data=values, fletcher32=True)
    return path


def test_a_run_of_version_1_keeps_its_people(tmp_path: Path) -> None:
    run = read_run(write_version_1(tmp_path / "000000.h5"))
    assert run.clustering.ids.tolist() == IDS.tolist()
    assert run.clustering.labels.tolist() == LABELS.tolist()
    assert run.numbers.tolist() == [7, 9]
    assert (run.method, run.threshold, run.min_quality) == ("agglomerative", 0.14, 0.3)
    assert (run.same_photo, run.how.why, run.contradictions) == (False, "asked for", ("x",))


def test_attributes_that_runs_did_not_have_at_first_have_defaults(tmp_path: Path) -> None:
    run = read_run(write_version_1(tmp_path / "000000.h5", min_quality=None, same_photo=None))
    assert (run.min_quality, run.same_photo) == (0.0, True)


@pytest.mark.parametrize(
    "changed", [{"format": "other"}, {"method": None}, {"threshold": "low"}, {"version": 3}]
)
def test_other_files_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    path = write_version_1(tmp_path / "000000.h5", **changed)
    with pytest.raises(GalleryError, match="000000"):
        run_at(path)


def test_damaged_arrays_are_found(tmp_path: Path) -> None:
    path = write_version_1(tmp_path / "000000.h5")
    content = bytearray(path.read_bytes())
    at = bytes(content).find(IDS.tobytes())
    content[at + 8] ^= 1
    path.write_bytes(content)
    with pytest.raises(GalleryError, match="000000"):
        run_at(path)
