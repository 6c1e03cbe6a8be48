"""Faces that were removed from a person: what is nearest to them is not named after that person."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facesearch.api.batch import identify_photos
from facesearch.api.session import GallerySession
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import InputError
from facesearch.people.store import PeopleStore
from facesearch.recognition.calibration import ThresholdInUse
from facesearch.recognition.identify import CROWDED, Probe, identify_probe
from facesearch.recognition.negative_examples import NegativeExamples
from facesearch.recognition.templates import RULE
from indexer.open_set.group_distances import VectorGroups
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, people_gallery

ENGINE = FakeEngine()


@pytest.fixture(autouse=True)
def encoder_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds = SimpleNamespace(identification=0.3, verification=0.3, cluster=0.3)
    monkeypatch.setattr("facesearch.api.session.thresholds_in_use", lambda contract: thresholds)


def units(rng: np.random.Generator, count: int) -> np.ndarray:
    found = rng.normal(size=(count, 4)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
def test_the_nearest_example_decides(seed: int, yes: int, no: int) -> None:
    rng = np.random.default_rng(seed)
    positive, negative, probes = units(rng, yes), units(rng, no), units(rng, 5)
    examples = NegativeExamples({2: positive}, {2: negative})
    barred = examples.bar(probes, np.array([2, 2, 2, 2, 0]))
    for probe, bar in zip(probes[:4], barred.tolist(), strict=False):
        to_yes = min(((probe - each) ** 2).sum() for each in positive)
        to_no = min(((probe - each) ** 2).sum() for each in negative)
        assert bar == (to_no <= to_yes) or abs(to_no - to_yes) < 1e-5
    assert not barred[4]  # a person of whom nothing was removed
    assert examples.bar(negative, np.full(no, 2)).all()


def test_a_removed_face_does_not_come_back_by_identify(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p1"), "Ann")
    session = GallerySession(gallery, ENGINE)  # type: ignore[arg-type]
    removed, kept = tmp_path / "photos" / "1-2.png", tmp_path / "photos" / "1-1.png"
    assert [each.person for each in session.identify(removed)] == ["Ann"]
    editor.reject(editor.find("Ann"), editor.pick(editor.find("Ann"), ["1-2.png"]))
    (face,) = session.identify(removed)
    assert (face.person, face.nearest, face.rejected) == (None, "Ann", True)
    (face,) = session.identify(kept)
    assert (face.person, face.rejected) == ("Ann", False)
    PeopleStore(gallery.folder).undo()
    assert [each.person for each in session.identify(removed)] == ["Ann"]


def test_many_photos_are_answered_in_order_and_bad_ones_end_nothing(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=2)
    PeopleStore(gallery.folder).enroll("Ann", [0, 1])
    asked = tmp_path / "asked"
    write_photo(asked / "a.png", [1], 71)
    (asked / "b.jpg").write_bytes(b"nothing")
    write_photo(asked / "c.png", [9, 1], 72)
    write_photo(asked / "d.png", [], 73)
    paths = [asked, tmp_path / "missing.png", gallery.folder, asked / "a.png"]
    found = list(identify_photos(gallery, paths, engine=ENGINE))  # type: ignore[arg-type]
    assert [each.photo.name for each in found] == [
        *("a.png", "b.jpg", "c.png", "d.png", "missing.png", "my.gallery", "a.png")
    ]
    assert [each.reason for each in found] == [
        *("", "not-an-image", "", "", "unreadable", "unreadable", "")
    ]
    names = [[face.person for face in each.faces] for each in found]
    assert names == [["Ann"], [], ["Ann", None], [], [], [], ["Ann"]]
    one = GallerySession(gallery, ENGINE).identify(asked / "c.png")  # type: ignore[arg-type]
    assert list(found[2].faces) == one


@settings(deadline=None)
@given(st.floats(0.1, 0.9), st.floats(0.05, 1.5))
def test_a_name_is_unsure_where_a_second_person_is_near(first: float, second: float) -> None:
    threshold = ThresholdInUse(0.5, "given")
    probe = Probe(Path("x.png"), ((0, 0, 9, 9),), (0.9,), (0.9,), at(0.0))
    groups = VectorGroups(np.concatenate([at(first), at(-second)]), np.arange(2), RULE)
    near = sorted([2 - 2 * np.cos(first), 2 - 2 * np.cos(second)])
    assume(min(abs(near[0] - 0.5), abs(near[1] - CROWDED * 0.5)) > 1e-5)
    (found,) = identify_probe(probe, ("Ann", "Bob"), groups, threshold)
    assert (found.person is not None) == (near[0] <= 0.5)
    assert found.unsure == (near[0] <= 0.5 and near[1] <= CROWDED * 0.5)


def at(angle: float) -> np.ndarray:
    """One unit vector at an angle, float32 (1, 2)."""
    return np.array([[np.cos(angle), np.sin(angle)]], np.float32)


def test_nobody_enrolled_is_said_before_a_photo_is_read(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=1)
    with pytest.raises(InputError, match="no person is enrolled"):
        next(identify_photos(gallery, [tmp_path / "photos"], engine=ENGINE))  # type: ignore[arg-type]
