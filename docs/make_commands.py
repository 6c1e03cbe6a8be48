"""Print docs/commands.md: the help of every command. Used as: python docs/make_commands.py."""

from __future__ import annotations

import argparse
import os

from facesearch.cli.main import build_parser, commands_below


def commands_page() -> str:
    """The page, from the parsers themselves."""
    os.environ["COLUMNS"] = "88"  # argparse wraps to the terminal it finds
    parser = build_parser()
    parts = [
        "# Commands\n\nMade by `make docs` from the program's own help.\n",
        _section("facesearch", parser),
    ]
    for name, command in commands_below(parser).items():
        parts.append(_section(f"facesearch {name}", command))
        for below, each in commands_below(command).items():
            parts.append(_section(f"facesearch {name} {below}", each))
    return "\n".join(parts)


def _section(title: str, parser: argparse.ArgumentParser) -> str:
    return f"## {title}\n\n```text\n{parser.format_help().rstrip()}\n```\n"


if __name__ == "__main__":
    print(commands_page(), end="")
