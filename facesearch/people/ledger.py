"""The ledger of decisions about people: every decision in order, never changed (SQLite).

The present state is the sum of all entries (:mod:`facesearch.people.projection`). An undo is one
more entry.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, get_args

from facesearch.errors import GalleryError
from facesearch.people.ledger_file import (
    READING,
    VERSION,
    WRITING,
    connected,
    is_current,
    make_tables,
    mark_current,
    version_of,
)
from facesearch.text import composed

_PROBLEMS_SHOWN = 5
Action = Literal[
    "enroll",
    "add",
    "name",
    "merge",
    "split",
    "reject",
    "apart",
    "later",
    "cover",
    "not-face",
    "hide",
    "unhide",
    "import",
    "undo",
]


@dataclass(frozen=True)
class FaceDecision:
    """A face assigned to a person by a decision; or rejected from it, unless it ``belongs``."""

    face_id: int
    person: int
    belongs: bool = True


@dataclass(frozen=True)
class Decision:
    """One entry. ``id`` counts from 1; entries made by one command share a ``batch``.

    ``person`` is the person it is about. ``other`` is the person merged into it, the new person of
    a split, whose added faces were, or whom it is not ("apart") or may be ("later"); 0 where faces
    were rejected that were not the person's. ``faces`` are all faces it is about. An "undo" has the
    batch that it undoes in ``other``, and person 0, as a "not-face" has.
    """

    id: int
    batch: int
    created_at: str
    action: Action
    person: int
    other: int | None = None
    name: str | None = None
    faces: tuple[FaceDecision, ...] = ()


@dataclass(frozen=True)
class NewDecision:
    """A decision to be entered; see :class:`Decision`."""

    action: Action
    person: int
    other: int | None = None
    name: str | None = None
    faces: tuple[FaceDecision, ...] = ()


@dataclass(frozen=True)
class DecisionAuthor:
    """The account ``name`` of who decided, and what names the ``request`` that asked for it.

    A request that is sent again, because its answer was lost, is known by that.
    """

    name: str
    request: str | None = None


@dataclass(frozen=True)
class LedgerRows:
    """All rows of the ledger at ``path`` at one moment, as they are in the tables."""

    path: Path
    entries: Sequence[Sequence[Any]]
    faces: Sequence[Sequence[Any]]

    def decisions(self) -> list[Decision]:
        """What the rows say, the oldest first; raises GalleryError where one makes no sense."""
        faces: dict[int, list[FaceDecision]] = {}
        for decision, *face in self.faces:
            self._require(all(isinstance(each, int) for each in (decision, *face)), face)
            faces.setdefault(decision, []).append(FaceDecision(face[0], face[1], bool(face[2])))
        return [self._checked(row, tuple(faces.get(row[0], ()))) for row in self.entries]

    def _checked(self, row: Sequence[object], faces: tuple[FaceDecision, ...]) -> Decision:
        number, batch, at, action, person, other, name = row
        numbers = (number, batch, person, 0 if other is None else other)
        texts = (at, action, "" if name is None else name)
        self._require(
            all(isinstance(each, int) for each in numbers)
            and all(isinstance(each, str) for each in texts)
            and action in get_args(Action),
            row,
        )
        # Earlier versions entered names as they were typed.
        shown = composed(name) if isinstance(name, str) else None
        return Decision(number, batch, at, action, person, other, shown, faces)  # type: ignore[arg-type]

    def _require(self, sound: bool, row: Sequence[object]) -> None:
        # Damage that SQLite does not notice may turn a value into one of another type.
        if not sound:
            raise GalleryError(
                f"{self.path}: expected a decision, got {row!r}; the database is damaged: restore "
                "it from a backup"
            )


class LedgerTransaction:
    """The ledger within one transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def rows(self) -> LedgerRows:
        """All rows. They can be read when the transaction has ended."""
        # Fetched at once: others cannot commit meanwhile.
        faces = self._connection.execute(
            "SELECT decision, face_id, person, belongs FROM decided_face ORDER BY decision, face_id"
        ).fetchall()
        entries = self._connection.execute(
            "SELECT id, batch, created_at, action, person, other, name FROM decision ORDER BY id"
        ).fetchall()
        return LedgerRows(self._path, entries, faces)

    def all(self) -> list[Decision]:
        """Every entry, the oldest first; raises GalleryError where one makes no sense."""
        return self.rows().decisions()

    def add(
        self,
        drafts: Iterable[NewDecision],
        created_at: str | None = None,
        author: DecisionAuthor | None = None,
    ) -> list[Decision]:
        """Enter decisions as one batch, whose ``author`` is kept where one is given."""
        at = created_at or datetime.now(UTC).isoformat(timespec="seconds")
        (last,) = self._connection.execute("SELECT COALESCE(MAX(id), 0) FROM decision").fetchone()
        added = []
        for number, each in enumerate(drafts, last + 1):
            added.append(
                Decision(
                    number, last + 1, at, each.action, each.person, each.other, each.name,
                    each.faces,
                )
            )  # fmt: skip
        self._connection.executemany(
            "INSERT INTO decision (id, batch, created_at, action, person, other, name) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(d.id, d.batch, d.created_at, d.action, d.person, d.other, d.name) for d in added],
        )
        self._connection.executemany(
            "INSERT INTO decided_face VALUES (?, ?, ?, ?)",
            [(d.id, f.face_id, f.person, int(f.belongs)) for d in added for f in d.faces],
        )
        if author is not None and added:
            self._connection.execute(
                "INSERT INTO author VALUES (?, ?, ?)", (last + 1, author.name, author.request)
            )
        return added

    def authors(self) -> dict[int, DecisionAuthor]:
        """Who made each batch, where that is known."""
        return {
            batch: DecisionAuthor(name, request)
            for batch, name, request in self._connection.execute("SELECT * FROM author")
        }

    def new_people(self, count: int, above: int = 0) -> range:
        """Numbers that no person had before, all greater than ``above``."""
        first = max(self.next_person(), above + 1)
        self._connection.execute("UPDATE counter SET next_person = ?", (first + count,))
        return range(first, first + count)

    def next_person(self) -> int:
        """The least number that no person ever had."""
        (following,) = self._connection.execute("SELECT next_person FROM counter").fetchone()
        return int(following)

    def forget(self, face_ids: Iterable[int]) -> None:
        """Take all that was ever said of some faces out of the ledger."""
        self._connection.executemany(
            "DELETE FROM decided_face WHERE face_id = ?", [(int(each),) for each in face_ids]
        )

    def newest(self) -> int:
        """The number of the last decision, 0 where there is none."""
        (last,) = self._connection.execute("SELECT COALESCE(MAX(id), 0) FROM decision").fetchone()
        return int(last)

    def forget_names(self, decisions: Iterable[Decision]) -> None:
        """Take the names out of some entries."""
        self._connection.executemany(
            "UPDATE decision SET name = NULL WHERE id = ?", [(each.id,) for each in decisions]
        )


class Ledger:
    """The ledger of a gallery, ``people.sqlite``; opened for each use, so that it holds no lock."""

    def __init__(self, gallery_folder: Path) -> None:
        self.path = gallery_folder / "people.sqlite"

    def exists(self) -> bool:
        """Whether there is a database."""
        return os.path.lexists(self.path)

    def all(self) -> list[Decision]:
        """Every entry; none where nothing was decided yet, without making a database."""
        if not self.exists():
            return []
        with self.reading() as entries:
            rows = entries.rows()
        return rows.decisions()  # takes longer than fetching the rows, and holds up nobody

    def authors(self) -> dict[int, DecisionAuthor]:
        """Who made each batch, where that is known, without making a database."""
        if not self.exists():
            return {}
        with self.reading() as entries:
            return entries.authors()

    def numbers_given(self) -> int:
        """How many numbers of people were given out: all from 1 to this one."""
        if not self.exists():
            return 0
        with self.reading() as entries:
            return entries.next_person() - 1

    def image(self) -> bytes:
        """The bytes of the database's file, as it is at one moment."""
        with self._connected() as connection:
            connection.execute("BEGIN")
            return bytes(connection.serialize())

    def overwrite_what_was_deleted(self) -> None:
        """Leave nothing in the file of what is in no table any more."""
        with connected(self.path, WRITING) as connection:
            connection.execute("VACUUM")  # pages that became free still hold what they held

    def check(self) -> list[str]:
        """What SQLite finds wrong in the file, page by page; nothing where all is well.

        Raises GalleryError where it is no ledger.
        """
        if not self.exists():
            return []
        with connected(self.path, READING) as connection:
            rows = connection.execute(f"PRAGMA integrity_check({_PROBLEMS_SHOWN})").fetchall()
        return [str(text) for (text,) in rows if text != "ok"]

    @contextmanager
    def reading(self) -> Iterator[LedgerTransaction]:
        """The ledger as it is at one moment, not to be written to.

        Others may decide meanwhile; they commit when this ends. Raises GalleryError where the
        database cannot be used.
        """
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield LedgerTransaction(connection, self.path)

    @contextmanager
    def open(self) -> Iterator[LedgerTransaction]:
        """One transaction: all that is done in it, or nothing.

        Raises GalleryError where the database cannot be used.
        """
        with connected(self.path, WRITING) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            entries = LedgerTransaction(connection, self.path)
            self._prepare(connection, entries)
            yield entries

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """The database, to be read; what an earlier version made is first made as it is now."""
        with connected(self.path, READING) as connection:
            if is_current(connection):
                yield connection
                return
        with self.open():
            pass
        with connected(self.path, READING) as connection:
            yield connection

    def _prepare(self, connection: sqlite3.Connection, entries: LedgerTransaction) -> None:
        version = version_of(connection)
        if version == VERSION:
            return
        if version not in (0, 1, 2):
            raise GalleryError(
                f"{self.path} is of version {version}; this program reads version {VERSION}"
            )
        make_tables(connection, version)
        if version == 1:
            _take_over(connection, entries)
        mark_current(connection)


def _take_over(connection: sqlite3.Connection, entries: LedgerTransaction) -> None:
    """Turn the tables of version 1, which knew enrolled faces only, into decisions."""
    people = dict(connection.execute("SELECT name, id FROM person"))
    rows = connection.execute("SELECT created_at, person, face_id FROM ledger ORDER BY id")
    for (at, name), group in groupby(rows.fetchall(), key=lambda row: row[:2]):
        _enroll(entries, people[name], name, [row[2] for row in group], at)
    said = {face.face_id: face.person for decision in entries.all() for face in decision.faces}
    held = connection.execute(
        "SELECT name, person_id, face_id FROM membership JOIN person ON person.id = person_id "
        "ORDER BY person_id, face_id"
    ).fetchall()
    # The ledger of version 1 said the same as its memberships, unless someone else wrote them.
    for (name, person), group in groupby(held, key=lambda row: row[:2]):
        unsaid = [face for *_, face in group if said.get(face) != person]
        if unsaid:
            _enroll(entries, person, name, unsaid, None)
    entries.new_people(0, above=max(people.values(), default=0))
    for table in ("membership", "person", "ledger"):
        connection.execute(f"DROP TABLE {table}")


def _enroll(
    entries: LedgerTransaction, person: int, name: str, faces: list[int], at: str | None
) -> None:
    decided = tuple(FaceDecision(face, person) for face in dict.fromkeys(faces))
    entries.add([NewDecision("enroll", person, name=name, faces=decided)], at)
