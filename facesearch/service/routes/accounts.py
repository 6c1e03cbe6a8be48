"""Accounts and tokens, for who administers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from facesearch.errors import InputError
from facesearch.service.routes.access import Administrator, RoleRouter, Service
from facesearch.service.server.problems import missing
from facesearch.service.shapes.access import (
    AccountChange,
    AccountList,
    AccountView,
    MadeToken,
    NewAccount,
    NewToken,
    TokenList,
    TokenView,
)

administering = RoleRouter("administer", "accounts")
ROUTERS = (administering,)

NameKey = Annotated[str, Path(max_length=64)]


@administering.get("/users")
def list_accounts(service: Service) -> AccountList:
    """All accounts."""
    accounts = service.accounts
    return AccountList(
        users=[AccountView.of(each, accounts.locked_until(each.name)) for each in accounts.all()]
    )


@administering.post("/users", status_code=201)
def make_account(service: Service, body: NewAccount) -> AccountView:
    """A new account. The first one must administer: without any, whoever is here may all."""
    if not service.accounts.all() and body.role != "administer":
        raise InputError("expected a first account that administers; choose that role")
    made = service.accounts.add(body.name, body.password.get_secret_value(), body.role)
    return AccountView.of(made, None)


@administering.patch("/users/{name}")
def change_account(service: Service, name: NameKey, body: AccountChange) -> AccountView:
    """Give an account another password or role; ends its sessions."""
    _require(service, name)
    password = None if body.password is None else body.password.get_secret_value()
    changed = service.accounts.change(name, password=password, role=body.role)
    return AccountView.of(changed, service.accounts.locked_until(name))


@administering.delete("/users/{name}", status_code=204)
def remove_account(service: Service, name: NameKey) -> None:
    """Remove an account and end its sessions."""
    _require(service, name)
    service.accounts.remove(name)


@administering.get("/tokens")
def list_tokens(service: Service) -> TokenList:
    """All tokens."""
    return TokenList(tokens=[TokenView.of(each) for each in service.tokens.all()])


@administering.post("/tokens", status_code=201)
def make_token(service: Service, caller: Administrator, body: NewToken) -> MadeToken:
    """A new token, which is shown this once."""
    if not service.accounts.all():
        raise InputError("expected an account that administers before any token; make one first")
    token, kept = service.tokens.make(body.label, body.role, caller.name, body.expires_in_days)
    return MadeToken(**dict(TokenView.of(kept)), token=token)


@administering.delete("/tokens/{token}", status_code=204)
def revoke_token(service: Service, token: Annotated[str, Path(max_length=40)]) -> None:
    """Make a token worth nothing at once."""
    if not any(each.id == token for each in service.tokens.all()):
        raise missing("no-such-token", f"token {token}")
    service.tokens.revoke(token)


def _require(service: Service, name: str) -> None:
    if service.accounts.find(name) is None:
        raise missing("no-such-user", f"account {name}")
