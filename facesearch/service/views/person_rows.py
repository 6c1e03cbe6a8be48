"""What a list of people shows of each of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cluster.types import NOISE
from facesearch.api.session import GalleryView
from facesearch.people.projection import Person
from facesearch.quality import MIN_QUALITY
from facesearch.service.views.face_columns import FaceColumns
from facesearch.service.views.photo_columns import PhotoColumns
from indexer.id_lookup import distinct


@dataclass(frozen=True)
class PersonRow:
    """A person and what is counted of them; ``cover`` is a face id, -1 where there is no face.

    ``first`` and ``last`` are rows of the earliest and latest photo whose time is known, or -1.
    ``decided`` is the number of the newest decision that gave the person a face, or 0.
    """

    person: Person
    faces: int
    photos: int
    confirmed: int
    first: int
    last: int
    cover: int
    chosen: bool
    decided: int

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the name as they are looked for."""
        return searched_words(self.person.name or "")


def searched_words(text: str) -> tuple[str, ...]:
    """The words of ``text`` without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return tuple("".join(c for c in plain if not unicodedata.combining(c)).split())


def person_rows(
    view: GalleryView,
    faces: FaceColumns,
    photos: PhotoColumns,
    *,
    label: NDArray[np.int32],
    sureness: NDArray[np.float32],
    confirmed: NDArray[np.bool_],
) -> tuple[PersonRow, ...]:
    """All people: those with faces, whose rows in ``view.people`` are ``label`` (n,), and those
    without any that a decision is about. In the order of albums: most photos first."""
    now, decided = view.people, view.decided
    count = len(now.people)
    rows = np.flatnonzero(label != NOISE)
    of_rows = label[rows]
    photo = photos.rows_of(faces.photo[rows])
    face_counts = np.bincount(of_rows, minlength=count)
    confirmed_counts = np.bincount(of_rows[confirmed[rows]], minlength=count)
    pairs = distinct(of_rows.astype(np.int64) * max(len(photos), 1) + photo)
    photo_counts = np.bincount(pairs // max(len(photos), 1), minlength=count)
    first, last = _spans(of_rows, photo, photos, count)
    cover = _covers(rows, of_rows, faces, sureness=sureness, confirmed=confirmed, count=count)
    newest: dict[int, int] = {}
    for face, number in decided.faces.items():
        newest[number] = max(newest.get(number, 0), decided.since[face])
    found = []
    chosen = _chosen(decided.covers, faces, label, now.people)
    for place, person in enumerate(now.people):
        by_hand = chosen.get(person.id)
        found.append(
            PersonRow(
                person,
                int(face_counts[place]),
                int(photo_counts[place]),
                int(confirmed_counts[place]),
                int(first[place]),
                int(last[place]),
                int(faces.ids[cover[place]]) if by_hand is None else by_hand,
                by_hand is not None,
                newest.get(person.id, 0),
            )
        )
    there = {person.id for person in now.people}
    for number, person in decided.people.items():
        if number not in there:
            found.append(PersonRow(person, 0, 0, 0, -1, -1, -1, False, newest.get(number, 0)))
    found.sort(key=album_order)
    return tuple(found)


def album_order(row: PersonRow) -> tuple[int, int, int, str, int]:
    """People in most photos first, as the report has them."""
    name = row.person.name
    return -row.photos, -row.faces, 0 if name else 1, name or "", row.person.id


def _spans(
    labels: NDArray[np.int32], photo: NDArray[np.int64], photos: PhotoColumns, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row of the earliest and of the latest dated photo of each label, or -1."""
    dated = photos.taken[photo] != b""
    rank = photos.time_rank[photo[dated]]
    least = np.full(count, len(photos), np.int64)
    most = np.full(count, -1, np.int64)
    np.minimum.at(least, labels[dated], rank)
    np.maximum.at(most, labels[dated], rank)
    by_time = np.append(photos.by_time, [-1])
    return by_time[np.where(most < 0, len(photos), least)], by_time[most]


def _covers(
    rows: NDArray[np.int64],
    labels: NDArray[np.int32],
    faces: FaceColumns,
    *,
    sureness: NDArray[np.float32],
    confirmed: NDArray[np.bool_],
    count: int,
) -> NDArray[np.int64]:
    """A clear face of each label that is surely theirs: rows of ``faces``."""
    quality = np.nan_to_num(faces.quality[rows], nan=MIN_QUALITY)
    height = faces.box[rows, 3] - faces.box[rows, 1]
    # Beyond some size a larger face shows no more in a small picture.
    worth = (quality + 0.1) * np.minimum(height, 200) * np.maximum(sureness[rows], 0.05)
    order = np.lexsort((faces.ids[rows], -worth, ~confirmed[rows], labels))
    first = np.searchsorted(labels[order], np.arange(count))
    found: NDArray[np.int64] = rows[order[first]] if len(order) else np.zeros(0, np.int64)
    return found


def _chosen(
    covers: Mapping[int, int],
    faces: FaceColumns,
    label: NDArray[np.int32],
    people: tuple[Person, ...],
) -> dict[int, int]:
    """Those of ``covers`` that are still faces of the person."""
    if not covers:
        return {}
    numbers, chosen = list(covers), np.array(list(covers.values()), np.int64)
    rows = faces.rows_of(chosen)
    return {
        number: int(face)
        for number, face, row in zip(numbers, chosen.tolist(), rows.tolist(), strict=True)
        if row >= 0 and label[row] != NOISE and people[label[row]].id == number
    }
