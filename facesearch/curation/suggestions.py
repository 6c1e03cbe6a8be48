"""Questions for the owner: who may be one, who may be two, whose faces are doubtful or left over.

What was answered is never asked again; what was put off comes last. Questions about people whom the
owner knows come before those about the crowd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cluster.review.membership import Clusters
from cluster.review.review_suggestions import SAME, same_features
from facesearch.album.advice import LEAST_PROBABILITY
from facesearch.album.build import gallery_album
from facesearch.album.model import Album, AlbumPerson
from facesearch.clustering.run_store import latest_run
from facesearch.curation.people_reader import PeopleReader
from facesearch.encoders import thresholds_of
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.people.projection import Person
from facesearch.quality import MIN_QUALITY
from facesearch.recognition.negative_examples import NegativeExamples
from indexer.types import Vectors

Kind = Literal["same", "leftover", "mixed", "doubt"]


@dataclass(frozen=True)
class Suggestion:
    """Something to look at; ``probability`` in [0, 1] is that of what it asks.

    "same": ``person`` and ``other`` may be one; ``faces`` are those of ``other``. "leftover":
    ``faces``, which are nobody's, may be the person's. "mixed": these faces of the person may be
    somebody else's. "doubt": this face of the person may be wrong, and be ``other``'s (None:
    nobody's here). ``later`` tells that it was put off.
    """

    kind: Kind
    person: Person
    other: Person | None
    faces: tuple[int, ...]
    probability: float
    later: bool = False


def suggestions(
    gallery: Gallery, state: GalleryState, people: PeopleReader
) -> tuple[Suggestion, ...]:
    """All of a gallery's last clustering, in the order to look at them.

    ``people`` are those of this gallery. Raises GalleryError where nothing was clustered yet.
    """
    album = gallery_album(gallery, state, latest_run(gallery), gallery.folder.name)
    found = _Questions(gallery, state, people, album)
    asked = [*found.same(), *found.leftover(), *found.mixed(), *found.doubts()]
    return tuple(sorted(asked, key=lambda each: (each.later, found.is_crowd(each))))


def about_person(found: Sequence[Suggestion], person: Person | None) -> tuple[Suggestion, ...]:
    """Those of ``found`` that are about a person, or all without one."""
    return tuple(
        each
        for each in found
        if person is None or person.id in {each.person.id, each.other.id if each.other else 0}
    )


class _Questions:
    """The advice on an album as questions about people, without those that were answered."""

    def __init__(
        self, gallery: Gallery, state: GalleryState, people: PeopleReader, album: Album
    ) -> None:
        self._gallery = gallery
        self._people = people
        self._album = album
        self._shown = {each.key: each for each in album.people}
        self._known = {
            number: each
            for each in album.people
            if (number := _number(each.key)) in {*people.decided.faces.values()}
        }
        self._rows = {number: row for row, number in enumerate(self._known)}
        self._negatives = NegativeExamples.load(gallery, state, people.decided, list(self._known))

    def is_crowd(self, asked: Suggestion) -> bool:
        """Whether a question is about nobody but people of the crowd."""
        people = [asked.person] + ([asked.other] if asked.other else [])
        shown = [self._shown[each.key] for each in people if each.key in self._shown]
        return all(each.crowd for each in shown)

    def same(self) -> Iterator[Suggestion]:
        for each in self._album.advice.merges:
            one, two = (self._person(key) for key in each.keys)
            if one is None or two is None:
                continue
            if two.id in self._known and one.id not in self._known:
                one, two = two, one
            if not self._is_negative(one, two):
                later = (min(one.id, two.id), max(one.id, two.id)) in self._people.decided.later
                faces = tuple(face.face_id for face in self._shown[two.key].faces)
                yield Suggestion("same", one, two, faces, each.probability, later)

    def mixed(self) -> Iterator[Suggestion]:
        for each in self._album.advice.mixtures:
            if person := self._person(each.key):
                later = self._is_later(person, each.faces)
                yield Suggestion("mixed", person, None, each.faces, each.probability, later)

    def doubts(self) -> Iterator[Suggestion]:
        for each in self._album.advice.doubts:
            if person := self._person(each.key):
                faces = (each.face_id,)
                later = self._is_later(person, faces)
                other = self._person(each.next_key)
                yield Suggestion("doubt", person, other, faces, each.probability, later)

    def leftover(self) -> Iterator[Suggestion]:
        """Faces of nobody that are near enough to somebody known, of whom the nearest."""
        faces = [face for face in self._album.noise if not face.quality < MIN_QUALITY]
        scale = thresholds_of(self._gallery.contract).cluster
        if not faces or not self._known:
            return
        ids = np.array([face.face_id for face in faces], np.int64)
        vectors = self._gallery.vectors(ids)
        chances = self._chances(vectors, scale)
        for row, face in enumerate(faces):
            for number, shown in self._known.items():
                barred = (face.face_id, number) in self._people.decided.rejected
                if barred or face.photo in {each.photo for each in shown.faces}:
                    chances[row, self._rows[number]] = 0
        people = list(self._known)
        nearest = chances.argmax(axis=1)
        barred_rows = self._negatives.bar(vectors, nearest)
        order = np.argsort(-chances.max(axis=1), kind="stable")
        for row in order.tolist():
            chance = float(chances[row, nearest[row]])
            if chance >= LEAST_PROBABILITY and not barred_rows[row]:
                person = self._people.decided.person(people[nearest[row]])
                later = self._is_later(person, (int(ids[row]),))
                yield Suggestion("leftover", person, None, (int(ids[row]),), chance, later)

    def _chances(self, vectors: Vectors, scale: float) -> NDArray[np.float64]:
        """That each of ``vectors`` (n, d) is each of the known people, float64 (n, k)."""
        means, sizes = [], []
        for shown in self._known.values():
            ids = np.array([face.face_id for face in shown.faces], np.int64)
            means.append(self._gallery.vectors(ids).mean(axis=0))
            sizes.append(len(ids))
        count = len(sizes)
        clusters = Clusters(
            np.array([*sizes, *[1] * len(vectors)], np.int64),
            np.concatenate([np.array(means, np.float32), vectors.astype(np.float32)]),
            np.zeros((count + len(vectors), 0), np.int32),
        )
        pairs = np.stack(
            [
                np.tile(np.arange(count), len(vectors)),
                np.repeat(np.arange(count, count + len(vectors)), count),
            ],
            axis=1,
        )
        found = SAME.probabilities(same_features(clusters, pairs, scale))
        return found.reshape(len(vectors), count).astype(np.float64)

    def _person(self, key: str) -> Person | None:
        """Whom a key of the album stands for; None in albums without numbers of people."""
        number = _number(key)
        return None if number is None else self._people.decided.person(number)

    def _is_negative(self, person: Person, other: Person) -> bool:
        """Whether the face that shows ``other`` is nearest to one that is not the person's."""
        if self._rows.get(person.id) not in self._negatives.negative:
            return False
        shown: AlbumPerson = self._shown[other.key]
        vectors = self._gallery.vectors(np.array([shown.cover.face_id], np.int64))
        return bool(self._negatives.bar(vectors, np.array([self._rows[person.id]]))[0])

    def _is_later(self, person: Person, faces: tuple[int, ...]) -> bool:
        later = self._people.decided.later_faces
        return all((face, person.id) in later for face in faces)


def _number(key: str) -> int | None:
    found = re.fullmatch(r"p(\d+)", key)
    return int(found[1]) if found else None
