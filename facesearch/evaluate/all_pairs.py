"""VAL and FAR over every two photos of a labelled folder, as the FaceNet paper defines them.

Section 4 of the paper: with P_same and P_diff all pairs of photos of the same and of different
people, TA(d) and FA(d) are those of either that lie within the squared distance d, and
VAL(d) = |TA(d)| / |P_same|, FAR(d) = |FA(d)| / |P_diff|.

The number of pairs grows with the square of that of photos, and memory must not: pairs are
computed by tiles and only counted. Distances are not negative, so that their bits as float32 rank
as they do; the first pass counts them by their high bits, the second counts, by the low bits, those
whose high bits are of interest, and every threshold and rate is exact (a radix selection).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate.curves import Curve, curve_of_counts
from facesearch.evaluate.verification_metrics import resolves

FARS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)

_LARGEST = 4.0  # squared distance of unit vectors
_LOW_BITS = 11
_LOW_COUNT = 1 << _LOW_BITS
_HIGH_COUNT = (int(np.float32(_LARGEST).view(np.uint32)) >> _LOW_BITS) + 1
_TILE = 1024  # photos

Counts = NDArray[np.int64]
# Distances float32 (p,) in [0, 4] of some pairs, and which are of one person.
Tile = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True)
class ValidationRate:
    """VAL at the highest ``threshold`` whose FAR is at most ``far``; ``measured_far`` is its own.

    ``resolved`` is False where there are fewer than 1 / far different pairs.
    """

    far: float
    threshold: float
    validation_rate: float
    measured_far: float
    resolved: bool


@dataclass(frozen=True)
class AllPairs:
    """Counts of pairs, VAL at fixed FARs, and at thresholds that were chosen elsewhere."""

    same_pairs: int
    different_pairs: int
    at_far: tuple[ValidationRate, ...]
    at_thresholds: tuple[ValidationRate, ...]
    roc: Curve


def all_pairs(
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    usable: NDArray[np.bool_] | None = None,
    *,
    fars: Sequence[float] = FARS,
    thresholds: Sequence[float] = (),
    tile: int = _TILE,
) -> AllPairs:
    """VAL and FAR of every two of ``vectors`` float32 (n, d), of the people int (n,).

    The distance of a and b is 2 - 2 a.b: squared Euclidean for unit vectors; for the mean vectors
    of two sets of unit vectors, the mean over all pairs of one of either. It is 4 where ``usable``
    bool (n,) is False for one of them. Rounding is that of float32, about 1e-6. ``thresholds``
    are judged beside those that ``fars`` ask for. Raises :class:`InputError` for vectors that are
    not finite or without pairs of both kinds.
    """
    _check(vectors, people, fars)
    kept = np.ones(len(vectors), np.bool_) if usable is None else usable
    totals = _totals(people)
    lost = totals - _totals(people[kept])
    tiles = _Tiles(np.ascontiguousarray(vectors[kept]), people[kept], tile)
    return _select(tiles, totals, lost, fars, thresholds)


def _check(
    vectors: NDArray[np.float32], people: NDArray[np.integer], fars: Sequence[float]
) -> None:
    if vectors.ndim != 2 or people.shape != vectors.shape[:1]:
        raise InputError(f"expected n vectors and n people, got {vectors.shape} and {people.shape}")
    if not np.isfinite(vectors).all():
        raise InputError("expected finite vectors, got NaN or infinity")
    if not all(0 <= far < 1 for far in fars):
        raise InputError(f"expected false accept rates in [0, 1), got {list(fars)}")
    if not _totals(people).all():
        raise InputError(
            "expected two photos of one person and photos of two people, got "
            f"{len(people)} photos of {len(np.unique(people))} people"
        )


def _totals(people: NDArray[np.integer]) -> Counts:
    """Pairs of different and of the same people, int64 (2,)."""
    sizes = np.unique(people, return_counts=True)[1].astype(np.int64)
    same = int((sizes * (sizes - 1) // 2).sum())
    return np.array([len(people) * (len(people) - 1) // 2 - same, same], np.int64)


@dataclass(frozen=True)
class _Tiles:
    """The pairs of n vectors, a square of ``side`` of them after the other."""

    vectors: NDArray[np.float32]
    people: NDArray[np.integer]
    side: int

    def __call__(self) -> Iterator[Tile]:
        starts = range(0, len(self.people), self.side)
        for row in starts:
            for column in starts[row // self.side :]:
                yield self._tile(row, column)

    def _tile(self, row: int, column: int) -> Tile:
        rows, columns = (slice(start, start + self.side) for start in (row, column))
        distances = self.vectors[rows] @ self.vectors[columns].T
        distances *= -2
        distances += 2
        np.clip(distances, 0, _LARGEST, out=distances)
        distances += 0.0  # no negative zero, whose bits would rank last
        same = self.people[rows, None] == self.people[None, columns]
        if row == column:
            upper = np.triu(np.ones(same.shape, np.bool_), 1)
            return distances[upper], same[upper]
        return distances.ravel(), same.ravel()


def _select(
    tiles: Callable[[], Iterator[Tile]],
    totals: Counts,
    lost: Counts,
    fars: Sequence[float],
    thresholds: Sequence[float],
) -> AllPairs:
    """Exact figures of the pairs of ``tiles`` and of ``lost`` pairs at distance 4, int64 (2,)."""
    high = _by_high_bits(tiles)
    high[:, -1] += lost
    cumulative = np.cumsum(high, axis=1)
    # The first false accept that is one too many, counted from 0, for each FAR.
    beyond = [int(np.floor(far * totals[0] + 1e-9)) for far in fars]
    bins = [int(np.searchsorted(cumulative[0], count, side="right")) for count in beyond]
    given = np.clip(np.array(thresholds, np.float32), 0, _LARGEST) + np.float32(0)
    wanted = np.unique(np.array([*bins, *(_bits(given) >> _LOW_BITS)], np.int64))
    low = _by_low_bits(tiles, wanted)
    if wanted.size and wanted[-1] == _HIGH_COUNT - 1:
        low[:, -1, 0] += lost  # 4 has no low bit
    exact = _Exact(cumulative, wanted, low)
    found = [
        np.nextafter(exact.value(at, count), np.float32(-np.inf))
        for at, count in zip(bins, beyond, strict=True)
    ]
    rates = [exact.rate(threshold, totals, far) for threshold, far in zip(found, fars, strict=True)]
    return AllPairs(
        same_pairs=int(totals[1]),
        different_pairs=int(totals[0]),
        at_far=tuple(rates),
        at_thresholds=tuple(exact.rate(np.float32(t), totals, None) for t in thresholds),
        roc=_curve(cumulative),
    )


@dataclass(frozen=True)
class _Exact:
    """Pairs by their bits: ``cumulative`` int64 (2, high), and ``low`` int64 (2, wanted, low)."""

    cumulative: Counts
    wanted: Counts
    low: Counts

    def value(self, high: int, beyond: int) -> np.float32:
        """The distance of the different pair number ``beyond``, which has these high bits."""
        inside = beyond - (int(self.cumulative[0, high - 1]) if high else 0)
        counts = np.cumsum(self.low[0, np.searchsorted(self.wanted, high)])
        low = int(np.searchsorted(counts, inside, side="right"))
        return np.uint32(high << _LOW_BITS | low).view(np.float32)

    def accepted(self, threshold: np.float32) -> Counts:
        """Pairs at or below a threshold, int64 (2,)."""
        if threshold < 0:
            return np.zeros(2, np.int64)
        bits = int(_bits(np.minimum(threshold, np.float32(_LARGEST)) + np.float32(0)))
        high, low = bits >> _LOW_BITS, bits & (_LOW_COUNT - 1)
        at = int(np.searchsorted(self.wanted, high))
        below = self.cumulative[:, high - 1] if high else np.zeros(2, np.int64)
        if at == len(self.wanted) or self.wanted[at] != high:
            # Just below the lowest distance of the next high bits: all of these are accepted.
            return np.asarray(self.cumulative[:, high])
        return np.asarray(below + self.low[:, at, : low + 1].sum(axis=1))

    def rate(self, threshold: np.float32, totals: Counts, far: float | None) -> ValidationRate:
        """VAL and FAR of a threshold; ``far`` is the rate asked for, None for its own."""
        false, true = (self.accepted(threshold) / totals).tolist()
        asked = false if far is None else far
        return ValidationRate(asked, float(threshold), true, false, resolves(int(totals[0]), asked))


def _bits(distances: NDArray[np.float32] | np.float32) -> NDArray[np.int64]:
    return np.asarray(distances, np.float32).view(np.uint32).astype(np.int64)


def _by_high_bits(tiles: Callable[[], Iterator[Tile]]) -> Counts:
    """Different and same pairs by high bits, int64 (2, high)."""
    counts = np.zeros((2, _HIGH_COUNT), np.int64)
    for distances, same in tiles():
        bins = _bits(distances) >> _LOW_BITS
        every, true = (np.bincount(each, minlength=_HIGH_COUNT) for each in (bins, bins[same]))
        counts += np.stack([every - true, true])
    return counts


def _by_low_bits(tiles: Callable[[], Iterator[Tile]], wanted: Counts) -> Counts:
    """Pairs whose high bits are among ``wanted``, by low bits: int64 (2, wanted, low)."""
    counts = np.zeros((2, len(wanted), _LOW_COUNT), np.int64)
    place = np.full(_HIGH_COUNT, -1, np.int64)
    place[wanted] = np.arange(len(wanted))
    for distances, same in tiles():
        bits = _bits(distances)
        at = place[bits >> _LOW_BITS]
        inside = np.flatnonzero(at >= 0)
        kind = same[inside].astype(np.int64)
        np.add.at(counts, (kind, at[inside], bits[inside] & (_LOW_COUNT - 1)), 1)
    return counts


def _curve(cumulative: Counts) -> Curve:
    """The curve over high bits, exact at the highest distance of each."""
    edges = (np.arange(_HIGH_COUNT, dtype=np.uint32) + 1 << _LOW_BITS) - 1
    thresholds = np.minimum(edges.astype(np.uint32).view(np.float32), np.float32(_LARGEST))
    return curve_of_counts(thresholds, cumulative[1], cumulative[0])
