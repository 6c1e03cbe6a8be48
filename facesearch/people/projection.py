"""The present state of people, as the sum of all decisions in the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facesearch.people.ledger import Action, Decision, FaceDecision

# Decisions about the faces that they name, and no others.
ABOUT_FACES: frozenset[Action] = frozenset({"add", "reject", "cover", "not-face"})
NOBODY = -1


@dataclass(frozen=True)
class Person:
    """A person with a permanent number, with or without a name, shown in albums or hidden."""

    id: int
    name: str | None = None
    hidden: bool = False

    @property
    def key(self) -> str:
        """How commands write and read the number: "p12"."""
        return f"p{self.id}"

    @property
    def label(self) -> str:
        """The name, or the key if there is none."""
        return self.name or self.key


@dataclass(frozen=True)
class FaceReturn:
    """An undone ``decision`` about ``face``, which was of ``person`` before (:data:`NOBODY`: none);
    ``undone`` is the number of the undo."""

    face: int
    person: int
    decision: int
    undone: int


@dataclass(frozen=True)
class DecisionState:
    """All people that decisions are about, by their numbers.

    ``faces`` maps each confirmed face to the number of its person, ``since`` to the number of the
    decision that assigned it. ``rejected`` maps pairs of a face and a person it was rejected from
    to the number of that decision. ``merged`` maps numbers of people who were merged to those of
    the people they are now. ``last`` is the number of the newest decision. ``parted`` are pairs of
    people who are not the same, as was said or as one was split from the other, the lower number
    first.

    ``corrected`` are confirmed faces of which a decision about them alone told whose they are: they
    say nothing of other faces, so clusters do not go by them. ``returns`` are undone decisions of
    this kind, the earliest first. ``not_faces`` were said to be no faces. ``covers`` maps people to
    the face chosen to show them. ``later`` are pairs of people, and of a face and a person, about
    whom somebody wanted to be asked later.
    """

    people: Mapping[int, Person]
    faces: Mapping[int, int]
    since: Mapping[int, int]
    rejected: Mapping[tuple[int, int], int]
    merged: Mapping[int, int]
    last: int
    parted: frozenset[tuple[int, int]] = frozenset()
    corrected: frozenset[int] = frozenset()
    returns: tuple[FaceReturn, ...] = ()
    not_faces: frozenset[int] = frozenset()
    covers: Mapping[int, int] = field(default_factory=dict)
    later: frozenset[tuple[int, int]] = frozenset()
    later_faces: frozenset[tuple[int, int]] = frozenset()

    def person(self, number: int) -> Person:
        """The person that a number stands for now; without a decision, one without a name."""
        number = self.merged.get(number, number)
        return self.people.get(number) or Person(number)

    def named(self, name: str) -> Person | None:
        """The person with exactly this name."""
        return next((each for each in self.people.values() if each.name == name), None)

    def number(self, number: int) -> int:
        """The number that ``number`` stands for now."""
        return self.merged.get(number, number)

    @cached_property
    def leading(self) -> Mapping[int, int]:
        """The confirmed faces that tell who their cluster is, with their person."""
        return {face: who for face, who in self.faces.items() if face not in self.corrected}

    def numbers_now(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """``numbers`` int64 (n,) after all merges."""
        if not self.merged:
            return numbers
        distinct, inverse = np.unique(numbers, return_inverse=True)
        now = np.array([self.merged.get(each, each) for each in distinct.tolist()], np.int64)
        result: NDArray[np.int64] = now[inverse]
        return result


@dataclass
class _Replay:
    """Faces and rejections are kept by nodes of a forest, so that a merge moves none of them.

    A number has a node of its own until it is merged into another; said again, it has a new one.
    """

    people: dict[int, Person] = field(default_factory=dict)
    _faces: dict[int, int] = field(default_factory=dict)
    _since: dict[int, int] = field(default_factory=dict)
    _rejected: dict[int, dict[int, int]] = field(default_factory=dict)
    _parted: list[tuple[int, int]] = field(default_factory=list)
    _corrected: set[int] = field(default_factory=set)
    _not_faces: set[int] = field(default_factory=set)
    _covers: dict[int, int] = field(default_factory=dict)
    _later: list[tuple[int, int]] = field(default_factory=list)
    _later_faces: list[tuple[int, int]] = field(default_factory=list)
    _merged: dict[int, int] = field(default_factory=dict)
    _node_of: dict[int, int] = field(default_factory=dict)
    _number_of: list[int] = field(default_factory=list)
    _parents: list[int] = field(default_factory=list)

    def enter(self, decision: Decision) -> None:
        if decision.action == "not-face":
            for face in decision.faces:
                self._not_a_face(face.face_id)
            return
        if decision.action == "later":
            self._ask_later(decision)
            return
        person = self.people.get(decision.person, Person(decision.person))
        name, hidden = person.name, person.hidden
        if decision.action == "merge" and decision.other is not None:
            other = self.people.pop(decision.other, Person(decision.other))
            name = name or other.name
            self._merge(decision.other, decision.person)
        elif decision.action == "split" and decision.other is not None:
            self.people[decision.other] = Person(decision.other, decision.name)
            self._parted.append((self._node(decision.person), self._node(decision.other)))
        elif decision.action == "apart" and decision.other is not None:
            self._parted.append((self._node(decision.person), self._node(decision.other)))
        elif decision.name is not None:
            name = decision.name
        if decision.action in ("hide", "unhide"):
            hidden = decision.action == "hide"
        self.people[decision.person] = Person(decision.person, name, hidden)
        about_faces = decision.action in ABOUT_FACES
        for face in decision.faces:
            if decision.action == "add" and decision.other not in (None, decision.person):
                self._say(FaceDecision(face.face_id, decision.other or 0, False), decision.id, True)
            self._say(face, decision.id, about_faces and face.belongs)
        if decision.action == "cover" and decision.faces:
            self._covers[self._node(decision.person)] = decision.faces[0].face_id

    def _not_a_face(self, face: int) -> None:
        self._not_faces.add(face)
        self._corrected.discard(face)
        self._faces.pop(face, None)

    def _ask_later(self, decision: Decision) -> None:
        node = self._node(decision.person)
        if decision.other is not None:
            self._later.append((node, self._node(decision.other)))
        self._later_faces += [(face.face_id, node) for face in decision.faces]

    def result(self, last: int, returns: tuple[FaceReturn, ...]) -> DecisionState:
        rejected: dict[tuple[int, int], int] = {}
        for face, nodes in self._rejected.items():
            for node, since in nodes.items():
                pair = (face, self._number(node))
                rejected[pair] = min(since, rejected.get(pair, since))
        return DecisionState(
            self.people,
            {face: self._number(node) for face, node in sorted(self._faces.items())},
            {face: since for face, since in self._since.items() if face in self._faces},
            rejected,
            {number: self._number(node) for number, node in self._merged.items()},
            last,
            self._two_people(self._parted),
            frozenset(self._corrected),
            returns,
            frozenset(self._not_faces),
            self._covers_now(),
            self._two_people(self._later),
            frozenset((face, self._number(node)) for face, node in self._later_faces),
        )

    def _two_people(self, pairs: Iterable[tuple[int, int]]) -> frozenset[tuple[int, int]]:
        """Those pairs of nodes, by numbers, that are still two people."""
        return frozenset(
            _pair(self._number(one), self._number(two))
            for one, two in pairs
            if self._root(one) != self._root(two)
        )

    def _covers_now(self) -> dict[int, int]:
        """A person who was merged into another gives a cover to who has none."""
        merged = {self._number(node): face for node, face in self._covers.items()}
        chosen = {node: face for node, face in self._covers.items() if self._root(node) == node}
        return merged | {self._number(node): face for node, face in chosen.items()}

    def _say(self, face: FaceDecision, decision: int, correction: bool) -> None:
        node = self._node(face.person)
        whose = self._faces.get(face.face_id)
        is_his = whose is not None and self._root(whose) == node
        rejected = self._rejected.get(face.face_id, {})
        kept = {each: since for each, since in rejected.items() if self._root(each) != node}
        if face.belongs:
            self._faces[face.face_id] = node
            self._not_faces.discard(face.face_id)
            if not is_his:
                self._since[face.face_id] = decision
            if correction and not (is_his and face.face_id not in self._corrected):
                self._corrected.add(face.face_id)
            elif not correction:
                self._corrected.discard(face.face_id)
        else:
            kept[node] = min((rejected[e] for e in rejected.keys() - kept.keys()), default=decision)
            if is_his:
                del self._faces[face.face_id]
                self._corrected.discard(face.face_id)
        self._rejected[face.face_id] = kept

    def _merge(self, gone: int, kept: int) -> None:
        target = self._node(kept)
        self._parents[self._node(gone)] = target
        del self._node_of[gone]
        self._merged.pop(kept, None)
        self._merged[gone] = target

    def _node(self, number: int) -> int:
        """The root that ``number`` has now."""
        if number not in self._node_of:
            self._node_of[number] = len(self._parents)
            self._parents.append(len(self._parents))
            self._number_of.append(number)
        return self._node_of[number]

    def _root(self, node: int) -> int:
        while self._parents[node] != node:
            self._parents[node] = self._parents[self._parents[node]]
            node = self._parents[node]
        return node

    def _number(self, node: int) -> int:
        return self._number_of[self._root(node)]


def _pair(one: int, two: int) -> tuple[int, int]:
    return min(one, two), max(one, two)


def undone_batches(decisions: Iterable[Decision]) -> frozenset[int]:
    """The batches that were undone."""
    return frozenset(
        each.other for each in decisions if each.action == "undo" and each.other is not None
    )


def last_batch(decisions: Sequence[Decision]) -> list[Decision]:
    """What was decided last, by one command, and is not undone; empty where there is nothing."""
    undone = undone_batches(decisions)
    standing = [each for each in decisions if each.action != "undo" and each.batch not in undone]
    return [each for each in standing if each.batch == standing[-1].batch]


def undone_since(decisions: Sequence[Decision], known: int) -> list[Decision]:
    """Those of the first ``known`` of all decisions that a later one undid."""
    undone = undone_batches(decisions[known:])
    return [each for each in decisions[:known] if each.batch in undone]


def people_concerned(decisions: Sequence[Decision], known: int) -> frozenset[int]:
    """People with other decisions than the first ``known`` of all.

    An undo is about the people of what it undoes.
    """
    undone = undone_batches(decisions)
    new = [e for e in decisions[known:] if e.action != "undo" and e.batch not in undone]
    return frozenset(
        number
        for each in (*new, *undone_since(decisions, known))
        for number in (each.person, each.other, *(face.person for face in each.faces))
        if number is not None
    )


def replay(decisions: Iterable[Decision]) -> DecisionState:
    """What ``decisions``, in order, add up to. Those that were undone say nothing.

    A face is of the person it was last said to be. Who is merged into another brings along his
    faces, and his name if the other has none. "Not a face" holds until somebody is given the face.
    """
    decisions = list(decisions)
    undone = undone_batches(decisions)
    state = _Replay()
    for decision in decisions:
        if decision.action != "undo" and decision.batch not in undone:
            state.enter(decision)
    return state.result(decisions[-1].id if decisions else 0, _returns(decisions))


def _returns(decisions: Sequence[Decision]) -> tuple[FaceReturn, ...]:
    """What undone decisions about single faces had changed, the earliest first."""
    undone = {each.other: each.id for each in decisions if each.action == "undo"}
    return tuple(
        FaceReturn(
            face.face_id,
            _before(decision, face),
            decision.id,
            undone[decision.batch],
        )
        for decision in decisions
        if decision.batch in undone and decision.action in ABOUT_FACES
        for face in decision.faces
        # Older programs confirmed others beside; and who was not the person's stays where it is.
        if decision.action != "reject" or (decision.other is None and not face.belongs)
    )


def _before(decision: Decision, face: FaceDecision) -> int:
    """Whose ``face`` was before a decision about it."""
    if decision.action == "add":
        return NOBODY if decision.other is None else decision.other
    return face.person or NOBODY
