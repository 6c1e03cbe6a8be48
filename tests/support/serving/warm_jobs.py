"""Processes of jobs that start at once: forked where all that jobs need is loaded.

As ``python -m`` each takes a second or more, in which it only loads modules.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe, connection
from multiprocessing.connection import Connection
from typing import Any

import pytest

from facesearch.service.jobs import child_process
from support.processes import start
from support.serving.services import JOB_COMMAND


@contextmanager
def warm_jobs() -> Iterator[None]:
    """Fork the processes of ``JOB_COMMAND``; those of other commands start as always."""
    started = child_process._started

    def forked(command: Sequence[str]) -> Any:
        return ForkedJob() if tuple(command) == JOB_COMMAND else started(command)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_process, "_started", forked)
        yield


class ForkedJob:
    """As much of :class:`subprocess.Popen` as the service uses. Several threads may wait."""

    def __init__(self) -> None:
        theirs_in, ours_out = Pipe(duplex=False)
        ours_in, theirs_out = Pipe(duplex=False)
        self._waiting = threading.Lock()
        self._process = start(_do_job, theirs_in, theirs_out)
        self.pid = int(self._process.pid or 0)
        self.stdin = os.fdopen(os.dup(ours_out.fileno()), "w", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(ours_in.fileno()), encoding="utf-8", errors="replace")
        for each in (theirs_in, ours_out, ours_in, theirs_out):
            each.close()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, negative where a signal ended it."""
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(JOB_COMMAND, timeout or 0.0)
        with self._waiting:
            self._process.join()
            return int(self._process.exitcode or 0)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if not connection.wait([self._process.sentinel], 0):
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _do_job(reading: Connection, writing: Connection) -> None:
    from support.serving import job_child

    for mine, standard in ((reading, 0), (writing, 1)):
        os.dup2(mine.fileno(), standard)
        mine.close()
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.exit(job_child.main())
