"""Errors within groups of people: who is taken for another, and who is not known again.

A threshold that promises a rate of false accepts does so over the people it was chosen on. Within a
group, such as children, people may resemble each other far more to an encoder; pairs of one group
are what an album of such people is made of. So rates are counted over all pairs within each group,
beside those of all pairs (Grother, Ngan and Hanaoka, "Face recognition vendor test part 3:
demographic effects", NISTIR 8280, 2019, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from facesearch.errors import InputError

LEAST_PHOTOS = 20  # of a group that is reported
_TILE = 1024  # photos
ALL = "all"


@dataclass(frozen=True)
class SliceRate:
    """What one threshold does within a slice: pairs of different people accepted, of one person
    too, the shares they are, and the 95 % interval (Wilson) of the first share."""

    use: str
    threshold: float
    false_accepts: int
    far: float
    low: float
    high: float
    tar: float | None


@dataclass(frozen=True)
class Slice:
    """A group of photos: ``kind`` and ``name``, how many, their pairs, and what thresholds do."""

    kind: str
    name: str
    photos: int
    different_pairs: int
    same_pairs: int
    rates: tuple[SliceRate, ...]


@dataclass(frozen=True)
class SliceStudy:
    """All slices, the first of all photos; ``distinct`` where each photo counts as a person."""

    slices: tuple[Slice, ...]
    distinct: bool


def slice_study(
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    groups: Mapping[str, Sequence[str]],
    thresholds: Mapping[str, float],
    *,
    distinct: bool = False,
) -> SliceStudy:
    """Rates within each group and each crossing of two kinds of groups.

    ``vectors`` float32 (n, d) of unit length, of ``people`` int (n,); ``groups`` are for each kind
    the group of each photo, "" for none; ``thresholds`` squared distances by what they are for.
    Groups of fewer than LEAST_PHOTOS photos are left out. Raises InputError for arrays that do not
    fit, or no pair of different people.
    """
    if any(len(names) != len(vectors) for names in (people, *groups.values())):
        raise InputError(f"expected a person and groups for each of {len(vectors)} vectors")
    every = np.ones(len(vectors), bool)
    slices = [_slice(ALL, ALL, every, vectors, people, thresholds)]
    if not slices[0].different_pairs:
        raise InputError("expected photos of two people or more, got those of one")
    kinds = {kind: np.array(names, object) for kind, names in groups.items()}
    for kind, names in kinds.items():
        slices += [
            _slice(kind, name, names == name, vectors, people, thresholds)
            for name in sorted({*names} - {""})
        ]
    for (one, first), (two, second) in combinations(kinds.items(), 2):
        crossings = sorted(each for each in {*zip(first, second, strict=True)} if all(each))
        slices += [
            _slice(
                f"{one}, {two}",
                ", ".join(each),
                (first == each[0]) & (second == each[1]),
                vectors,
                people,
                thresholds,
            )
            for each in crossings
        ]
    return SliceStudy(tuple(each for each in slices if each.photos >= LEAST_PHOTOS), distinct)


def _slice(  # noqa: PLR0917 - the parts of a slice
    kind: str,
    name: str,
    rows: NDArray[np.bool_],
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    thresholds: Mapping[str, float],
) -> Slice:
    limits = np.array(list(thresholds.values()), np.float64)
    totals, accepted = pair_counts(vectors[rows], people[rows], limits)
    different, same = totals.tolist()
    rates = []
    for column, (use, threshold) in enumerate(thresholds.items()):
        false, true = accepted[:, column].tolist()
        low, high = _interval(false, different)
        rates.append(
            SliceRate(
                use,
                float(threshold),
                false,
                false / different if different else 0.0,
                low,
                high,
                true / same if same else None,
            )
        )
    return Slice(kind, name, int(rows.sum()), different, same, tuple(rates))


def _interval(count: int, total: int) -> tuple[float, float]:
    if not total:
        return 0.0, 1.0
    interval = binomtest(count, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def pair_counts(
    vectors: NDArray[np.float32], people: NDArray[np.integer], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of different and of the same people, int64 (2,), and those accepted, (2, t).

    A pair is accepted whose squared distance is at most the threshold; memory is that of a tile.
    """
    totals, accepted = np.zeros(2, np.int64), np.zeros((2, len(thresholds)), np.int64)
    for start in range(0, len(vectors), _TILE):
        for across in range(start, len(vectors), _TILE):
            rows, columns = slice(start, start + _TILE), slice(across, across + _TILE)
            distances = 2 - 2 * (vectors[rows] @ vectors[columns].T)
            pairs = np.ones(distances.shape, bool)
            if start == across:
                pairs = np.triu(pairs, 1)
            same = people[rows, None] == people[None, columns]
            for kind, chosen in enumerate((pairs & ~same, pairs & same)):
                found = np.sort(distances[chosen])
                totals[kind] += len(found)
                accepted[kind] += np.searchsorted(found, thresholds, side="right")
    return totals, accepted
