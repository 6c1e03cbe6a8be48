"""People as they are sent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from facesearch.people.projection import Person
from facesearch.service.shapes.common import RecordId, Shape, UnsearchedView
from facesearch.service.views.person_rows import PersonRow
from facesearch.service.views.snapshot import GallerySnapshot

PersonKey = Annotated[str, Field(pattern=r"^p[0-9]{1,15}$")]


class CoverView(Shape):
    """The face that stands for a person; ``chosen`` by hand, or by the program."""

    face: RecordId
    chosen: bool


class PersonSummary(Shape):
    """A person, with or without a name."""

    id: str
    name: str | None
    label: str
    hidden: bool
    faces: int
    photos: int
    confirmed: int
    first_taken: str | None
    last_taken: str | None
    cover: CoverView | None

    @classmethod
    def of(cls, snapshot: GallerySnapshot, row: PersonRow) -> PersonSummary:
        """What is listed of ``row``."""
        person = row.person
        return cls(
            id=person.key,
            name=person.name,
            label=person.label,
            hidden=person.hidden,
            faces=row.faces,
            photos=row.photos,
            confirmed=row.confirmed,
            first_taken=_time(snapshot, row.first),
            last_taken=_time(snapshot, row.last),
            cover=None if row.cover < 0 else CoverView(face=row.cover, chosen=row.chosen),
        )

    @classmethod
    def of_person(cls, snapshot: GallerySnapshot, person: Person) -> PersonSummary:
        """The same of a person who may have no faces."""
        row = snapshot.row_of_person.get(person.id)
        row = row or PersonRow(person, 0, 0, 0, -1, -1, -1, False, 0)
        return cls.of(snapshot, row)


def _time(snapshot: GallerySnapshot, photo_row: int) -> str | None:
    return None if photo_row < 0 else snapshot.photos.taken_at(photo_row)


class PersonDetail(PersonSummary):
    """A person, and the numbers of those who were merged into them."""

    merged_from: list[str]


class PersonPage(Shape):
    """A page of people. ``unnamed`` is the place in the list of the first person without a name,
    from the place ``start`` on; null where there is none."""

    people: list[PersonSummary]
    next: str | None
    total: int
    unnamed: int | None


class NearPerson(Shape):
    """Somebody near a face or another person: ``distance`` is squared, in [0, 4].

    ``within``: near enough to be given that name.
    """

    person: PersonSummary
    distance: float
    within: bool


class NearPeople(Shape):
    """The nearest first, of those that were searched."""

    people: list[NearPerson]
    unsearched: list[UnsearchedView]


class CoverChoice(Shape):
    """The face that is to stand for the person."""

    face: RecordId
