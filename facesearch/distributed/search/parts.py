"""Parts of a gallery: ranges of shards, and the exact index of one in the memory of one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.gallery.gallery import Gallery, GalleryState
from indexer.id_ranges import IdRanges
from indexer.index.flat import FlatIndex
from indexer.types import Ids, Neighbours, Vectors, make_ids, split_ids


@dataclass(frozen=True, order=True)
class ShardRange:
    """Shards from number ``first`` up to, not with, ``end``."""

    first: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.end:
            raise ValueError(f"expected a range of shards, got {self.first} up to {self.end}")

    def __str__(self) -> str:
        return f"shards {self.first} to {self.end - 1}"


def cut_ranges(live: Mapping[int, NDArray[np.int64]], parts: int) -> tuple[ShardRange, ...]:
    """``parts`` ranges of about equally many faces, from shard 0 to the last of ``live``.

    ``live`` maps shard numbers to rows of faces. With fewer shards than parts some are empty.
    """
    if parts < 1:
        raise ValueError(f"expected at least 1 part, got {parts}")
    numbers = sorted(live)
    counts = np.cumsum([0, *(len(live[number]) for number in numbers)])
    last = numbers[-1] + 1 if numbers else 0
    ends = [0]
    for part in range(1, parts):
        at = int(np.searchsorted(counts, counts[-1] * part / parts))
        ends.append(max(ends[-1], numbers[at] if at < len(numbers) else last))
    ends.append(last)
    return tuple(ShardRange(first, end) for first, end in pairwise(ends))


@dataclass(frozen=True)
class GalleryPart:
    """The live faces of a range of shards, for whoever is to search them; plain data.

    ``faces`` are their ids, in some bytes a shard where few were forgotten.
    """

    folder: Path
    shards: ShardRange
    faces: IdRanges

    @classmethod
    def of(cls, gallery: Gallery, state: GalleryState, shards: ShardRange) -> GalleryPart:
        """That of a gallery in a folder that all searchers see."""
        parts = [
            IdRanges.of(make_ids(number, rows))
            for number, rows in sorted(state.live.items())
            if shards.first <= number < shards.end
        ]
        return cls(gallery.folder.resolve(), shards, IdRanges.joined(parts))

    def index_bytes(self) -> int:
        """Memory of the index."""
        dimension = Gallery.open(self.folder).contract.dimension
        return self.faces.count * (4 * dimension + 8)

    def open(self) -> PartIndex:
        """The index, in 4 bytes for each component of each face, and 8 bytes for its id.

        Raises GalleryError and ShardError where the gallery cannot be read, ChangedGalleryError
        where faces were forgotten meanwhile.
        """
        gallery = Gallery.open(self.folder)
        numbers, rows = split_ids(self.faces.all())
        starts = np.flatnonzero(np.append(True, np.diff(numbers) != 0)[: len(numbers)])
        pieces = np.split(rows, starts[1:]) if len(rows) else []
        live = dict(zip(numbers[starts].tolist(), pieces, strict=True))
        return PartIndex(FlatIndex.build(gallery.live_blocks(live), gallery.contract.dimension))


class PartIndex:
    """An exact index of one part; for one thread at a time."""

    def __init__(self, index: FlatIndex) -> None:
        self._index = index

    def __len__(self) -> int:
        return len(self._index)

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.brute_force.exact_search` over the faces of the part."""
        return self._index.search(queries, k)

    def hide(self, ids: Ids) -> int:
        """Never find ``ids`` again; how many faces are left."""
        if len(ids):
            self._index.hide(ids)
        return len(self._index)
