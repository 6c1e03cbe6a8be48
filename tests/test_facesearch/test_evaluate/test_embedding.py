"""Labelled photos to vectors: labels, failures, the cache and altered photos."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from facesearch.errors import InputError
from facesearch.evaluate.embedding import Alteration, embed_photos, labelled_photos
from support.fake_engine import FakeEngine, person_vector, write_photo


class Engine(FakeEngine):
    """Counts the photos searched for faces."""

    settings: ClassVar = {"min_face": 20}

    def detect(self, photos):  # type: ignore[no-untyped-def]
        self.calls += len(photos)
        return super().detect(photos)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for person in (1, 2):
        for variant in range(20):
            write_photo(root / f"p{person}" / f"{variant:02d}.png", [person], variant)
    write_photo(root / "p1" / "none.png", [])
    (root / "p2" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    (root / "p2" / "notes.txt").write_text("not a photo")
    return root


def test_every_photo_has_its_persons_vector_or_is_not_found(folder: Path) -> None:
    photos = embed_photos(Engine(), folder, labelled_photos(folder))
    assert len(photos) == 42
    missing = {path for path, found in zip(photos.paths, photos.found, strict=True) if not found}
    assert missing == {"p1/none.png", "p2/broken.jpg"}
    assert [failure.path for failure in photos.failures] == ["p2/broken.jpg"]
    row = photos.paths.index("p2/07.png")
    assert np.array_equal(photos.vectors[row], person_vector(2, 7))
    assert photos.people[row] == "p2"
    assert photos.numbered_people()[row] == 1


def test_the_cache_holds_until_a_photo_changes(folder: Path, tmp_path: Path) -> None:
    paths, cache = labelled_photos(folder), tmp_path / "cache"
    first = embed_photos(Engine(), folder, paths, cache=cache)
    engine = Engine()
    again = embed_photos(engine, folder, paths, cache=cache)
    assert engine.calls == 0  # the broken photo is tried, and is no photo
    assert np.array_equal(first.vectors, again.vectors)
    assert [failure.path for failure in again.failures] == ["p2/broken.jpg"]
    write_photo(folder / "p1" / "00.png", [9], 123456)
    changed = embed_photos(engine, folder, paths, cache=cache)
    assert engine.calls == 1
    assert np.array_equal(changed.vectors[paths.index("p1/00.png")], person_vector(9, 123456))
    other = Engine("another")
    embed_photos(other, folder, paths, cache=cache)
    assert other.calls == 41


def test_a_damaged_cache_is_made_again(folder: Path, tmp_path: Path) -> None:
    paths, cache = labelled_photos(folder), tmp_path / "cache"
    embed_photos(Engine(), folder, paths, cache=cache)
    (file,) = cache.iterdir()
    file.write_bytes(b"nothing of the kind")
    engine = Engine()
    assert embed_photos(engine, folder, paths, cache=cache).found.sum() == 40
    assert engine.calls == 41


@pytest.mark.parametrize("keep_boxes", [False, True])
def test_altered_photos(folder: Path, keep_boxes: bool) -> None:
    def without_faces(photo):  # type: ignore[no-untyped-def]
        return np.where(np.arange(len(photo))[:, None, None] == 0, np.uint8(0), photo)

    class Vectors(Engine):
        def _embedded(self, photo, found):  # type: ignore[no-untyped-def]
            seen = super()._embedded(photo, found)
            assert not photo[0].any()
            return seen

    alteration = Alteration("blank", without_faces, keep_boxes)
    found = embed_photos(Vectors(), folder, labelled_photos(folder), alteration=alteration).found
    assert found.sum() == (40 if keep_boxes else 0)


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    write_photo(tmp_path / "one" / "a.png", [1])
    with pytest.raises(InputError, match="two people or more"):
        labelled_photos(tmp_path)
    with pytest.raises(InputError, match="folder for each person"):
        labelled_photos(tmp_path / "absent")
