"""Each command that writes, with each of its changes of files failing, getting lost, or its last.

A small fixed part runs here, a larger one where slow tests do; ``benchmarks/jobs/promises.py`` runs
all of it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from support.failures.fault_trials import Trials
from support.failures.faults import EVERY, WRITE, compiler, faulty_commands
from support.failures.promises import WRITERS

pytestmark = pytest.mark.skipif(compiler() is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    folder = tmp_path_factory.mktemp("faults")
    with faulty_commands(folder) as commands:
        yield Trials.prepared(commands, folder)


@pytest.fixture(params=[2, pytest.param(6, marks=pytest.mark.slow)])
def most(request: pytest.FixtureRequest) -> int:
    """At how many places of each command something goes wrong."""
    return int(request.param)


@pytest.mark.parametrize("command", WRITERS)
def test_a_change_that_fails_damages_nothing(trials: Trials, command: str, most: int) -> None:
    for at in trials.places(command, EVERY, most):
        assert trials.failing(command, at, EVERY, errno.ENOSPC) == ""


@pytest.mark.parametrize("command", WRITERS)
def test_a_write_that_gets_lost_is_noticed(trials: Trials, command: str, most: int) -> None:
    for at in trials.places(command, WRITE, most):
        assert trials.losing(command, at) == ""


@pytest.mark.parametrize("command", WRITERS)
def test_the_next_command_finishes_what_was_killed(trials: Trials, command: str, most: int) -> None:
    for at in trials.places(command, EVERY, most):
        assert trials.killed(command, at) == ""
