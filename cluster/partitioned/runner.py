"""Where the work of partitions is done: here, or wherever else a runner has it done.

A handle stands for a value that may be elsewhere. Functions are of modules and take and give plain
data, so a runner may send them to other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Handle = Any


class PartitionRunner(Protocol):
    """Runs functions on handles."""

    def put(self, value: Any) -> Handle:
        """A handle of a value that many calls will need."""
        ...

    def call(self, function: Callable[..., Any], *arguments: Any, count: int = 1) -> list[Handle]:
        """Handles of the ``count`` values that ``function`` gives, as a tuple if several.

        Arguments that are handles arrive as their values.
        """
        ...

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        """The values of handles, once they are there."""
        ...


class LocalRunner:
    """Runs each call at once in this thread; a handle is the value itself."""

    def put(self, value: Any) -> Handle:
        """The value."""
        return value

    def call(self, function: Callable[..., Any], *arguments: Any, count: int = 1) -> list[Handle]:
        """The values that ``function`` gives."""
        made = function(*arguments)
        return [made] if count == 1 else list(made)

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        """The values."""
        return list(handles)
