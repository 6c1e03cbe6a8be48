"""VAL and FAR over every two photos of a labelled folder, exact at rare rates, in little memory.

The definition is the FaceNet paper's (Schroff, Kalenichenko and Philbin 2015, section 4): VAL(d)
is the share of all same pairs, FAR(d) that of all different pairs, at a squared distance of at
most d. A FAR of 1e-6 among n photos' n (n - 1) / 2 pairs needs only the nearest of them: one pass
keeps these and gives the thresholds, a second counts the same pairs within them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate.embedding import NEVER
from facesearch.evaluate.pair_protocol import Curve

FARS = (1e-3, 1e-4, 1e-5, 1e-6)
BLOCK = 1024  # photos
_CURVE_POINTS = 200
_KEEP_AT_MOST = 200_000_000  # distances of 4 bytes

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class ValidationRate:
    """VAL at the highest threshold that accepts ``allowed`` = floor(``far`` n) different pairs."""

    far: float
    allowed: int
    threshold: float
    rate: float

    @property
    def resolved(self) -> bool:
        return self.allowed > 0


@dataclass(frozen=True)
class AllPairsResult:
    """``same`` and ``different`` pairs, ``missing`` photos without a face among them."""

    photos: int
    missing: int
    same: int
    different: int
    points: tuple[ValidationRate, ...]
    curve: Curve


def evaluate_all_pairs(
    vectors: Floats,
    people: Numbers,
    found: NDArray[np.bool_] | None = None,
    fars: Sequence[float] = FARS,
    block: int = BLOCK,
) -> AllPairsResult:
    """VAL at each of ``fars`` over every two of ``vectors`` (n, d); ``people`` (n,) say whose.

    Pairs of a photo that is not ``found`` count, and are never accepted. Memory is that of
    ``block`` n distances and of as many as the highest of ``fars`` lets pass. Raises
    :class:`InputError` without same and different pairs, or for rates outside (0, 1).
    """
    if not fars or not all(0 < far < 1 for far in fars):
        raise InputError(f"expected false accept rates between 0 and 1, got {list(fars)}")
    found = np.ones(len(vectors), np.bool_) if found is None else found
    same, different = pair_counts(people)
    if not same or not different:
        raise InputError(f"expected same and different pairs, got {same} and {different}")
    allowed = [int(np.floor(far * different + 1e-9)) for far in fars]
    nearest = nearest_different(vectors[found], people[found], max(allowed) + 1, block)
    limits = np.array([_just_below(nearest, number) for number in allowed], np.float32)
    ranks = np.unique(np.geomspace(1, max(allowed) + 1, _CURVE_POINTS).round().astype(np.int64))
    at = nearest[ranks[ranks <= len(nearest)] - 1]
    if len(nearest) > max(allowed):  # what ties with the last one kept is not known
        at = at[at < nearest[-1]]
    counts = same_within(vectors[found], people[found], np.concatenate([limits, at]))
    rates = counts / same
    points = tuple(
        ValidationRate(far, number, float(limit), float(rate))
        for far, number, limit, rate in zip(fars, allowed, limits, rates, strict=False)
    )
    far_at = np.searchsorted(nearest, at, side="right") / different
    curve = Curve(far_at, np.asarray(rates[len(fars) :]))
    return AllPairsResult(len(people), int((~found).sum()), same, different, points, curve)


def pair_counts(people: Numbers) -> tuple[int, int]:
    """How many same and how many different pairs there are among people (n,)."""
    sizes = np.unique(people, return_counts=True)[1].astype(object)  # Python's own integers
    same = int(sum(size * (size - 1) // 2 for size in sizes))
    return same, len(people) * (len(people) - 1) // 2 - same


def nearest_different(vectors: Floats, people: Numbers, keep: int, block: int = BLOCK) -> Floats:
    """The ``keep`` smallest distances of different people, ascending; all where there are fewer."""
    if keep > _KEEP_AT_MOST:
        raise InputError(
            f"expected rates that let at most {_KEEP_AT_MOST} different pairs pass, got {keep}; "
            "ask for lower false accept rates"
        )
    kept, size, bound = [np.zeros(0, np.float32)], 0, np.float32(np.inf)
    for start, distances in _upper_blocks(vectors, block):
        rows, columns = distances.shape
        later = np.arange(columns) > np.arange(rows)[:, None]
        other = people[start : start + rows, None] != people[start:]
        near = distances[later & other & (distances < bound)]
        kept.append(near)
        size += len(near)
        if size > 2 * keep:
            kept = [np.partition(np.concatenate(kept), keep - 1)[:keep]]
            size, bound = keep, kept[0].max()
    return np.asarray(np.sort(np.concatenate(kept))[:keep])


def _upper_blocks(vectors: Floats, block: int) -> Iterator[tuple[int, Floats]]:
    """Blocks of rows, each a first row and distances (rows, from that row on)."""
    for start in range(0, len(vectors), block):
        yield start, squared_distances(vectors[start : start + block], vectors[start:])


def same_within(vectors: Floats, people: Numbers, thresholds: Floats) -> Numbers:
    """How many same pairs are at or below each of ``thresholds`` (t,); one person at a time."""
    order = np.argsort(people, kind="stable")
    starts = np.flatnonzero(np.diff(people[order], prepend=people.min(initial=0) - 1))
    counts = np.zeros(len(thresholds), np.int64)
    for rows in np.split(order, starts[1:]):
        for _, distances in _upper_blocks(vectors[rows], BLOCK):
            rows_here, columns = distances.shape
            later = np.arange(columns) > np.arange(rows_here)[:, None]
            near = np.sort(distances[later])
            counts += np.searchsorted(near, thresholds, side="right")
    return counts


def squared_distances(first: Floats, second: Floats) -> Floats:
    """Squared Euclidean distances float32 (n, m) of the rows of (n, d) and (m, d)."""
    squares = (np.einsum("ij,ij->i", each, each) for each in (first, second))
    one, two = squares
    return np.asarray(np.maximum(one[:, None] + two - 2 * (first @ second.T), 0), np.float32)


def _just_below(nearest: Floats, number: int) -> np.float32:
    beyond = nearest[number] if number < len(nearest) else np.float32(NEVER)
    return np.float32(np.nextafter(beyond, np.float32(-np.inf)))
