"""Processes that start at once: forked from a server that has loaded what they need.

Forked from a server, never from the process of the tests: that has threads.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[2]
PRELOADED = [
    "pytest",
    "support.shards",
    "support.changing_photos",
    "facesearch.images.worker",
    "facesearch.video.worker",
    "support.processes.forked",
    "support.serving.job_child",
    "facesearch.api.clustering",
    "facesearch.api.indexing",
    "facesearch.api.maintenance",
]


@functools.cache
def processes() -> ForkServerContext:
    """The context whose processes are forked from the server."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # The server passes over modules that it does not find, and does not look where we do.
    folders = os.pathsep.join([str(TESTS), str(TESTS.parent)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", folders)
        forkserver.ensure_running()
    return context


def start(target: Callable[..., object], *args: Any) -> BaseProcess:
    """A process that runs ``target``, with the environment of now; it ends with this one."""
    all_of_it = (dict(os.environ), target, args)
    process = processes().Process(target=_with_environment, args=all_of_it, daemon=True)
    process.start()
    return process


def _with_environment(
    environment: Mapping[str, str], target: Callable[..., object], args: Sequence[Any]
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    target(*args)
