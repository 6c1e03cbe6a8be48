"""The ``facesearch`` command: reads arguments, runs one command, turns errors into exit codes."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from facesearch import __version__
from facesearch.cli.command_modules import modules_of
from facesearch.cli.gallery import bucket
from facesearch.errors import FacesearchError

EXIT_CODES = """\
exit codes:
  0    done; for verify, identify and check: yes
  1    no: the people differ, no face is recognised, or the gallery is damaged
  2    the command failed; the message says why
  130  interrupted; finished work is kept
"""


class CommandParser(argparse.ArgumentParser):
    """A parser that reports surplus arguments itself, so that its command's usage is shown.

    argparse leaves them to the parser of the whole program, whose usage does not help.
    """

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; a surplus argument is a mistake here already."""
        parsed, surplus = super().parse_known_args(args, namespace)
        if surplus:
            self.error(f"unrecognized arguments: {' '.join(surplus)}")
        return parsed, surplus


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, or of ``command`` alone where that is one.

    Each command's function is in ``args.run``.
    """
    parser = CommandParser(
        prog="facesearch",
        description="Find the faces in a folder of photos, group them into people, and "
        "recognise people by name.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"facesearch {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in modules_of(command):
        import_module(module).add_commands(commands)
    _add_descriptions(parser)
    for each in commands.choices.values():
        _add_output_options(each, default=False)
    return parser


def commands_below(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers of the commands of ``parser`` by their names."""
    return {name: each for below in _subparsers(parser) for name, each in below.choices.items()}


def _subparsers(
    parser: argparse.ArgumentParser,
) -> list[argparse._SubParsersAction[argparse.ArgumentParser]]:
    actions = parser._actions  # argparse offers no other way
    return [each for each in actions if isinstance(each, argparse._SubParsersAction)]


def _add_descriptions(parser: argparse.ArgumentParser) -> None:
    """Let the help of every command say what it does, if only in the words of the list above it."""
    for below in _subparsers(parser):
        for listed in below._choices_actions:
            command = below.choices[listed.dest]
            if command.description is None and listed.help:
                command.description = f"{listed.help[:1].upper()}{listed.help[1:]}."
            _add_descriptions(command)


def _add_output_options(parser: argparse.ArgumentParser, default: bool | str) -> None:
    parser.add_argument(
        "--json", action="store_true", default=default, help="print the result as one JSON object"
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=default,
        help="log each step to standard error",
    )
    for below in commands_below(parser).values():
        # Where they are not given here, what was given before the command's name stays.
        _add_output_options(below, argparse.SUPPRESS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # File names need not be UTF-8, and a terminal need not show every letter.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    words = sys.argv[1:] if arguments is None else arguments
    args = build_parser(words[0] if words else None).parse_args(words)
    logging.basicConfig(
        level=logging.INFO if args.verbose else logging.WARNING,
        format="facesearch: %(message)s",
    )
    try:
        return int(bucket.run(args))
    except KeyboardInterrupt:
        print("facesearch: interrupted; finished work is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; Python would complain once more while exiting.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _expected_errors() as error:
        logging.getLogger(__name__).info("where it happened:", exc_info=True)
        print(f"facesearch: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # a bug: still no traceback for someone who cannot use one
        logging.getLogger(__name__).info("where it happened:", exc_info=True)
        print(
            f"facesearch: internal error: {type(error).__name__}: {error}; this is a bug: "
            "please report it with the output of --verbose",
            file=sys.stderr,
        )
        return 2


def _open_closed_streams() -> None:
    """Give streams that were closed before the start (``2>&-``) somewhere to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115


def _expected_errors() -> tuple[type[BaseException], ...]:
    # Imported only once something went wrong or is about to end.
    from indexer.errors import IndexerError

    return FacesearchError, IndexerError, OSError


if __name__ == "__main__":
    sys.exit(main())
