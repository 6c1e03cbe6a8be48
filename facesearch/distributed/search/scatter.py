"""A query asked of every part of a gallery, and the answers merged: equal to one exact index.

Each part answers for a range of shards, by any of its replicas. One that fails is replaced by the
next at once, one that is slow is raced by the next (Dean and Barroso 2013, "The tail at scale",
hedged requests). What nobody answers for is named in the result: no answer looks whole that is not.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace

import numpy as np

from facesearch.distributed.search.parts import ShardRange
from facesearch.distributed.search.replicas import PartReplica
from facesearch.search.partial import PartialSearchError
from indexer.exact.distances import check_queries, nearest_first
from indexer.types import Ids, Neighbours, Vectors

_FORGETS = 0.2  # how much the newest time counts among those that answers took


@dataclass(frozen=True)
class SearchPart:
    """A range of shards and those who answer for it, each with all of its faces."""

    shards: ShardRange
    replicas: tuple[PartReplica, ...]


@dataclass(frozen=True)
class ScatterResult:
    """The nearest among the parts that answered, and the ranges of those that did not."""

    neighbours: Neighbours
    missing: tuple[ShardRange, ...]

    @property
    def complete(self) -> bool:
        """Whether every part answered."""
        return not self.missing

    def require_complete(self) -> Neighbours:
        """The nearest in all parts; raises PartialSearchError where some are missing."""
        if self.missing:
            raise PartialSearchError(self.missing)
        return self.neighbours


class ScatterSearch:
    """Searches ``parts``, whose ranges must not overlap; thread-safe.

    A part has ``seconds`` to answer. Where a replica takes more than ``patience`` seconds, and
    twice what parts took lately, the next is asked as well, and the first answer counts.
    """

    def __init__(
        self, parts: Sequence[SearchPart], *, patience: float = 0.2, seconds: float = 10.0
    ) -> None:
        if not patience > 0 or not seconds > 0:
            raise ValueError(f"expected times above 0 s, got {patience:g} and {seconds:g}")
        self._parts = _checked(parts)
        self._least_patience = patience
        self._usual = 0.0  # seconds that answers took lately, a mean that forgets
        self._seconds = seconds
        self._turns = itertools.count()
        self._suspects: set[PartReplica] = set()  # failed or slow since they last answered
        self._changing = threading.Lock()

    @property
    def parts(self) -> tuple[SearchPart, ...]:
        """The parts as they are now, by range."""
        return self._parts

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.brute_force.exact_search` over all parts, or an error.

        Raises PartialSearchError where a part does not answer, and as ``exact_search`` does.
        """
        return self.search_parts(queries, k).require_complete()

    def search_parts(self, queries: Vectors, k: int) -> ScatterResult:
        """The ``k`` nearest of each of ``queries`` float32 (q, d), and which parts are missing."""
        check_queries(queries, k)
        turn = next(self._turns)
        asked = [
            _AskedPart(part.shards, self._ordered(part.replicas, turn)) for part in self._parts
        ]
        began = time.monotonic()
        self._ask(asked, queries, k)
        if all(each.answer is not None for each in asked):
            self._usual += _FORGETS * (time.monotonic() - began - self._usual)
        answers = [each.answer for each in asked if each.answer is not None]
        missing = tuple(each.shards for each in asked if each.answer is None)
        return ScatterResult(merged_neighbours(answers, len(queries), k), missing)

    def hide(self, ids: Ids) -> tuple[ShardRange, ...]:
        """Never find ``ids`` again; ranges that nobody answers for any more, if there are any.

        A replica that does not confirm it in time is given up, lest it shows what was forgotten.
        """
        with self._changing:
            confirmed, _ = self._asked_to_hide(ids)
            self._keep_only(confirmed)
            return tuple(part.shards for part in self._parts if not part.replicas)

    def drop_dead(self) -> int:
        """Give up the replicas that fail, but not those that are only slow; how many they were."""
        with self._changing:
            _, failed = self._asked_to_hide(np.zeros(0, np.int64))
            self._keep_only({*self._replicas} - failed)
            return len(failed)

    def fill(self, replicas: int, made: Callable[[ShardRange], PartReplica]) -> int:
        """Give each part so many replicas as ``made`` opens; how many were opened.

        Parts that nobody answers for come first. An error of ``made`` leaves the rest as it was.
        """
        opened = 0
        for least in range(replicas):
            for place, part in enumerate(self._parts):
                if len(part.replicas) <= least:
                    self._put(place, len(part.replicas), part.shards, made(part.shards))
                    opened += 1
        return opened

    def rebuild(
        self, ranges: Sequence[ShardRange], made: Callable[[ShardRange], PartReplica]
    ) -> None:
        """Replace each replica by a new one of ``ranges``, one after the other, without a gap.

        ``made`` opens a replica and returns once it can answer; the one that it replaces answers
        until then. ``ranges`` are those of the parts, the last of which may end later, with new
        shards. A part that nobody answers for gets one replica. An error of ``made`` leaves the
        rest as it was.
        """
        before = [part.shards for part in self._parts]
        same = [(each.first, each.end) for each in ranges[:-1]] == [
            (each.first, each.end) for each in before[:-1]
        ]
        if not same or len(ranges) != len(before) or (ranges and ranges[-1] < before[-1]):
            raise ValueError(
                f"expected the ranges of the parts, the last one perhaps longer, got "
                f"{', '.join(map(str, ranges))}; open another search for other parts"
            )
        for place, shards in enumerate(ranges):
            for number in range(max(1, len(self._parts[place].replicas))):
                self._put(place, number, shards, made(shards))

    def close(self) -> None:
        """Close all replicas; later searches miss every part."""
        with self._changing:
            parts = self._parts
            self._parts = tuple(replace(part, replicas=()) for part in parts)
        for part in parts:
            for each in part.replicas:
                each.close()

    @property
    def _patience(self) -> float:
        return max(self._least_patience, 2 * self._usual)

    @property
    def _replicas(self) -> list[PartReplica]:
        return [each for part in self._parts for each in part.replicas]

    def _asked_to_hide(self, ids: Ids) -> tuple[set[PartReplica], set[PartReplica]]:
        """Which replicas confirmed that they hide faces, and which failed; others are slow."""
        asked: dict[Future[int], PartReplica] = {}
        failed: set[PartReplica] = set()
        for each in self._replicas:
            try:
                asked[each.hide(ids)] = each
            except Exception:  # one whose process ended: by kind of replica
                failed.add(each)
        done, _ = wait(asked, timeout=self._seconds)
        confirmed = {asked[future] for future in done if future.exception() is None}
        return confirmed, failed | {asked[future] for future in done} - confirmed

    def _keep_only(self, kept: set[PartReplica]) -> None:
        """Close all replicas but those."""
        gone = [each for each in self._replicas if each not in kept]
        self._parts = tuple(
            replace(part, replicas=tuple(each for each in part.replicas if each in kept))
            for part in self._parts
        )
        self._suspects -= {*gone}
        for each in gone:
            each.close()

    def _put(self, place: int, number: int, shards: ShardRange, fresh: PartReplica) -> None:
        with self._changing:
            parts = list(self._parts)
            replicas = list(parts[place].replicas)
            old = replicas[number : number + 1]
            replicas[number : number + 1] = [fresh]
            parts[place] = SearchPart(shards, tuple(replicas))
            self._parts = tuple(parts)  # at once: a search sees the old or the new
            self._suspects -= {*old}
        for each in old:
            each.close()

    def _ordered(self, replicas: Sequence[PartReplica], turn: int) -> list[PartReplica]:
        """The order to ask in: each in turn, those that did not answer last."""
        start = turn % len(replicas) if replicas else 0
        rotated = [*replicas[start:], *replicas[:start]]
        return sorted(rotated, key=lambda each: each in self._suspects)

    def _ask(self, asked: list[_AskedPart], queries: Vectors, k: int) -> None:
        end = time.monotonic() + self._seconds
        for each in asked:
            each.ask_next(queries, k, self._patience)
        while waiting := [each for each in asked if each.is_open]:
            now = time.monotonic()
            for each in waiting:
                if each.next_at <= now:
                    self._suspects |= {*each.running.values()}
                    each.ask_next(queries, k, self._patience)
            if now >= end:
                self._suspects |= {r for each in waiting for r in each.running.values()}
                return
            until = min([end, *(each.next_at for each in waiting)])
            futures = [future for each in waiting for future in each.running]
            done, _ = wait(futures, timeout=until - now, return_when=FIRST_COMPLETED)
            for each in waiting:
                answered, failed = each.take(done)
                self._suspects -= {*answered}
                self._suspects |= {*failed}
                if failed and each.answer is None and not each.running:
                    each.ask_next(queries, k, self._patience)


@dataclass
class _AskedPart:
    """One part during one search: who is left to ask, and who was asked and has not answered."""

    shards: ShardRange
    left: list[PartReplica]
    running: dict[Future[Neighbours], PartReplica] = field(default_factory=dict)
    answer: Neighbours | None = None
    next_at: float = np.inf

    @property
    def is_open(self) -> bool:
        """Whether an answer may still come."""
        return self.answer is None and bool(self.running)

    def ask_next(self, queries: Vectors, k: int, patience: float) -> None:
        """Ask the next replica that takes the question; ``next_at`` is when to ask another."""
        while self.left:
            replica = self.left.pop(0)
            try:
                self.running[replica.search(queries, k)] = replica
            except Exception:  # a closed one, or one whose process ended: by kind of replica
                continue
            break
        self.next_at = time.monotonic() + patience if self.left else np.inf

    def take(self, done: set[Future[Neighbours]]) -> tuple[list[PartReplica], list[PartReplica]]:
        """Keep the first answer among ``done``; who answered and who failed."""
        answered, failed = [], []
        for future in [future for future in self.running if future in done]:
            replica = self.running.pop(future)
            if future.cancelled() or future.exception() is not None:
                failed.append(replica)
            else:
                answered.append(replica)
                self.answer = self.answer or future.result()
        return answered, failed


def merged_neighbours(answers: Sequence[Neighbours], queries: int, k: int) -> Neighbours:
    """The ``k`` nearest of several answers to the same queries, ties by id."""
    ids = np.full((queries, k), -1, np.int64)
    none = np.full((queries, k), np.inf, np.float32)
    return Neighbours(
        *nearest_first(
            np.concatenate([ids, *(each.ids for each in answers)], axis=1),
            np.concatenate([none, *(each.distances for each in answers)], axis=1),
            k,
        )
    )


def _checked(parts: Sequence[SearchPart]) -> tuple[SearchPart, ...]:
    ordered = tuple(sorted(parts, key=lambda part: part.shards))
    for one, two in itertools.pairwise(ordered):
        if one.shards.end > two.shards.first:
            raise ValueError(f"expected parts apart, got {one.shards} and {two.shards}")
    return ordered
