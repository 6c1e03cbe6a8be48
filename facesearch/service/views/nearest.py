"""Who is near a face or a person, by the faces that are nearest to it."""

from __future__ import annotations

import numpy as np

from facesearch.people.projection import Person
from facesearch.search.partial import PartialNeighbours
from facesearch.service.shapes.common import UnsearchedView
from facesearch.service.shapes.people import NearPeople, NearPerson, PersonSummary
from facesearch.service.views.served_gallery import ServedGallery
from facesearch.service.views.snapshot import GallerySnapshot
from indexer.types import MAX_NEIGHBOURS, Vectors

_LOOKED_AT = 200  # nearest faces of each
_FACES_OF_PERSON = 16
_NEAREST = 3  # of the distances to a person's faces count, by their mean


def neighbours_of(snapshot: GallerySnapshot, vectors: Vectors, k: int) -> PartialNeighbours:
    """The ``k`` nearest live faces of ``vectors`` float32 (q, d), and what was not searched."""
    most = max(1, min(k, len(snapshot.faces), MAX_NEIGHBOURS))
    return snapshot.view.search.search_parts(vectors, most)


def near_face(
    served: ServedGallery, snapshot: GallerySnapshot, face: int, limit: int
) -> NearPeople:
    """Who a face may be, by other faces than it: people with a name that is near enough first."""
    vectors = served.gallery.vectors(np.array([face], np.int64))
    found = neighbours_of(snapshot, vectors, _LOOKED_AT)
    return _near_people(snapshot, found, {face}, -1, limit)


def near_person(
    served: ServedGallery, snapshot: GallerySnapshot, person: Person, limit: int
) -> NearPeople:
    """Who may be the same as ``person``, by the surest of their faces."""
    rows = snapshot.faces_of(person.id)
    if not len(rows):
        return NearPeople(people=[], unsearched=[])
    order = np.lexsort((snapshot.faces.ids[rows], -snapshot.sureness[rows]))
    vectors = served.gallery.vectors(snapshot.faces.ids[rows[order[:_FACES_OF_PERSON]]])
    found = neighbours_of(snapshot, vectors, _LOOKED_AT + min(len(rows), 1000))
    return _near_people(snapshot, found, set(), person.id, limit)


def _near_people(
    snapshot: GallerySnapshot,
    result: PartialNeighbours,
    without: set[int],
    besides: int,
    limit: int,
) -> NearPeople:
    """The people of the faces found, the nearest first, but for one and for some faces."""
    found = result.neighbours
    there = found.ids >= 0
    ids, distances = found.ids[there], found.distances[there]
    rows = snapshot.faces.rows_of(ids)
    of_people: dict[int, list[float]] = {}
    people: dict[int, Person] = {}
    for row, face, distance in zip(rows.tolist(), ids.tolist(), distances.tolist(), strict=True):
        person = snapshot.person_of_row(row) if row >= 0 and face not in without else None
        if person is not None and not person.hidden and person.id != besides:
            people[person.id] = person
            of_people.setdefault(person.id, []).append(distance)
    threshold = snapshot.threshold.value
    near = [(number, float(np.mean(sorted(each)[:_NEAREST]))) for number, each in of_people.items()]
    near.sort(
        key=lambda each: (not (people[each[0]].name and each[1] <= threshold), each[1], each[0])
    )
    listed = [
        NearPerson(
            person=PersonSummary.of_person(snapshot, people[number]),
            distance=round(distance, 4),
            within=distance <= threshold,
        )
        for number, distance in near[:limit]
    ]
    return NearPeople(people=listed, unsearched=UnsearchedView.of_all(result.unsearched))
