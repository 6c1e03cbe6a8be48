"""Choices that bytes make: what a fuzzer changes in them changes one choice after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class ByteSource:
    """Numbers and choices from ``data``, from its first byte on; zeros where it has ended."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def more(self) -> bool:
        """Whether bytes are left."""
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken + bytes(count - len(taken))

    def below(self, limit: int) -> int:
        """A number from 0 to before ``limit``."""
        return int.from_bytes(self.take((limit - 1).bit_length() // 8 + 1), "big") % limit

    def choice(self, items: Sequence[Item]) -> Item:
        """One of ``items``."""
        return items[self.below(len(items))]

    def rest(self) -> bytes:
        """All that is left."""
        rest, self._at = self._data[self._at :], len(self._data)
        return rest
