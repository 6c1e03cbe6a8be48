"""Processes that start at once: forked from a server that has loaded what they need.

Forked from a server, never from the process of the tests: that has threads.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

TESTS = Path(__file__).parents[1]
# What most commands load, for the server that processes are forked from.
PRELOADED = [
    "pytest",
    "cv2",
    "faiss",
    "openvino",
    "facesearch.cli.main",
    "facesearch.clustering.run_store",
    "facesearch.embed",
    "facesearch.encoders.backends.openvino_backend",
    "facesearch.engine",
    "facesearch.recognition.identify",
    "facesearch.search.gallery_index",
    "indexer.build",
    "support.shards",
    "support.changing_photos",
]


def processes() -> ForkServerContext:
    """The context whose processes are forked from the server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # The server passes over modules that it does not find, and does not look where we do.
    folders = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with mock.patch.dict(os.environ, {"PYTHONPATH": folders}):
        forkserver.ensure_running()
    return context


def start(target: Callable[..., object], *args: Any) -> BaseProcess:
    """A process that runs ``target``, with the environment of now."""
    process = processes().Process(target=_with_environment, args=(dict(os.environ), target, args))
    process.start()
    return process


def _with_environment(
    environment: Mapping[str, str], target: Callable[..., object], args: Sequence[Any]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    target(*args)


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


def run_command(words: Sequence[object]) -> Done:
    """Run ``facesearch`` with ``words`` in a process of its own."""
    with TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = start(_command, [str(word) for word in words], out, err)
        process.join()
        assert process.exitcode is not None
        return Done(process.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _command(words: Sequence[str], out: Path, err: Path) -> None:
    from facesearch.cli.main import main

    for name, path in (("stdout", out), ("stderr", err)):
        file = path.open("w", encoding="utf-8")
        os.dup2(file.fileno(), getattr(sys, f"__{name}__").fileno())
        setattr(sys, name, file)
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)
