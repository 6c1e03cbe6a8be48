"""Names in the people database."""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.errors import GalleryError, InputError
from facesearch.people.store import EnteredDecisions, PeopleStore, normalise_name
from facesearch.people.superseded import Superseded


def test_no_database_until_someone_is_named(tmp_path: Path) -> None:
    assert PeopleStore(tmp_path).memberships().names == ()
    assert not (tmp_path / "people.sqlite").exists()


def test_enrolling_is_idempotent_and_last_name_wins(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    first, more, other = (
        people.enroll(name, faces)
        for name, faces in (("Ann", [3, 1]), (" Ann ", [1, 5]), ("Bob", [3]))
    )
    found = [[face.face_id for face in each.decisions[0].faces] for each in (first, more, other)]
    assert found == [[3, 1], [5], [3]]
    assert (first.superseded, more.superseded) == ((), ())
    assert other.superseded == (Superseded(people.decisions()[0], (3,)),)
    assert PeopleStore(tmp_path).memberships().by_id() == {1: "Ann", 3: "Bob", 5: "Ann"}


@pytest.mark.parametrize("name", ["", "  \n"])
def test_empty_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        PeopleStore(tmp_path).enroll(name, [1])


def test_a_name_without_faces_changes_nothing(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    assert people.enroll("Ann", []) == EnteredDecisions()
    assert not (tmp_path / "people.sqlite").exists()
    people.enroll("Bob", [1])
    people.enroll("Ann", [])
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        assert database.execute("SELECT name FROM decision").fetchall() == [("Bob",)]
    with pytest.raises(InputError):
        people.enroll(" ", [])


@given(st.text())
def test_clean_names_stay_as_they_are(name: str) -> None:
    try:
        cleaned = normalise_name(name)
    except InputError:
        # Surrogates and control characters stay refused whatever white space is around them.
        assert not name.strip() or any(unicodedata.category(each) == "Cc" for each in name)
        return
    assert cleaned and normalise_name(cleaned) == normalise_name(f"\t{cleaned} \n") == cleaned
    assert cleaned.split() == name.split()
    assert cleaned.encode().decode() == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("  Ann\t Lee\n", "Ann Lee"),
        ("Zo\u00eb", "Zo\u00eb"),
        ("\u5f20\u3000\u4e09", "\u5f20 \u4e09"),
    ],
)
def test_white_space_is_collapsed(name: str, cleaned: str) -> None:
    assert normalise_name(name) == cleaned


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" \u2003\n", "empty"),
        (b"Zo\xeb".decode("utf-8", "surrogateescape"), r"UTF-8, got 'Zo\\udceb'"),
        ("Ann\x00", r"control characters, got 'Ann\\x00'"),
        ("Ann\x1b[31m", "control characters"),
        ("Ann\x9b31m", "control characters"),
    ],
)
def test_unusable_names_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        PeopleStore(tmp_path).enroll(name, [1])
    assert str(error.value).isprintable()
    assert not (tmp_path / "people.sqlite").exists()


def test_names_are_data_not_sql(tmp_path: Path) -> None:
    name = "Robert'); DROP TABLE person;--"
    PeopleStore(tmp_path).enroll(name, [1])
    assert PeopleStore(tmp_path).memberships().by_id() == {1: name}


def test_damaged_or_newer_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "people.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(GalleryError, match=r"people\.sqlite"):
        PeopleStore(tmp_path).memberships()


def test_a_folder_in_place_of_the_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "people.sqlite").mkdir()
    with pytest.raises(GalleryError, match=r"people\.sqlite"):
        PeopleStore(tmp_path).memberships()


def test_a_name_that_is_no_text_is_damage(tmp_path: Path) -> None:
    PeopleStore(tmp_path).enroll("Ann", [1])
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database, database:
        database.execute("ALTER TABLE decision RENAME TO old")
        database.execute(
            "CREATE TABLE decision (id, batch, created_at, action, person, other, name)"
        )
        database.execute("INSERT INTO decision VALUES (1, 1, '', 'enroll', 1, NULL, x'00ff')")
    with pytest.raises(GalleryError, match="the tables of a ledger of decisions and nothing else"):
        PeopleStore(tmp_path).memberships()


@pytest.mark.parametrize("name", ["p2", "P17", " p3 "])
def test_a_name_that_looks_like_a_number_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="looks like the number"):
        PeopleStore(tmp_path).enroll(name, [1])
