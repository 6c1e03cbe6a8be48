"""The process of a job, with the fake engine in place of a real one."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from facesearch.api import clustering
from facesearch.clustering.options import ClusterOptions
from facesearch.embed import EmbedOptions
from facesearch.engine_options import EngineOptions
from facesearch.service.jobs import child
from support.fake_engine import FakeEngine
from support.people_galleries import CLEAR


def main() -> int:
    """Do one job."""
    child.NICE = 0  # tests wait for it
    EngineOptions.create = _create  # type: ignore[method-assign, assignment]
    ClusterOptions.for_gallery = _clear  # type: ignore[method-assign, assignment]
    # It decodes in its process: starting others takes longer than the job.
    EmbedOptions.for_cores = lambda *_, **__: EmbedOptions(decoders=0)  # type: ignore[method-assign, assignment]
    clustering.available_cores = lambda: 0
    return child.main()


def _create(options: EngineOptions, contract: Any = None, *, callers: int = 1) -> FakeEngine:
    return FakeEngine(contract.name if contract else "fake")


def _clear(gallery: Any, threshold: float = CLEAR.threshold, **asked: Any) -> ClusterOptions:
    return replace(CLEAR, threshold=threshold)


def forked(reading: Connection, writing: Connection) -> None:
    """Do one job in a process that was forked, with these as its standard input and output."""
    for mine, standard in ((reading, 0), (writing, 1)):
        os.dup2(mine.fileno(), standard)
        mine.close()
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.exit(main())


if __name__ == "__main__":
    sys.exit(main())
