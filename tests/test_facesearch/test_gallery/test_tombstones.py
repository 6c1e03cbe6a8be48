"""The list of forgotten faces: read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.errors import GalleryError
from facesearch.gallery.tombstones import Tombstone, Tombstones


def test_round_trip_of_what_is_forgotten(tmp_path: Path) -> None:
    faces = [
        Tombstone(5, "a" * 64, (0.5, 1.0, 2.25, 3.0)),
        Tombstone(3, "b" * 64, (0, 0, 1, 1)),
    ]
    Tombstones(faces).write(tmp_path)
    read = Tombstones.read(tmp_path)
    assert read.ids.tolist() == [3, 5]
    assert read.boxes_of("a" * 64).tolist() == [[0.5, 1.0, 2.25, 3.0]]
    assert read.boxes_of("c" * 64).shape == (0, 4)
    assert read.without_photos({"b" * 64}).ids.tolist() == [5]
    assert Tombstones.read(tmp_path / "empty").ids.tolist() == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"format": "facesearch-forgotten", "version": 2, "faces": []}',
        '{"format": "facesearch-forgotten", "version": 1}',
        '{"format": "facesearch-forgotten", "version": 1, "faces": [{"face": -1}]}',
        '{"format": "facesearch-forgotten", "version": 1, "faces": [7]}',
        '{"format": "facesearch-forgotten", "version": 1, '
        '"faces": [{"face": 1, "sha256": "x", "box": [0, 0, 1, 1]}]}',
    ],
)
def test_a_damaged_list_is_never_taken_for_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "forgotten.json").write_text(text)
    with pytest.raises(GalleryError, match=r"forgotten\.json.*backup"):
        Tombstones.read(tmp_path)
