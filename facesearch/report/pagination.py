"""A large album parted into several pages, so that each opens at once."""

from __future__ import annotations

from dataclasses import dataclass

from facesearch.album.model import Album, AlbumFace, AlbumPerson

# Of one page: what opens at once (``benchmarks/jobs/report_speed.py``).
PAGE_FACES = 5000


@dataclass(frozen=True)
class AlbumPage:
    """The people and the faces without a person on one page; ``number`` counts from 1."""

    number: int
    people: tuple[AlbumPerson, ...]
    noise: tuple[AlbumFace, ...]

    @property
    def file(self) -> str:
        """The page's file name."""
        return volume_file(self.number)


def volume_file(number: int) -> str:
    """``index.html`` for the first page, ``people-2.html`` for the second."""
    return "index.html" if number == 1 else f"people-{number}.html"


def volumes_of(album: Album, most: int) -> list[AlbumPage]:
    """The pages of ``album``, of ``most`` faces each; a person is never parted."""
    ordered = sorted(album.people, key=owners_first)
    pages: list[list[AlbumPerson]] = [[]]
    count = 0
    for person in ordered:
        if pages[-1] and count + len(person.faces) > most:
            pages.append([])
            count = 0
        pages[-1].append(person)
        count += len(person.faces)
    # Faces without a person go where there is room, then to further pages.
    rooms = [0] * (len(pages) - 1) + [max(most - count, 0)]
    while sum(rooms) < len(album.noise):
        rooms.append(most)
        pages.append([])
    volumes, start = [], 0
    for number, (people, room) in enumerate(zip(pages, rooms, strict=True), start=1):
        volumes.append(AlbumPage(number, tuple(people), album.noise[start : start + room]))
        start += room
    return volumes


def owners_first(person: AlbumPerson) -> int:
    """The part of a list that a person is in: those with a name, others whom the owner knows, those
    of the crowd, and those seen once."""
    if person.name is not None:
        return 0
    if person.photo_count == 1:
        return 3
    return 2 if person.crowd else 1
