"""The process of a job: reads what to do from standard input, writes lines of JSON.

Standard input stays open while the service lives. When it closes, the job is interrupted as by
Ctrl-C: what it has finished is kept, and the service does the rest when it runs again.
"""

from __future__ import annotations

import _thread
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from facesearch.errors import BusyGalleryError, FacesearchError
from facesearch.service.jobs.job import JobProgress
from facesearch.service.jobs.work import JobRequest, do_work
from indexer.errors import IndexerError

_PROGRESS_SECONDS = 0.25
_BUSY_SECONDS = 3600.0
_BUSY_PAUSE = 1.0
_GRACE_SECONDS = 20.0
INTERRUPTED = 130
# The service answers first, and the owner of the machine may use it while photos are indexed.
NICE = 5


class JobReporter:
    """Writes what the service is told of, progress no more than a few times a second."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._last = 0.0

    def progress(self, progress: JobProgress) -> None:
        """Say how far the job is."""
        now = time.monotonic()
        if now - self._last >= _PROGRESS_SECONDS or progress.done >= progress.total > 0:
            self._last = now
            self.say(progress=vars(progress))

    def say(self, **said: Any) -> None:
        """Write one line."""
        self._out.write(json.dumps(said) + "\n")
        self._out.flush()


def main() -> int:
    """Do one job; 0 when it is done, 1 when it failed, 130 when it was interrupted."""
    # What libraries print must not be taken for ours.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.nice(NICE)
    # Which is how the service cancels; one that was started in the background ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.basicConfig(level=logging.WARNING, format="facesearch job: %(message)s")
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_service, daemon=True).start()
    reporter = JobReporter(out)
    request = JobRequest(
        asked["gallery"], asked["kind"], asked["by"], asked["arguments"], f"job {asked['job']}"
    )
    try:
        reporter.say(result=_patiently(request, reporter))
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except (FacesearchError, IndexerError, OSError) as error:
        reporter.say(problem=_problem(str(error), "failed", 409))
    except Exception as error:
        logging.getLogger(__name__).exception("the job failed")
        text = f"An internal error ({type(error).__name__}: {error})."
        reporter.say(problem=_problem(text, "internal", 500))
    return 1


def _patiently(request: JobRequest, reporter: JobReporter) -> Mapping[str, Any]:
    """Do the work, after waiting for another process that writes to the gallery."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            return do_work(request, reporter.progress)
        except BusyGalleryError:
            if time.monotonic() > deadline:
                raise
            reporter.progress(
                JobProgress(0, 0, "", "waiting for another process that writes to the gallery")
            )
            time.sleep(_BUSY_PAUSE)


def _problem(detail: str, code: str, status: int) -> Mapping[str, Any]:
    return {"title": "The job failed", "status": status, "code": code, "detail": detail}


def _end_with_the_service() -> None:
    # Not the buffered stream: its lock would be held when the process ends.
    while os.read(0, 4096):
        pass
    _thread.interrupt_main()
    time.sleep(_GRACE_SECONDS)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
