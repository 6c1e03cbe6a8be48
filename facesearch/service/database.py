"""The database of the service, ``service.sqlite``: accounts, tokens, sessions, jobs.

It belongs to no gallery, and no names of people in photos are kept in it once a job has ended.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesearch.errors import GalleryError
from indexer.storage.atomic_files import create_file, make_folder
from indexer.storage.plain_files import require_plain

FILE = "service.sqlite"
VERSION = 2
_SCHEMA = """
CREATE TABLE account (
    name TEXT PRIMARY KEY, password TEXT NOT NULL, role TEXT NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE TABLE token (
    id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, label TEXT NOT NULL, role TEXT NOT NULL,
    created_by TEXT NOT NULL, created_at REAL NOT NULL, expires_at REAL, last_used_at REAL
) STRICT;
CREATE TABLE session (
    digest TEXT PRIMARY KEY, account TEXT NOT NULL, csrf TEXT NOT NULL, created_at REAL NOT NULL,
    expires_at REAL NOT NULL
) STRICT;
CREATE TABLE failure (subject TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX failure_of ON failure (subject, at);
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, gallery TEXT NOT NULL, kind TEXT NOT NULL,
    state TEXT NOT NULL, by TEXT NOT NULL, arguments TEXT NOT NULL, created_at REAL NOT NULL,
    started_at REAL, ended_at REAL, progress TEXT, result TEXT, problem TEXT,
    resumed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""


# Since version 2: galleries that were added while the service ran.
_GALLERIES = """
CREATE TABLE gallery (
    folder TEXT PRIMARY KEY, id TEXT NOT NULL, added_by TEXT NOT NULL, added_at REAL NOT NULL
) STRICT
"""


class ServiceDatabase:
    """One connection, used by one thread at a time; each use is a transaction."""

    def __init__(self, folder: Path) -> None:
        """Open that of the folder ``folder``, which is made where it is not there.

        Raises GalleryError for a file that is no such database.
        """
        make_folder(folder)
        self.path = folder / FILE
        self._lock = threading.Lock()
        try:
            require_plain(self.path)
        except FileNotFoundError:
            os.close(create_file(self.path))  # SQLite would make it for everybody to read
        try:
            self._connection = sqlite3.connect(self.path, timeout=30, check_same_thread=False)
            for setting in ("trusted_schema = OFF", "secure_delete = ON", "synchronous = FULL"):
                self._connection.execute(f"PRAGMA {setting}").fetchall()
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise GalleryError(
                f"cannot use {self.path}: {error}; move the file away, and make accounts again "
                "with facesearch accounts add"
            ) from error

    def _prepare(self) -> None:
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == VERSION:
                return
            if version not in (0, 1):
                raise GalleryError(
                    f"{self.path} is of version {version}; this program reads version {VERSION}"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            connection.execute(_GALLERIES)
            connection.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done in it, or nothing."""
        with self._lock, self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection

    def secret(self, name: str) -> bytes:
        """32 random bytes, the same for a name for ever."""
        with self.transaction() as connection:
            found = connection.execute(
                "SELECT value FROM secret WHERE name = ?", (name,)
            ).fetchone()
            if found:
                return bytes(found[0])
            value = secrets.token_bytes(32)
            connection.execute("INSERT INTO secret VALUES (?, ?)", (name, value))
            return value

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()
