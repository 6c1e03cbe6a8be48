"""Accounts, tokens and logins as they are sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from facesearch.service.auth.accounts import Account
from facesearch.service.auth.roles import Role
from facesearch.service.auth.tokens import ApiToken
from facesearch.service.shapes.common import Shape, iso_time

AccountName = Annotated[str, Field(min_length=1, max_length=64)]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1000)]


class UserView(Shape):
    """Somebody who logged in."""

    name: str
    role: Role


class LoginState(Shape):
    """Who asks, and what a page sends with changes: ``csrf`` as the header X-CSRF-Token.

    ``required``: whether anything can be done without a login.
    """

    required: bool
    user: UserView | None
    role: Role | None
    csrf: str | None


class LoginRequest(Shape):
    """Name and password."""

    name: AccountName
    password: Password


class PasswordChange(Shape):
    """The present password and the next."""

    old: Password
    new: Password


class AccountView(Shape):
    """An account; nobody can log in until ``locked_until``, after too many failures."""

    name: str
    role: Role
    created_at: str
    locked_until: str | None

    @classmethod
    def of(cls, account: Account, locked_until: float | None) -> AccountView:
        """``account`` without its password."""
        return cls(
            name=account.name,
            role=account.role,
            created_at=iso_time(account.created_at) or "",
            locked_until=iso_time(locked_until),
        )


class AccountList(Shape):
    """All accounts."""

    users: list[AccountView]


class NewAccount(Shape):
    """An account to be made."""

    name: AccountName
    password: Password
    role: Role


class AccountChange(Shape):
    """What is to be changed of an account."""

    password: Password | None = None
    role: Role | None = None


class TokenView(Shape):
    """A token, but for itself."""

    id: str
    label: str
    role: Role
    created_by: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None

    @classmethod
    def of(cls, token: ApiToken) -> TokenView:
        """What is kept of ``token``."""
        return cls(
            id=token.id,
            label=token.label,
            role=token.role,
            created_by=token.created_by,
            created_at=iso_time(token.created_at) or "",
            expires_at=iso_time(token.expires_at),
            last_used_at=iso_time(token.last_used_at),
        )


class TokenList(Shape):
    """All tokens that were not revoked."""

    tokens: list[TokenView]


class NewToken(Shape):
    """A token to be made, that expires after some days, or never."""

    label: Annotated[str, Field(min_length=1, max_length=100)]
    role: Role
    expires_in_days: Annotated[float, Field(gt=0, le=3650)] | None = 90


class MadeToken(TokenView):
    """A new token, which is never shown again."""

    token: str
