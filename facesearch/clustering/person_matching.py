"""Match new clusters with the people of earlier runs, and list what changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from cluster.types import NOISE
from facesearch.people.assignment import PersonAssignment, decided_rows, leaders
from facesearch.people.projection import NOBODY, DecisionState
from indexer.id_lookup import contained, distinct
from indexer.types import Ids

Numbers = NDArray[np.int64]
NewPeople = Callable[[int], range]


@dataclass(frozen=True)
class PersonMove:
    """Faces that moved from person ``source`` to person ``target``.

    In a "merge" the source has no faces left; in a "split" the target is a new person; in a
    "return" the target comes back from an older run; any other is a "move". ``reason`` says why.
    """

    kind: Literal["merge", "split", "return", "move"]
    source: int
    target: int
    faces: int
    reason: str


@dataclass(frozen=True)
class PersonGone:
    """A person with no faces left, and how many faces there were."""

    person: int
    faces: int
    reason: str


@dataclass(frozen=True)
class PeopleChanges:
    """How a clustering changed the people of the previous run.

    ``kept`` people still have faces, ``born`` ones are new and have no faces of an earlier person,
    ``returned`` ones were in an older run but not in the last. ``joined`` counts faces without a
    person that joined one of the previous run, ``left`` faces that lost their person.
    """

    kept: int = 0
    born: int = 0
    returned: int = 0
    joined: int = 0
    left: int = 0
    moves: tuple[PersonMove, ...] = ()
    gone: tuple[PersonGone, ...] = ()

    @property
    def moved(self) -> int:
        """How many faces have another person than before."""
        return sum(each.faces for each in self.moves)

    def count(self, kind: str) -> int:
        """How many people merged into others, or were split from them."""
        if kind == "merge":
            return len({each.source for each in self.moves if each.kind == kind})
        return len({each.target for each in self.moves if each.kind == kind})


def match_clusters(
    ids: Ids,
    labels: NDArray[np.int32],
    before: Numbers,
    decided: DecisionState,
    new_people: NewPeople,
    *,
    older: Numbers | None = None,
) -> Numbers:
    """The person's number of each cluster, int64 (k,), from those of its faces ``before`` (n,).

    A cluster belongs to the person that most of its leading faces belong to
    (:attr:`DecisionState.leading`); several clusters may belong to one person. The others are
    matched with the remaining people so that as many faces as possible keep their person (maximum
    overlap), and among all such matchings, so that as many as possible get back their ``older``
    (n,) person. Clusters without a person then get numbers from ``new_people``. A face that was
    removed from a person brings no cluster to the person where no other face does.
    """
    count = int(labels.max(initial=NOISE)) + 1
    numbers = np.full(count, NOBODY, np.int64)
    decided_people = decided_rows(ids, decided, decided.leading)
    rows = np.flatnonzero((decided_people != NOBODY) & (labels != NOISE))
    for label, person in leaders(
        list(zip(labels[rows].tolist(), decided_people[rows].tolist(), strict=True))
    ).items():
        numbers[label] = person
    taken = distinct(decided_people[decided_people != NOBODY])
    open_rows = (labels != NOISE) & (np.append(numbers, 0)[labels] == NOBODY)
    # All that could be had of ``older`` together is less than one face of ``before``.
    votes = [(before, len(ids) + 1)] if older is None else [(before, len(ids) + 1), (older, 1)]
    ends, weights = [], []
    for people, weight in votes:
        rows = np.flatnonzero(open_rows & (people != NOBODY) & ~np.isin(people, taken))
        rows = rows[_backed(labels[rows], people[rows], _removed(ids[rows], people[rows], decided))]
        ends.append(np.stack([labels[rows].astype(np.int64), people[rows]]))
        weights.append(np.full(len(rows), weight, np.int64))
    labels_of, people_of = np.concatenate(ends, axis=1)
    clusters, chosen = most_overlap(labels_of, people_of, np.concatenate(weights))
    numbers[clusters] = chosen
    unknown = np.flatnonzero(numbers == NOBODY)
    numbers[unknown] = np.array(new_people(len(unknown)), np.int64)
    return numbers


def _removed(ids: Ids, people: Numbers, decided: DecisionState) -> NDArray[np.bool_]:
    """Which of the faces ``ids`` (n,) were removed from ``people`` (n,)."""
    asked = contained(ids, np.array([face for face, _ in decided.rejected], np.int64))
    for row in np.flatnonzero(asked).tolist():
        asked[row] = (int(ids[row]), int(people[row])) in decided.rejected
    return asked


def _backed(
    labels: NDArray[np.int32], people: Numbers, removed: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which rows count: those of faces ``removed`` (n,) only where another face of the cluster is
    of the same person."""
    if not removed.any():
        return np.ones(len(labels), np.bool_)
    others = {*zip(labels[~removed].tolist(), people[~removed].tolist(), strict=True)}
    backed = ~removed
    for row in np.flatnonzero(removed).tolist():
        backed[row] = (int(labels[row]), int(people[row])) in others
    return backed


def most_overlap(
    ones: Numbers, others: Numbers, weights: Numbers | None = None
) -> tuple[Numbers, Numbers]:
    """Pairs, each of ``ones`` and of ``others`` in one pair at most, that most rows agree with.

    Both are numbers int64 (n,), row by row; a row counts once, or as often as ``weights`` int64
    (n,) say, which are positive. This is the assignment problem that Kuhn's Hungarian
    method (1955) solves. A pair of more rows than the largest others of both its ends together is
    in every best assignment, for they are all that could be had in its place; such pairs are
    settled first, which is nearly all, and the sparse solver of scipy (Jonker and Volgenant) has
    the rest.
    """
    pairs, pair_of, counts = np.unique(
        np.stack([ones, others], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    if weights is not None:
        counts = np.zeros(len(pairs), np.int64)
        np.add.at(counts, pair_of.reshape(-1), weights)
    ends = [np.unique(pairs[:, side], return_inverse=True)[1] for side in (0, 1)]
    left, chosen = np.arange(len(pairs)), [np.zeros(0, np.intp)]
    while len(left):
        beside = sum(_most_beside(end[left], counts[left]) for end in ends)
        sure = left[counts[left] > beside]
        if not len(sure):
            break
        chosen.append(sure)
        left = left[
            ~(np.isin(ends[0][left], ends[0][sure]) | np.isin(ends[1][left], ends[1][sure]))
        ]
    chosen.append(left[_assigned(ends[0][left], ends[1][left], counts[left])])
    kept = np.sort(np.concatenate(chosen))
    return pairs[kept, 0], pairs[kept, 1]


def _most_beside(ends: Numbers, counts: Numbers) -> Numbers:
    """For each pair the greatest count of another pair at the same end; 0 where there is none."""
    order = np.lexsort((-counts, ends))
    first = np.append(True, np.diff(ends[order]) != 0)
    starts = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
    ordered = counts[order]
    second = np.append(ordered[1:], 0)
    second[np.append(first[1:], True)] = 0  # at the last pair of an end no other follows
    most = np.where(first, second, ordered[starts])
    result = np.empty_like(counts)
    result[order] = most
    return result


def _assigned(ones: Numbers, others: Numbers, counts: Numbers) -> NDArray[np.intp]:
    """Which pairs make the greatest sum of counts, no number being in two of them."""
    if not len(ones):
        return np.zeros(0, np.intp)
    _, rows = np.unique(ones, return_inverse=True)
    _, columns = np.unique(others, return_inverse=True)
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    # Each row may also have a column of its own, worth next to nothing: it stays alone.
    spare = np.arange(height)
    weights = coo_array(
        (
            np.concatenate([counts.astype(np.float64), np.full(height, 1e-3)]),
            (np.concatenate([rows, spare]), np.concatenate([columns, width + spare])),
        ),
        shape=(height, width + height),
    ).tocsr()
    found_rows, found_columns = min_weight_full_bipartite_matching(weights, maximize=True)
    wanted = np.full(height, -1, np.int64)
    wanted[found_rows] = found_columns
    chosen: NDArray[np.intp] = np.flatnonzero(wanted[rows] == columns)
    return chosen


@dataclass(frozen=True)
class ChangeContext:
    """What may have changed the clusters: options, decisions about people, new faces."""

    options: str
    decided_since: frozenset[int]
    people_with_new_faces: frozenset[int]

    def reason(self, *people: int) -> str:
        """Why something happened to ``people``."""
        if self.options:
            return self.options
        if self.decided_since & set(people):
            return "a decision about them changed"
        if self.people_with_new_faces & set(people):
            return "new faces are near both"
        return "all faces were clustered again"


def changes_between(
    before: Numbers,
    after: Numbers,
    known: Numbers,
    gone: tuple[PersonGone, ...],
    why: ChangeContext,
) -> PeopleChanges:
    """The changes of people, from the person of each face ``before`` and ``after``, int64 (n,).

    ``known`` are the numbers of people who were in a run before, the last or an older one.
    """
    was, is_now = distinct(before[before != NOBODY]), distinct(after[after != NOBODY])
    rows = (before != NOBODY) & (after != NOBODY) & (before != after)
    pairs, counts = np.unique(
        np.stack([before[rows], after[rows]], axis=1), axis=0, return_counts=True
    )
    remaining, there, ever = {*is_now.tolist()}, {*was.tolist()}, {*known.tolist()}
    moves = tuple(
        PersonMove(
            "merge"
            if source not in remaining
            else "move"
            if target in there
            else "return"
            if target in ever
            else "split",
            source,
            target,
            faces,
            why.reason(source, target),
        )
        for (source, target), faces in zip(pairs.tolist(), counts.tolist(), strict=True)
    )
    old_faced = distinct(after[(before != NOBODY) & (after != NOBODY)])
    lost = was[~np.isin(was, is_now) & ~np.isin(was, pairs[:, 0])]
    left = (before != NOBODY) & (after == NOBODY)
    lost_faces = tuple(
        PersonGone(number, int((left & (before == number)).sum()), why.reason(number))
        for number in lost.tolist()
    )
    return PeopleChanges(
        kept=int(np.isin(was, is_now).sum()),
        born=int((~np.isin(is_now, np.union1d(was, known)) & ~np.isin(is_now, old_faced)).sum()),
        returned=int((~np.isin(is_now, was) & np.isin(is_now, known)).sum()),
        joined=int(((before == NOBODY) & np.isin(after, was)).sum()),
        left=int(left.sum()),
        moves=moves,
        gone=gone + lost_faces,
    )


def gone_with_photos(before: Numbers, then: PersonAssignment | None) -> tuple[PersonGone, ...]:
    """The people of ``then`` who have none of the faces with a person ``before``."""
    if then is None:
        return ()
    were, counts = np.unique(then.of_faces(), return_counts=True)
    still = np.isin(were, before) | (were == NOBODY)
    return tuple(
        PersonGone(number, faces, "their photos were deleted")
        for number, faces in zip(were[~still].tolist(), counts[~still].tolist(), strict=True)
    )
