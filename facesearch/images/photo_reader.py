"""Photos read one at a time, as safely as many are: in a worker process, which is kept."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Generator
from functools import cache
from pathlib import Path

from facesearch.errors import PhotoError
from facesearch.images.decode_pool import DecodeOutcome, DecodeTask, decode_photos
from facesearch.images.file_access import irregular, refusal
from facesearch.images.remote.addresses import is_remote
from facesearch.images.types import DecodedPhoto, FoundPhoto


class PhotoReader:
    """Decodes photos for whoever asks, one after the other, within the limits of a job."""

    def __init__(self, max_side: int | None, timeout: float = 60.0) -> None:
        self._max_side = max_side
        self._timeout = timeout
        self._tasks: deque[DecodeTask] = deque()
        self._outcomes: Generator[DecodeOutcome, None, None] | None = None
        self._lock = threading.Lock()

    def read(self, photo: Path) -> DecodedPhoto:
        """``photo``, upright; raises PhotoError where it cannot be read, or not within the limits.

        A photo that takes longer than the timeout (seconds), or more memory than a worker may
        have, has the reason "timeout".
        """
        if is_remote(photo):
            return self._photo(DecodeTask(FoundPhoto(photo.parent, photo.name, 0, 0)))
        try:
            found = photo.stat()
        except OSError as error:
            raise PhotoError("unreadable", refusal(error)) from error
        if problem := irregular(found.st_mode):
            raise PhotoError("unreadable", problem)
        where = Path(os.path.abspath(photo))  # noqa: PTH100 - resolve() would follow links
        return self._photo(DecodeTask(FoundPhoto.of(where.parent, where.name, found)))

    def _photo(self, task: DecodeTask) -> DecodedPhoto:
        with self._lock:
            outcome = self._decoded(task)
        if outcome.photo is None:
            raise PhotoError(outcome.reason, outcome.detail)
        return outcome.photo

    def _decoded(self, task: DecodeTask) -> DecodeOutcome:
        self._tasks.append(task)
        if self._outcomes is None:
            tasks = iter(self._tasks.popleft, None)  # one is there whenever one is asked for
            self._outcomes = decode_photos(
                tasks, workers=1, max_side=self._max_side, timeout=self._timeout, ahead=1
            )
        try:
            return next(self._outcomes)
        except BaseException:
            self._outcomes = None
            self._tasks.clear()
            raise


@cache
def photo_reader(max_side: int | None) -> PhotoReader:
    """The reader of this process that decodes to ``max_side`` pixels."""
    return PhotoReader(max_side)
