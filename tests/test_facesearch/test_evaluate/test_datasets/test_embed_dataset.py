"""Photos of a protocol to vectors: the chosen face, failures, the cache, tracks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.detect.types import Detections
from facesearch.errors import InputError
from facesearch.evaluate.datasets.embed_dataset import (
    DatasetEmbedOptions,
    OneFace,
    embed_photos,
    portrait_face,
)
from facesearch.evaluate.datasets.embedded_photos import State, distances_of
from facesearch.evaluate.datasets.face_selection import RULES, choose_face
from facesearch.evaluate.datasets.labelled_photos import read_folder, read_tracks
from facesearch.evaluate.video import embed_tracks, track_distances
from support.fake_engine import FakeEngine, person_vector, write_photo

HERE = DatasetEmbedOptions(decoders=0, threads=2)


class CountingEngine(FakeEngine):
    """Counts the photos that it looked for faces in."""

    def __init__(self, name: str = "fake") -> None:
        super().__init__(name)
        self.settings: dict[str, float] = {"min_face": 20}

    def detect(self, photos: Any, *, in_tiles: bool = True) -> Any:
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


def embed(engine: FakeEngine, root: Path, paths: Any = None, **options: Any) -> Any:
    (embedded,) = embed_photos(
        engine,  # type: ignore[arg-type]
        root,
        read_folder(root).paths if paths is None else paths,
        options=DatasetEmbedOptions(decoders=0, threads=2, **options),
    )
    return embedded


def test_every_photo_has_its_vector_or_its_state(folder: Path) -> None:
    photos = embed(CountingEngine(), folder)
    assert len(photos.paths) == 42
    row = photos.paths.index("p2/07.png")
    np.testing.assert_array_equal(photos.vectors[row], person_vector(2, 7))
    states = dict(zip(photos.paths, photos.states.tolist(), strict=True))
    assert states.pop("p1/none.png") == State.NO_FACE
    assert states.pop("p2/broken.jpg") == State.FAILED
    assert set(states.values()) == {State.FOUND}
    assert [failure.photo for failure in photos.failures] == ["p2/broken.jpg"]
    assert photos.usable("reject").sum() == 40
    assert photos.usable("centre").sum() == 41  # what cannot be read has no centre
    with pytest.raises(InputError, match="one of reject, centre"):
        photos.usable("guess")


def test_a_photo_that_is_not_there_is_a_failure(folder: Path) -> None:
    photos = embed(CountingEngine(), folder, ("p1/00.png", "p1/absent.png", "p\0/x.png"))
    assert [failure.photo for failure in photos.failures] == ["p1/absent.png", "p\0/x.png"]
    assert photos.failures[0].reason == "unreadable"
    assert photos.states.tolist() == [State.FOUND, State.FAILED, State.FAILED]


def test_a_photo_that_breaks_the_engine_takes_no_other_with_it(folder: Path) -> None:
    write_photo(folder / "p1" / "bomb.png", [255])
    photos = embed(CountingEngine(), folder)
    assert {failure.photo: failure.reason for failure in photos.failures}[
        "p1/bomb.png"
    ] == "internal"
    assert photos.usable("reject").sum() == 40


def test_pairs_without_a_face_are_as_far_as_can_be(folder: Path) -> None:
    photos = embed(CountingEngine(), folder)
    first = ("p1/00.png", "p1/none.png", "p2/broken.jpg")
    second = ("p1/01.png", "p1/00.png", "p2/00.png")
    rejected = distances_of(photos, first, second, "reject")
    expected = np.sum((person_vector(1, 0) - person_vector(1, 1)) ** 2)
    assert rejected[0] == pytest.approx(expected, rel=1e-5)
    assert rejected[1:].tolist() == [4, 4]
    assert distances_of(photos, first, second, "centre")[1] < 4
    assert distances_of(photos, first, second, "centre")[2] == 4


def test_the_cache_knows_photos_by_their_content(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = embed(CountingEngine(), folder, cache=cache)
    (folder / "p1" / "00.png").rename(folder / "p1" / "moved.png")
    engine = CountingEngine()
    again = embed(engine, folder, cache=cache)
    assert engine.calls == 0
    row, before = again.paths.index("p1/moved.png"), first.paths.index("p1/00.png")
    np.testing.assert_array_equal(again.vectors[row], first.vectors[before])
    assert again.failures == first.failures
    assert sorted(again.states.tolist()) == sorted(first.states.tolist())
    write_photo(folder / "p1" / "01.png", [9], 123456)
    changed = embed(engine, folder, cache=cache)
    assert engine.calls == 1
    row = changed.paths.index("p1/01.png")
    np.testing.assert_array_equal(changed.vectors[row], person_vector(9, 123456))


def test_the_cache_is_of_one_engine_and_one_rule(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    embed(CountingEngine(), folder, cache=cache)
    other, stricter, ruled = CountingEngine("another"), CountingEngine(), CountingEngine()
    stricter.settings = {"min_face": 40}
    for engine in (other, stricter):
        embed(engine, folder, cache=cache)
        assert engine.calls == 41
    way, options = OneFace("largest"), DatasetEmbedOptions(decoders=0, cache=cache)
    embed_photos(ruled, folder, read_folder(folder).paths, way=way, options=options)  # type: ignore[arg-type]
    assert ruled.calls == 41
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("damage", [b"nothing of the kind", b"PK\x03\x04", b""])
def test_a_damaged_cache_is_made_again(folder: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / "cache"
    embed(CountingEngine(), folder, cache=cache)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)
    engine = CountingEngine()
    assert embed(engine, folder, cache=cache).usable("reject").sum() == 40
    assert engine.calls == 41
    assert file.read_bytes() == whole


def test_folders_that_are_none_are_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InputError, match="found none at"):
        read_folder(tmp_path / "absent")
    write_photo(tmp_path / "loose.png", [1])
    with pytest.raises(InputError, match="found 1, none so"):
        read_folder(tmp_path)
    write_photo(tmp_path / "p" / "1.png", [1])
    assert read_folder(tmp_path).paths == ("p/1.png",)
    assert "1 photos" in caplog.text
    with pytest.raises(InputError, match="person/track/frame"):
        read_tracks(tmp_path)


def test_people_with_several_photos_are_drawn(tmp_path: Path) -> None:
    for person in range(1, 9):
        for photo in range(person % 3):
            write_photo(tmp_path / f"p{person}" / f"{photo}.png", [person], photo)
    photos = read_folder(tmp_path)
    drawn = photos.of_people(2, seed=1)
    assert len(set(drawn.people)) == 2
    assert len(drawn) == 4
    assert drawn == photos.of_people(2, seed=1)
    assert len(set(photos.of_people(99, seed=1).people)) == 3  # of 1 to 8, 2, 5 and 8
    assert photos.person_numbers.tolist() == sorted(photos.person_numbers.tolist())


def faces(*boxes: tuple[float, float, float, float], scores: tuple[float, ...]) -> Detections:
    n = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.zeros((n, 5, 2), np.float32),
        np.array(scores, np.float32),
    )


def test_the_face_is_chosen_by_the_rule() -> None:
    # A large one in the corner, a small one in the very centre, one in between that is both.
    found = faces((0, 0, 50, 50), (48, 48, 52, 52), (30, 30, 65, 65), scores=(0.99, 0.9, 0.95))
    assert choose_face(found, (100, 100), "largest") == 0
    assert choose_face(found, (100, 100), "central") == 1
    assert choose_face(found, (100, 100), "prominent") == 2
    for rule in RULES:
        assert choose_face(Detections.none(), (100, 100), rule) is None
        twins = faces((40, 40, 60, 60), (40, 40, 60, 60), scores=(0.9, 0.9))
        assert choose_face(twins, (100, 100), rule) == 0
    with pytest.raises(InputError, match="one of the rules"):
        choose_face(found, (100, 100), "prettiest")


def test_the_portrait_face_lies_in_the_middle_square() -> None:
    square = portrait_face(np.zeros((250, 250, 3), np.uint8))
    wide = portrait_face(np.zeros((250, 450, 3), np.uint8))
    np.testing.assert_allclose(wide.boxes - square.boxes, [[100, 0, 100, 0]], atol=1e-4)
    np.testing.assert_allclose(wide.landmarks[0] - square.landmarks[0], [[100, 0]] * 5, atol=1e-4)
    x0, y0, x1, y1 = square.boxes[0]
    for x, y in square.landmarks[0]:
        assert x0 < x < x1
        assert y0 < y < y1


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """Tracks of 3 people, whose frames 9 and 10 sort by number; some frames have no face."""
    for person in (1, 2, 3):
        for track in (1, 2):
            for frame in range(8, 12 + person):
                shown = [] if (frame + track) % 3 == 0 else [person]
                path = tmp_path / f"p{person}" / f"t{track}" / f"f{frame}.png"
                write_photo(path, shown, 100 * track + frame)
    write_photo(tmp_path / "p3" / "empty" / "1.png", [])
    (tmp_path / "p3" / "empty" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    return tmp_path


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_tracks_are_the_mean_over_all_pairs_of_their_first_frames(tracks: Path, limit: int) -> None:
    read = read_tracks(tracks)
    assert read.names[:2] == ("p1/t1", "p1/t2")
    assert [Path(path).stem for path in read.frames[0]] == ["f8", "f9", "f10", "f11", "f12"]
    embedded = embed_tracks(CountingEngine(), read, frames=limit, options=HERE)  # type: ignore[arg-type]
    first, second = zip(*[(a, b) for a in read.names for b in read.names], strict=True)
    found = track_distances(embedded, first, second)
    for one, two, distance in zip(first, second, found, strict=True):
        expected = plain_distance(one, two, limit)
        assert distance == pytest.approx(expected, abs=1e-5)
    assert [failure.photo for failure in embedded.failures] == ["p3/empty/2.png"]


def plain_distance(one: str, two: str, limit: int) -> float:
    frames = [plain_frames(name)[:limit] for name in (one, two)]
    pairs = [np.sum((a - b) ** 2) for a in frames[0] for b in frames[1]]
    return float(np.mean(pairs)) if pairs else 4.0


def plain_frames(name: str) -> list[np.ndarray]:
    if name.endswith("empty"):
        return []
    person, track = int(name[1]), int(name[-1])
    shown = [frame for frame in range(8, 12 + person) if (frame + track) % 3]
    return [person_vector(person, 100 * track + frame).astype(np.float64) for frame in shown]


def test_no_more_frames_are_read_than_it_takes(tracks: Path) -> None:
    engine = CountingEngine()
    embedded = embed_tracks(engine, read_tracks(tracks).named({"p3/t1"}), frames=2, options=HERE)  # type: ignore[arg-type]
    assert embedded.frames.tolist() == [2]
    assert embedded.read.tolist() == [engine.calls] == [3]  # frame 8 shows no face
    with pytest.raises(InputError, match="1 frame a track or more"):
        embed_tracks(engine, read_tracks(tracks), frames=0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="none called 'p9/t1'"):
        read_tracks(tracks).named({"p1/t1", "p9/t1"})
