"""Accounts and their passwords, which are kept as argon2id hashes."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
import unicodedata
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from facesearch.errors import InputError
from facesearch.service.auth.roles import Role, to_role
from facesearch.service.database import ServiceDatabase

_NAME = re.compile(r"[^\W_][\w.@-]{0,63}")
_LEAST_LETTERS = 10
_MOST_LETTERS = 1000
# After so many failures an account, or an address, waits.
NAME_FAILURES = 5
ADDRESS_FAILURES = 20
FAILURE_SECONDS = 15 * 60.0
# Verifying takes 64 MiB and a core: a few at once, so that nobody can use up the machine.
_AT_ONCE = 2


class LockedOutError(InputError):
    """Too many failures; ``seconds`` are to be waited."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"too many logins have failed; wait {max(1, round(seconds / 60))} minutes, then try "
            "again"
        )
        self.seconds = seconds


@dataclass(frozen=True)
class Account:
    """Somebody with a password."""

    name: str
    role: Role
    created_at: float


class Accounts:
    """The accounts of a service."""

    def __init__(self, database: ServiceDatabase, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._hasher = hasher or PasswordHasher()
        self._verifying = threading.Semaphore(_AT_ONCE)
        # Compared with where there is no such account, so that both take the same time.
        self._nobody = self._hasher.hash("nobody's password")

    def all(self) -> list[Account]:
        """By name."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT name, role, created_at FROM account ORDER BY name"
            ).fetchall()
        return [Account(name, to_role(role), at) for name, role, at in rows]

    def find(self, name: str) -> Account | None:
        """The account with this name."""
        return next((each for each in self.all() if each.name == name), None)

    def add(self, name: str, password: str, role: Role) -> Account:
        """A new account; raises InputError for a name that is taken or no name, and for a
        password that is too short."""
        if not _NAME.fullmatch(name) or unicodedata.normalize("NFC", name) != name:
            raise InputError(
                f"expected the name of an account, up to 64 letters, digits, and . _ - @, got "
                f"{name[:80]!r}"
            )
        account = Account(name, role, time.time())
        hashed = self._hasher.hash(_checked(password))
        try:
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT INTO account VALUES (?, ?, ?, ?)",
                    (name, hashed, role, account.created_at),
                )
        except sqlite3.IntegrityError:
            raise InputError(f"there is an account {name} already; choose another name") from None
        return account

    def change(
        self, name: str, *, password: str | None = None, role: Role | None = None
    ) -> Account:
        """Give an account another password, or role, or both; ends its sessions.

        Raises InputError where there is none, and where nobody would be left to administer.
        """
        self._require(name)
        hashed = None if password is None else self._hasher.hash(_checked(password))
        with self._database.transaction() as connection:
            if role is not None and role != "administer":
                _require_another(connection, name)
            connection.execute(
                "UPDATE account SET password = COALESCE(?, password), role = COALESCE(?, role) "
                "WHERE name = ?",
                (hashed, role, name),
            )
            connection.execute("DELETE FROM session WHERE account = ?", (name,))
        return self._require(name)

    def remove(self, name: str) -> None:
        """Remove an account and end its sessions; raises as :meth:`change` does."""
        self._require(name)
        with self._database.transaction() as connection:
            _require_another(connection, name)
            connection.execute("DELETE FROM account WHERE name = ?", (name,))
            connection.execute("DELETE FROM session WHERE account = ?", (name,))

    def verify(self, name: str, password: str, address: str) -> Account | None:
        """The account, where the password is its; each failure counts.

        Raises LockedOutError where too many of this account, or from ``address``, have failed.
        """
        subjects = {f"name {name[:64]}": NAME_FAILURES, f"address {address}": ADDRESS_FAILURES}
        with self._database.transaction() as connection:
            _require_few_failures(connection, subjects)
            found = connection.execute(
                "SELECT password, role, created_at FROM account WHERE name = ?", (name,)
            ).fetchone()
            # Counted before the password is looked at: many at once are many failures.
            now = time.time()
            connection.executemany(
                "INSERT INTO failure VALUES (?, ?)", [(subject, now) for subject in subjects]
            )
        hashed = found[0] if found else self._nobody
        with self._verifying:
            right = self._matches(hashed, password[:_MOST_LETTERS])
        if not right or not found:
            return None
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM failure WHERE subject = ?", (f"name {name[:64]}",))
            connection.execute(
                "DELETE FROM failure WHERE subject = ? AND at = ?", (f"address {address}", now)
            )
            if self._hasher.check_needs_rehash(hashed):
                connection.execute(
                    "UPDATE account SET password = ? WHERE name = ?",
                    (self._hasher.hash(password), name),
                )
        return Account(name, to_role(found[1]), found[2])

    def locked_until(self, name: str) -> float | None:
        """Until when nobody can log in as ``name``, in seconds of the epoch."""
        with self._database.transaction() as connection:
            seconds = _waiting(connection, f"name {name[:64]}", NAME_FAILURES)
        return time.time() + seconds if seconds > 0 else None

    def _matches(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False

    def _require(self, name: str) -> Account:
        found = self.find(name)
        if found is None:
            raise InputError(f"there is no account {name[:80]!r}")
        return found


def _checked(password: str) -> str:
    if not _LEAST_LETTERS <= len(password) <= _MOST_LETTERS:
        raise InputError(
            f"expected a password of {_LEAST_LETTERS} to {_MOST_LETTERS} letters, got "
            f"{len(password)}; a few words in a row are easy to remember"
        )
    return password


def _require_another(connection: sqlite3.Connection, name: str) -> None:
    """That somebody else can administer, if ``name`` can."""
    administrators = {
        each for (each,) in connection.execute("SELECT name FROM account WHERE role = 'administer'")
    }
    if administrators == {name}:
        raise InputError(
            f"{name} is the only account that administers; give that role to another one first"
        )


def _require_few_failures(connection: sqlite3.Connection, subjects: dict[str, int]) -> None:
    connection.execute("DELETE FROM failure WHERE at < ?", (time.time() - FAILURE_SECONDS,))
    waiting = max(_waiting(connection, subject, most) for subject, most in subjects.items())
    if waiting > 0:
        raise LockedOutError(waiting)


def _waiting(connection: sqlite3.Connection, subject: str, most: int) -> float:
    """Seconds until another attempt counts, 0 or less where it does now."""
    times = [
        at
        for (at,) in connection.execute(
            "SELECT at FROM failure WHERE subject = ? ORDER BY at DESC LIMIT ?", (subject, most)
        )
    ]
    return times[-1] + FAILURE_SECONDS - time.time() if len(times) == most else 0.0
