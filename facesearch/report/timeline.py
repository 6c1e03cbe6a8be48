"""The album by time: who is on the photos of each month, or of each year of a long album."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from facesearch.album.model import AlbumFace, AlbumPerson

MOST_MONTHS = 36  # more are shown by the year
MOST_PEOPLE = 8  # of one period, those on most photos

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Appearance:
    """A person in a period: the surest of their faces in it, and on how many photos they are."""

    person: AlbumPerson
    face: AlbumFace
    photo_count: int


@dataclass(frozen=True)
class Period:
    """A month or a year: ``start`` is ``2024-06`` or ``2024``. ``people`` are those on the most
    photos, the crowd last, ``others`` how many more there are, ``photo_count`` photos with any of
    them."""

    start: str
    photo_count: int
    people: tuple[Appearance, ...]
    others: int


def periods_of(people: Sequence[AlbumPerson]) -> list[Period]:
    """The periods in which ``people`` were photographed, in order of time; undated are left out."""
    months = {_MONTH.match(face.taken_at) for person in people for face in person.faces}
    by_year = len({match.group() for match in months if match}) > MOST_MONTHS
    found: dict[str, list[Appearance]] = {}
    photos: dict[str, set[object]] = {}
    for person in people:
        by_period: dict[str, list[AlbumFace]] = {}
        for face in person.faces:
            if match := _MONTH.match(face.taken_at):
                by_period.setdefault(match[1] if by_year else match[0], []).append(face)
        for start, faces in by_period.items():
            here = {face.photo for face in faces}
            photos.setdefault(start, set()).update(here)
            found.setdefault(start, []).append(Appearance(person, faces[0], len(here)))
    return [_period(start, found[start], len(photos[start])) for start in sorted(found)]


def _period(start: str, appearances: list[Appearance], photo_count: int) -> Period:
    ordered = sorted(appearances, key=lambda each: (each.person.crowd, -each.photo_count))
    return Period(start, photo_count, tuple(ordered[:MOST_PEOPLE]), len(ordered[MOST_PEOPLE:]))
