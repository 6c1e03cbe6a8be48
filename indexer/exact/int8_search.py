"""Exact search that reads bytes instead of floats, and is certain of its answer.

Products of the gallery's bytes bound each distance from below (:mod:`indexer.exact.int8_codes`);
what the bound cannot exclude is measured and ranked by what :func:`exact_search` uses, so the
answers are its, to the last bit and tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.exact.brute_force import TopK, exact_search
from indexer.exact.distances import check_dimension, check_queries, pair_distances, slack
from indexer.exact.int8_codes import MOST_COMPONENTS, OFFSET, GalleryCodes, QueryCodes
from indexer.exact.int8_kernel import LANES
from indexer.exact.int8_screen import (
    LEAST_LIMIT,
    NO_LIMIT,
    ROWS,
    WIDTH,
    ScreenPairs,
    ScreenQueries,
    ScreenRows,
    screen,
)
from indexer.runtime.cores import available_cores
from indexer.types import Block, Ids, Neighbours, Vectors, check_unit_vectors

_QUERIES = 252  # together: their codes stay in the first cache
_PAIRS = 2**17
_CHECKED = 8192
_WORTH_CODES = 512  # queries for which making codes pays


def is_available(dimension: int) -> bool:
    """Whether this processor has the instructions, and so many components fit the sums."""
    return LANES > 0 and dimension <= MOST_COMPONENTS


class CertifiedSearch:
    """All vectors in memory, and as bytes; searched by bytes first.

    Takes ``bytes_each`` of memory a vector beside the vectors, which are not copied.
    """

    def __init__(
        self, ids: Ids, vectors: NDArray[np.floating[Any]], threads: int | None = None
    ) -> None:
        """``ids`` int64 (n,), distinct and not negative; ``vectors`` (n, d), unit length.

        Searches take ``threads``, by default as many as there are cores to use. Raises
        InvalidVectorsError for other vectors, RuntimeError where :func:`is_available` is not true.
        """
        check_gallery(ids, vectors)
        if not is_available(vectors.shape[1]):
            raise RuntimeError(
                f"expected a processor with AVX2 and at most {MOST_COMPONENTS} components, got "
                f"{vectors.shape[1]} and vectors of {LANES} lanes; use exact_search"
            )
        self._ids = ids
        self._vectors = vectors
        self._threads = threads or available_cores()
        # Kept: threads that are started for a single query take as long as its search.
        self._pool = ThreadPoolExecutor(self._threads)
        self._codes: GalleryCodes | None = None
        if len(ids):
            self._codes = GalleryCodes.build(vectors, ROWS, self._pool)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def bytes_each(self) -> int:
        """Memory that the codes take for each vector; 0 for an empty gallery."""
        return self._codes.bytes_each if self._codes else 0

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.brute_force.exact_search`, and equal to it.

        Raises InvalidVectorsError for queries that cannot be compared, ValueError for k that is
        not in [1, MAX_NEIGHBOURS].
        """
        check_queries(queries, k)
        check_dimension(queries, self._vectors.shape[1])
        best = TopK.none(len(queries), k)
        if self._codes and len(queries):
            for rows, found in self._parts(self._codes, queries, k):
                best.add(np.repeat(rows, k), found.ids.ravel(), found.distances.ravel())
        return best.neighbours()

    def _parts(
        self, codes: GalleryCodes, queries: Vectors, k: int
    ) -> Iterator[tuple[Ids, Neighbours]]:
        """Rows of queries with their best of a part of the gallery."""
        components = codes.projection(queries)
        # Those that one step fits together.
        order = np.argsort(np.abs(components).max(axis=1))
        blocks = np.array_split(order, -(-len(order) // _QUERIES))
        # Too few blocks to keep all threads busy: they share each.
        shares = 1 if len(blocks) % self._threads == 0 else self._threads
        bounds = np.linspace(0, codes.tiles, shares + 1).astype(int).tolist()

        def nearest(task: tuple[Ids, int, int]) -> tuple[Ids, Neighbours]:
            rows, first, last = task
            encoded = codes.encode_queries(components[rows])
            block = _prepare(codes, encoded, np.ascontiguousarray(queries[rows]), k)
            return rows, self._nearest(codes, block, first, last)

        tasks = [(rows, first, last) for rows in blocks for first, last in pairwise(bounds)]
        yield from self._pool.map(nearest, tasks)

    def _nearest(
        self, codes: GalleryCodes, block: ScreenQueries, first: int, last: int
    ) -> Neighbours:
        """The best of tiles ``first`` to ``last`` for a block of queries."""
        stored = self._vectors
        bits = stored.view(np.uint16) if stored.dtype == np.float16 else stored
        rows = ScreenRows(codes.packed, codes.terms, bits)
        best = TopK.none(*block.nearest.shape)
        room = ScreenPairs.room(max(_PAIRS, 2 * ROWS * len(block.vectors)))
        while first < last:
            first, count, _ = screen(rows, block, room, first, last)
            within = block.nearest[:, 0][room.query[:count]] + 2 * block.slack
            kept = np.flatnonzero(room.distance[:count] <= within)
            query, row = room.query[kept], room.row[kept]
            best.add(query, self._ids[row], pair_distances(block.vectors, stored, query, row))
        return best.neighbours()


def search_blocks(
    blocks: Iterable[Block], queries: Vectors, k: int, threads: int | None = None
) -> Neighbours:
    """As :func:`exact_search` over ``blocks``, whose codes are made for this search.

    Faster where there are many queries; with few, or on a processor that cannot, that is what does
    it. Memory is bounded by a block. Raises as it does.
    """
    check_queries(queries, k)
    if len(queries) < _WORTH_CODES or not is_available(queries.shape[1]):
        return exact_search(blocks, queries, k)
    best = TopK.none(len(queries), k)
    for block in blocks:
        found = CertifiedSearch(block.ids, block.vectors, threads).search(queries, k)
        query = np.repeat(np.arange(len(queries)), k)
        best.add(query, found.ids.ravel(), found.distances.ravel())
    return best.neighbours()


def check_gallery(ids: Ids, vectors: NDArray[np.floating[Any]]) -> None:
    """Raise InvalidVectorsError unless these are ids int64 (n,) of float32 or float16 (n, d)."""
    if vectors.dtype not in {np.dtype(np.float32), np.dtype(np.float16)} or vectors.ndim != 2:
        raise InvalidVectorsError(
            f"expected vectors float32 or float16 (n, d), got {vectors.dtype} {vectors.shape}"
        )
    if ids.dtype != np.int64 or ids.shape != vectors.shape[:1]:
        raise InvalidVectorsError(
            f"expected ids int64 ({len(vectors)},), one a vector, got {ids.dtype} {ids.shape}"
        )
    for first in range(0, len(vectors), _CHECKED):
        check_unit_vectors(vectors[first : first + _CHECKED])


def _prepare(codes: GalleryCodes, encoded: QueryCodes, queries: Vectors, k: int) -> ScreenQueries:
    """What the kernel needs of a block of queries."""
    count = len(queries)
    width = WIDTH if count > 1 else 1
    limits = np.full(-(-count // width) * width, NO_LIMIT, np.int32)
    limits[:count] = LEAST_LIMIT
    whole = encoded.codes.astype(np.float64)
    return ScreenQueries(
        codes=encoded.packed(width),
        vectors=queries,
        nearest=np.full((count, k), np.inf, np.float32),
        limits=limits,
        squares=encoded.step**2 * np.square(whole).sum(axis=1),
        reaches=encoded.residuals + codes.residual,
        shifts=OFFSET * whole.sum(axis=1),
        scale=1 / (2 * codes.step * encoded.step),
        ratio=codes.step / encoded.step,
        slack=slack(queries.shape[1]),
    )
