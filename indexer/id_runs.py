"""Ascending ids in little memory: face ids of a gallery come in long runs without a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.types import Ids


@dataclass(frozen=True)
class IdRuns:
    """Ids in runs: that of row ``rows[i]`` is ``ids[i]``, and both go on by ones from there.

    ``rows`` and ``ids`` int64 (runs,) ascend; the last run ends at row ``count``.
    """

    rows: Ids
    ids: Ids
    count: int

    @classmethod
    def of(cls, ids: Ids) -> IdRuns:
        """The runs of ``ids`` int64 (n,); ValueError unless they ascend, each once, from 0 on."""
        if len(ids) and (ids[0] < 0 or (np.diff(ids) <= 0).any()):
            raise ValueError("expected ids of 0 or more that ascend, each once; sort them")
        starts = np.flatnonzero(np.diff(ids, prepend=-2) != 1)
        return cls(starts.astype(np.int64), ids[starts], len(ids))

    @classmethod
    def joined(cls, parts: list[IdRuns]) -> IdRuns:
        """Runs of parts after each other; ValueError unless all ids ascend."""
        offsets = np.cumsum([0, *(part.count for part in parts)])
        rows = [part.rows + offset for part, offset in zip(parts, offsets, strict=False)]
        runs = cls(
            np.concatenate([*rows, np.zeros(0, np.int64)]),
            np.concatenate([*(part.ids for part in parts), np.zeros(0, np.int64)]),
            int(offsets[-1]),
        )
        runs.check()
        return runs

    def check(self) -> None:
        """Raise ValueError unless ids ascend, each once, from 0 on, and every row has one."""
        if len(self.rows) != len(self.ids) or (len(self.rows) > 0) != (self.count > 0):
            raise ValueError("expected runs of rows and ids, as many of one as of the other")
        if not self.count:
            return
        lengths = np.diff(self.rows, append=self.count)
        ends = self.ids + lengths  # of runs: the id after the last
        if self.rows[0] != 0 or (lengths < 1).any():
            raise ValueError("expected runs that ascend from row 0")
        if self.ids[0] < 0 or (ends < self.ids).any() or (self.ids[1:] < ends[:-1]).any():
            raise ValueError("expected ids of 0 or more that ascend, each once")

    def at(self, rows: Ids) -> Ids:
        """The ids of ``rows``, of any shape, in [0, count)."""
        run = np.searchsorted(self.rows, rows, side="right") - 1
        result: Ids = self.ids[run] + (rows - self.rows[run])
        return result

    def find(self, ids: Ids) -> Ids:
        """The rows of ``ids`` int64 (n,); -1 where there is no such id."""
        if not self.count:
            return np.full(ids.shape, -1, np.int64)
        run = np.maximum(np.searchsorted(self.ids, ids, side="right") - 1, 0)
        beyond = ids - self.ids[run]
        lengths = np.diff(self.rows, append=self.count)
        there = (beyond >= 0) & (beyond < lengths[run])
        return np.where(there, self.rows[run] + beyond, -1)

    def all(self) -> Ids:
        """Every id, ascending, int64 (count,)."""
        return self.at(np.arange(self.count))
