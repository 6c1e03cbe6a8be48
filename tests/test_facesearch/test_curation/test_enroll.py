"""Enrolment of folders: of one person, and of a folder a person."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facesearch.api.people import enroll, enroll_folders
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import people_gallery

ENGINE = FakeEngine()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Ann and Bob with photos, one at depth; a bad file, an empty folder, and no person's name."""
    made = tmp_path / "people"
    for number in range(3):
        write_photo(made / "Ann Lee" / f"{number}.png", [1], 100 + number)
    write_photo(made / "Bob" / "deep" / "0.png", [3, 2], 200)
    (made / "Bob" / "bad.jpg").write_bytes(b"no photo")
    write_photo(made / "Bob" / "nobody.png", [], 1)
    (made / "Cid").mkdir()
    write_photo(made / "p7" / "0.png", [5], 300)
    write_photo(made / "loose.png", [6], 301)
    return made


def names(gallery: Gallery) -> dict[str, int]:
    found: dict[str, int] = {}
    for name in PeopleStore(gallery.folder).memberships().names:
        found[name] = found.get(name, 0) + 1
    return found


def test_everybody_who_has_a_folder_is_enrolled_at_once(tmp_path: Path, folders: Path) -> None:
    gallery = people_gallery(tmp_path, people=2)
    enrolment = enroll_folders(gallery, folders, engine=ENGINE)  # type: ignore[arg-type]
    assert names(gallery) == {"Ann Lee": 3, "Bob": 1}
    problems = {each.photo.name: each.problem for each in enrolment.photos if each.problem}
    assert {*problems} == {"bad.jpg", "nobody.png", "Cid", "p7"}
    assert "not-an-image" in problems["bad.jpg"] and "no photos" in problems["Cid"]
    assert problems["nobody.png"] == "no face found" and "number" in problems["p7"]
    (bob,) = [each for each in enrolment.photos if each.name == "Bob" and each.face]
    assert bob.faces_in_photo == 2
    assert bob.face is not None and bob.face.box[2] - bob.face.box[0] == 4  # the larger
    people = PeopleStore(gallery.folder)
    assert len({each.batch for each in people.decisions()}) == 1
    people.undo()
    assert names(gallery) == {}


def test_again_reads_nothing_and_decides_nothing(tmp_path: Path, folders: Path) -> None:
    gallery = people_gallery(tmp_path, people=2)
    enroll_folders(gallery, folders, engine=ENGINE)  # type: ignore[arg-type]
    calls, decisions = ENGINE.calls, len(PeopleStore(gallery.folder).decisions())
    enroll_folders(gallery, folders, engine=ENGINE)  # type: ignore[arg-type]
    assert ENGINE.calls == calls
    assert len(PeopleStore(gallery.folder).decisions()) == decisions


def test_a_photo_in_two_folders_is_of_the_first_and_reported(tmp_path: Path, folders: Path) -> None:
    shutil.copy(folders / "Ann Lee" / "0.png", folders / "Bob" / "same.png")
    gallery = people_gallery(tmp_path, people=2)
    enrolment = enroll_folders(gallery, folders, engine=ENGINE)  # type: ignore[arg-type]
    assert names(gallery) == {"Ann Lee": 3, "Bob": 1}
    (same,) = [each for each in enrolment.photos if each.photo.name == "same.png"]
    assert same.face is None and "Ann Lee" in same.problem


def test_what_has_no_folders_is_refused(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=1)
    (tmp_path / "none").mkdir()
    for place in (tmp_path / "none", tmp_path / "nothing"):
        with pytest.raises(InputError, match="a folder for each person"):
            enroll_folders(gallery, place, engine=ENGINE)  # type: ignore[arg-type]


def test_one_person_from_a_folder_and_a_missing_photo(tmp_path: Path, folders: Path) -> None:
    gallery = people_gallery(tmp_path, people=1)
    asked = [folders / "Ann Lee", tmp_path / "missing.png"]
    enrolment = enroll(gallery, "Ann", asked, engine=ENGINE)  # type: ignore[arg-type]
    assert names(gallery) == {"Ann": 3}
    assert [each.photo.name for each in enrolment.photos if each.problem] == ["missing.png"]
    with pytest.raises(InputError, match="found nothing"):
        enroll(gallery, "Ann", tmp_path / "missing.png", engine=ENGINE)  # type: ignore[arg-type]


def test_a_name_given_to_many_people_is_as_one_by_one(tmp_path: Path) -> None:
    one, many = PeopleStore(tmp_path / "one"), PeopleStore(tmp_path / "many")
    wanted = {f"person {number}": [2 * number, 2 * number + 1] for number in range(50)}
    for folder in ("one", "many"):
        (tmp_path / folder).mkdir()
    for name, faces in wanted.items():
        one.enroll(name, faces)
    many.enroll_many(wanted)
    assert one.memberships().by_id() == many.memberships().by_id()
    assert len({each.batch for each in many.decisions()}) == 1
    assert many.enroll_many(wanted).decisions == ()
