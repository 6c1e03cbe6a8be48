"""Very many byte strings in little memory: their bytes end to end, and where each begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ByteStrings:
    """String i is ``data[offsets[i]:offsets[i + 1]]``.

    ``offsets`` int64 (n + 1,) rise from 0 to the length of ``data`` uint8.
    """

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]

    def __post_init__(self) -> None:
        offsets = self.offsets
        rising = len(offsets) and offsets[0] == 0 and not (np.diff(offsets) < 0).any()
        if not rising or offsets[-1] != len(self.data):
            raise ValueError(f"expected offsets that rise from 0 to {len(self.data)}")

    @classmethod
    def of(cls, values: Sequence[bytes]) -> ByteStrings:
        """These strings."""
        lengths = np.fromiter(map(len, values), np.int64, len(values))
        return cls(_offsets(lengths), np.frombuffer(b"".join(values), np.uint8))

    @classmethod
    def joined(cls, parts: Sequence[ByteStrings]) -> ByteStrings:
        """All strings of ``parts`` after each other."""
        lengths = [each.lengths for each in parts]
        return cls(
            _offsets(np.concatenate([np.zeros(0, np.int64), *lengths])),
            np.concatenate([np.zeros(0, np.uint8), *(each.data for each in parts)]),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        data = self.data.tobytes()
        return (data[start:end] for start, end in pairwise(self.offsets.tolist()))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Bytes of each, int64 (n,)."""
        return np.diff(self.offsets)

    def only(self, kept: NDArray[np.bool_]) -> ByteStrings:
        """Those with ``kept`` (n,), in order."""
        changes = np.flatnonzero(np.diff(kept, prepend=False, append=False))  # starts and ends
        bounds = self.offsets[changes].reshape(-1, 2).tolist()
        runs = [self.data[start:end] for start, end in bounds]
        return ByteStrings(
            _offsets(self.lengths[kept]), np.concatenate([np.zeros(0, np.uint8), *runs])
        )

    def equal(self, value: bytes) -> NDArray[np.bool_]:
        """Which of them are ``value``, (n,)."""
        same: NDArray[np.bool_] = self.lengths == len(value)
        for place, byte in enumerate(value):
            rows = np.flatnonzero(same)
            same[rows] = self.data[self.offsets[rows] + place] == byte
        return same

    def not_utf8(self) -> NDArray[np.bool_]:
        """Which of them are not UTF-8, (n,)."""
        starts = self.data[self.offsets[:-1][self.lengths > 0]]
        # All are, if together they are and none begins within a character.
        if not (starts & 0xC0 == 0x80).any() and _is_utf8(self.data.tobytes()):
            return np.zeros(len(self), bool)
        return np.fromiter((not _is_utf8(value) for value in self), bool, len(self))


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
