"""Must-link and cannot-link constraints on pairs of vectors.

Two faces of one photo are two people. And people decide: these two are one, those two are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cluster.union_find import CannotLinks, Rows
from indexer.argument_checks import describe

Pairs = NDArray[np.int64]


def no_pairs() -> Pairs:
    """An empty int64 (0, 2)."""
    return np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class Constraints:
    """Must-link pairs int64 (m, 2) and cannot-link pairs int64 (c, 2), of rows of the vectors.

    ``photos`` int64 (n,), or None, numbers the photo of each vector: two vectors of one photo
    cannot link either, where no must-link says otherwise. A negative number is of no photo.
    ``people`` int64 (n,), or None, are the numbers of the person each vector is assigned to,
    negative for none: those of one number must link, those of two cannot. Lists will do too. Raises
    ValueError for what is not whole numbers of these shapes.
    """

    photos: NDArray[np.int64] | None = None
    must: Pairs | None = None
    cannot: Pairs | None = None
    people: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name in ("photos", "people"):
            numbers = getattr(self, name)
            if numbers is not None:
                object.__setattr__(self, name, _numbers(numbers, name))
        for name in ("must", "cannot"):
            pairs = getattr(self, name)
            if pairs is not None:
                object.__setattr__(self, name, _pairs(pairs, name))

    def check(self, count: int) -> None:
        """Raise ValueError unless there are rows and numbers for ``count`` vectors."""
        for name, numbers in (("photos", self.photos), ("people", self.people)):
            if numbers is not None and len(numbers) != count:
                raise ValueError(
                    f"expected {name} int64 ({count},), one a vector, got {numbers.dtype} "
                    f"{numbers.shape}"
                )
        for name, pairs in (("must", self.must), ("cannot", self.cannot)):
            if pairs is None:
                continue
            if len(pairs) and not 0 <= pairs.min() <= pairs.max() < count:
                raise ValueError(
                    f"expected {name}-link rows in [0, {count}), got {pairs.min()} to {pairs.max()}"
                )
            if (pairs[:, 0] == pairs[:, 1]).any():
                raise ValueError(f"expected {name}-link pairs of two vectors, got one with itself")


def _numbers(given: ArrayLike, name: str) -> NDArray[np.int64]:
    array = _whole_numbers(given)
    if array is None or array.ndim != 1:
        raise ValueError(
            f"expected {name} as whole numbers (n,), one a vector, got {_shape_of(given)}"
        )
    return array


def _pairs(given: ArrayLike, name: str) -> Pairs:
    array = _whole_numbers(given)
    if array is not None and array.shape == (0,):
        return no_pairs()
    if array is None or array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"expected {name}-link pairs of rows, whole numbers (m, 2), got {_shape_of(given)}"
        )
    return array


def _whole_numbers(given: ArrayLike) -> NDArray[np.int64] | None:
    """``given`` as int64; None where it is anything else than whole numbers, or of no shape."""
    try:
        array = np.asarray(given)
    except ValueError:
        return None
    if array.size and array.dtype.kind not in "iu":
        return None
    return array.astype(np.int64, copy=False)


def _shape_of(given: ArrayLike) -> str:
    if isinstance(given, np.ndarray):
        return f"{given.dtype} {given.shape}"
    return describe(given)


@dataclass(frozen=True)
class Contradiction:
    """Must-link pair ``must`` would put ``apart``, two rows that cannot link, into one group.

    ``honoured`` tells what was done: over one photo the must-link wins, for who decided had the
    photo to look at; against a cannot-link it is left out.
    """

    must: tuple[int, int]
    apart: tuple[int, int]
    honoured: bool


@dataclass(frozen=True)
class ResolvedConstraints:
    """Constraints that do not contradict one another, and what had to give way.

    ``joined`` int64 (m, 2) are merged before all else. ``apart`` are the sets that merging has to
    respect from then on.
    """

    joined: Pairs
    apart: CannotLinks
    contradictions: tuple[Contradiction, ...]


def resolve(constraints: Constraints, count: int) -> ResolvedConstraints:
    """Must-links taken in order, each unless it contradicts a cannot-link by those before it.

    Those of one of the ``people`` come first. Raises ValueError as :meth:`Constraints.check` does.
    """
    constraints.check(count)
    must = no_pairs() if constraints.must is None else constraints.must
    cannot = no_pairs() if constraints.cannot is None else constraints.cannot
    people, first = _of_people(constraints.people)
    must = np.concatenate([people, must])
    joined, contradictions = _honoured(must, cannot, constraints)
    apart = _apart(constraints.photos, cannot, first, count)
    return ResolvedConstraints(joined, apart, tuple(contradictions))


def _of_people(people: NDArray[np.int64] | None) -> tuple[Pairs, Rows]:
    """Must-link pairs that make each of ``people`` one group, and the first vector of each."""
    if people is None:
        return no_pairs(), np.zeros(0, np.int64)
    order = np.argsort(people, kind="stable").astype(np.int64)
    order = order[people[order] >= 0]
    same = people[order[1:]] == people[order[:-1]]
    pairs = np.stack([order[:-1][same], order[1:][same]], axis=1)
    return pairs, order[np.append(True, ~same)[: len(order)]]


def _honoured(
    must: Pairs, cannot: Pairs, constraints: Constraints
) -> tuple[Pairs, list[Contradiction]]:
    photos, people = constraints.photos, constraints.people
    partners: dict[int, set[int]] = {}
    for one, two in cannot.tolist():
        partners.setdefault(one, set()).add(two)
        partners.setdefault(two, set()).add(one)
    group_of: dict[int, list[int]] = {}
    joined, contradictions = [], []
    for one, two in must.tolist():
        small, large = sorted(
            (group_of.setdefault(one, [one]), group_of.setdefault(two, [two])), key=len
        )
        if small is large:
            continue
        refused = _forbidden(small, large, partners) or _two_people(small, large, people)
        apart = refused or _of_one_photo(small, large, photos)
        if apart:
            contradictions.append(Contradiction((one, two), apart, honoured=not refused))
        if not refused:
            joined.append((one, two))
            large += small
            group_of.update(dict.fromkeys(small, large))
    return np.array(joined, np.int64).reshape(-1, 2), contradictions


def _forbidden(
    small: list[int], large: list[int], partners: dict[int, set[int]]
) -> tuple[int, int] | None:
    """The first cannot-link pair between two groups."""
    members = set(large)
    for row in sorted(small):
        found = partners.get(row, set()) & members
        if found:
            return row, min(found)
    return None


def _two_people(
    small: list[int], large: list[int], people: NDArray[np.int64] | None
) -> tuple[int, int] | None:
    """A pair of two people between two groups, each of which is of one at most."""
    if people is None:
        return None
    one = next((row for row in small if people[row] >= 0), None)
    two = next((row for row in large if people[row] >= 0), None)
    if one is None or two is None or people[one] == people[two]:
        return None
    return one, two


def _of_one_photo(
    small: list[int], large: list[int], photos: NDArray[np.int64] | None
) -> tuple[int, int] | None:
    """The first pair of one photo between two groups."""
    if photos is None:
        return None
    of_photo = {int(photos[row]): row for row in sorted(large, reverse=True)}
    for row in sorted(small):
        photo = int(photos[row])
        if photo >= 0 and photo in of_photo:
            return row, of_photo[photo]
    return None


def _apart(
    photos: NDArray[np.int64] | None, cannot: Pairs, people: Rows, count: int
) -> CannotLinks:
    """Photos of two or more vectors, pairs, and a vector of each person, as sets of vectors."""
    numbers = np.zeros(0, np.int64)
    several = np.zeros(0, np.int64)
    if photos is not None:
        _, dense, sizes = np.unique(photos, return_inverse=True, return_counts=True)
        several = np.flatnonzero((photos >= 0) & (sizes[dense] > 1))
        numbers = np.unique(dense[several], return_inverse=True)[1].astype(np.int64)
    photo_sets = int(numbers.max()) + 1 if len(numbers) else 0
    pair_sets = photo_sets + np.repeat(np.arange(len(cannot)), 2)
    people_set = np.full(len(people), photo_sets + len(cannot))
    sets = np.concatenate([numbers, pair_sets, people_set])
    members = np.concatenate([several, cannot.ravel(), people])
    by_set, by_member = np.argsort(sets, kind="stable"), np.argsort(members, kind="stable")
    return CannotLinks(
        _starts(members, count),
        sets[by_member],
        _starts(sets, photo_sets + len(cannot) + bool(len(people))),
        members[by_set],
    )


def _starts(numbers: Rows, count: int) -> Rows:
    """Where each of ``count`` numbers starts among ``numbers`` sorted; int64 (count + 1,)."""
    starts: Rows = np.append(0, np.cumsum(np.bincount(numbers, minlength=count))).astype(np.int64)
    return starts
