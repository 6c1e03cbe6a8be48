"""Replicas of parts in threads of this process, which a test can kill."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from facesearch.distributed.ray_runtime import ClusterError
from facesearch.distributed.search.parts import GalleryPart
from facesearch.distributed.search.replicas import PartReplica, ThreadReplica
from indexer.types import Ids, Neighbours, Vectors


@dataclass
class Machines:
    """Opens replicas in threads of this process, and kills them."""

    opened: list[MortalReplica] = field(default_factory=list)
    full: bool = False

    def make(self, part: GalleryPart) -> PartReplica:
        if self.full:
            raise ClusterError("no machine has room")
        self.opened.append(MortalReplica(part))
        return self.opened[-1]

    def alive(self) -> list[MortalReplica]:
        return [each for each in self.opened if not each.is_closed and not each.is_dead]


class MortalReplica:
    """A replica that a test can kill."""

    def __init__(self, part: GalleryPart) -> None:
        self.part = part
        self.inner = ThreadReplica(part.open)
        self.is_dead = False
        self.is_closed = False

    def search(self, queries: Vectors, k: int) -> Future[Neighbours]:
        return self._of(self.inner.search(queries, k))

    def hide(self, ids: Ids) -> Future[int]:
        return self._of(self.inner.hide(ids))

    def close(self) -> None:
        self.is_closed = True
        self.inner.close()

    def _of(self, answer: Future) -> Future:
        if not self.is_dead:
            return answer
        failed: Future = Future()
        failed.set_exception(RuntimeError("the machine is gone"))
        return failed
