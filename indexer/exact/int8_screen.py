# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""All rows of a gallery against some queries: what the bound of the codes cannot exclude.

A pair that reaches its query's limit has its distance taken from the vectors, in float32; the k
least of these distances set the limit for what comes. Compiled, without Python's lock.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from indexer.exact.int8_kernel import BATCH, BYTES, LANES, SINGLE, make_screen
from indexer.runtime.numba_jit import jit, jit_fastmath
from indexer.types import Ids

ROWS = BATCH.rows
WIDTH = BATCH.queries
# A limit that every pair reaches, and one that none does: sums and terms are within 2^29 each.
LEAST_LIMIT = -(2**30)
NO_LIMIT = 2**31 - 1
_GREATEST_LIMIT = 2**29
_ALWAYS = 2.0**30  # a term that reaches any limit

_VECTORS = BATCH.vectors
_WAITING = 64  # pairs whose distances are taken together
_LINE = 64  # bytes of a cache line
_declared: Any = cgutils.get_or_insert_function
_screen_batch = make_screen(BATCH)
_screen_single = make_screen(SINGLE)


def _prefetch(typing_context: Any, array: Any, row: Any) -> Any:
    """For compiled code: have the cache fetch what ``array[row]`` (of a C-ordered array) holds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values = context.make_array(array)(context, builder, arguments[0])
        size = builder.extract_value(values.strides, 0)
        start = builder.ptrtoint(values.data, size.type)
        start = builder.add(start, builder.mul(size, arguments[1]))
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = _declared(builder.module, kind, "llvm.prefetch.p0")
        with cgutils.for_range_slice(builder, size.type(0), size, size.type(_LINE)) as (at, _):
            place = builder.inttoptr(builder.add(start, at), pointer)
            builder.call(function, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, row), generate


prefetch: Any = intrinsic(_prefetch)


def _single(typing_context: Any, number: Any) -> Any:
    """For compiled code: a float32 as it is, or that whose float16 has these bits (uint16)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        if number == types.float32:
            return value
        return builder.fpext(builder.bitcast(value, ir.HalfType()), ir.FloatType())

    return types.float32(number), generate


single: Any = intrinsic(_single)


class ScreenRows(NamedTuple):
    """A gallery: codes and terms of GalleryCodes, vectors float32 (n, d) or float16's bits.

    numba has no float16, so these are viewed as uint16.
    """

    codes: NDArray[np.uint8]
    terms: NDArray[np.float32]
    vectors: NDArray[Any]


class ScreenQueries(NamedTuple):
    """Some queries, and what is known of each.

    ``codes`` int8, packed by ``WIDTH`` of them or, for a single one, by 1; ``vectors`` float32
    (q, d); ``nearest`` float32 (q, k), heaps of the least quick distances so far, the greatest
    first. Codes reach farther than the vectors by ``reaches`` (q,) at most. With T the k-th
    distance so far, a pair is a candidate if::

        terms * ratio + products >= (squares - (sqrt(T) + reaches)^2) * scale + shifts

    ``limits`` int32 holds the right side, whole and in room for whole panels; products are those
    of the codes, which the kernel takes as they are stored, so ``shifts`` has the offset.
    """

    codes: NDArray[np.int8]
    vectors: NDArray[np.float32]
    nearest: NDArray[np.float32]
    limits: NDArray[np.int32]
    squares: NDArray[np.float64]
    reaches: NDArray[np.float64]
    shifts: NDArray[np.float64]
    scale: float
    ratio: float
    slack: float


class ScreenPairs(NamedTuple):
    """Room for pairs: rows of queries and of the gallery, and quick distances, each (p,)."""

    query: NDArray[np.int64]
    row: NDArray[np.int64]
    distance: NDArray[np.float32]

    @classmethod
    def room(cls, count: int) -> ScreenPairs:
        return cls(
            np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.float32)
        )


@jit
def screen(
    gallery: ScreenRows, queries: ScreenQueries, found: ScreenPairs, first: int, last: int
) -> tuple[int, int, int]:
    """Put in ``found`` the pairs of the queries with tiles ``first`` to ``last`` that may be best.

    These are all whose quick distance is not clearly beyond the k-th least so far. Returns the
    tile to go on with, where there might not be room for another, how many were found, and of how
    many the distance was taken.
    """
    tile_pairs = len(queries.vectors) * ROWS
    waits = np.empty((2, _WAITING), np.int64)
    terms = np.empty(ROWS, np.int32)
    bits = np.zeros(WIDTH * _VECTORS, np.int32)
    alone = len(queries.vectors) == 1
    width = 1 if alone else WIDTH
    steps = len(gallery.codes) // (len(gallery.terms) * BYTES)
    count = measured = 0
    for tile in range(first, last):
        if count + tile_pairs > len(found.row):
            return tile, count, measured
        _scale_terms(gallery.terms, tile * ROWS, queries.ratio, terms)
        at = tile * ROWS * steps * BYTES
        waiting = 0
        for start in range(0, len(queries.limits), width):
            place = start * steps * BYTES
            # Here and not in a function of its own: passing all this there would halve the speed.
            if alone:
                some = _screen_single(
                    gallery.codes, at, queries.codes, place, steps, terms, queries.limits, start,
                    bits,
                )  # fmt: skip
            else:
                some = _screen_batch(
                    gallery.codes, at, queries.codes, place, steps, terms, queries.limits, start,
                    bits,
                )  # fmt: skip
            if not some:
                continue
            for number in range(width * _VECTORS):
                mask = bits[number]
                row = tile * ROWS + number % _VECTORS * LANES
                while mask:
                    if mask & 1 and row < len(gallery.vectors):
                        if waiting == _WAITING:
                            count = _measure(gallery, queries, found, count, waits, waiting)
                            waiting = 0
                        prefetch(gallery.vectors, row)
                        waits[0, waiting], waits[1, waiting] = start + number // _VECTORS, row
                        waiting += 1
                        measured += 1
                    mask >>= 1
                    row += 1
        count = _measure(gallery, queries, found, count, waits, waiting)
    return last, count, measured


@jit
def _scale_terms(
    terms: NDArray[np.float32], first: int, ratio: float, scaled: NDArray[np.int32]
) -> None:
    """``scaled`` in the units of the queries' products, never rounded down."""
    for row in range(len(scaled)):
        scaled[row] = np.int32(min(np.ceil(terms[first + row] * ratio) + 1.0, _ALWAYS))


@jit
def _measure(
    gallery: ScreenRows,
    queries: ScreenQueries,
    found: ScreenPairs,
    count: int,
    waits: Ids,
    waiting: int,
) -> int:
    """Take the distances of the pairs that wait, keep those that may be best, lower the limits."""
    for pair in range(waiting):
        query, row = waits[0, pair], waits[1, pair]
        distance = _quick_distance(queries.vectors, query, gallery.vectors, row)
        nearest = queries.nearest[query]
        if distance <= nearest[0] + 2 * queries.slack:
            found.query[count] = query
            found.row[count] = row
            found.distance[count] = distance
            count += 1
        if distance < nearest[0]:
            _replace_greatest(nearest, distance)
            queries.limits[query] = _limit(queries, query)
    return count


@jit_fastmath
def _quick_distance(
    queries: NDArray[np.float32], query: int, vectors: NDArray[Any], row: int
) -> Any:
    """The squared distance in float32, in any order of summation."""
    total = np.float32(0)
    for component in range(queries.shape[1]):
        difference = queries[query, component] - single(vectors[row, component])
        total += difference * difference
    return total


@jit
def _replace_greatest(heap: NDArray[np.float32], value: Any) -> None:
    """Put ``value`` into a heap in place of its greatest, which comes first."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= len(heap):
            break
        if child + 1 < len(heap) and heap[child + 1] > heap[child]:
            child += 1
        if heap[child] <= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@jit
def _limit(queries: ScreenQueries, query: int) -> Any:
    """What a candidate of a query must reach, never rounded up."""
    farthest = np.float64(queries.nearest[query, 0]) + queries.slack
    if not np.isfinite(farthest):
        return LEAST_LIMIT
    reach = np.sqrt(farthest) + queries.reaches[query]
    limit = (queries.squares[query] - reach * reach) * queries.scale + queries.shifts[query]
    return np.int32(min(max(np.floor(limit) - 1.0, LEAST_LIMIT), _GREATEST_LIMIT))
