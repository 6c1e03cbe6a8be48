"""The present person of each face: by the last clustering and the decisions since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.labels import ordered_labels
from cluster.types import NOISE, Clustering
from facesearch.people.projection import DecisionState, Person
from indexer.id_lookup import positions_of
from indexer.types import Ids

NOBODY = -1


@dataclass(frozen=True)
class PersonAssignment:
    """Faces by person: the label of a face in ``clustering`` is a row of ``people``."""

    clustering: Clustering
    people: tuple[Person, ...]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The number of each person, int64 (k,)."""
        return np.array([each.id for each in self.people], np.int64)

    @property
    def names(self) -> dict[int, str]:
        """The name of each label that has one."""
        return {row: each.name for row, each in enumerate(self.people) if each.name is not None}

    def of_faces(self) -> NDArray[np.int64]:
        """The number of each face's person, int64 (n,); :data:`NOBODY` where there is none."""
        return person_of_labels(self.clustering.labels, self.numbers)

    def of_label(self, labels: NDArray[np.int32]) -> NDArray[np.int64]:
        """The number of the person of each of ``labels`` (m,), int64; :data:`NOBODY` of noise."""
        return person_of_labels(labels, self.numbers)

    def name_of_faces(self) -> FaceNames:
        """The name of each face whose person has one, looked up when it is asked for."""
        return FaceNames(self)

    def names_by_id(self) -> dict[int, str]:
        """The name of each face whose person has one."""
        names, ids = self.names, self.clustering.ids.tolist()
        return {
            face: names[label]
            for face, label in zip(ids, self.clustering.labels.tolist(), strict=True)
            if label in names
        }

    def faces(self, number: int) -> Ids:
        """The ids of a person's faces, the surest first."""
        rows = np.flatnonzero(self.of_faces() == number)
        ids, sure = self.clustering.ids[rows], self.clustering.confidence[rows]
        result: Ids = ids[np.lexsort((ids, -sure))]
        return result


class FaceNames(Mapping[int, str]):
    """Names by face, without a table of all faces as Python's numbers."""

    def __init__(self, people: PersonAssignment) -> None:
        self._people = people
        self._names = people.names
        self._order = np.argsort(people.clustering.ids, kind="stable")
        self._ids = people.clustering.ids[self._order]

    def __getitem__(self, face: int) -> str:
        (place,) = positions_of(np.array([face], np.int64), self._ids, ascending=True)
        if place < 0:
            raise KeyError(face)
        return self._names[int(self._people.clustering.labels[self._order[place]])]

    def __iter__(self) -> Iterator[int]:
        labels = self._people.clustering.labels[self._order].tolist()
        ids = self._ids.tolist()
        return (face for face, label in zip(ids, labels, strict=True) if label in self._names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def person_of_labels(labels: NDArray[np.int32], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The person of each label, int64 (n,), where label l is ``numbers[l]``."""
    of_faces: NDArray[np.int64] = np.append(numbers, NOBODY)[labels]
    return of_faces


def assign_people(
    clustering: Clustering, numbers: NDArray[np.int64], decided: DecisionState
) -> PersonAssignment:
    """The people of ``clustering``, whose label l was ``numbers[l]``, as was decided since.

    A confirmed face always belongs to its person. A face that was rejected from the person of its
    cluster has none until the next clustering. The other faces of a cluster stay with its
    person; if no decision is about that one, they go to the one that most of its confirmed faces
    are of, where one is ahead. Labels are in order of size.
    """
    of_clusters = _by_majority(clustering, decided.numbers_now(numbers), decided)
    of_faces = person_of_labels(clustering.labels, of_clusters)
    confidence = clustering.confidence.copy()
    rows = positions_of(np.array(list(decided.faces), np.int64), clustering.ids)
    people = np.array(list(decided.faces.values()), np.int64)
    of_faces[rows[rows >= 0]] = people[rows >= 0]
    confidence[rows[rows >= 0]] = 1.0
    for face, number in _there(decided.rejected, clustering.ids):
        of_faces[face] = NOBODY if of_faces[face] == number else of_faces[face]
    return _labelled(Clustering(clustering.ids, clustering.labels, confidence), of_faces, decided)


def undecided_numbers(count: int) -> NDArray[np.int64]:
    """Stand-ins for the people of ``count`` clusters that were made before people had numbers."""
    return -2 - np.arange(count, dtype=np.int64)


def decided_rows(ids: Ids, decided: DecisionState) -> NDArray[np.int64]:
    """For each face of ``ids`` whose it was decided to be, int64 (n,); :data:`NOBODY`: not."""
    people = np.full(len(ids), NOBODY, np.int64)
    rows = positions_of(np.array(list(decided.faces), np.int64), ids)
    people[rows[rows >= 0]] = np.array(list(decided.faces.values()), np.int64)[rows >= 0]
    return people


def cannot_link_faces(now: PersonAssignment, decided: DecisionState) -> list[tuple[int, int]]:
    """Pairs of faces of which people said that they show two persons.

    A rejected face, and one face of whom it is not; of two people one of whom was split from the
    other, every face decided to be the one's, and one face of the other.
    """
    people, rows = np.unique(now.of_faces(), return_index=True)
    face_of = dict(zip(people.tolist(), now.clustering.ids[rows].tolist(), strict=True))
    pairs = [(face, face_of[each]) for face, each in sorted(decided.rejected) if each in face_of]
    faces_of: dict[int, list[int]] = {}
    for face, person in decided.faces.items():
        faces_of.setdefault(person, []).append(face)
    for pair in sorted(decided.parted):
        if face_of.keys() >= {*pair}:
            for one, other in (pair, pair[::-1]):
                of_person = [face_of[one], *faces_of.get(one, ())]
                pairs += [(face, face_of[other]) for face in of_person]
    return pairs


def leaders(votes: list[tuple[int, int]]) -> dict[int, int]:
    """For each cluster, of (cluster, person) pairs, the most frequent person, if there is one."""
    counters: dict[int, Counter[int]] = {}
    for cluster, person in votes:
        counters.setdefault(cluster, Counter())[person] += 1
    ahead = {}
    for cluster, counter in counters.items():
        (person, count), *others = counter.most_common(2)
        if not others or others[0][1] < count:
            ahead[cluster] = person
    return ahead


def _by_majority(
    clustering: Clustering, numbers: NDArray[np.int64], decided: DecisionState
) -> NDArray[np.int64]:
    """The person of each cluster, int64 (k,)."""
    people = decided_rows(clustering.ids, decided)
    decided_rows_ = np.flatnonzero((people != NOBODY) & (clustering.labels != NOISE))
    votes = list(
        zip(clustering.labels[decided_rows_].tolist(), people[decided_rows_].tolist(), strict=True)
    )
    result = numbers.copy()
    for label, person in leaders(votes).items():
        if int(numbers[label]) not in decided.people:
            result[label] = person
    return result


def _labelled(
    clustering: Clustering, of_faces: NDArray[np.int64], decided: DecisionState
) -> PersonAssignment:
    _, rows = np.unique(of_faces, return_inverse=True)
    groups = np.where(of_faces == NOBODY, NOISE, rows)
    labels = ordered_labels(clustering.ids, groups)
    numbers = np.zeros(int(labels.max(initial=NOISE)) + 1, np.int64)
    numbers[labels[labels != NOISE]] = of_faces[labels != NOISE]
    confidence = np.where(labels == NOISE, np.float32(0), clustering.confidence)
    return PersonAssignment(
        Clustering(clustering.ids, labels, confidence),
        tuple(decided.person(number) for number in numbers.tolist()),
    )


def _there(pairs: Iterable[tuple[int, int]], ids: Ids) -> list[tuple[int, int]]:
    """``pairs`` of a face and a number, with the row of each face that is among ``ids``."""
    ordered = sorted(pairs)
    rows = positions_of(np.array([face for face, _ in ordered], np.int64), ids)
    return [
        (row, number) for row, (_, number) in zip(rows.tolist(), ordered, strict=True) if row >= 0
    ]
