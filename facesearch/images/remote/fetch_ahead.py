"""Objects fetched by threads before they are decoded: in order, a bounded number of bytes ahead."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from itertools import count
from pathlib import Path

from facesearch.errors import InputError, PhotoError
from facesearch.images.decode import DEFAULT_LIMITS
from facesearch.images.decode_pool import DecodeTask
from facesearch.images.remote.addresses import is_remote
from facesearch.images.remote.objects import read_object

THREADS = 16
AHEAD = 64  # objects
AHEAD_BYTES = 256 * 2**20


def fetched(
    tasks: Iterable[DecodeTask], ahead: int = AHEAD, ahead_bytes: int = AHEAD_BYTES
) -> Iterator[DecodeTask]:
    """``tasks`` in order, those of objects with a local copy, or with the error there was.

    At most ``ahead`` objects, and ``ahead_bytes`` or one object, are fetched before they are taken.
    Whoever decodes a copy removes it; those left are removed when the iterator ends.
    """
    with ExitStack() as stack:
        fetcher: _Fetcher | None = None
        waiting: deque[tuple[DecodeTask, Future[DecodeTask] | None]] = deque()
        remaining, held, exhausted = iter(tasks), 0, False
        while True:
            while not exhausted and len(waiting) < ahead and (held < ahead_bytes or not waiting):
                task = next(remaining, None)
                if task is None:
                    exhausted = True
                elif task.found.error or not is_remote(task.found.root):
                    waiting.append((task, None))
                    break  # a local photo has nothing to wait for
                else:
                    fetcher = fetcher or stack.enter_context(_Fetcher())
                    waiting.append((task, fetcher.start(task)))
                    held += task.found.size
            if not waiting:
                return
            task, future = waiting.popleft()
            if future is None:
                yield task
            else:
                held -= task.found.size
                yield future.result()


class _Fetcher:
    """Threads, and a temporary folder for the copies."""

    def __init__(self) -> None:
        self._numbers = count()

    def __enter__(self) -> _Fetcher:
        self._folder = tempfile.TemporaryDirectory(prefix="facesearch-")
        self._pool = ThreadPoolExecutor(THREADS, "fetch")
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._folder.cleanup()

    def start(self, task: DecodeTask) -> Future[DecodeTask]:
        copy = Path(self._folder.name) / str(next(self._numbers))
        return self._pool.submit(_fetch, task, copy)


def _fetch(task: DecodeTask, copy: Path) -> DecodeTask:
    found = task.found
    try:
        data = read_object(str(found.location), DEFAULT_LIMITS.file_bytes, found.size)
        copy.write_bytes(data)
    except PhotoError as error:
        if error.reason != "unreadable":
            return task  # decoding says the same of it
        return replace(task, found=replace(found, error=error.detail))
    except (OSError, InputError) as error:
        return replace(task, found=replace(found, error=str(error)))
    return replace(task, copy=copy)
