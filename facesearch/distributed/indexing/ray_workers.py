"""Workers as Ray actors: they hold the engine, and are started as there is work for them."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.dispatch import (
    BlockOrder,
    EndedBlock,
    FailedBlock,
    FinishedBlock,
    LostBlock,
)
from facesearch.distributed.ray_runtime import ClusterError
from facesearch.images import DecodeTask

logger = logging.getLogger(__name__)

# While one block is sealed the next is decoded; and workers never wait for the driver.
ORDERS = 2  # of a worker at once
LOST_STARTS = 20  # workers lost one after the other, with no block done: the cluster is at fault
NOTED_SECONDS = 30.0  # that workers wait for room before it is said
_DIGESTED = 256  # photos at a time


class RayWorkers:
    """At most ``count`` actors, each on ``cores`` cores and ``gpus`` GPUs.

    Orders are given only to actors that have answered. Those that wait for room in the cluster hold
    up nothing, as the orders they would get go to whoever is idle. As many actors are asked for as
    the cluster had ``room`` for, and beyond that as many again as work, so that a cluster that
    scales itself adds machines. A lost actor is replaced wherever there is room. Closing ends all.
    """

    def __init__(
        self,
        ray: Any,
        writer: BlockWriter,
        count: int,
        *,
        cores: float,
        gpus: float = 0,
        room: int = 1,
    ) -> None:
        self._ray = ray
        self._count = count
        self._room = room
        # The writer travels once, however many actors there will be.
        self._writer = ray.put(writer)
        self._actor = ray.remote(PhotoWorker).options(
            num_cpus=cores,
            num_gpus=gpus,
            max_concurrency=ORDERS,
            max_restarts=0,
            max_task_retries=0,
        )
        self._starting: dict[Any, Any] = {}  # actors, by their first call
        self._working: dict[Any, dict[Any, BlockOrder]] = {}  # orders of each actor, by their call
        self._calls: dict[Any, Any] = {}  # actors, by the calls of all orders
        self._queue: deque[BlockOrder] = deque()
        self._ended: deque[LostBlock] = deque()
        self._failed: dict[int, set[Any]] = {}  # actors that met errors, by the shard's number
        self._lost = 0
        self._changed = time.monotonic()
        self._noted = (0, 0)

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in (*self._starting.values(), *self._working):
            self._ray.kill(actor)
        self._starting.clear()
        self._working.clear()

    @property
    def most_orders(self) -> int:
        """How many orders all workers have at once, if all are there."""
        return ORDERS * self._count

    def has_room(self) -> bool:
        """Whether one more order would find a worker, or one that is asked for."""
        return len(self._calls) + len(self._queue) < ORDERS * self._wanted()

    def start(self, order: BlockOrder) -> None:
        """Give an order to the worker with the fewest, or to the next that has none."""
        self._queue.append(order)
        self._give()

    def release(self) -> None:
        """Let workers go that no order needs, so that their machines can go too."""
        for call in list(self._starting)[len(self._queue) :]:
            self._ray.kill(self._starting.pop(call))
        if self._queue:
            return
        for actor in [actor for actor, orders in self._working.items() if not orders]:
            del self._working[actor]
            self._ray.kill(actor)

    def wait(self) -> EndedBlock:
        """The next order to end; raises what else a worker raised."""
        while not self._ended:
            self._give()
            # Those that start are first, lest they wait behind many others that end.
            calls = [*self._starting, *self._calls]
            done, _ = self._ray.wait(calls, num_returns=1, timeout=NOTED_SECONDS)
            self._note_waiting()
            if done and done[0] in self._starting:
                self._start_work(done[0])
            elif done:
                return self._end(done[0])
        return self._ended.popleft()

    def digests(self, tasks: Sequence[DecodeTask]) -> Iterator[str]:
        """The SHA-256 of each photo, read by tasks on the whole cluster."""
        # Workers have all the cores, and reading takes little of one.
        compute = self._ray.remote(_digests).options(
            num_cpus=0, scheduling_strategy="SPREAD", name="facesearch: digests of photos"
        )
        parts: deque[Any] = deque()
        for start in range(0, len(tasks), _DIGESTED):
            if len(parts) == self._count:  # no cores bound them
                yield from self._ray.get(parts.popleft())
            parts.append(compute.remote(self._writer, tasks[start : start + _DIGESTED]))
        for part in parts:
            yield from self._ray.get(part)

    def _wanted(self) -> int:
        """How many workers should be there or be asked for."""
        working = len(self._working)
        return min(self._count, max(self._room, 2 * working, 1))

    def _give(self) -> None:
        """Give orders in turn to those that can have them, and ask for workers for the others."""
        while self._queue and (actor := self._free(self._queue[0])) is not None:
            order = self._queue.popleft()
            # Also the name of the process meanwhile.
            name = f"PhotoWorker: shard {order.attempt.number}, {len(order.block)} photos"
            call = actor.write.options(name=name).remote(order.block, order.attempt)
            self._calls[call] = actor
            self._working[actor][call] = order
        missing = self._wanted() - len(self._working) - len(self._starting)
        for _ in range(min(missing, len(self._queue) - len(self._starting))):
            actor = self._actor.remote(self._writer)
            self._starting[actor.ready.remote()] = actor
            self._changed = time.monotonic()

    def _free(self, order: BlockOrder) -> Any:
        """A worker for the next order; None where it has to wait, and all behind it."""
        failed = self._failed.get(order.attempt.number, set())
        others = [actor for actor in self._working if actor not in failed]
        able = [
            actor
            for actor in others or self._working
            if not any(each.alone for each in self._working[actor].values())
        ]
        actor = min(able, key=lambda each: len(self._working[each]), default=None)
        orders = len(self._working[actor]) if actor is not None else ORDERS
        # A second order only while each worker that starts will find one.
        second = not order.alone and len(self._queue) > len(self._starting)
        return actor if orders == 0 or (orders < ORDERS and second) else None

    def _start_work(self, call: Any) -> None:
        """Note that an actor has answered, or was lost before."""
        actor = self._starting.pop(call)
        self._changed = time.monotonic()
        try:
            self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            self._ray.kill(actor)
            self._count_loss(error)
        else:
            self._working[actor] = {}

    def _end(self, call: Any) -> EndedBlock:
        """What became of an order."""
        actor = self._calls[call]
        try:
            report = self._ray.get(call)
        except self._ray.exceptions.RayTaskError as error:
            order = self._taken_back(call)
            if not isinstance(error.cause, OSError):
                raise (error.cause or error) from error
            self._failed.setdefault(order.attempt.number, set()).add(actor)
            return FailedBlock(order, error.cause)
        except self._ray.exceptions.RayError as error:
            self._lose(actor, error)
            return self._ended.popleft()
        self._lost = 0
        order = self._taken_back(call)
        self._failed.pop(order.attempt.number, None)
        return FinishedBlock(order, report)

    def _taken_back(self, call: Any) -> BlockOrder:
        return self._working[self._calls.pop(call)].pop(call)

    def _lose(self, actor: Any, error: Exception) -> None:
        """Note that an actor was lost, with all its orders, as any may be what it died of."""
        orders = [self._taken_back(call) for call in list(self._working[actor])]
        del self._working[actor]
        self._ray.kill(actor)  # one that is only out of reach would keep its cores
        reason = type(error).__name__
        self._ended.extend(LostBlock(order, reason, len(orders) == 1) for order in orders)
        self._count_loss(error)

    def _count_loss(self, error: Exception) -> None:
        self._lost += 1
        if self._lost >= LOST_STARTS:
            raise ClusterError(
                f"{self._lost} workers were lost one after the other, and no block was done; the "
                f"last: {error}; look at their memory, then run the command again, which goes on "
                "where it stopped"
            ) from error

    def _note_waiting(self) -> None:
        """Say that workers wait for room: once, but again and again while nobody works."""
        now = len(self._working), len(self._starting)
        new = now != self._noted or not self._working
        if self._starting and new and time.monotonic() - self._changed >= NOTED_SECONDS:
            logger.warning(
                "%d workers work, %d wait for room in the cluster; what takes it is shown by: "
                "ray status",
                *now,
            )
            self._noted, self._changed = now, time.monotonic()


class PhotoWorker:
    """The actor; Ray's dashboard and the list of processes show its name."""

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer

    def ready(self) -> None:
        """Answer, which it cannot before it has room."""

    def write(self, block: Any, attempt: Any) -> Any:
        """Embed and seal a block."""
        return self._writer.write(block, attempt)


def _digests(writer: BlockWriter, tasks: Sequence[DecodeTask]) -> list[str]:
    return writer.digests(tasks)
