"""Blocks handed to workers that may die, until each is sealed exactly once.

The photo log is the truth: a block is done when its shard is sealed, whatever became of the worker
and of its answer. A try is ended before the next begins (:mod:`facesearch.gallery.shards.leases`),
so a worker that was only thought lost seals nothing any more.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from facesearch.distributed.indexing.block_writer import sealed_report, write_failure
from facesearch.distributed.indexing.blocks import PhotoBlock
from facesearch.embed_stages import EmbedReport
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.leases import ShardAttempt, ShardLeases

logger = logging.getLogger(__name__)

LEASED = 64  # numbers of shards at a time
TRIES = 3  # of a block, before one of its photos is thought to kill workers
AHEAD_BYTES = 2**35  # of photos' files, that workers have at once


@dataclass(frozen=True)
class BlockOrder:
    """A block given to a worker, which try it is, and where it goes."""

    block: PhotoBlock
    attempt: ShardAttempt
    tries: int = 1


@dataclass(frozen=True)
class LostBlock:
    """A block whose worker died, and what is known of that."""

    order: BlockOrder
    reason: str


@dataclass(frozen=True)
class FinishedBlock:
    """A block whose worker answered."""

    order: BlockOrder
    report: EmbedReport


class BlockWorkers(Protocol):
    """Workers on this machine or others; each order ends as finished or lost."""

    def has_room(self) -> bool:
        """Whether one more order would find a worker."""
        ...

    def start(self, order: BlockOrder) -> None:
        """Give an order to a worker."""
        ...

    def wait(self) -> FinishedBlock | LostBlock:
        """The next order to end; raises what a worker raised, which ends the job."""
        ...


@dataclass(frozen=True)
class _Waiting:
    """A block to be tried; ``number`` is that of the shard, if it was tried before."""

    block: PhotoBlock
    number: int | None = None
    tries: int = 0


class BlockDispatcher:
    """Runs a job's blocks on ``workers``, for the ``gallery``'s writer."""

    def __init__(
        self, gallery: Gallery, workers: BlockWorkers, ahead_bytes: int = AHEAD_BYTES
    ) -> None:
        self._gallery = gallery
        self._workers = workers
        self._leases = ShardLeases(gallery.folder, gallery.shards_folder, LEASED)
        self._ahead_bytes = ahead_bytes
        self._again: deque[_Waiting] = deque()
        self._running = 0
        self._bytes = 0

    def run(self, blocks: Iterator[PhotoBlock]) -> Iterator[EmbedReport]:
        """A report for each block, in the order in which they end."""
        while True:
            while self._has_room() and (waiting := self._next(blocks)) is not None:
                self._start(waiting)
            if not self._running:
                return
            ended = self._workers.wait()
            order = ended.order
            self._running -= 1
            self._bytes -= order.block.bytes
            sealed = order.attempt.end()
            if isinstance(ended, FinishedBlock):
                yield ended.report
            elif sealed:
                yield sealed_report(order.block, order.attempt.path)
            else:
                logger.warning("a worker was lost (%s); its photos are tried again", ended.reason)
                yield from self._lost(order)

    def _has_room(self) -> bool:
        within = self._bytes < self._ahead_bytes or not self._running
        return within and self._workers.has_room()

    def _next(self, blocks: Iterator[PhotoBlock]) -> _Waiting | None:
        if self._again:
            return self._again.popleft()
        block = next(blocks, None)
        return None if block is None else _Waiting(block)

    def _start(self, waiting: _Waiting) -> None:
        attempt = self._leases.attempt(waiting.number)
        self._workers.start(BlockOrder(waiting.block, attempt, waiting.tries + 1))
        self._running += 1
        self._bytes += waiting.block.bytes

    def _lost(self, order: BlockOrder) -> Iterator[EmbedReport]:
        """Try a block again; one that keeps killing workers in halves, down to the photo."""
        number = order.attempt.number
        if order.tries < TRIES:
            self._again.append(_Waiting(order.block, number, order.tries))
        elif len(order.block) > 1:
            first, second = order.block.halves()
            self._again.extend((_Waiting(first, number), _Waiting(second)))
        else:
            attempt = self._leases.attempt(number)
            detail = f"its worker died at each of {TRIES} tries"
            yield write_failure(self._gallery, order.block.tasks[0], attempt, detail)
            attempt.end()
