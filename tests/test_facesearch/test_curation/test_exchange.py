"""Decisions as files, from one gallery of some photos to another."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from unittest.mock import ANY

import pytest

from facesearch.curation.editor import PeopleEditor
from facesearch.curation.exchange import (
    FaceKey,
    ImportResult,
    PersonEntry,
    apply_entries,
    people_csv,
    people_json,
    person_entries,
    read_people,
    write_people,
)
from facesearch.detect.boxes import SAME_FACE_IOU
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, index, people_gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Somebody named with a comma, somebody without a name, a rejected face, somebody hidden."""
    made = people_gallery(tmp_path)
    cluster(made)
    deciding = PeopleEditor(made)
    deciding.name(deciding.find("p1"), 'Ann "A", Zo\u00eb')
    deciding.confirm(deciding.find("p2"))
    deciding.reject(deciding.find("p2"), deciding.pick(deciding.find("p2"), ["2-1.png"]))
    deciding = PeopleEditor(made)
    deciding.hide(deciding.find("p3"))
    return made


@pytest.fixture
def other(gallery: Gallery, tmp_path: Path) -> Gallery:
    """Another gallery of the same photos, found in another order and under other numbers."""
    folder = tmp_path / "moved"
    write_photo(folder / "0.png", [77], 1)
    made = Gallery.create(tmp_path / "other.gallery", FakeEngine().contract)
    index(made, folder)
    for number, photo in enumerate(sorted((tmp_path / "photos").iterdir(), reverse=True)):
        (folder / f"{number}-moved.png").write_bytes(photo.read_bytes())
    index(made, folder)
    return made


def meaning(gallery: Gallery) -> set[object]:
    """What is decided, but for the numbers of people without a name."""
    return {
        (each.name, each.hidden, frozenset(each.faces), frozenset(each.rejected))
        for each in person_entries(gallery)
    }


@pytest.mark.parametrize("suffix", [".json", ".csv"])
@pytest.mark.parametrize("clustered", [False, True])
def test_decisions_come_to_another_gallery(
    gallery: Gallery, other: Gallery, tmp_path: Path, suffix: str, clustered: bool
) -> None:
    if clustered:
        cluster(other)
    path = tmp_path / f"people{suffix}"
    write_people(path, person_entries(gallery))
    assert read_people(path) == person_entries(gallery)
    assert apply_entries(other, read_people(path)) == ImportResult(3, 8, 1, 0)
    assert len(meaning(gallery)) == 3 and meaning(other) == meaning(gallery)
    assert apply_entries(other, read_people(path)).people == 3  # once more changes nothing
    assert meaning(other) == meaning(gallery)
    cluster(other)
    assert meaning(other) == meaning(gallery)
    PeopleStore(other.folder).undo()
    PeopleStore(other.folder).undo()
    assert person_entries(other) == []


def test_faces_that_are_not_there_are_counted(
    gallery: Gallery, other: Gallery, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "1-0.png").unlink()
    index(gallery, tmp_path / "photos")
    assert len(person_entries(gallery)[0].faces) == 3  # kept while the photo is away
    part = tmp_path / "part"
    (part / "photos").mkdir(parents=True)
    (part / "photos" / "x.png").write_bytes((tmp_path / "photos" / "1-1.png").read_bytes())
    small = Gallery.create(part / "small.gallery", FakeEngine().contract)
    index(small, part / "photos")
    assert apply_entries(small, person_entries(gallery)) == ImportResult(1, 1, 0, 8)
    none = Gallery.create(tmp_path / "none.gallery", FakeEngine().contract)
    with pytest.raises(InputError, match="none of the 9 faces"):
        apply_entries(none, person_entries(gallery))
    assert PeopleStore(none.folder).decisions() == []


def test_somebody_with_the_name_is_that_person(gallery: Gallery, other: Gallery) -> None:
    cluster(other)
    deciding = PeopleEditor(other)
    deciding.name(deciding.find("p1"), 'Ann "A", Zo\u00eb')
    apply_entries(other, person_entries(gallery))
    named = PeopleStore(other.folder).decided().named('Ann "A", Zo\u00eb')
    assert named is not None and named.id == 1


@pytest.mark.parametrize("named_first", [False, True])
def test_people_that_a_file_keeps_apart_stay_two(tmp_path: Path, named_first: bool) -> None:
    gallery = people_gallery(tmp_path, people=1, each=8)
    cluster(gallery)
    deciding = PeopleEditor(gallery)
    person = deciding.find("p1")
    deciding.split(person, deciding.pick(person, ["1-6.png", "1-7.png"]), "Bob")
    entries = sorted(person_entries(gallery), key=lambda each: (each.name is None) == named_first)
    before = meaning(gallery)
    deciding = PeopleEditor(gallery)
    deciding.merge(deciding.find("Bob"), [deciding.find("p1")])
    assert len(meaning(gallery)) == 1
    assert apply_entries(gallery, entries) == ImportResult(2, 8, 0, 0, ANY)
    assert meaning(gallery) == before


HEAD = "person,name,hidden,is,sha256,x0,y0,x1,y1\n"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "cannot read"),
        ("a.json", "[]", "expected a JSON object"),
        ("a.json", '{"format": "facesearch-people", "version": 1}', "'people' is missing"),
        ("a.csv", "", "there is no person, name"),
        ("a.csv", HEAD, "names no people"),
        ("a.csv", HEAD.replace(",", ";"), "separated by commas"),
        ("a.csv", HEAD + "1,Ann,no,yes,a,0,0,1\n", "line 2 does not have 9 columns"),
        ("a.json", '{"format": "other"}', "facesearch-people"),
        ("a.csv", "person,name\n1,Ann\n", "columns"),
        ("a.csv", HEAD + "1,Ann,no,maybe,a,0,0,1,1\n", "line 2: expected is to be .*maybe"),
        ("a.csv", HEAD + "1,Ann,no,yes,a,0,0,nan,1\n", "box"),
        (
            "a.csv",
            HEAD + "1,A\x07,no,yes,a,0,0,1,1\n",
            "control",
        ),
        (
            "a.csv",
            HEAD + "1,A,no,yes,a,0,0,1,1\n1,B,no,yes,a,0,0,1,1\n",
            "several names",
        ),
        (
            "a.csv",
            HEAD + "1,A,no,yes,a,0,0,1,1\n1,A,maybe,yes,a,0,0,1,1\n",
            "line 3: .*expected hidden",
        ),
        ("a.csv", HEAD + "1,A,no,yes,a,0,0,1,1\n1,A,yes,no,b,0,0,1,1\n", "hidden in some lines"),
        (
            "a.csv",
            HEAD + "1,A,no,yes,a,0,0,1,1\n2,A,no,yes,a,0,0,1,1\n",
            "two people named",
        ),
        ("a.txt", "", "json"),
    ],
)
def test_what_is_no_file_of_people_is_refused(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_people(tmp_path / name)


def test_files_are_not_overwritten_and_may_be_missing(gallery: Gallery, tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(InputError, match="exists"):
        write_people(tmp_path / "a.csv", person_entries(gallery))
    with pytest.raises(InputError, match="no file"):
        read_people(tmp_path / "b.csv")
    with pytest.raises(InputError, match=r"no folder .*none; make it"):
        write_people(tmp_path / "none" / "a.csv", person_entries(gallery))


def test_spreadsheets_may_write_yes_and_no_otherwise(gallery: Gallery, tmp_path: Path) -> None:
    entries = person_entries(gallery)
    text = people_csv(entries).replace(",no", ",NO").replace(",yes", ",Yes")
    (tmp_path / "a.csv").write_text(text)
    assert read_people(tmp_path / "a.csv") == entries


@pytest.mark.parametrize(("name", "form"), [("a.csv", "UTF-8 CSV"), ("a.json", "UTF-8 JSON")])
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_files_in_other_encodings_are_refused(
    gallery: Gallery, tmp_path: Path, name: str, form: str, encoding: str
) -> None:
    write_people(tmp_path / name, person_entries(gallery))
    text = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(text, encoding=encoding)
    with pytest.raises(InputError, match=f"save it as {form}$"):
        read_people(tmp_path / name)


def test_both_forms_say_the_same(gallery: Gallery) -> None:
    entries = person_entries(gallery)
    document = json.loads(people_json(entries))
    assert [each["name"] for each in document["people"]] == ['Ann "A", Zo\u00eb', None, None]
    assert len(people_csv(entries).splitlines()) == 1 + 9


@pytest.mark.parametrize("name", ["=1+2", "'=1", "\uff1d1", "'\uff0b", '"A", B', "-", "'t Hooft"])
def test_names_of_any_form_come_back_from_csv(name: str, tmp_path: Path) -> None:
    entry = PersonEntry("p1", name, False, (FaceKey("ab", (0.0, 0.0, 1.0, 1.0)),), ())
    write_people(tmp_path / "a.csv", [entry])
    assert read_people(tmp_path / "a.csv") == [entry]
    cells = next(csv.DictReader(io.StringIO((tmp_path / "a.csv").read_text())))
    assert cells["name"][0] not in "=+-@"


@pytest.mark.parametrize("away", [0.0, 0.3, 0.42, 0.44, 1.0])
def test_a_box_that_moved_is_the_same_face_while_it_overlaps_enough(
    gallery: Gallery, away: float
) -> None:
    """A square moved by a share a of its width has an overlap of (1 - a) / (1 + a)."""
    (ann, *_) = person_entries(gallery)
    (key, *_) = ann.faces
    x0, y0, x1, y1 = key.box
    step = away * (x1 - x0)
    moved = FaceKey(key.sha256, (x0 + step, y0, x1 + step, y1))
    entry = PersonEntry("1", "Zed", False, (moved,), ())
    if (1 - away) / (1 + away) >= SAME_FACE_IOU:
        assert apply_entries(gallery, [entry]).missing == 0
    else:
        with pytest.raises(InputError, match="none of the 1 faces"):
            apply_entries(gallery, [entry])
