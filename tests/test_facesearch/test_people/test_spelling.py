"""Names and paths in Unicode's forms C and D are one: what looks alike is found."""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.curation.enroll import enroll
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure.selection import photo_contents
from facesearch.gallery.gallery import Gallery
from facesearch.images.file_access import as_spelled
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.text import composed, spellings
from support.fake_engine import FakeEngine, write_photo

NAME = "Zoë Åström"
FORMS = [unicodedata.normalize(form, NAME) for form in ("NFC", "NFD")]


@given(st.text())
def test_both_forms_are_composed_alike(text: str) -> None:
    assert {composed(each) for each in spellings(text)} == {composed(text)}
    assert composed(composed(text)) == composed(text)


@pytest.mark.parametrize("typed", FORMS)
def test_names_are_kept_composed(typed: str) -> None:
    assert normalise_name(f"  {typed} ") == FORMS[0]


@pytest.mark.parametrize("order", [FORMS, FORMS[::-1]])
def test_a_name_in_either_form_is_one_person(tmp_path: Path, order: list[str]) -> None:
    store = PeopleStore(tmp_path)
    for face, name in enumerate(order):
        store.enroll(name, [face])
    decided = store.decided()
    assert [each.name for each in decided.people.values()] == [FORMS[0]]
    assert store.was_named(FORMS[0]) == {1}


def test_names_that_earlier_versions_entered_are_read_composed(tmp_path: Path) -> None:
    store = PeopleStore(tmp_path)
    store.enroll(FORMS[0], [1])
    with sqlite3.connect(tmp_path / "people.sqlite") as connection:
        connection.execute("UPDATE decision SET name = ?", (FORMS[1],))
    connection.close()
    assert store.memberships().by_id() == {1: FORMS[0]}
    store.enroll(FORMS[1], [2])
    assert store.memberships().by_id() == {1: FORMS[0], 2: FORMS[0]}
    assert store.forget_name(FORMS[0]) == 2
    content = (tmp_path / "people.sqlite").read_bytes()
    assert not any(each.encode() in content for each in FORMS)


@pytest.mark.parametrize("stored", FORMS)
@pytest.mark.parametrize("typed", FORMS)
def test_photos_are_found_by_either_spelling(tmp_path: Path, stored: str, typed: str) -> None:
    folder = tmp_path / stored / "album"
    write_photo(folder / f"{stored}.png", [1])
    asked = tmp_path / typed / "album" / f"{typed}.png"
    assert as_spelled(asked) == folder / f"{stored}.png"
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    engine: Any = FakeEngine()
    embed_photos(gallery, engine, [as_spelled(asked.parent)], EmbedOptions(decoders=0, threads=1))
    state = gallery.state()
    (location,) = state.photos
    assert location == os.fsencode(folder / f"{stored}.png")  # as the file system has it
    record = state.photos.spelled(os.fsencode(asked))
    assert record is not None and record.location_bytes == location
    assert photo_contents(gallery, state, asked) == {record.sha256}
    enrolment = enroll(gallery, engine, typed, [as_spelled(asked)])
    assert [each.face is not None for each in enrolment.photos] == [True]


def test_two_files_whose_names_look_alike_stay_two(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for number, name in enumerate(FORMS):
        write_photo(folder / f"{name}.png", [number + 1], variant=number)
    if len(list(folder.iterdir())) < 2:
        pytest.skip("this file system takes both spellings for one")
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    engine: Any = FakeEngine()
    for expected in (2, 0):
        report = embed_photos(gallery, engine, [folder], EmbedOptions(decoders=0, threads=1))
        assert (report.found, report.embedded) == (2, expected)
    for name in FORMS:
        record = gallery.state().photos.spelled(os.fsencode(folder / f"{name}.png"))
        assert record is not None and record.path == os.fsencode(f"{name}.png")


def test_what_is_not_there_stays_as_it_is_spelled(tmp_path: Path) -> None:
    for path in (tmp_path / FORMS[1], tmp_path / FORMS[1] / "a.png", Path("a.png"), Path()):
        assert as_spelled(path) == path
