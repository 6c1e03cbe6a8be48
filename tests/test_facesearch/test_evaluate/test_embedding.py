"""Photos of a protocol to vectors: failures, the cache, tracks, and photos made worse."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from facesearch.errors import InputError
from facesearch.evaluate.degradation import Degradation
from facesearch.evaluate.embedded import State, distances_of
from facesearch.evaluate.embedding import EmbedOptions, embed_photos
from facesearch.evaluate.photos import read_folder, read_tracks
from facesearch.evaluate.video import embed_tracks, track_distances
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
    (root / "p2" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    return root


def test_every_photo_has_its_persons_vector_or_a_reason(folder: Path) -> None:
    photos = read_folder(folder)
    (found,) = embed_photos(Engine(), folder, [*photos.paths, "p1/absent.png"])
    failed = [path for path, each in zip(found.paths, found.states, strict=True)
              if each == State.FAILED]  # fmt: skip
    assert failed == ["p2/broken.jpg", "p1/absent.png"]
    assert [failure.photo for failure in found.failures] == failed
    assert np.allclose(found.vectors[found.paths.index("p2/07.png")], person_vector(2, 7))
    distances = distances_of(found, ["p1/00.png", "p1/00.png"], ["p1/00.png", failed[0]], "centre")
    assert distances.tolist() == [0, 4]
    with pytest.raises(InputError, match="reject, centre"):
        found.usable("guess")


def test_the_cache_holds_until_a_photo_changes(folder: Path, tmp_path: Path) -> None:
    paths, options = read_folder(folder).paths, EmbedOptions(cache=tmp_path / "cache")
    (first,) = embed_photos(Engine(), folder, paths, options=options)
    engine = Engine()
    (again,) = embed_photos(engine, folder, paths, options=options)
    assert engine.calls == 0
    assert np.array_equal(first.vectors, again.vectors)
    assert again.failures == first.failures
    write_photo(folder / "p1" / "00.png", [9], 123456)
    (changed,) = embed_photos(engine, folder, paths, options=options)
    assert engine.calls == 1
    assert np.allclose(changed.vectors[paths.index("p1/00.png")], person_vector(9, 123456))
    other = Engine("another")
    embed_photos(other, folder, paths, options=options)
    assert other.calls == 40


def test_a_damaged_cache_is_made_again(folder: Path, tmp_path: Path) -> None:
    paths, options = read_folder(folder).paths, EmbedOptions(cache=tmp_path / "cache")
    embed_photos(Engine(), folder, paths, options=options)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(b"nothing of the kind")
    engine = Engine()
    embed_photos(engine, folder, paths, options=options)
    assert engine.calls == 40


def test_a_track_is_the_mean_over_all_pairs_of_its_first_frames(tmp_path: Path) -> None:
    for person, track in product((1, 2), ("a", "b")):
        for frame in range(12):
            path = tmp_path / f"p{person}" / track / f"{frame}.png"
            write_photo(path, [person], frame if track == "a" else 40 + frame)
    tracks = read_tracks(tmp_path)
    embedded = embed_tracks(Engine(), tracks, frames=10)
    assert embedded.frames.tolist() == [10] * 4
    (found,) = track_distances(embedded, ["p1/a"], ["p2/b"])
    plain = [np.sum((person_vector(1, one) - person_vector(2, 40 + two)) ** 2)
             for one, two in product(range(10), repeat=2)]  # fmt: skip
    assert found == pytest.approx(np.mean(plain), abs=1e-5)
    with pytest.raises(InputError, match="p9/a"):
        track_distances(embedded, ["p1/a"], ["p9/a"])


def test_degradations_shrink_to_the_pixels_asked_for_and_never_enlarge() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (200, 300, 3)).astype(np.uint8)
    small = Degradation("pixels", 1600).apply(photo, 60000)
    assert small.shape[0] * small.shape[1] == pytest.approx(1600, rel=0.05)
    assert Degradation("pixels", 65536).apply(photo, 60000) is photo
    errors = [np.abs(Degradation("jpeg", quality).apply(photo, 1).astype(float) - photo).mean()
              for quality in (10, 50, 90)]  # fmt: skip
    assert errors[0] > errors[1] > errors[2] > 0
    for kind, value in (("jpeg", 0), ("jpeg", 101), ("pixels", 0), ("blur", 1)):
        with pytest.raises(InputError, match="expected none, jpeg"):
            Degradation(kind, value)
