"""``accounts``: who may use the service, by passwords and by tokens."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING, Any

from facesearch.cli.output import print_json, print_table
from facesearch.cli.service.serve import EXTRA, add_state

if TYPE_CHECKING:
    from facesearch.service.database import ServiceDatabase

_ROLES = ("view", "decide", "administer")


def add_commands(commands: Any) -> None:
    """Add the command with all that is below it."""
    parser = commands.add_parser(
        "accounts",
        help="add and remove accounts and tokens of the service",
        description="Say who may use the service that facesearch serve runs. Who has the role view "
        "may look, search and identify; decide may also name people and correct faces; administer "
        "may also add folders, delete faces, and make accounts.",
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = _command(below, "add", run_add, "add an account, whose password is asked for")
    add.add_argument("name", metavar="NAME", help="name of the account")
    _role(add)
    password = _command(below, "password", run_password, "give an account another password")
    password.add_argument("name", metavar="NAME", help="name of the account")
    for each in (add, password):
        each.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
    remove = _command(below, "remove", run_remove, "remove an account and end its sessions")
    remove.add_argument("name", metavar="NAME", help="name of the account")
    _command(below, "list", run_list, "list accounts and tokens")
    token = _command(below, "token", run_token, "make a token for a program, and print it once")
    token.add_argument("label", metavar="LABEL", help="what the token is for")
    _role(token)
    token.add_argument(
        "--days", type=float, metavar="N", help="days until it expires (default: it does not)"
    )
    revoke = _command(below, "revoke", run_revoke, "make a token worth nothing")
    revoke.add_argument("token", metavar="ID", help="id of the token, as list shows it")


def _command(below: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = below.add_parser(name, help=text)
    add_state(parser)
    parser.set_defaults(run=run)
    return parser


def _role(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--role", choices=_ROLES, required=True, help="what it may do")


def run_add(args: argparse.Namespace) -> int:
    """Add an account."""
    from facesearch.service.auth.roles import to_role

    made = _accounts(args).add(args.name, _password(args), to_role(args.role))
    return _done(args, {"name": made.name, "role": made.role}, f"added {made.name}, {made.role}")


def run_password(args: argparse.Namespace) -> int:
    """Change a password."""
    changed = _accounts(args).change(args.name, password=_password(args))
    return _done(args, {"name": changed.name}, f"{changed.name} has another password")


def run_remove(args: argparse.Namespace) -> int:
    """Remove an account."""
    _accounts(args).remove(args.name)
    return _done(args, {"name": args.name}, f"removed {args.name}")


def run_list(args: argparse.Namespace) -> int:
    """Print accounts and tokens."""
    database = _database(args)
    from facesearch.service.auth.accounts import Accounts
    from facesearch.service.auth.tokens import ApiTokens
    from facesearch.service.shapes.common import iso_time

    accounts, tokens = Accounts(database).all(), ApiTokens(database).all()
    if args.json:
        print_json({"accounts": accounts, "tokens": tokens})
        return 0
    if accounts:
        print_table(("account", "role"), [(each.name, each.role) for each in accounts])
    if tokens:
        rows = [
            (
                each.id, each.label, each.role, iso_time(each.expires_at) or "never",
                iso_time(each.last_used_at) or "",
            )
            for each in tokens
        ]  # fmt: skip
        print_table(("token", "label", "role", "expires", "last used"), rows)
    if not accounts and not tokens:
        print("facesearch: there are no accounts and no tokens yet", file=sys.stderr)
    return 0


def run_token(args: argparse.Namespace) -> int:
    """Make a token and print it."""
    database = _database(args)
    from facesearch.service.auth.roles import to_role
    from facesearch.service.auth.tokens import ApiTokens

    token, kept = ApiTokens(database).make(
        args.label, to_role(args.role), "command line", args.days
    )
    return _done(args, {"id": kept.id, "token": token}, token)


def run_revoke(args: argparse.Namespace) -> int:
    """Revoke a token."""
    database = _database(args)
    from facesearch.service.auth.tokens import ApiTokens

    ApiTokens(database).revoke(args.token)
    return _done(args, {"id": args.token}, f"revoked {args.token}")


def _database(args: argparse.Namespace) -> ServiceDatabase:
    from facesearch.errors import InputError

    try:
        import argon2  # noqa: F401
        import pydantic  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError(EXTRA) from error
    from facesearch.service.database import ServiceDatabase
    from facesearch.service.options import default_state_folder

    return ServiceDatabase(args.state or default_state_folder())


def _accounts(args: argparse.Namespace) -> Any:
    database = _database(args)
    from facesearch.service.auth.accounts import Accounts

    return Accounts(database)


def _password(args: argparse.Namespace) -> str:
    from facesearch.errors import InputError

    if args.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("again: ") != first:
        raise InputError("the two passwords differ; try again")
    return first


def _done(args: argparse.Namespace, facts: dict[str, str], text: str) -> int:
    if args.json:
        print_json(facts)
    else:
        print(text)
    return 0
