"""The people of a gallery, the faces of one, and the decisions so far: to be looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facesearch.curation.people_reader import PeopleReader
from facesearch.gallery.records import FaceRecord
from facesearch.people.ledger import Decision
from facesearch.people.projection import NOBODY, Person, undone_batches
from indexer.id_lookup import positions_of
from indexer.types import Ids


@dataclass(frozen=True)
class PersonCount:
    """A person with so many live ``faces``; ``confirmed`` counts those decided, of any photos."""

    person: Person
    faces: int
    confirmed: int

    @property
    def gone(self) -> bool:
        """Whether none of the faces that were confirmed is left."""
        return self.confirmed > 0 and not self.faces


@dataclass(frozen=True)
class PeopleList:
    """``people``, those with the most faces first; how many more are ``hidden``, and how many faces
    belong to nobody. ``clustered``: whether the gallery was."""

    people: tuple[PersonCount, ...]
    hidden: int
    faces_of_nobody: int
    clustered: bool


@dataclass(frozen=True)
class PersonFace:
    """A face of a person: how sure that is, in [0, 1], and whether somebody decided it."""

    face: FaceRecord
    confidence: float
    confirmed: bool


@dataclass(frozen=True)
class PersonWithFaces:
    """A person with all live faces, the most certain first."""

    person: Person
    faces: tuple[PersonFace, ...]


@dataclass(frozen=True)
class DecisionStatus:
    """A decision: whether it was ``undone``, and whether all of its faces are ``gone``."""

    decision: Decision
    undone: bool
    gone: bool


def people_list(reader: PeopleReader, *, hidden: bool = False) -> PeopleList:
    """The people that ``reader`` sees, also those who are ``hidden`` if asked for."""
    faces = reader.now.counts()
    confirmed = Counter(reader.decided.faces.values())
    everyone = sorted(reader.everyone().values(), key=lambda each: (-faces[each.id], each.id))
    shown = [each for each in everyone if hidden or not each.hidden]
    return PeopleList(
        tuple(PersonCount(each, faces[each.id], confirmed[each.id]) for each in shown),
        len(everyone) - len(shown),
        faces[NOBODY] - len(reader.decided.not_faces),
        reader.clustered,
    )


def person_with_faces(
    reader: PeopleReader, person: str, *, unsure: bool = False
) -> PersonWithFaces:
    """The faces of who is called ``person``, or of them those that nobody confirmed, the least
    certain first; raises InputError where nobody is called so."""
    found = reader.find(person)
    ids, confidence = reader.now.faces_with_confidence(found.id)
    sure = dict(zip(ids.tolist(), confidence.tolist(), strict=True))
    decided, records = reader.decided.faces, reader.records(found)
    if unsure:
        records = [each for each in reversed(records) if each.face_id not in decided]
    return PersonWithFaces(
        found,
        tuple(
            PersonFace(each, sure[each.face_id], decided.get(each.face_id) == found.id)
            for each in records
        ),
    )


def decision_statuses(decisions: Sequence[Decision], live_ids: Ids) -> list[DecisionStatus]:
    """What became of every decision, where the faces that are there are ``live_ids``, ascending."""
    undone = undone_batches(decisions)
    decided = {face.face_id for each in decisions for face in each.faces}
    faces = np.array(sorted(decided), np.int64)
    live = {*faces[positions_of(faces, live_ids, ascending=True) >= 0].tolist()}
    return [
        DecisionStatus(
            each,
            each.batch in undone,
            bool(each.faces) and live.isdisjoint(face.face_id for face in each.faces),
        )
        for each in decisions
    ]
