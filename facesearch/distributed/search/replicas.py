"""Who answers for a part: a thread, a process, or a Ray actor, each with an index of its faces.

All answer by futures, finish what they were asked before they close, and fail where they died.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Protocol

from facesearch.distributed.ray_runtime import ClusterError
from facesearch.distributed.search.parts import PartIndex
from indexer.types import Ids, Neighbours, Vectors

OpenPart = Callable[[], PartIndex]


class PartReplica(Protocol):
    """One of those who answer for a part."""

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        """The nearest in the part."""
        ...

    def hide(self, ids: Ids) -> Future[int]:
        """Leave faces out of every later answer; how many are left."""
        ...

    def close(self) -> None:
        """Take no more questions; those asked before are answered."""
        ...


class ThreadReplica:
    """An index in this process, and the one thread that asks it."""

    def __init__(self, open_part: OpenPart) -> None:
        self._index = open_part()
        self._pool = ThreadPoolExecutor(1, "part")

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        """The nearest in the part."""
        return self._pool.submit(self._index.search, queries, k)

    def hide(self, ids: Ids) -> Future[int]:
        """Leave faces out of every later answer; how many are left."""
        return self._pool.submit(self._index.hide, ids)

    def close(self) -> None:
        """Take no more questions; those asked before are answered."""
        self._pool.shutdown(wait=False)


class ProcessReplica:
    """An index in a process of this machine; ``open_part`` is sent there."""

    def __init__(self, open_part: OpenPart) -> None:
        # Not forked: threads of this process may hold locks that would never be released there.
        context = multiprocessing.get_context("spawn")
        self._pool: Executor = ProcessPoolExecutor(
            1, mp_context=context, initializer=_open, initargs=(open_part,)
        )
        self.pid = self._pool.submit(_pid).result()

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        """The nearest in the part."""
        return self._pool.submit(_search, queries, k)

    def hide(self, ids: Ids) -> Future[int]:
        """Leave faces out of every later answer; how many are left."""
        return self._pool.submit(_hide, ids)

    def close(self) -> None:
        """Take no more questions; those asked before are answered."""
        self._pool.shutdown(wait=False)


class RayReplica:
    """An index in a Ray actor on ``cores`` cores, wherever the cluster has room for ``memory``.

    ``memory`` is in bytes; the actor is there once it has opened its part. ClusterError is raised
    where it cannot, or has not within ``seconds``.
    """

    def __init__(
        self,
        ray: Any,
        open_part: OpenPart,
        *,
        cores: float = 1,
        memory: int = 0,
        seconds: float | None = None,
    ) -> None:
        actor = ray.remote(_PartActor).options(num_cpus=cores, memory=memory or None)
        self.actor = actor.remote(open_part)
        try:
            self.pid = int(ray.get(self.actor.pid.remote(), timeout=seconds))
        except ray.exceptions.GetTimeoutError as error:
            ray.kill(self.actor)
            raise ClusterError(
                f"expected an actor with its part within {seconds:g} s, got none; see whether the "
                "cluster has room: ray status"
            ) from error
        except ray.exceptions.RayError as error:
            raise ClusterError(f"an actor could not open its part: {error}") from error

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        """The nearest in the part."""
        answer: Future[Neighbours] = self.actor.search.remote(queries, k).future()
        return answer

    def hide(self, ids: Ids) -> Future[int]:
        """Leave faces out of every later answer; how many are left."""
        answer: Future[int] = self.actor.hide.remote(ids).future()
        return answer

    def close(self) -> None:
        """Take no more questions; those asked before are answered."""
        self.actor.__ray_terminate__.remote()


class _PartActor:
    def __init__(self, open_part: OpenPart) -> None:
        self._index = open_part()

    def pid(self) -> int:
        return _pid()

    def search(self, queries: Vectors, k: int) -> Neighbours:
        return self._index.search(queries, k)

    def hide(self, ids: Ids) -> int:
        return self._index.hide(ids)


_OPENED: list[PartIndex] = []  # of a process of ProcessReplica


def _open(open_part: OpenPart) -> None:
    _OPENED.append(open_part())


def _pid() -> int:
    return os.getpid()


def _search(queries: Vectors, k: int) -> Neighbours:
    return _OPENED[0].search(queries, k)


def _hide(ids: Ids) -> int:
    return _OPENED[0].hide(ids)
