"""The service's side of a job's process: start it, hear of its progress, end it.

A process of its own can be cancelled at any moment, gives its memory back, takes no time from the
answers of the service, and cannot take the service down with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from facesearch.service.jobs.job import Job, JobProgress

# How long a cancelled job may take to keep what it has finished.
_GRACE_SECONDS = 30.0
COMMAND = (sys.executable, "-m", "facesearch.service.jobs.child")


@dataclass(frozen=True)
class JobOutcome:
    """What became of a job: a ``result`` or a ``problem`` document; neither if cancelled."""

    result: Mapping[str, Any] | None = None
    problem: Mapping[str, Any] | None = None
    cancelled: bool = False


class JobProcess:
    """The process of one job."""

    def __init__(self, command: Sequence[str], job: Job, folder: str) -> None:
        """Start ``command`` for ``job``, whose gallery is in ``folder``."""
        self._cancelled = threading.Event()
        self._process = _started(command)
        assert self._process.stdin is not None
        asked = {
            "gallery": folder, "kind": job.kind, "by": job.by, "arguments": dict(job.arguments),
            "job": job.id,
        }  # fmt: skip
        with suppress(BrokenPipeError):
            # It stays open: the process takes its end for ours.
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def run(self, progress: Callable[[JobProgress], None]) -> JobOutcome:
        """Wait for its end; ``progress`` is called with what it tells meanwhile."""
        outcome = None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = _parsed(line)
            if "progress" in said:
                progress(JobProgress(**said["progress"]))
            elif "result" in said:
                outcome = JobOutcome(result=said["result"])
            elif "problem" in said:
                outcome = JobOutcome(problem=said["problem"])
        code = self._process.wait()
        self._close()
        if outcome is not None and outcome.result is not None:
            return outcome
        if self._cancelled.is_set():
            return JobOutcome(cancelled=True)
        return outcome or JobOutcome(problem=_lost(code))

    def cancel(self) -> None:
        """Interrupt it; what it has finished is kept."""
        self._cancelled.set()
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        threading.Thread(target=self._insist, daemon=True).start()

    def _insist(self) -> None:
        try:
            self._process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _parsed(line: str) -> Mapping[str, Any]:
    """A line that the process wrote; nothing of what a library may print."""
    with suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict):
            return found
    return {}


def _lost(code: int) -> Mapping[str, Any]:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
    hint = " Perhaps it took more memory than there is." if code == -signal.SIGKILL else ""
    return {
        "title": "The job did not end by itself",
        "status": 500,
        "code": "job-lost",
        "detail": f"The process of the job {how}.{hint}",
        "action": "Start the job again; finished work is kept.",
    }
