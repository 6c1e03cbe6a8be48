"""Print docs/commands.md: the help of every command. Used as: python docs/make_commands.py."""

from __future__ import annotations

import argparse
import os

from facesearch.cli.main import build_parser


def commands_page() -> str:
    """The page, from the parsers themselves."""
    os.environ["COLUMNS"] = "88"  # argparse wraps to the terminal it finds
    parser = build_parser()
    parts = [
        "# Commands\n\nMade by `make docs` from the program's own help.\n",
        _section("facesearch", parser),
    ]
    (commands,) = (
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    parts += [_section(f"facesearch {name}", each) for name, each in commands.choices.items()]
    return "\n".join(parts)


def _section(title: str, parser: argparse.ArgumentParser) -> str:
    return f"## {title}\n\n```text\n{parser.format_help().rstrip()}\n```\n"


if __name__ == "__main__":
    print(commands_page(), end="")
