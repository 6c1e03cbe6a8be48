"""What an account or a token may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from facesearch.errors import InputError

Role = Literal["view", "decide", "administer"]
ROLES: tuple[Role, ...] = get_args(Role)


def to_role(text: str) -> Role:
    """``text`` as a role; raises InputError for anything else."""
    for role in ROLES:
        if text == role:
            return role
    raise InputError(f"expected a role, {', '.join(ROLES)}, got {text!r}")


def includes(role: Role, needed: Role) -> bool:
    """Whether who has ``role`` may do what ``needed`` is for: each includes those before it."""
    return ROLES.index(role) >= ROLES.index(needed)


@dataclass(frozen=True)
class Caller:
    """Who asks: the ``name`` that the ledger keeps, and the role.

    ``csrf`` is what a page must send with everything that changes something; None where the caller
    is a program with a token, which no other page can make use of. ``account`` is whether it is
    somebody who logged in.
    """

    name: str
    role: Role
    csrf: str | None = None
    account: bool = False

    def may(self, needed: Role) -> bool:
        """Whether the caller's role includes ``needed``."""
        return includes(self.role, needed)
