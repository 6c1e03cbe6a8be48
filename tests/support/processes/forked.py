"""Processes that the product starts as ``python -c``, forked where what they need is loaded.

As processes of their own each would take a third of a second or more, in which it only loads
modules. That they start as they should is tested where it is the question.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection
from typing import Any

import pytest

from facesearch.images import worker
from facesearch.images.worker_process import WorkerProcess
from facesearch.video.process import VideoProcess
from support.processes.fork_server import start

# A fork has the address space of all that is loaded, so a worker that may have less starts anew.
LEAST_MEMORY = 3 << 30
PHOTOS = WorkerProcess.bootstrap


class ForkedProcess:
    """As much of :class:`subprocess.Popen` as the product uses. Several threads may wait."""

    def __init__(self, target: Callable[..., object], *args: Any) -> None:
        self._waiting = threading.Lock()
        self._process = start(target, *args)
        self.pid = int(self._process.pid or 0)

    def poll(self) -> int | None:
        """Its exit code, negative where a signal ended it; None while it runs."""
        if not connection.wait([self._process.sentinel], 0):
            return None
        with self._waiting:
            self._process.join()
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has ended."""
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return int(self.poll() or 0)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it may just have ended
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@contextmanager
def forked_workers() -> Iterator[None]:
    """Fork the processes that decode photos and videos, but those that run another program."""
    started = WorkerProcess._started

    def forked(process: WorkerProcess, theirs: socket.socket) -> Any:
        if process.bootstrap == PHOTOS and process._limits.memory_bytes >= LEAST_MEMORY:
            return ForkedProcess(_decode, theirs, process._limits, process._timeout)
        if type(process) is VideoProcess and process._video_limits.memory_bytes >= LEAST_MEMORY:
            return ForkedProcess(_decode_video, theirs, process._video_limits, process._timeout)
        return started(process, theirs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkerProcess, "_started", forked)
        yield


def _decode(channel: socket.socket, limits: Any, timeout: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.main(channel.detach(), limits, timeout)


def _decode_video(channel: socket.socket, limits: Any, timeout: float) -> None:
    from facesearch.video.worker import main

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main(channel.detach(), limits, timeout)
