"""The pages of a TIFF: which one is the picture, and whether it is a camera's raw file.

TIFF 6.0 keeps pages in a chain of directories, and further ones (TIFF Technical Note 1) below
them. The first is a thumbnail in many a file: marked as reduced, or small beside another page of
the same shape.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION = 256, 257, 262, 274
_NEW_SUBFILE, _OLD_SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 255, 330, 50706
_RAW_PHOTOMETRICS = (32803, 34892)  # colour filter array, linear raw
_MOST_PAGES = 64
# What a directory may cost: a file may say that it has any number of entries, each of any length.
_TAGS = 400  # greater ones are of no interest here but for DNG's
_MOST_ENTRIES, _MOST_NUMBERS = 4096, 1 << 20
_THUMBNAIL_SIDE = 512
_SAME_SHAPE = 0.03
# The types of whole numbers, as struct has them.
_NUMBER_TYPES = {
    1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"
}  # fmt: skip


@dataclass(frozen=True)
class TiffPage:
    """One directory: where it is in the file, and the values of those tags that are numbers."""

    offset: int
    tags: Mapping[int, tuple[int, ...]]

    def number(self, tag: int, default: int) -> int:
        """The first value of ``tag`` if there is one, else ``default``."""
        values = self.tags.get(tag, ())
        return values[0] if values else default

    def numbers(self, tag: int) -> tuple[int, ...]:
        """All values of ``tag``."""
        return self.tags.get(tag, ())

    @property
    def size(self) -> tuple[int, int]:
        return self.number(WIDTH, 0), self.number(HEIGHT, 0)

    @property
    def is_reduced(self) -> bool:
        return bool(self.number(_NEW_SUBFILE, 0) & 1) or self.number(_OLD_SUBFILE, 1) == 2

    @property
    def is_raw(self) -> bool:
        """Whether the page, or the file that it heads, holds what a camera's sensor saw."""
        return self.number(PHOTOMETRIC, 0) in _RAW_PHOTOMETRICS or _DNG_VERSION in self.tags


@dataclass(frozen=True)
class TiffFile:
    """A TIFF in memory and its first pages, the chain before those below it."""

    data: bytes
    layout: Layout
    pages: tuple[TiffPage, ...]

    @classmethod
    def read(cls, stream: BinaryIO) -> TiffFile:
        """Of a damaged file the pages before the damage, perhaps none."""
        stream.seek(0)
        data = stream.read()
        layout = Layout.of(data)
        return cls(data, layout, _pages(data, layout))

    @property
    def is_raw(self) -> bool:
        """Whether the pixels of the picture are a camera's raw data."""
        return any(page.is_raw for page in self.pages)

    @property
    def picture(self) -> TiffPage | None:
        """The page to show: the first, unless it is a thumbnail of another. None: there is none."""
        if not self.pages:
            return None
        first = self.pages[0]
        if first.is_reduced or max(first.size) <= _THUMBNAIL_SIDE:
            full = [page for page in self.pages[1:] if _is_larger(page, first)]
            return max(full, key=lambda page: page.size[0] * page.size[1], default=first)
        return first

    def starting_with(self, page: TiffPage) -> bytes:
        """The file with ``page`` as its first."""
        place, kind = (8, "Q") if self.layout.is_big else (4, "I")
        offset = struct.pack(self.layout.order + kind, page.offset)
        return self.data[:place] + offset + self.data[place + len(offset) :]

    def with_page(self, tags: Mapping[int, Sequence[int]]) -> bytes:
        """The file with one page, which has these ``tags`` of whole numbers.

        It is a little-endian classic TIFF, which every reader reads: only bytes are in its pages.
        """
        padded = self.data + bytes(-len(self.data) % 2)
        beyond = len(padded) + 2 + 12 * len(tags) + 4
        entries, values = b"", b""
        for tag, numbers in sorted(tags.items()):
            packed = struct.pack(f"<{len(numbers)}I", *numbers)
            if len(numbers) > 1:
                place, values = struct.pack("<I", beyond + len(values)), values + packed
                packed = place
            entries += struct.pack("<HHI", tag, 4, len(numbers)) + packed
        page = struct.pack("<H", len(tags)) + entries + bytes(4) + values
        return b"II*\0" + struct.pack("<I", len(padded)) + padded[8:] + page


@dataclass(frozen=True)
class Layout:
    """How numbers are written: the byte order as in struct, and whether it is a BigTIFF."""

    order: str
    is_big: bool

    @classmethod
    def of(cls, data: bytes) -> Layout:
        return cls("<" if data[:2] == b"II" else ">", 43 in data[2:4])

    def unpack(self, form: str, data: bytes, at: int) -> tuple[int, ...]:
        """Raises struct.error where the data ends too early."""
        return struct.unpack_from(self.order + form, data, at)

    def directory(self, data: bytes, at: int) -> tuple[dict[int, tuple[int, ...]], int]:
        """The numbers of a directory by tag, and the place of the next; struct.error if cut."""
        count, entry, place = ("Q", "HHQ", "Q") if self.is_big else ("H", "HHI", "I")
        sizes = struct.calcsize(f"<{entry}"), struct.calcsize(f"<{place}")
        (entries,) = self.unpack(count, data, at)
        if entries > _MOST_ENTRIES:
            raise struct.error(f"a directory of {entries} entries")
        start = at + struct.calcsize(f"<{count}")
        tags = {}
        for number in range(entries):
            here = start + number * sum(sizes)
            tag, kind, length = self.unpack(entry, data, here)
            form = _NUMBER_TYPES.get(kind)
            if form is None or not (tag < _TAGS or tag == _DNG_VERSION) or length > _MOST_NUMBERS:
                continue
            values = here + sizes[0]
            if length * struct.calcsize(f"<{form}") > sizes[1]:
                (values,) = self.unpack(place, data, values)
            if values + length * struct.calcsize(f"<{form}") <= len(data):
                tags[tag] = self.unpack(f"{length}{form}", data, values)
        (following,) = self.unpack(place, data, start + entries * sum(sizes))
        return tags, following


def _is_larger(page: TiffPage, thumbnail: TiffPage) -> bool:
    (width, height), (small_width, small_height) = page.size, thumbnail.size
    if page.is_reduced or width * height <= small_width * small_height:
        return False
    if thumbnail.is_reduced:
        return True
    if min(small_width, small_height, width) <= 0 or width < 2 * small_width:
        return False
    return abs(height / width / (small_height / small_width) - 1) < _SAME_SHAPE


def _pages(data: bytes, layout: Layout) -> tuple[TiffPage, ...]:
    """Pages of the chain, then those that they have below them."""
    seen: set[int] = set()
    try:
        (first,) = layout.unpack("Q", data, 8) if layout.is_big else layout.unpack("I", data, 4)
    except struct.error:
        return ()
    chain = tuple(_chain(data, layout, first, seen))
    below = [offset for page in chain for offset in page.numbers(_SUB_DIRECTORIES)]
    return chain + tuple(
        page for offset in below[:_MOST_PAGES] for page in _chain(data, layout, offset, seen)
    )


def _chain(data: bytes, layout: Layout, offset: int, seen: set[int]) -> Iterator[TiffPage]:
    """The directories that follow each other from ``offset``, up to the first that is damaged."""
    while 0 < offset < len(data) and offset not in seen and len(seen) < _MOST_PAGES:
        seen.add(offset)
        try:
            tags, following = layout.directory(data, offset)
        except struct.error:
            return
        yield TiffPage(offset, tags)
        offset = following
