"""A crash at the n-th change of a file, in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# By which files are forced to the disk, take their places, and vanish.
CHANGES = ("fsync", "replace", "rename", "link", "unlink", "rmdir")


class CrashError(BaseException):
    """As if the process had been killed: nothing in the program catches it."""


@contextmanager
def crashing(at: int | None) -> Iterator[None]:
    """Raise :class:`CrashError` at the ``at``-th change of a file, and at every one after it.

    So what clears up after an error changes nothing any more, as after a kill. None: never.
    """
    real = {name: getattr(os, name) for name in CHANGES}
    seen = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*args: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            if at is not None and seen > at:
                raise CrashError
            return change(*args, **named)

        return changing

    try:
        for name, change in real.items():
            setattr(os, name, counted(change))
        yield
    finally:
        for name, change in real.items():
            setattr(os, name, change)
