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
from facesearch.distributed.indexing.blocks import BLOCK_BYTES, PhotoBlock
from facesearch.embed_stages import EmbedReport
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.leases import ShardAttempt, ShardLeases

logger = logging.getLogger(__name__)

LEASED = 64  # numbers of shards at a time
TRIES = 3  # of a block alone on a worker, before one of its photos is thought to kill workers
ERRORS = 3  # of a block, in files or folders, before the job ends with the last


@dataclass(frozen=True)
class BlockOrder:
    """A block given to a worker, and where it goes.

    ``tries`` counts this try and those before that count. ``errors`` were met before. A block that
    must be ``alone`` shares its worker with no other: workers died of it, or beside it.
    """

    block: PhotoBlock
    attempt: ShardAttempt
    tries: int = 1
    errors: int = 0
    alone: bool = False


@dataclass(frozen=True)
class LostBlock:
    """A block whose worker died, and what is known of that.

    Unless it was ``alone`` there, another block may be at fault.
    """

    order: BlockOrder
    reason: str
    alone: bool = True


@dataclass(frozen=True)
class FailedBlock:
    """A block whose worker could not use a file or folder, and lives on."""

    order: BlockOrder
    error: OSError


@dataclass(frozen=True)
class FinishedBlock:
    """A block whose worker answered."""

    order: BlockOrder
    report: EmbedReport


EndedBlock = FinishedBlock | FailedBlock | LostBlock


class BlockWorkers(Protocol):
    """Workers on this machine or others; each order ends as finished, failed or lost."""

    @property
    def most_orders(self) -> int:
        """How many orders all workers have at once, if all are there."""
        ...

    def has_room(self) -> bool:
        """Whether one more order would find a worker."""
        ...

    def start(self, order: BlockOrder) -> None:
        """Give an order to a worker."""
        ...

    def release(self) -> None:
        """Let workers go that no order needs: no other is there to be started."""
        ...

    def wait(self) -> EndedBlock:
        """The next order to end; raises what else a worker raised, which ends the job."""
        ...


@dataclass(frozen=True)
class _Waiting:
    """A block to be tried; ``number`` is that of the shard, if it was tried before."""

    block: PhotoBlock
    number: int | None = None
    tries: int = 0
    errors: int = 0
    alone: bool = False


class BlockDispatcher:
    """Runs a job's blocks on ``workers``, for the ``gallery``'s writer.

    Orders are given for at most ``ahead_bytes`` of files at once; by default, as many as the blocks
    have that all workers can hold.
    """

    def __init__(
        self, gallery: Gallery, workers: BlockWorkers, ahead_bytes: int | None = None
    ) -> None:
        self._gallery = gallery
        self._workers = workers
        self._leases = ShardLeases(gallery.folder, gallery.shards_folder, LEASED)
        most = BLOCK_BYTES * workers.most_orders
        self._ahead_bytes = most if ahead_bytes is None else ahead_bytes
        self._again: deque[_Waiting] = deque()
        self._running = 0
        self._bytes = 0

    def run(self, blocks: Iterator[PhotoBlock]) -> Iterator[EmbedReport]:
        """A report for each block, in the order in which they end."""
        while True:
            while self._has_room():
                if (waiting := self._next(blocks)) is None:
                    self._workers.release()
                    break
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
            elif isinstance(ended, FailedBlock):
                self._failed(order, ended.error)
            else:
                logger.warning("a worker was lost (%s); its photos are tried again", ended.reason)
                yield from self._lost(order, ended.alone)

    def _has_room(self) -> bool:
        within = self._bytes < self._ahead_bytes or not self._running
        return within and self._workers.has_room()

    def _next(self, blocks: Iterator[PhotoBlock]) -> _Waiting | None:
        if self._again:
            return self._again.popleft()
        block = next(blocks, None)
        return None if block is None else _Waiting(block)

    def _start(self, waiting: _Waiting) -> None:
        order = BlockOrder(
            waiting.block,
            self._leases.attempt(waiting.number),
            waiting.tries + 1,
            waiting.errors,
            waiting.alone,
        )
        self._workers.start(order)
        self._running += 1
        self._bytes += waiting.block.bytes

    def _failed(self, order: BlockOrder, error: OSError) -> None:
        """Try a block again that met an error, which may be of that machine or moment."""
        if order.errors + 1 >= ERRORS:
            raise error
        logger.warning("a worker met an error (%s); its photos are tried again", error)
        again = _Waiting(
            order.block, order.attempt.number, order.tries - 1, order.errors + 1, order.alone
        )
        self._again.append(again)

    def _lost(self, order: BlockOrder, alone: bool) -> Iterator[EmbedReport]:
        """Try a block again, alone; one that keeps killing workers in halves, down to the photo.

        A try beside another block does not count, as that one may have killed the worker.
        """
        number = order.attempt.number
        tries = order.tries if alone else order.tries - 1
        if tries < TRIES:
            self._again.append(_Waiting(order.block, number, tries, order.errors, alone=True))
        elif len(order.block) > 1:
            first, second = order.block.halves()
            self._again.append(_Waiting(first, number, alone=True))
            self._again.append(_Waiting(second, alone=True))
        else:
            attempt = self._leases.attempt(number)
            detail = f"its worker died at each of {TRIES} tries"
            yield write_failure(self._gallery, order.block.tasks[0], attempt, detail)
            attempt.end()
