"""Timestamps that go on where those of a file start again, as in files that were joined."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

# Frames that a coder may send before those shown earlier: times that go back by less are no join.
_MOST_REORDERED = 16
_USUAL_RATE = 25


class Timeline:
    """Moves the timestamps of packets, in ticks of ``time_base`` seconds, that come in file order.

    Where they go back by more than a second, and by more than coders reorder frames, another file
    begins: its packets follow those before by one frame of ``rate``. ``joins`` are the ticks from
    which on the frames of the second, third, ... file are shown.
    """

    def __init__(self, time_base: Fraction | None, rate: Fraction | None) -> None:
        base = time_base or Fraction(1, 1_000_000)
        self._frame = max(1, round(1 / (base * (rate or _USUAL_RATE))))
        self._tolerance = max(round(1 / base), _MOST_REORDERED * self._frame)
        self._offset = 0
        self._before = 0  # when the packet before is decoded
        self._latest: int | None = None  # of all times; None before the first packet
        self.joins: list[int] = []

    def place(self, packet: Any) -> None:
        """Move the timestamps of an av.Packet, the next of the file."""
        stamps = [each for each in (packet.dts, packet.pts) if each is not None]
        if not stamps:
            return
        decoded, latest = stamps[0] + self._offset, self._latest
        if latest is not None and decoded < self._before - self._tolerance:
            self.joins.append(latest + self._frame)
            self._offset = self.joins[-1] - min(stamps)
        self._before = stamps[0] + self._offset
        ends = max(stamps) + self._offset
        self._latest = ends if latest is None else max(latest, ends)
        if self._offset:
            packet.dts, packet.pts = (
                None if each is None else each + self._offset for each in (packet.dts, packet.pts)
            )
