"""Work that is done now and then beside something else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facesearch.errors import FacesearchError
from indexer.errors import IndexerError

logger = logging.getLogger(__name__)


@contextmanager
def repeated(work: Callable[[], None], every: float, failure: str) -> Iterator[None]:
    """Call ``work`` each ``every`` seconds, in a thread, until the context ends.

    Where it raises an error of this project's, or of the system, ``failure`` is logged with it, and
    the next call comes in its time.
    """
    done = threading.Event()

    def until_done() -> None:
        while not done.wait(every):
            try:
                work()
            except (FacesearchError, IndexerError, OSError) as error:
                logger.warning("%s: %s", failure, error)

    thread = threading.Thread(target=until_done, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
