"""What a SQLite file holds beside its rows: bytes that nothing refers to any more.

SQLite's file format (https://www.sqlite.org/fileformat2.html), section 1.5 of which has the list of
free pages and section 1.6 the pages of B-trees with their cells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"SQLite format 3\0"
_HEADER = 100
_TABLE_INTERIOR, _INDEX_INTERIOR, _TABLE_LEAF, _INDEX_LEAF = 5, 2, 13, 10
_LEAST_CELL = 4  # what every cell takes at least


def leftovers(data: bytes) -> Iterator[bytes]:
    """The bytes of the database file ``data`` that are in no row, in pieces.

    These are free pages, pages of no known kind (such as those of values too large for one page),
    and what lies in other pages between their cells. Of a page that is damaged, all of it.
    """
    pages = _Pages.of(data)
    if pages is None:
        yield data
        return
    free = pages.free()
    for number in range(1, pages.count + 1):
        page = pages.at(number)
        yield from [page] if number in free else pages.beside_cells(number)
    yield data[pages.count * pages.size :]


@dataclass(frozen=True)
class _Pages:
    """A database file by its pages, which count from 1."""

    data: bytes
    size: int
    usable: int

    @classmethod
    def of(cls, data: bytes) -> _Pages | None:
        """The pages of ``data``; None where its header makes no sense."""
        if not data.startswith(MAGIC) or len(data) < _HEADER:
            return None
        size = int.from_bytes(data[16:18], "big")
        size = 1 << 16 if size == 1 else size
        if size < 512 or size & (size - 1) or size - data[20] < 480:
            return None
        return cls(data, size, size - data[20])

    @property
    def count(self) -> int:
        return len(self.data) // self.size

    def at(self, number: int) -> bytes:
        return self.data[(number - 1) * self.size : number * self.size]

    def free(self) -> set[int]:
        """The numbers of the pages in the list of free ones, as far as it can be followed."""
        found: set[int] = set()
        trunk = int.from_bytes(self.data[32:36], "big")
        while 0 < trunk <= self.count and trunk not in found:
            page = self.at(trunk)
            found.add(trunk)
            leaves = min(int.from_bytes(page[4:8], "big"), (self.usable - 8) // 4)
            found |= {_number(page, 8 + 4 * leaf) for leaf in range(leaves)}
            trunk = _number(page, 0)
        return found

    def beside_cells(self, number: int) -> Iterator[bytes]:
        """What of a page is neither its header nor a cell."""
        page, start = self.at(number), _HEADER if number == 1 else 0
        kind = page[start]
        if kind not in (_TABLE_INTERIOR, _INDEX_INTERIOR, _TABLE_LEAF, _INDEX_LEAF):
            yield page
            return
        cells = int.from_bytes(page[start + 3 : start + 5], "big")
        pointers = start + (12 if kind in (_TABLE_INTERIOR, _INDEX_INTERIOR) else 8)
        end = pointers + 2 * cells
        if end > len(page):
            yield page
            return
        places = sorted(int.from_bytes(page[at : at + 2], "big") for at in range(pointers, end, 2))
        for place in places:
            if place < end:  # cells that lie over each other, or over the header: damage
                yield page
                return
            yield page[end:place]
            end = place + max(_LEAST_CELL, self._cell_size(page, place, kind))
        yield page[end:] if end <= len(page) else page

    def _cell_size(self, page: bytes, start: int, kind: int) -> int:
        """How many bytes of the page the cell at ``start`` takes (section 1.6)."""
        at = start + (4 if kind in (_TABLE_INTERIOR, _INDEX_INTERIOR) else 0)
        payload, at = _varint(page, at)
        if kind == _TABLE_INTERIOR:  # the number was the key
            return at - start
        if kind == _TABLE_LEAF:
            _, at = _varint(page, at)
        return at - start + self._held(payload, kind)

    def _held(self, payload: int, kind: int) -> int:
        """How much of a payload lies in the page itself, with the number of where it goes on."""
        usable = self.usable
        most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if payload <= most:
            return payload
        least = (usable - 12) * 32 // 255 - 23
        held = least + (payload - least) % (usable - 4)
        return 4 + (held if held <= most else least)


def _number(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "big")


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, and where it ends; the ninth byte counts whole."""
    value = 0
    for count, byte in enumerate(page[at : at + 9], 1):
        if count == 9:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            return value, at + count
    return value, len(page)
