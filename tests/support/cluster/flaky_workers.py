"""Workers in this process that die, hang and come back, as a test asks for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.dispatch import (
    TRIES,
    BlockOrder,
    FinishedBlock,
    LostBlock,
)
from facesearch.images import DecodeTask
from indexer.errors import StorageError

DONE, BEFORE, AFTER, ZOMBIE = "done", "dies before", "dies after", "comes back"


class FlakyWorkers:
    """Two workers in this process; ``fates`` says what becomes of each order, in order.

    A zombie is reported lost, and does its work when the next order has ended.
    """

    def __init__(self, writer: BlockWriter, fates: list[str], killers: frozenset[str]) -> None:
        self.writer = writer
        self.fates = iter(fates)
        self.killers = killers  # photos that kill the worker at each try
        self.orders: deque[BlockOrder] = deque()
        self.zombies: list[BlockOrder] = []
        self.stopped_zombies = 0
        self.released = 0

    most_orders = 2

    def has_room(self) -> bool:
        return len(self.orders) < 2

    def start(self, order: BlockOrder) -> None:
        self.orders.append(order)

    def release(self) -> None:
        self.released += 1

    def wait(self) -> FinishedBlock | LostBlock:
        order = self.orders.popleft()
        zombies, self.zombies = self.zombies, []
        for zombie in zombies:
            self._come_back(zombie)
        fate = next(self.fates, DONE)
        if order.tries == TRIES:
            fate = DONE  # beyond that a photo is a failure, which another test is about
        if any(task.found.name in self.killers for task in order.block.tasks):
            fate = BEFORE
        if fate == ZOMBIE:
            self.zombies.append(order)
        if fate in (BEFORE, ZOMBIE):
            return LostBlock(order, fate)
        report = self.writer.write(order.block, order.attempt)
        return LostBlock(order, fate) if fate == AFTER else FinishedBlock(order, report)

    def digests(self, tasks: Sequence[DecodeTask]) -> list[str]:
        return self.writer.digests(tasks)

    def _come_back(self, order: BlockOrder) -> None:
        try:
            self.writer.write(order.block, order.attempt)
        except (StorageError, FileNotFoundError):
            self.stopped_zombies += 1
