"""Tokens for programs: random, kept as digests, with a role and an end."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from facesearch.errors import InputError
from facesearch.service.auth.roles import Role, to_role
from facesearch.service.database import ServiceDatabase

PREFIX = "fst_"
_DAY = 86400.0
_MOST_DAYS = 3650
_MOST_LETTERS = 100
_NOTED = 60.0  # seconds between two notes of when a token was used


@dataclass(frozen=True)
class ApiToken:
    """What is known of a token, which is not the token itself. Times are seconds of the epoch."""

    id: str
    label: str
    role: Role
    created_by: str
    created_at: float
    expires_at: float | None
    last_used_at: float | None


class ApiTokens:
    """The tokens of a service."""

    def __init__(self, database: ServiceDatabase) -> None:
        self._database = database

    def make(
        self, label: str, role: Role, created_by: str, days: float | None
    ) -> tuple[str, ApiToken]:
        """A new token, which is never shown again, and what is kept of it.

        Raises InputError for an empty or long label, and for other days than up to ten years.
        """
        label = " ".join(label.split())
        if not 0 < len(label) <= _MOST_LETTERS or not label.isprintable():
            raise InputError(f"expected a label of 1 to {_MOST_LETTERS} letters")
        if days is not None and not 0 < days <= _MOST_DAYS:
            raise InputError(f"expected a number of days up to {_MOST_DAYS}, got {days:g}")
        token = PREFIX + secrets.token_urlsafe(32)
        now = time.time()
        kept = ApiToken(
            f"t{secrets.token_hex(6)}", label, role, created_by, now,
            None if days is None else now + days * _DAY, None,
        )  # fmt: skip
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    kept.id, token_digest(token), label, role, created_by, now, kept.expires_at
                ),
            )  # fmt: skip
        return token, kept

    def all(self) -> list[ApiToken]:
        """Those that were not revoked, also the expired, oldest first."""
        with self._database.transaction() as connection:
            rows = connection.execute(
                "SELECT id, label, role, created_by, created_at, expires_at, last_used_at "
                "FROM token ORDER BY created_at"
            ).fetchall()
        return [ApiToken(i, label, to_role(role), *rest) for i, label, role, *rest in rows]

    def find(self, token: str) -> ApiToken | None:
        """What is kept of ``token``; None where it is none, was revoked or has expired."""
        if not token.startswith(PREFIX):
            return None
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT id, label, role, created_by, created_at, expires_at, last_used_at "
                "FROM token WHERE digest = ?",
                (token_digest(token),),
            ).fetchone()
            now = time.time()
            if row is None or (row[5] is not None and row[5] <= now):
                return None
            if row[6] is None or now - row[6] > _NOTED:
                connection.execute("UPDATE token SET last_used_at = ? WHERE id = ?", (now, row[0]))
        return ApiToken(row[0], row[1], to_role(row[2]), *row[3:])

    def revoke(self, token_id: str) -> None:
        """Make a token worth nothing; raises InputError where there is none of this id."""
        with self._database.transaction() as connection:
            gone = connection.execute("DELETE FROM token WHERE id = ?", (token_id,)).rowcount
        if not gone:
            raise InputError(f"there is no token {token_id[:40]!r}")


def token_digest(token: str) -> str:
    """What is kept of a token: it is random and long, so that a plain digest cannot be reversed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
