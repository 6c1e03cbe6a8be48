"""The ledger of decisions, what it adds up to, and ledgers of version 1."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from facesearch.errors import GalleryError, InputError
from facesearch.people.ledger import Decision, DecisionAuthor, FaceDecision, Ledger, NewDecision
from facesearch.people.projection import DecisionState, replay
from facesearch.people.store import PeopleStore
from facesearch.people.superseded import superseded_by

VERSION_1 = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_at TEXT) STRICT;
CREATE TABLE membership (face_id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person
    (id), source TEXT NOT NULL, created_at TEXT NOT NULL) STRICT;
CREATE TABLE ledger (id INTEGER PRIMARY KEY, created_at TEXT NOT NULL, action TEXT NOT NULL,
    person TEXT NOT NULL, face_id INTEGER NOT NULL) STRICT;
INSERT INTO person VALUES (1, 'Ann', 't1'), (2, 'Bob', 't2');
INSERT INTO membership VALUES (3, 2, 'enrolled', 't2'), (5, 1, 'enrolled', 't1'),
    (6, 1, 'enrolled', 't1');
INSERT INTO ledger VALUES (1, 't1', 'enroll', 'Ann', 3), (2, 't1', 'enroll', 'Ann', 5),
    (3, 't2', 'enroll', 'Bob', 3);
PRAGMA user_version = 1;
"""


@dataclass
class PlainLedger:
    """What holds, all of it gone through for every decision: whose faces are and since which
    decision, whose they are not and since which, and who is whom."""

    faces: dict[int, tuple[int, int]] = field(default_factory=dict)
    rejected: dict[tuple[int, int], int] = field(default_factory=dict)
    merged: dict[int, int] = field(default_factory=dict)


def plain_fold(decisions: list[Decision]) -> PlainLedger:
    undone = {each.other for each in decisions if each.action == "undo"}
    now = PlainLedger()
    for decision in decisions:
        if decision.action == "undo" or decision.batch in undone:
            continue
        if decision.action == "merge":
            kept, gone = decision.person, decision.other
            assert gone is not None
            now.faces = {f: (kept if p == gone else p, s) for f, (p, s) in now.faces.items()}
            rejected: dict[tuple[int, int], int] = {}
            for (face, person), since in now.rejected.items():
                pair = (face, kept if person == gone else person)
                rejected[pair] = min(since, rejected.get(pair, since))
            now.rejected = rejected
            now.merged.pop(kept, None)
            now.merged = {n: kept if p == gone else p for n, p in now.merged.items()}
            now.merged[gone] = kept
        if decision.action == "add" and decision.other is not None:
            for each in decision.faces:
                now.rejected.setdefault((each.face_id, decision.other), decision.id)
                if now.faces.get(each.face_id, (0, 0))[0] == decision.other:
                    del now.faces[each.face_id]
        for each in decision.faces:
            person, since = now.faces.get(each.face_id, (0, 0))
            if each.belongs:
                if person != each.person:
                    now.faces[each.face_id] = each.person, decision.id
                now.rejected.pop((each.face_id, each.person), None)
            else:
                now.rejected.setdefault((each.face_id, each.person), decision.id)
                if person == each.person:
                    del now.faces[each.face_id]
    return now


@st.composite
def ledgers(draw: st.DrawFn) -> list[Decision]:
    """Ledgers whose undos each undo a batch before."""
    decisions: list[Decision] = []
    for number in range(1, draw(st.integers(0, 12)) + 1):
        action = draw(
            st.sampled_from(["enroll", "add", "name", "merge", "split", "reject", "undo"])
        )
        if action == "undo":
            if number > 1:
                other = draw(st.integers(1, number - 1))
                decisions.append(Decision(number, number, "", "undo", 0, other))
            else:
                decisions.append(Decision(1, 1, "", "hide", 1))
            continue
        person, other = draw(st.permutations([1, 2, 3, 4]))[:2]
        chosen = draw(st.dictionaries(st.integers(0, 5), st.booleans(), max_size=4))
        face_decisions = tuple(
            FaceDecision(face, person, belongs) for face, belongs in chosen.items()
        )
        if action == "add":  # only says whose faces are
            face_decisions = tuple(each for each in face_decisions if each.belongs)
        beside = other if action in {"add", "merge", "split"} else None
        decisions.append(Decision(number, number, "", action, person, beside, None, face_decisions))  # type: ignore[arg-type]
    return decisions


@settings(deadline=None)
@given(ledgers())
def test_the_fold_is_that_of_a_plain_reading(decisions: list[Decision]) -> None:
    decided = replay(decisions)
    plain = plain_fold(decisions)
    assert {f: (p, decided.since[f]) for f, p in decided.faces.items()} == plain.faces
    assert decided.since.keys() == decided.faces.keys()
    assert (decided.rejected, decided.merged) == (plain.rejected, plain.merged)
    assert all(number not in decided.merged for number in decided.merged.values())


@settings(deadline=None)
@given(ledgers().filter(lambda each: bool(each) and each[-1].action != "undo"))
def test_what_is_overruled_is_that_of_a_plain_reading(decisions: list[Decision]) -> None:
    *earlier, new = decisions
    before, after = plain_fold(earlier), plain_fold(decisions)
    now = {each: each for each in range(5)} | before.merged
    if new.action == "merge":
        now = {n: new.person if p == new.other else p for n, p in now.items()}
    assume(not {p for p, _ in before.faces.values()} & {*before.merged})  # nobody is two
    assume(not {p for _, p in before.rejected} & {*before.merged})
    assume(new.person not in before.merged and new.other not in before.merged)
    lost = {
        (since, face)
        for face, (person, since) in before.faces.items()
        if after.faces.get(face, (0, 0))[0] != now[person]
    } | {
        (since, face)
        for (face, person), since in before.rejected.items()
        if (face, now[person]) not in after.rejected
    }
    reported = {
        (each.decision.id, face) for each in superseded_by(earlier, [new]) for face in each.faces
    }
    assert reported == lost


@settings(deadline=None, max_examples=15)
@given(ledgers())
def test_the_ledger_gives_back_what_was_entered(decisions: list[Decision]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        people = PeopleStore(Path(folder))
        for each in decisions:
            people.decide(
                [NewDecision(each.action, each.person, each.other, each.name, each.faces)]
            )
        kept = people.decisions()
    assert [(e.id, e.batch, e.action, e.person, e.other) for e in kept] == [
        (e.id, e.batch, e.action, e.person, e.other) for e in decisions
    ]
    assert [set(e.faces) for e in kept] == [set(e.faces) for e in decisions]


def test_undoing_everything_leaves_nothing(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    people.enroll("Ann", [1, 2])
    people.decide([NewDecision("merge", 1, 7), NewDecision("merge", 1, 8)])
    people.decide([NewDecision("reject", 1, faces=(FaceDecision(2, 1, belongs=False),))])
    assert people.decided().merged == {7: 1, 8: 1}
    assert [each.action for each in people.undo()] == ["reject"]
    assert people.decided().faces == {1: 1, 2: 1}
    assert [each.action for each in people.undo()] == ["merge", "merge"]
    first, second = (people.enroll(name, [2]).decisions[0] for name in ("Bob", "Cid"))
    with pytest.raises(InputError, match=f"undo decision {first.batch}, but decision {second.id}"):
        people.undo(first.batch)
    assert [each.id for each in people.undo(second.batch)] == [second.id]
    assert [people.undo()[0].name, people.undo()[0].name] == ["Bob", "Ann"]
    left = replace(people.decided(), returns=())
    assert left == DecisionState({}, {}, {}, {}, {}, 11)
    with pytest.raises(InputError, match="no decision left to undo"):
        people.undo()


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    assert list(people.new_people(3)) == [1, 2, 3]
    people.enroll("Ann", [1])
    assert people.decided().named("Ann").id == 4  # type: ignore[union-attr]
    people.undo()
    assert list(people.new_people(1, above=90)) == [91]
    assert list(people.new_people(0)) == []
    assert list(people.new_people(2)) == [92, 93]


def test_version_1_becomes_decisions(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.executescript(VERSION_1)
    people = PeopleStore(tmp_path)
    # Face 6 was in nobody's ledger: the membership counts.
    assert people.memberships().by_id() == {3: "Bob", 5: "Ann", 6: "Ann"}
    assert [(e.action, e.name, e.created_at) for e in people.decisions()][:2] == [
        ("enroll", "Ann", "t1"),
        ("enroll", "Bob", "t2"),
    ]
    assert people.enroll("Cid", [9]).decisions[0].person == 3
    assert people.decided().named("Cid").id == 3  # type: ignore[union-attr]
    for _ in range(3):
        people.undo()
    assert people.memberships().by_id() == {3: "Ann", 5: "Ann"}


def test_version_2_gets_a_table_of_authors(tmp_path: Path) -> None:
    PeopleStore(tmp_path).enroll("Ann", [5])
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.executescript("DROP TABLE author; PRAGMA user_version = 2")
    people = PeopleStore(tmp_path, DecisionAuthor("ada", "request 1"))
    assert people.memberships().by_id() == {5: "Ann"}
    people.enroll("Bob", [6])
    assert people.authors() == {2: DecisionAuthor("ada", "request 1")}


def test_the_ledger_knows_who_decided(tmp_path: Path) -> None:
    assert PeopleStore(tmp_path).authors() == {}
    assert not (tmp_path / "people.sqlite").exists()
    ada = PeopleStore(tmp_path, DecisionAuthor("ada"))
    ada.enroll("Ann", [1])
    PeopleStore(tmp_path).enroll("Bob", [2])
    ada.enroll("Ann", [1])  # says nothing new
    ada.decide([NewDecision("hide", 1), NewDecision("hide", 2)])
    ada.undo()
    assert ada.authors() == {batch: DecisionAuthor("ada") for batch in (1, 3, 5)}
    assert [each.batch for each in ada.decisions()] == [1, 2, 3, 3, 5]


def test_forgotten_faces_are_in_no_decision(tmp_path: Path) -> None:
    people = PeopleStore(tmp_path)
    assert people.forget(np.array([1])) == 0
    people.enroll("Ann", [1, 2])
    people.enroll("Somebody-else", [3])
    assert people.forget(np.array([1, 3, 9])) == 2
    assert people.memberships().by_id() == {2: "Ann"}
    assert [face.face_id for each in people.decisions() for face in each.faces] == [2]
    assert [each.name for each in people.decisions()] == ["Ann", None]
    kept = (tmp_path / "people.sqlite").read_bytes()
    assert b"Ann" in kept and b"Somebody-else" not in kept


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "people.sqlite")) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(GalleryError, match="version 9"):
        Ledger(tmp_path).all()
