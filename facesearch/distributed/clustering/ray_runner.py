"""Partitions as objects of a Ray cluster, and each step of one as a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cluster.partitioned.runner import Handle


class RayRunner:
    """Runs steps as tasks on ``cores`` cores each; ``memory`` is what one takes, in bytes.

    Values stay in the cluster's object store, which spills to disk what does not fit. A lost node's
    values are computed again from those they were made of.
    """

    def __init__(self, ray: Any, *, cores: float = 1, memory: int = 0) -> None:
        self._ray = ray
        self._options: dict[str, Any] = {"num_cpus": cores}
        if memory:
            self._options["memory"] = memory
        self._tasks: dict[Callable[..., Any], Any] = {}

    def put(self, value: Any) -> Handle:
        """A handle of a value that many calls will need."""
        return self._ray.put(value)

    def call(self, function: Callable[..., Any], *arguments: Any, count: int = 1) -> list[Handle]:
        """Handles of the ``count`` values that ``function`` gives, as a tuple if several."""
        task = self._tasks.get(function)
        if task is None:
            task = self._tasks[function] = self._ray.remote(**self._options)(function)
        made = task.options(num_returns=count).remote(*arguments)
        return [made] if count == 1 else list(made)

    def get(self, handles: Sequence[Handle]) -> list[Any]:
        """The values of handles, once they are there."""
        return list(self._ray.get(list(handles)))
