"""Names and whose faces they are: the part of a gallery that people decided (SQLite)."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from facesearch.errors import GalleryError, InputError
from indexer.types import Ids

_VERSION = 1
_SCHEMA = """
CREATE TABLE person (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
CREATE TABLE membership (
    face_id INTEGER PRIMARY KEY,
    person_id INTEGER NOT NULL REFERENCES person (id),
    source TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    created_at TEXT NOT NULL,
    action TEXT NOT NULL,
    person TEXT NOT NULL,
    face_id INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Memberships:
    """Faces with a name: ids int64 (n,) ascending, and the name of each."""

    ids: Ids
    names: tuple[str, ...]

    def by_id(self) -> dict[int, str]:
        return {int(face_id): name for face_id, name in zip(self.ids, self.names, strict=True)}


def clean_name(name: str) -> str:
    """A person's name as it is kept: white space trimmed and collapsed to single spaces.

    Raises InputError for an empty name and for one with control characters or that is not Unicode
    text, as arguments are that a terminal sends in another encoding than UTF-8.
    """
    cleaned = " ".join(name.split())
    if not cleaned:
        raise InputError("expected a person's name, got an empty one; give one")
    categories = {unicodedata.category(character) for character in cleaned}
    if "Cs" in categories:
        raise InputError(
            f"expected a person's name in UTF-8, got {cleaned!a}; set the locale to it"
        )
    if "Cc" in categories:
        raise InputError(
            f"expected a person's name without control characters, got {cleaned!a}; leave them out"
        )
    return cleaned


class People:
    """The people database of a gallery; opened anew for every use, so it holds no lock."""

    def __init__(self, gallery_folder: Path) -> None:
        self._path = gallery_folder / "people.sqlite"

    def enroll(self, name: str, face_ids: Sequence[int]) -> list[int]:
        """Say that ``face_ids`` show ``name``; returns those that were not known as such before.

        A face that belonged to another name now belongs to this one; the ledger keeps both.
        Without faces nothing changes. Raises InputError for a name that :func:`clean_name`
        refuses, GalleryError where the database cannot be used.
        """
        name = clean_name(name)
        if not face_ids:
            return []
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._connection() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO person (name, created_at) VALUES (?, ?)", (name, now)
            )
            (person,) = connection.execute(
                "SELECT id FROM person WHERE name = ?", (name,)
            ).fetchone()
            known = dict(connection.execute("SELECT face_id, person_id FROM membership"))
            new = [int(face_id) for face_id in face_ids if known.get(int(face_id)) != person]
            connection.executemany(
                "INSERT OR REPLACE INTO membership VALUES (?, ?, 'enrolled', ?)",
                [(face_id, person, now) for face_id in new],
            )
            connection.executemany(
                "INSERT INTO ledger (created_at, action, person, face_id) VALUES (?, ?, ?, ?)",
                [(now, "enroll", name, face_id) for face_id in new],
            )
        return new

    def memberships(self) -> Memberships:
        """All faces with a name, of photos still there or not.

        Raises GalleryError where the database cannot be used.
        """
        if not self._path.exists():
            return Memberships(np.zeros(0, np.int64), ())
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT face_id, name FROM membership JOIN person ON person.id = person_id "
                "ORDER BY face_id"
            ).fetchall()
        for face_id, name in rows:
            # Damage that SQLite does not notice may turn a value into one of another type.
            if not (isinstance(face_id, int) and isinstance(name, str)):
                raise GalleryError(
                    f"{self._path}: expected a name for face {face_id!r}, got {name!r}; the "
                    "database is damaged: restore it from a backup"
                )
        return Memberships(
            np.array([face_id for face_id, _ in rows], np.int64), tuple(name for _, name in rows)
        )

    def forget(self, face_ids: Ids) -> int:
        """Delete all that is known of faces, and the names that nobody has then; how many had one.

        What was deleted cannot be read from the file any more.
        """
        if not self._path.exists() or not len(face_ids):
            return 0
        ids = [(int(face_id),) for face_id in face_ids]
        with self._connection() as connection:
            connection.execute("CREATE TEMP TABLE forgotten (face_id INTEGER PRIMARY KEY) STRICT")
            connection.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", ids)
            these = "face_id IN (SELECT face_id FROM forgotten)"
            named = connection.execute(f"DELETE FROM membership WHERE {these}").rowcount
            connection.execute(f"DELETE FROM ledger WHERE {these}")
            connection.execute(
                "DELETE FROM person WHERE id NOT IN (SELECT person_id FROM membership) "
                "AND name NOT IN (SELECT person FROM ledger)"
            )
        with closing(sqlite3.connect(self._path, timeout=30)) as connection:
            connection.execute("VACUUM")  # pages that became free still hold what they held
        return named

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=30)) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                self._prepare(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            raise GalleryError(f"cannot use {self._path}: {error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise GalleryError(
                f"{self._path} is of version {version}; this program reads version {_VERSION}"
            )
