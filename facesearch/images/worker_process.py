"""The parent's side of one worker process: start it, ask it, notice when it is lost."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path

from facesearch.errors import FacesearchError
from facesearch.images.decode import DecodeLimits
from facesearch.images.types import DecodedPhoto
from facesearch.images.worker import ReadPhoto
from facesearch.images.worker_protocol import Message, receive, receive_pixels, send

_START_SECONDS = 120.0

# The worker ends itself at the time limit; the parent only steps in where that failed.
_GRACE_SECONDS = 10.0

# One thread each, as the processes are the parallelism. And freed pixels stay with the process:
# giving them back and faulting them in again costs as much as decoding.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}

# Not multiprocessing: its spawned children import the parent's main module again, which may
# load anything (torch, say) or lack the __main__ guard, and its queues speak pickle. The first
# statement keeps Ctrl-C, which reaches every process of the terminal, to the parent.
_BOOTSTRAP = """
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)
import sys; sys.path[:] = {path!a}
from facesearch.images.decode import DecodeLimits
from facesearch.images.worker import main
main({descriptor}, DecodeLimits(*{limits}), {timeout})
"""


class WorkerLostError(FacesearchError):
    """A worker died or hung; the text says which."""


class WorkerStartError(FacesearchError):
    """A worker could not even be started, so no photo is to blame."""


class WorkerProcess:
    """A running worker, ``pid``. Not for use by several threads, except ``kill``."""

    bootstrap = _BOOTSTRAP  # the program that the process runs

    def __init__(self, limits: DecodeLimits, timeout: float) -> None:
        self._limits = limits
        self._timeout = timeout
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = self._started(theirs)

    def _started(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        """The process, which serves at the other end of the channel."""
        code = self.bootstrap.format(
            path=sys.path,
            descriptor=theirs.fileno(),
            limits=astuple(self._limits),
            timeout=self._timeout,
        )
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            env={**os.environ, **_ENVIRONMENT},
        )

    def wait_ready(self) -> None:
        """Wait until the worker has loaded its modules; WorkerStartError if it does not."""
        try:
            receive(self._channel, _START_SECONDS)
        except (OSError, EOFError, ValueError) as error:
            raise WorkerStartError(
                f"a decoding process did not start ({self._end()}); its own message is above, if "
                f"it had one. To decode without such processes, use 0 workers"
            ) from error

    def read(self, path: Path, known: frozenset[str], max_side: int | None) -> ReadPhoto:
        """What ``worker.read_photo`` gives for ``path``; WorkerLostError if it never answers."""
        try:
            request = {"path": str(path), "max_side": max_side, "compare": bool(known)}
            send(self._channel, request)
            answer = receive(self._channel, self._timeout + _GRACE_SECONDS)
            if "compare" in answer:
                send(self._channel, {"known": answer["compare"] in known})
                answer = receive(self._channel, self._timeout + _GRACE_SECONDS)
            return self._reading(answer)
        except TimeoutError as error:
            raise WorkerLostError(self._took_too_long()) from error
        except (OSError, EOFError, ValueError, KeyError) as error:
            raise WorkerLostError(self._end()) from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_gone(self) -> bool:
        """Whether the process has ended, though nothing was asked of it."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process at once, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """``kill`` and let go of the channel; only from the thread that uses it."""
        self.kill()
        self._channel.close()

    def _reading(self, answer: Message) -> ReadPhoto:
        photo = None
        if "shape" in answer:
            pixels = receive_pixels(
                self._channel, answer["shape"], self._timeout, self._limits.pixels
            )
            photo = DecodedPhoto(
                pixels,
                int(answer["width"]),
                int(answer["height"]),
                str(answer["taken_at"]),
                str(answer["partial"]),
            )
        sha256, reason, detail = (str(answer[key]) for key in ("sha256", "reason", "detail"))
        return ReadPhoto(sha256, photo, bool(answer["known"]), reason, detail)

    def _end(self) -> str:
        """How the process ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=1.0)
            if code == -signal.SIGALRM:
                return self._took_too_long()
            if code == -signal.SIGKILL:
                return "the decoding process was killed, perhaps for want of memory"
            if code < 0:
                return f"the decoding process died of {_signal_name(-code)}"
            return f"the decoding process ended by itself with status {code}"
        return "the decoding process gave an answer that makes no sense"

    def _took_too_long(self) -> str:
        return f"decoding took longer than {self._timeout:g} s"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
