"""Is what a clustering tells of its changes so? Held against the people before and after it."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scipy.optimize import linear_sum_assignment

from facesearch.clustering.person_matching import PeopleChanges, PersonMove
from facesearch.people.assignment import PersonAssignment
from facesearch.people.projection import NOBODY

CAME = "new faces are near both"


def unexplained(
    before: PersonAssignment, now: PersonAssignment, changes: PeopleChanges
) -> list[str]:
    """What became of people and faces that ``changes`` do not say, or say wrongly."""
    was, is_now = numbers_of(before), numbers_of(now)
    flows = Counter((was[face], is_now[face]) for face in was if min(was[face], is_now[face]) > 0)
    reported = {(each.source, each.target): each.faces for each in changes.moves if each.reason}
    problems = [
        f"{faces} faces of p{one} are p{two}, which is reported as {reported.get((one, two), 0)}"
        for (one, two), faces in flows.items()
        if one != two and reported.get((one, two)) != faces
    ]
    left = {number for number in was.values() if number > 0} - {*is_now.values()}
    ended = {each.person for each in changes.gone if each.reason}
    ended |= {each.source for each in changes.moves if each.kind == "merge"}
    problems += [f"p{number} is gone, and nothing says why" for number in left - ended]
    # Who is back from an older run has faces that were another's in between, perhaps all of these.
    back = {(each.source, each.target) for each in changes.moves if each.kind == "return"}
    return problems + [
        f"the faces of p{number} are p{other} now, and are the same"
        for number, other in _same_faces(was, is_now)
        if number != other and (number, other) not in back
    ]


class Reasons:
    """Why there is a change in the people of ``before``, from what is known of it without asking
    the clustering: which option is another ("": none), whether it was ``full``, and of whom
    something was decided since the last."""

    def __init__(
        self,
        option: str,
        full: bool,
        decided_since: set[int],
        before: PersonAssignment,
        now: PersonAssignment,
    ) -> None:
        self._option, self._full, self._decided_since = option, full, decided_since
        self._was = numbers_of(before)
        self._now = numbers_of(now)
        self._came = {p for face, p in self._now.items() if p > 0 > self._was.get(face, NOBODY)}

    def wrong(self, changes: PeopleChanges) -> list[str]:
        """The moves and the people gone that are reported with a wrong reason."""
        reported = [
            (f"p{e.source} to p{e.target}", e.reason, {e.source, e.target}) for e in changes.moves
        ]
        reported += [(f"p{e.person} gone", e.reason, {e.person}) for e in changes.gone]
        problems = [
            f"{what}: {reason}, expected: {self._reason(people)}"
            for what, reason, people in reported
            if reason != self._reason(people)
        ]
        return problems + [
            f"p{each.source} to p{each.target}: not all, though not all faces were clustered"
            for each in changes.moves
            if each.reason == CAME and not self._full and not self._whole(each)
        ]

    def _reason(self, people: set[int]) -> str:
        if self._option:
            return self._option
        if people & self._decided_since:
            return "a decision about them changed"
        if people & self._came:
            return CAME
        return "all faces were clustered again" if self._full else "nothing"

    def _whole(self, move: PersonMove) -> bool:
        """Whether all that was somebody's went together, to where a face has come."""
        faces = [face for face, number in self._was.items() if number == move.source]
        return {self._now[face] for face in faces} == {move.target} and move.target in self._came


def misnumbered(before: PersonAssignment, now: PersonAssignment, decided: set[int]) -> list[str]:
    """Whether more faces could have kept their person, had the numbers been given otherwise.

    Of people of whom nothing is ``decided``: those have their numbers by their decided faces.
    """
    was, is_now = numbers_of(before), numbers_of(now)
    flows = Counter(
        (was[face], number)
        for face, number in is_now.items()
        if was.get(face, NOBODY) > 0 and number > 0 and not {was[face], number} & decided
    )
    if not flows:
        return []
    ones, others = (sorted({pair[side] for pair in flows}) for side in (0, 1))
    overlap = np.zeros((len(ones), len(others)))
    for (one, other), faces in flows.items():
        overlap[ones.index(one), others.index(other)] = faces
    kept = sum(faces for (one, other), faces in flows.items() if one == other)
    most = int(overlap[linear_sum_assignment(overlap, maximize=True)].sum())
    return [] if kept == most else [f"{kept} faces kept their person, and {most} could have"]


def numbers_of(people: PersonAssignment) -> dict[int, int]:
    """Whose each face is."""
    return dict(zip(people.clustering.ids.tolist(), people.of_faces().tolist(), strict=True))


def _same_faces(was: dict[int, int], is_now: dict[int, int]) -> list[tuple[int, int]]:
    """Numbers before and now of every set of faces that is a person's both times."""
    sets: list[dict[frozenset[int], int]] = []
    for numbers in (was, is_now):
        groups: dict[int, list[int]] = {}
        for face, number in numbers.items():
            if number > 0:
                groups.setdefault(number, []).append(face)
        sets.append({frozenset(faces): number for number, faces in groups.items()})
    return [(number, sets[1][faces]) for faces, number in sets[0].items() if faces in sets[1]]
