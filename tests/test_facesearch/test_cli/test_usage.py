"""What the help says, and what a mistake in the arguments shows."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator

import pytest

from facesearch.cli.command_modules import COMMAND_MODULES
from facesearch.cli.main import build_parser, commands_below, main

# Words of other times and of no field, which readers stumble over.
ODD_WORDS = re.compile(r"\b(anew|told|whosoever|whom|somebody|nobody|lest)\b", re.IGNORECASE)


def all_commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that takes arguments of its own, with its words: ``people merge``."""
    for name, parser in commands_below(build_parser()).items():
        below = commands_below(parser)
        if not below or parser.get_default("run"):
            yield name, parser
        for second, each in below.items():
            yield f"{name} {second}", each


COMMANDS = dict(all_commands())


def words_for(parser: argparse.ArgumentParser) -> list[str]:
    """Some value for each argument that ``parser`` requires."""
    words = []
    for group in parser._mutually_exclusive_groups:
        words += [*group._group_actions[0].option_strings[:1], "1"] if group.required else []
    for action in parser._actions:
        if action.required or (not action.option_strings and action.nargs != "?"):
            if isinstance(action, argparse._SubParsersAction):
                continue
            value = next(iter(action.choices or ["1"]))
            words += [*action.option_strings[:1], value, *(["2"] if action.nargs == "+" else [])]
    return words


@pytest.mark.parametrize("command", COMMANDS)
def test_a_surplus_argument_shows_the_usage_of_its_command(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*command.split(), *words_for(COMMANDS[command]), "--surplus"]
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    assert shown.startswith(f"usage: facesearch {command} [-h]"), shown
    assert f"facesearch {command}: error: unrecognized arguments: --surplus" in shown


def test_surplus_values_are_all_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["info", "g", "12", "13"])
    assert "facesearch info: error: unrecognized arguments: 12 13" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_explained(command: str) -> None:
    unexplained = [
        action.metavar or action.dest for action in COMMANDS[command]._actions if not action.help
    ]
    assert [name for name in unexplained if name not in ("COMMAND", "PROTOCOL")] == []


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_in_plain_words(command: str) -> None:
    parser = COMMANDS[command] if command else build_parser()
    assert ODD_WORDS.findall(parser.format_help()) == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does(command: str) -> None:
    text = COMMANDS[command].description
    assert text is not None and text.endswith(".") and text[0].isupper()


def test_each_command_is_added_by_its_module_alone() -> None:
    everything = [*commands_below(build_parser())]
    assert everything == [
        name
        for module in COMMAND_MODULES
        for name in commands_below(build_parser(COMMAND_MODULES[module][0]))
    ]
    for module, commands in COMMAND_MODULES.items():
        for command in commands:
            assert {*commands_below(build_parser(command))} == {*commands}, module


@pytest.mark.parametrize("words", [["peolpe", "list", "g"], [], ["--verison"]])
def test_a_word_that_is_no_command_shows_all_commands(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    shown = capsys.readouterr().err
    assert ended.value.code == 2 and shown.startswith("usage: facesearch [-h] [--version] COMMAND")
    assert words[:1] != ["peolpe"] or ("'people'" in shown and "'evaluate'" in shown)
