"""What the decisions add up to: who there is, whose faces are whose, and whose they are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesearch.ledger import Decision


@dataclass(frozen=True)
class Person:
    """Somebody, by a number that stays: named or not, and perhaps hidden from albums."""

    id: int
    name: str | None = None
    hidden: bool = False

    @property
    def key(self) -> str:
        """How commands write and read the number: "p12"."""
        return f"p{self.id}"

    @property
    def label(self) -> str:
        """The name, or the key of somebody without one."""
        return self.name or self.key


@dataclass(frozen=True)
class Decided:
    """The people that something was decided of, by their numbers.

    ``faces`` maps a face to whose it was decided to be, ``rejected`` are pairs of a face and whose
    it is not. ``merged`` maps the numbers of people who turned out to be others to those. ``last``
    is the number of the newest decision. ``parted`` are pairs of people of whom one was split from
    the other, the lesser number first.
    """

    people: Mapping[int, Person]
    faces: Mapping[int, int]
    rejected: frozenset[tuple[int, int]]
    merged: Mapping[int, int]
    last: int
    parted: frozenset[tuple[int, int]] = frozenset()

    def person(self, number: int) -> Person:
        """Whom a number stands for today; an undecided one is somebody without a name."""
        number = self.merged.get(number, number)
        return self.people.get(number) or Person(number)

    def named(self, name: str) -> Person | None:
        """Who has exactly this name."""
        return next((each for each in self.people.values() if each.name == name), None)

    def numbers_now(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """``numbers`` int64 (n,) after all merges."""
        if not self.merged:
            return numbers
        distinct, inverse = np.unique(numbers, return_inverse=True)
        now = np.array([self.merged.get(each, each) for each in distinct.tolist()], np.int64)
        result: NDArray[np.int64] = now[inverse]
        return result


@dataclass
class _Fold:
    people: dict[int, Person] = field(default_factory=dict)
    faces: dict[int, int] = field(default_factory=dict)
    rejected: set[tuple[int, int]] = field(default_factory=set)
    merged: dict[int, int] = field(default_factory=dict)
    parted: set[tuple[int, int]] = field(default_factory=set)

    def enter(self, decision: Decision) -> None:
        person = self.people.get(decision.person, Person(decision.person))
        name, hidden = person.name, person.hidden
        if decision.action == "merge" and decision.other is not None:
            other = self.people.pop(decision.other, Person(decision.other))
            name = name or other.name
            self._merge(decision.other, decision.person)
        elif decision.action == "split" and decision.other is not None:
            self.people[decision.other] = Person(decision.other, decision.name)
            self.parted.add(_pair(decision.person, decision.other))
        elif decision.name is not None:
            name = decision.name
        if decision.action in ("hide", "unhide"):
            hidden = decision.action == "hide"
        self.people[decision.person] = Person(decision.person, name, hidden)
        for face in decision.faces:
            if face.belongs:
                self.faces[face.face_id] = face.person
                self.rejected.discard((face.face_id, face.person))
            else:
                self.rejected.add((face.face_id, face.person))
                if self.faces.get(face.face_id) == face.person:
                    del self.faces[face.face_id]

    def _merge(self, gone: int, kept: int) -> None:
        for face in [face for face, person in self.faces.items() if person == gone]:
            self.faces[face] = kept
        for face, person in [pair for pair in self.rejected if pair[1] == gone]:
            self.rejected.remove((face, person))
            self.rejected.add((face, kept))
        self.parted = {
            _pair(*(kept if person == gone else person for person in pair))
            for pair in self.parted
            if {*pair} != {gone, kept}
        }
        self.merged.pop(kept, None)
        for number in [number for number, now in self.merged.items() if now == gone]:
            self.merged[number] = kept
        self.merged[gone] = kept


def _pair(one: int, two: int) -> tuple[int, int]:
    return min(one, two), max(one, two)


def undone_batches(decisions: Iterable[Decision]) -> frozenset[int]:
    """The batches that were undone."""
    return frozenset(
        each.other for each in decisions if each.action == "undo" and each.other is not None
    )


def fold(decisions: Iterable[Decision]) -> Decided:
    """What ``decisions``, in order, add up to. Those that were undone say nothing.

    A face is of the person it was last said to be. Who is merged into another brings along his
    faces, and his name if the other has none.
    """
    decisions = list(decisions)
    undone = undone_batches(decisions)
    state = _Fold()
    for decision in decisions:
        if decision.action != "undo" and decision.batch not in undone:
            state.enter(decision)
    return Decided(
        state.people,
        dict(sorted(state.faces.items())),
        frozenset(state.rejected),
        state.merged,
        decisions[-1].id if decisions else 0,
        frozenset(state.parted),
    )
