"""Processes of jobs that start at once: forked where all that jobs need is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from typing import Any

import pytest

from facesearch.service.jobs import child_process
from support.processes.forked import ForkedProcess
from support.serving import job_child
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


class ForkedJob(ForkedProcess):
    """A job, with both ends of what is said to it and by it."""

    def __init__(self) -> None:
        theirs_in, ours_out = Pipe(duplex=False)
        ours_in, theirs_out = Pipe(duplex=False)
        super().__init__(job_child.forked, theirs_in, theirs_out)
        self.stdin = os.fdopen(os.dup(ours_out.fileno()), "w", encoding="utf-8")
        self.stdout = os.fdopen(os.dup(ours_in.fileno()), encoding="utf-8", errors="replace")
        for each in (theirs_in, ours_out, ours_in, theirs_out):
            each.close()
