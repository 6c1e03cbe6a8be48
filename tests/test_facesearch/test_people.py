"""Names in the people database."""

from __future__ import annotations

from pathlib import Path

import pytest

from facesearch.errors import GalleryError, InputError
from facesearch.people import People


def test_no_database_until_someone_is_named(tmp_path: Path) -> None:
    assert People(tmp_path).memberships().names == ()
    assert not (tmp_path / "people.sqlite").exists()


def test_enrolling_is_idempotent_and_last_name_wins(tmp_path: Path) -> None:
    people = People(tmp_path)
    assert people.enroll("Ann", [3, 1]) == [3, 1]
    assert people.enroll(" Ann ", [1, 5]) == [5]
    assert people.enroll("Bob", [3]) == [3]
    assert People(tmp_path).memberships().by_id() == {1: "Ann", 3: "Bob", 5: "Ann"}


@pytest.mark.parametrize("name", ["", "  \n"])
def test_empty_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        People(tmp_path).enroll(name, [1])


def test_names_are_data_not_sql(tmp_path: Path) -> None:
    name = "Robert'); DROP TABLE person;--"
    People(tmp_path).enroll(name, [1])
    assert People(tmp_path).memberships().by_id() == {1: name}


def test_damaged_or_newer_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "people.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(GalleryError, match=r"people\.sqlite"):
        People(tmp_path).memberships()
