"""Who reads the ledger waits for no writer, and no writer waits for more than the rows read."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from facesearch.backup.snapshot import PEOPLE, snapshot
from facesearch.cli.main import main
from facesearch.errors import GalleryError
from facesearch.people import ledger as ledger_module
from facesearch.people.ledger import FaceDecision, Ledger, LedgerRows, NewDecision
from facesearch.people.ledger_file import READING, WRITING
from facesearch.people.store import PeopleStore
from support.people_galleries import people_gallery


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would have to wait for a lock fails at once."""
    monkeypatch.setattr(ledger_module, "READING", replace(READING, seconds=0.0))
    monkeypatch.setattr(ledger_module, "WRITING", replace(WRITING, seconds=0.0))


def large_decision(person: int, faces: int) -> NewDecision:
    said = tuple(FaceDecision(face, person) for face in range(faces))
    return NewDecision("enroll", person, name=f"Person {person}", faces=said)


@pytest.mark.parametrize("faces", [1, 200_000])  # of which the latter are more than SQLite caches
def test_reads_do_not_wait_for_a_writer(tmp_path: Path, faces: int) -> None:
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [5])
    ledger = Ledger(tmp_path)
    with ledger.open() as entries:
        entries.add([large_decision(2, faces)])
        entries.new_people(7)
        assert [each.name for each in people.decisions()] == ["Ann"]
        assert people.authors() == {}
        assert people.numbers_given() == 1
        assert people.was_named("Ann") == {1}
        assert people.check() == []
        assert people.memberships().by_id() == {5: "Ann"}
        with pytest.raises(GalleryError, match="locked"):
            people.enroll("Bob", [6])
    assert [each.name for each in people.decisions()] == ["Ann", "Person 2"]
    assert people.numbers_given() == 8


def test_a_writer_does_not_wait_until_the_rows_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [5])
    understood = LedgerRows.decisions

    def decided_meanwhile(rows: LedgerRows) -> object:
        with Ledger(tmp_path).open() as entries:
            entries.add([NewDecision("hide", 1)])
        return understood(rows)

    monkeypatch.setattr(LedgerRows, "decisions", decided_meanwhile)
    seen = Ledger(tmp_path).all()
    monkeypatch.undo()
    assert [each.action for each in seen] == ["enroll"]  # of the moment when it was read
    assert [each.action for each in people.decisions()] == ["enroll", "hide"]


def test_a_reader_sees_one_moment(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [5])
    ledger = Ledger(tmp_path)
    with ledger.reading() as entries:
        assert entries.newest() == 1
        with pytest.raises(GalleryError, match="locked"), ledger.open() as writing:
            writing.add([NewDecision("hide", 1)])  # it can be prepared, but is committed later
        assert [each.action for each in entries.all()] == ["enroll"]
    people.decide([NewDecision("hide", 1)])
    assert len(people.decisions()) == 2


def test_a_commit_waits_for_a_reader_and_then_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "WRITING", WRITING)
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [5])
    writer = threading.Thread(target=lambda: people.enroll("Bob", [6]))
    with Ledger(tmp_path).reading() as entries:
        assert len(entries.all()) == 1
        writer.start()
        assert len(entries.all()) == 1
    writer.join(30)
    assert not writer.is_alive()
    assert [each.name for each in people.decisions()] == ["Ann", "Bob"]


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    PeopleStore(tmp_path).enroll("Ann", [5])
    with pytest.raises(GalleryError, match="readonly"), Ledger(tmp_path).reading() as entries:
        entries.add([NewDecision("hide", 1)])
    assert len(PeopleStore(tmp_path).decisions()) == 1


def test_a_write_ahead_log_becomes_a_journal(tmp_path: Path) -> None:
    """Such a log, which another program may have begun, would keep what is deleted."""
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [5])
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        assert database.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    assert people.memberships().by_id() == {5: "Ann"}
    assert (tmp_path / "people.sqlite").read_bytes()[18:20] == b"\1\1"
    assert [each.name for each in tmp_path.iterdir()] == ["people.sqlite"]


def test_an_unfinished_decision_is_in_no_copy(tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, 2, 2)
    PeopleStore(gallery.folder).enroll("Ann", [5])
    with Ledger(gallery.folder).open() as entries:
        entries.add([large_decision(2, 100_000)])
        with snapshot(gallery) as files:
            (copy,) = (each for each in files if each.name == PEOPLE)
            data = copy.file.read()
    place = tmp_path / "copy"
    place.mkdir()
    (place / "people.sqlite").write_bytes(data)
    assert PeopleStore(place).check() == []
    assert [each.name for each in PeopleStore(place).decisions()] == ["Ann"]


def test_commands_list_people_while_others_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = people_gallery(tmp_path, 2, 2)
    PeopleStore(gallery.folder).enroll("Ann", [0])
    with Ledger(gallery.folder).open() as entries:
        entries.add([NewDecision("hide", 1)])
        assert main(["people", "list", str(gallery.folder)]) == 0
        assert main(["people", "history", str(gallery.folder)]) == 0
    assert "Ann" in capsys.readouterr().out
