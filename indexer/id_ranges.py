"""Ascending ids in little memory: face ids of a gallery come in long runs without a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.types import Ids


@dataclass(frozen=True)
class IdRanges:
    """Ids in runs: that of row ``rows[i]`` is ``ids[i]``, and both go on by ones from there.

    ``rows`` and ``ids`` int64 (runs,) ascend; the last run ends at row ``count``.
    """

    rows: Ids
    ids: Ids
    count: int

    @classmethod
    def of(cls, ids: Ids) -> IdRanges:
        """The runs of ``ids`` int64 (n,); ValueError unless they ascend, each once, from 0 on."""
        steps = np.diff(ids)
        if len(ids) and (ids[0] < 0 or (steps <= 0).any()):
            raise ValueError("expected ids of 0 or more that ascend, each once; sort them")
        begins = np.ones(len(ids), bool)
        begins[1:] = steps != 1
        starts = np.flatnonzero(begins)
        return cls(starts, ids[starts], len(ids))

    @classmethod
    def joined(cls, parts: list[IdRanges]) -> IdRanges:
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
        ends = self._ends
        if self.rows[0] != 0 or (self._lengths < 1).any():
            raise ValueError("expected runs that ascend from row 0")
        if self.ids[0] < 0 or (ends < self.ids).any() or (self.ids[1:] < ends[:-1]).any():
            raise ValueError("expected ids of 0 or more that ascend, each once")

    @property
    def _lengths(self) -> Ids:
        return np.diff(self.rows, append=self.count)

    @property
    def _ends(self) -> Ids:
        """The id after the last of each run."""
        return self.ids + self._lengths

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
        there = (beyond >= 0) & (beyond < self._lengths[run])
        return np.where(there, self.rows[run] + beyond, -1)

    def without(self, other: IdRanges) -> IdRanges:
        """Those of the ids that ``other`` has not."""
        after = np.concatenate([np.zeros(1, np.int64), other._ends])
        before = np.append(other.ids, np.iinfo(np.int64).max)
        # Gap i between the runs of other goes from after[i] up to before[i]. A run of these meets
        # the gaps that end after it begins and begin before it ends.
        first = np.searchsorted(before, self.ids, side="right")
        meets = np.searchsorted(after, self._ends, side="left") - first
        run = np.repeat(np.arange(len(meets)), meets)
        gap = np.arange(len(run)) + np.repeat(first - (np.cumsum(meets) - meets), meets)
        starts = np.maximum(self.ids[run], after[gap])
        lengths = np.minimum(self._ends[run], before[gap]) - starts
        starts, lengths = starts[lengths > 0], lengths[lengths > 0]
        return IdRanges(np.cumsum(lengths) - lengths, starts, int(lengths.sum()))

    def all(self) -> Ids:
        """Every id, ascending, int64 (count,)."""
        return self.at(np.arange(self.count))
