"""The present person of each face: by the last clustering and the decisions since.

A decision changes at once only the faces that it is about; what follows for others of their
clusters is the next clustering's to find (:func:`led_numbers`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cluster.labels import ordered_labels
from cluster.types import NOISE, Clustering
from facesearch.people.projection import NOBODY, DecisionState, Person
from indexer.id_lookup import contained, positions_of, values_at
from indexer.types import Ids


@dataclass(frozen=True)
class FaceName:
    """The name of a face's person, whether it was ``confirmed``, and how sure it is, in [0, 1]."""

    name: str
    confirmed: bool
    confidence: float


@dataclass(frozen=True)
class PersonAssignment:
    """Faces by person: the label of a face in ``clustering`` is a row of ``people``.

    ``confirmed`` bool (n,) tells whose person was decided; None: nobody's.
    """

    clustering: Clustering
    people: tuple[Person, ...]
    confirmed: NDArray[np.bool_] | None = None

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

    def people_of(self, faces: Sequence[int]) -> list[int]:
        """The number of the person of each of ``faces``; :data:`NOBODY` for none and if unknown."""
        rows = positions_of(np.array(faces, np.int64), self.clustering.ids)
        found: list[int] = values_at(self.of_faces(), rows, NOBODY).tolist()
        return found

    def confidence_of(self, faces: Sequence[int]) -> list[float]:
        """How sure it is that each of ``faces`` is where it is, in [0, 1], NaN for unknown ones."""
        rows = positions_of(np.array(faces, np.int64), self.clustering.ids)
        found: list[float] = values_at(self.clustering.confidence, rows, np.nan).tolist()
        return found

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

    def face_names(self) -> dict[int, FaceName]:
        """The name of each face whose person has one, and where it comes from."""
        found = self.clustering
        sure = dict(zip(found.ids.tolist(), found.confidence.tolist(), strict=True))
        decided = (
            set() if self.confirmed is None else {*self.clustering.ids[self.confirmed].tolist()}
        )
        return {
            face: FaceName(name, face in decided, sure[face])
            for face, name in self.names_by_id().items()
        }

    def faces(self, number: int) -> Ids:
        """The ids of a person's faces, the surest first."""
        return self.faces_with_confidence(number)[0]

    def faces_with_confidence(self, number: int) -> tuple[Ids, NDArray[np.float32]]:
        """The ids of a person's faces, int64 (m,), the surest first, and how sure each is, float32
        (m,) in [0, 1]."""
        rows = np.flatnonzero(self.of_faces() == number)
        ids, sure = self.clustering.ids[rows], self.clustering.confidence[rows]
        order = np.lexsort((ids, -sure))
        return ids[order], sure[order]

    def counts(self) -> Counter[int]:
        """How many faces each person has, by number; those of nobody by :data:`NOBODY`."""
        by_label = np.bincount(self.clustering.labels - NOISE, minlength=len(self.people) + 1)
        found = Counter({NOBODY: int(by_label[0])})
        for person, faces in zip(self.people, by_label[1:].tolist(), strict=True):
            found[person.id] += faces
        return found


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
    clustering: Clustering,
    numbers: NDArray[np.int64],
    decided: DecisionState,
    *,
    known: int | None = None,
) -> PersonAssignment:
    """The people of ``clustering``, whose label l was ``numbers[l]``, as was decided since.

    A confirmed face always belongs to its person; the other faces of its cluster stay where they
    are. A face that was rejected from the person of its cluster has none until the next
    clustering, and what is no face never has one. ``known`` is the newest decision that the
    clustering followed: a face that it moved by a decision about that face, which was undone since,
    is back with whom it was of. Labels are in order of size.
    """
    of_faces = person_of_labels(clustering.labels, decided.numbers_now(numbers))
    for row, number in _there(_returned(decided, known).items(), clustering.ids):
        of_faces[row] = number
    people = decided_rows(clustering.ids, decided)
    confirmed = people != NOBODY
    of_faces[confirmed] = people[confirmed]
    confidence = np.where(confirmed, np.float32(1), clustering.confidence)
    for row, number in _there(decided.rejected, clustering.ids):
        of_faces[row] = NOBODY if of_faces[row] == number else of_faces[row]
    of_faces[contained(clustering.ids, np.array(list(decided.not_faces), np.int64))] = NOBODY
    now = _labelled(Clustering(clustering.ids, clustering.labels, confidence), of_faces, decided)
    return replace(now, confirmed=confirmed)


def led_numbers(
    clustering: Clustering, numbers: NDArray[np.int64], decided: DecisionState
) -> NDArray[np.int64]:
    """``numbers`` (k,) of the clusters, after those were given to whom they show.

    The cluster of a person whom no decision names or confirms a face of goes to the one that most
    of its leading faces are of (:attr:`DecisionState.leading`), where one is ahead. Faces that were
    removed from that person do not lead it.
    """
    numbers = decided.numbers_now(numbers)
    people = decided_rows(clustering.ids, decided, decided.leading)
    rows = np.flatnonzero((people != NOBODY) & (clustering.labels != NOISE))
    leading = zip(
        clustering.ids[rows].tolist(),
        clustering.labels[rows].tolist(),
        people[rows].tolist(),
        strict=True,
    )
    votes = [
        (label, person)
        for face, label, person in leading
        if (face, int(numbers[label])) not in decided.rejected
    ]
    known = {*decided.leading.values()}
    known |= {number for number, person in decided.people.items() if person.name is not None}
    result = numbers.copy()
    for label, person in leaders(votes).items():
        if int(numbers[label]) not in known:
            result[label] = person
    return result


def voting_people(
    clustering: Clustering, numbers: NDArray[np.int64], decided: DecisionState, known: int
) -> PersonAssignment:
    """As :func:`assign_people` has it, but as if no decision in force were about a single face.

    By these later clusters find the person that they had. So a decision that moves one face takes
    no others along, whatever the clusters are then."""
    leading = replace(decided, faces=decided.leading, rejected={}, not_faces=frozenset())
    return assign_people(clustering, numbers, leading, known=known)


def _returned(decided: DecisionState, known: int | None) -> dict[int, int]:
    """Whom faces are of again: by the earliest of the undone decisions that a run still follows."""
    found: dict[int, int] = {}
    for each in decided.returns:
        if known is not None and each.decision <= known < each.undone:
            found.setdefault(each.face, decided.number(each.person))
    return found


def undecided_numbers(count: int) -> NDArray[np.int64]:
    """Stand-ins for the people of ``count`` clusters that were made before people had numbers."""
    return -2 - np.arange(count, dtype=np.int64)


def decided_rows(
    ids: Ids, decided: DecisionState, faces: Mapping[int, int] | None = None
) -> NDArray[np.int64]:
    """For each face of ``ids`` whose it was decided to be, int64 (n,); :data:`NOBODY`: not.

    ``faces`` are the confirmed ones that count, by default all."""
    faces = decided.faces if faces is None else faces
    people = np.full(len(ids), NOBODY, np.int64)
    rows = positions_of(np.array(list(faces), np.int64), ids)
    people[rows[rows >= 0]] = np.array(list(faces.values()), np.int64)[rows >= 0]
    return people


def cannot_link_faces(now: PersonAssignment, decided: DecisionState) -> list[tuple[int, int]]:
    """Pairs of faces of which people said that they show two persons.

    A rejected face, and one face of whom it is not; of two people who are not the same, as was said
    or as one was split from the other, every face decided to be the one's, and one of the other.
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
