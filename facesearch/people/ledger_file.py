"""The file of a ledger, ``people.sqlite``: how it is opened, and which tables may be in it.

It has a rollback journal and no write-ahead log, which would keep what was deleted. Who reads
shares the file with whoever writes: a reader waits only while a decision is being committed, and a
commit only while rows are being fetched.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from facesearch.errors import GalleryError
from indexer.storage.atomic_files import create_file
from indexer.storage.plain_files import require_plain

VERSION = 3
APPLICATION = 0x66616365  # "face", where SQLite keeps whose file it is
# A file from somebody else must not have SQLite run anything.
_CAREFUL = ("trusted_schema = OFF", "cell_size_check = ON")

_SCHEMA = """
CREATE TABLE decision (
    id INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    action TEXT NOT NULL,
    person INTEGER NOT NULL,
    other INTEGER,
    name TEXT
) STRICT;
CREATE TABLE decided_face (
    decision INTEGER NOT NULL REFERENCES decision (id),
    face_id INTEGER NOT NULL,
    person INTEGER NOT NULL,
    belongs INTEGER NOT NULL,
    PRIMARY KEY (decision, face_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX decided_face_of ON decided_face (face_id);
CREATE TABLE counter (next_person INTEGER NOT NULL) STRICT;
INSERT INTO counter VALUES (1);
"""
# Since version 3.
_AUTHORS = """
CREATE TABLE author (
    batch INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    request TEXT
) STRICT
"""


@dataclass(frozen=True)
class LedgerUse:
    """What a connection is for: its ``settings``, and for how many ``seconds`` it waits."""

    settings: tuple[str, ...]
    seconds: float


READING = LedgerUse((*_CAREFUL, "query_only = ON"), 10.0)
WRITING = LedgerUse(
    (
        *_CAREFUL,
        "secure_delete = ON",  # what is deleted is overwritten
        "journal_mode = DELETE",
        "synchronous = FULL",
        # A large decision stays in memory until it is committed. Its pages would otherwise go to
        # the file as they are made, and keep all readers out from then on.
        "cache_spill = OFF",
    ),
    30.0,
)


@contextmanager
def connected(path: Path, use: LedgerUse) -> Iterator[sqlite3.Connection]:
    """The database, seen to be a ledger and nothing else; made where it is not there.

    Raises GalleryError for any other file, and where SQLite cannot use it.
    """
    _require_plain_files(path)
    try:
        with closing(sqlite3.connect(path, timeout=use.seconds)) as connection:
            for setting in use.settings:
                connection.execute(f"PRAGMA {setting}").fetchall()
            _require_schema(connection, path)
            yield connection
    # Of a damaged file even the texts of errors may be damaged.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise GalleryError(
            f"cannot use {path}: {error}; restore it from a backup"
            if not isinstance(error, sqlite3.OperationalError)
            else f"cannot use {path}: {error}"
        ) from error


def is_current(connection: sqlite3.Connection) -> bool:
    """Whether the file is as this program makes it: it can be read without being changed."""
    (journal,) = connection.execute("PRAGMA journal_mode").fetchone()
    return version_of(connection) == VERSION and journal != "wal"


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables, 0 of an empty file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def make_tables(connection: sqlite3.Connection, present: int) -> None:
    """The tables that a file of version ``present`` lacks."""
    if present < 2:
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    connection.execute(_AUTHORS)


def mark_current(connection: sqlite3.Connection) -> None:
    """State that the tables are those of this version."""
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute(f"PRAGMA application_id = {APPLICATION}")


def _require_plain_files(path: Path) -> None:
    """That SQLite reads and writes these files and no others."""
    for ending in ("", "-journal", "-wal", "-shm"):
        try:
            require_plain(path.with_name(path.name + ending))
        except FileNotFoundError:
            continue
        except OSError as error:
            raise GalleryError(f"cannot use {path}: {error}") from error
    if not os.path.lexists(path):
        # SQLite would make it for everybody to read.
        os.close(create_file(path))


def _require_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Raise GalleryError for tables, triggers or views that no program of this kind made."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    found = {
        (kind, name, None if sql is None else " ".join(sql.split()))
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")
    }
    kinds = {kind for kind, *_ in found}
    wrong = version_of(connection) == VERSION and found != _expected_schema()
    if application not in (0, APPLICATION) or kinds - {"table", "index"} or wrong:
        raise GalleryError(
            f"{path}: expected the tables of a ledger of decisions and nothing else, got "
            f"{', '.join(sorted(f'{kind} {name}' for kind, name, _ in found))[:300]}; restore it "
            "from a backup"
        )


@cache
def _expected_schema() -> set[tuple[str, str, str | None]]:
    """What SQLite says of the tables that are made here."""
    with closing(sqlite3.connect(":memory:")) as connection:
        make_tables(connection, 0)
        return {
            (kind, name, None if sql is None else " ".join(sql.split()))
            for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")
        }
