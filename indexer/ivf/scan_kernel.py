"""Some cells of a gallery against the queries that ask for them. Compiled, without Python's lock.

Products of bytes (:mod:`indexer.exact.int8_kernel`) say which rows may be among the k nearest so
far; for these the distance is taken from the codes and the query as it is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_kernel import BATCH, BYTES, LANES, SINGLE, make_screen
from indexer.exact.int8_screen import LEAST_LIMIT, NO_LIMIT
from indexer.ivf.scalar_quantizer import ROWS
from indexer.runtime.numba_jit import jit, jit_fastmath

WIDTH = BATCH.queries
_VECTORS = BATCH.vectors
_GREATEST_LIMIT = 2**29

_screen_batch = make_screen(BATCH)
_screen_single = make_screen(SINGLE)


class CellRows(NamedTuple):
    """A gallery by cells: codes, finer codes and terms of :mod:`indexer.ivf.scalar_quantizer`.

    ``starts`` int64 (cells + 1,) are the first rows of cells and the end of the last.
    """

    codes: NDArray[np.uint8]
    fine: NDArray[np.uint8]
    terms: NDArray[np.int32]
    starts: NDArray[np.int64]


class CellQueries(NamedTuple):
    """Some queries: ``components`` float32 (q, c), ``codes`` int8 (q, c), and the best so far.

    ``squares`` (q,) are a_q, ``shifts`` what the offset of stored codes adds to sums of bytes, in
    units, ``offsets`` what it and the middle of a step add to those of components, in steps;
    ``margins`` are how much less than its due a sum of bytes may be, in units. ``nearest`` float32
    (q, k) are heaps of distances, the greatest first, with their ``rows`` int64 (q, k).
    """

    components: NDArray[np.float32]
    codes: NDArray[np.int8]
    squares: NDArray[np.float32]
    shifts: NDArray[np.float32]
    offsets: NDArray[np.float32]
    margins: NDArray[np.float32]
    nearest: NDArray[np.float32]
    rows: NDArray[np.int64]
    step: float
    unit: float


class Visits(NamedTuple):
    """Which queries ask for which cells: group g is cell ``cells[g]`` and
    ``asking[starts[g] : starts[g + 1]]``.
    """

    cells: NDArray[np.int32]
    starts: NDArray[np.int64]
    asking: NDArray[np.int32]


@jit
def scan(gallery: CellRows, asked: CellQueries, visits: Visits, first: int, last: int) -> int:
    """Have the groups ``first`` up to ``last`` of visits done; returns how many rows were measured.

    Each query's heap holds the nearest of all rows it has seen.
    """
    steps = asked.codes.shape[1] // BYTES
    most = 0
    for group in range(first, last):
        most = max(most, visits.starts[group + 1] - visits.starts[group])
    room = (most + WIDTH - 1) // WIDTH * WIDTH
    panels = np.zeros(room * steps * BYTES, np.int8)
    limits = np.empty(room, np.int32)
    bits = np.zeros(WIDTH * _VECTORS, np.int32)
    measured = 0
    for group in range(first, last):
        cell = visits.cells[group]
        begin, end = gallery.starts[cell], gallery.starts[cell + 1]
        asking = visits.asking[visits.starts[group] : visits.starts[group + 1]]
        width = 1 if len(asking) == 1 else WIDTH
        _pack(asked, asking, width, panels, limits)
        filled = (len(asking) + width - 1) // width * width
        for tile in range(begin // ROWS, (end + ROWS - 1) // ROWS):
            terms = gallery.terms[tile * ROWS : (tile + 1) * ROWS]
            at = tile * ROWS * steps * BYTES
            for start in range(0, filled, width):
                place = start * steps * BYTES
                # Here and not in a function of its own: passing all this would halve the speed.
                if width == 1:
                    some = _screen_single(
                        gallery.codes, at, panels, place, steps, terms, limits, start, bits
                    )
                else:
                    some = _screen_batch(
                        gallery.codes, at, panels, place, steps, terms, limits, start, bits
                    )
                if not some:
                    continue
                for number in range(width * _VECTORS):
                    mask = bits[number]
                    row = tile * ROWS + number % _VECTORS * LANES
                    while mask:
                        if mask & 1 and begin <= row < end:
                            slot = start + number // _VECTORS
                            query = asking[slot]
                            distance = _distance(gallery, asked, query, row)
                            measured += 1
                            if _before(
                                distance, row, asked.nearest[query, 0], asked.rows[query, 0]
                            ):
                                _replace_greatest(
                                    asked.nearest[query], asked.rows[query], distance, row
                                )
                                limits[slot] = _limit(asked, query)
                        mask >>= 1
                        row += 1
    return measured


@jit
def _pack(
    asked: CellQueries,
    asking: NDArray[np.int32],
    width: int,
    panels: NDArray[np.int8],
    limits: NDArray[np.int32],
) -> None:
    """Codes of the queries, ``width`` at a time as the kernel reads them, and their limits."""
    codes, packed = asked.codes.view(np.int32), panels.view(np.int32)  # four at a time
    steps = codes.shape[1]
    filled = (len(asking) + width - 1) // width * width
    for slot in range(filled):
        there = slot < len(asking)
        limits[slot] = _limit(asked, asking[slot]) if there else NO_LIMIT
        place = slot // width * steps * width + slot % width
        for step in range(steps):
            packed[place + step * width] = codes[asking[slot], step] if there else 0


@jit
def _limit(asked: CellQueries, query: int) -> Any:
    """What the sum of a row must reach, for it may be among the nearest."""
    farthest = asked.nearest[query, 0]
    if not np.isfinite(farthest):
        return LEAST_LIMIT
    least = (asked.squares[query] - farthest) / (2 * asked.unit) - asked.margins[query]
    limit = np.floor(least + asked.shifts[query])
    return np.int32(min(max(limit, LEAST_LIMIT), _GREATEST_LIMIT))


@jit_fastmath
def _distance(gallery: CellRows, asked: CellQueries, query: int, row: int) -> Any:
    """The squared distance from the codes of ``row``, and terms as whole units."""
    components = asked.components[query]
    steps = len(components) // BYTES
    bits = gallery.fine.shape[1] * 8 // len(components)
    codes, fine = gallery.codes, gallery.fine
    at = (row // ROWS * steps * ROWS + row % ROWS) * BYTES
    # Each component has a sum of its own, four to a step, so that they are added up side by side.
    a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for step in range(steps):
        i = at + step * ROWS * BYTES
        p, q, r, s = (
            np.int32(codes[i]),
            np.int32(codes[i + 1]),
            np.int32(codes[i + 2]),
            np.int32(codes[i + 3]),
        )
        if bits == 2:
            byte = np.int32(fine[row, step])
            p, q = p << 2 | byte & 3, q << 2 | byte >> 2 & 3
            r, s = r << 2 | byte >> 4 & 3, s << 2 | byte >> 6
        elif bits == 4:
            low, high = np.int32(fine[row, 2 * step]), np.int32(fine[row, 2 * step + 1])
            p, q = p << 4 | low & 15, q << 4 | low >> 4
            r, s = r << 4 | high & 15, s << 4 | high >> 4
        a += components[step * BYTES] * np.float32(p)
        b += components[step * BYTES + 1] * np.float32(q)
        c += components[step * BYTES + 2] * np.float32(r)
        d += components[step * BYTES + 3] * np.float32(s)
    product = (a + b + c + d) / np.float32(1 << bits) - asked.offsets[query]
    sums = gallery.terms[row] * asked.unit + product * asked.step
    return np.float32(max(asked.squares[query] - 2 * sums, 0.0))


@jit
def _before(distance: Any, row: int, other: Any, other_row: int) -> Any:
    return distance < other or (distance == other and row < other_row)


@jit
def _replace_greatest(
    heap: NDArray[np.float32], rows: NDArray[np.int64], distance: Any, row: int
) -> None:
    """Put a row into a heap in place of its greatest, which comes first; ties by row."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= len(heap):
            break
        if child + 1 < len(heap) and _before(
            heap[child], rows[child], heap[child + 1], rows[child + 1]
        ):
            child += 1
        if not _before(distance, row, heap[child], rows[child]):
            break
        heap[place], rows[place] = heap[child], rows[child]
        place = child
    heap[place], rows[place] = distance, row


@jit
def choose_cells(
    distances: NDArray[np.float32],
    nearest: NDArray[np.int64],
    farthest: NDArray[np.float32],
    chosen: NDArray[np.int32],
) -> None:
    """Write to ``chosen`` (q, p) p cells of each row of ``distances`` (q, cells).

    These are the ``nearest`` (q,), which comes first, and others that are not beyond the
    ``farthest`` (q,), of which there must be enough.
    """
    probes = chosen.shape[1]
    for query in range(len(distances)):
        line, limit, best = distances[query], farthest[query], nearest[query]
        chosen[query, 0] = best
        taken = 1
        for cell in range(len(line)):
            if line[cell] <= limit and cell != best and taken < probes:
                chosen[query, taken] = cell
                taken += 1


@jit
def group_visits(
    chosen: NDArray[np.int32], cells: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """The parts of :class:`Visits` for the cells ``chosen`` (q, p); queries of each ascend."""
    counts = np.zeros(cells + 1, np.int64)
    for query in range(chosen.shape[0]):
        for place in range(chosen.shape[1]):
            counts[chosen[query, place] + 1] += 1
    some = 0
    for cell in range(cells):
        some += counts[cell + 1] > 0
        counts[cell + 1] += counts[cell]
    numbers = np.empty(some, np.int32)
    starts = np.empty(some + 1, np.int64)
    group = 0
    for cell in range(cells):
        if counts[cell + 1] > counts[cell]:
            numbers[group], starts[group] = cell, counts[cell]
            group += 1
    starts[some] = counts[cells]
    asking = np.empty(counts[cells], np.int32)
    for query in range(chosen.shape[0]):
        for place in range(chosen.shape[1]):
            cell = chosen[query, place]
            asking[counts[cell]] = query
            counts[cell] += 1
    return numbers, starts, asking
