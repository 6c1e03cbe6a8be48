"""Each command that writes, with each of its changes of files failing, getting lost, or its last.

A small fixed part runs here, a larger one where slow tests do; ``benchmarks/jobs/promises.py`` runs
all of it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

import pytest

from support.failures.fault_trials import Trials
from support.failures.faults import EVERY, WRITE, compiler, faulty_commands
from support.failures.promises import WRITERS

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")

Places = Callable[[Trials, str, int], list[int]]


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    folder = tmp_path_factory.mktemp("faults")
    with faulty_commands(folder) as commands:
        yield Trials.prepared(commands, folder)


@pytest.fixture(params=["middle", pytest.param("six places", marks=pytest.mark.slow)])
def chosen(request: pytest.FixtureRequest) -> Places:
    """At which places of a command something goes wrong."""
    if request.param == "middle":
        return lambda trials, command, kinds: trials.places(command, kinds, 2)[:1]
    return lambda trials, command, kinds: trials.places(command, kinds, 6)


@pytest.mark.parametrize("command", WRITERS)
def test_a_change_that_fails_damages_nothing(trials: Trials, command: str, chosen: Places) -> None:
    for at in chosen(trials, command, EVERY):
        assert trials.failing(command, at, EVERY, errno.ENOSPC) == ""


@pytest.mark.parametrize("command", WRITERS)
def test_a_write_that_gets_lost_is_noticed(trials: Trials, command: str, chosen: Places) -> None:
    for at in chosen(trials, command, WRITE):
        assert trials.losing(command, at) == ""


@pytest.mark.parametrize("command", WRITERS)
def test_the_next_command_finishes_what_was_killed(
    trials: Trials, command: str, chosen: Places
) -> None:
    for at in chosen(trials, command, EVERY):
        assert trials.killed(command, at) == ""
