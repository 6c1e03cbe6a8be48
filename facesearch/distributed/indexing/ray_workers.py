"""Workers as Ray actors: they hold the engine, and are started as there is work for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.dispatch import BlockOrder, FinishedBlock, LostBlock
from facesearch.distributed.ray_runtime import ClusterError
from facesearch.images import DecodeTask

# While one block is sealed the next is decoded; and workers never wait for the driver.
ORDERS = 2  # of a worker at once
LOST_STARTS = 20  # workers lost one after the other, with no block done: the cluster is at fault
_DIGESTED = 256  # photos at a time


class RayWorkers:
    """At most ``count`` actors, each on ``cores`` cores and ``gpus`` GPUs.

    A lost one is replaced by a new one wherever there is room. Closing ends them all.
    """

    def __init__(
        self, ray: Any, writer: BlockWriter, count: int, *, cores: float, gpus: float = 0
    ) -> None:
        self._ray = ray
        self._count = count
        # The writer travels once, however many actors there will be.
        self._writer = ray.put(writer)
        self._actor = ray.remote(_WriterActor).options(
            num_cpus=cores,
            num_gpus=gpus,
            max_concurrency=ORDERS,
            max_restarts=0,
            max_task_retries=0,
        )
        self._loads: dict[Any, int] = {}
        self._orders: dict[Any, tuple[BlockOrder, Any]] = {}
        self._lost = 0

    def __enter__(self) -> RayWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._loads:
            self._ray.kill(actor)
        self._loads.clear()

    def has_room(self) -> bool:
        """Whether one more order would find a worker."""
        return len(self._orders) < ORDERS * self._count

    def start(self, order: BlockOrder) -> None:
        """Give an order to the worker with the fewest, or to a new one."""
        actor = min(self._loads, key=self._loads.__getitem__, default=None)
        if actor is None or (self._loads[actor] and len(self._loads) < self._count):
            actor = self._actor.remote(self._writer)
            self._loads[actor] = 0
        self._loads[actor] += 1
        self._orders[actor.write.remote(order.block, order.attempt)] = (order, actor)

    def wait(self) -> FinishedBlock | LostBlock:
        """The next order to end; raises what a worker raised."""
        (reference, *_), _ = self._ray.wait(list(self._orders), num_returns=1)
        order, actor = self._orders.pop(reference)
        try:
            report = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause or error) from error
        except self._ray.exceptions.RayError as error:
            self._loads.pop(actor, None)
            self._count_loss(error)
            return LostBlock(order, type(error).__name__)
        self._lost = 0
        if actor in self._loads:
            self._loads[actor] -= 1
        return FinishedBlock(order, report)

    def digests(self, tasks: Sequence[DecodeTask]) -> list[str]:
        """The SHA-256 of each photo, read by tasks on the whole cluster."""
        compute = self._ray.remote(_digests)
        parts = [
            compute.remote(self._writer, tasks[start : start + _DIGESTED])
            for start in range(0, len(tasks), _DIGESTED)
        ]
        return [digest for part in self._ray.get(parts) for digest in part]

    def _count_loss(self, error: Exception) -> None:
        self._lost += 1
        if self._lost >= LOST_STARTS:
            raise ClusterError(
                f"{self._lost} workers were lost one after the other, and no block was done; the "
                f"last: {error}; look at their memory, then run the command again, which goes on "
                "where it stopped"
            ) from error


class _WriterActor:
    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer

    def write(self, block: Any, attempt: Any) -> Any:
        return self._writer.write(block, attempt)


def _digests(writer: BlockWriter, tasks: Sequence[DecodeTask]) -> list[str]:
    return writer.digests(tasks)
