"""Sessions of people who logged in: a random cookie, kept as a digest, that ends by itself."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from facesearch.service.auth.roles import Role, to_role
from facesearch.service.auth.tokens import token_digest
from facesearch.service.database import ServiceDatabase

COOKIE = "facesearch_session"


@dataclass(frozen=True)
class LoginSession:
    """Whose session it is, and what their page sends with each change."""

    account: str
    role: Role
    csrf: str


class LoginSessions:
    """The sessions of a service."""

    def __init__(self, database: ServiceDatabase, hours: float) -> None:
        self._database = database
        self.seconds = hours * 3600

    def begin(self, account: str) -> str:
        """The cookie of a new session."""
        cookie, now = secrets.token_urlsafe(32), time.time()
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?)",
                (
                    token_digest(cookie), account, secrets.token_urlsafe(32), now,
                    now + self.seconds,
                ),
            )  # fmt: skip
        return cookie

    def find(self, cookie: str) -> LoginSession | None:
        """The session of a cookie; None where there is none, or it has ended."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT account, role, csrf FROM session JOIN account ON account.name = account "
                "WHERE digest = ? AND expires_at > ?",
                (token_digest(cookie), time.time()),
            ).fetchone()
        return None if row is None else LoginSession(row[0], to_role(row[1]), row[2])

    def end(self, cookie: str) -> None:
        """End one."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE digest = ?", (token_digest(cookie),))
