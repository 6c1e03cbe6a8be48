"""Enrolment: name the largest face of each photo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord, PhotoRecord
from facesearch.images import sha256_of
from facesearch.images.file_access import absolute
from facesearch.people.ledger import DecisionAuthor
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.people.superseded import Superseded
from facesearch.recognition.identify import largest_first


@dataclass(frozen=True)
class Enrolled:
    """A photo, the face that was enrolled from it (None: ``problem`` says why), faces in it."""

    photo: Path
    face: FaceRecord | None
    faces_in_photo: int
    problem: str


@dataclass(frozen=True)
class Enrolment:
    """The result for each photo, and the earlier decisions that are replaced."""

    photos: tuple[Enrolled, ...]
    superseded: tuple[Superseded, ...]


def enroll(
    gallery: Gallery,
    engine: FaceEngine,
    name: str,
    photos: Sequence[Path],
    author: DecisionAuthor | None = None,
) -> Enrolment:
    """Give ``name`` to the largest face of each photo.

    Photos that the gallery does not hold yet are added to it. A photo without a usable face is
    reported and the others go on. Raises InputError for an unusable name, for a folder, and for a
    photo that does not exist.
    """
    name = normalise_name(name)
    for photo in photos:
        if photo.is_dir():
            raise InputError(f"expected photos of {name}, got the folder {photo}; name its photos")
    embed_photos(gallery, engine, photos, EmbedOptions(decoders=0, threads=1, retry_failed=True))
    state = gallery.state()
    results = tuple(_largest_face(gallery, state, absolute(photo)) for photo in photos)
    faces = [each.face.face_id for each in results if each.face]
    return Enrolment(results, PeopleStore(gallery.folder, author).enroll(name, faces).superseded)


def _largest_face(gallery: Gallery, state: GalleryState, photo: Path) -> Enrolled:
    record = _record(state, photo)
    if record is None:
        return Enrolled(photo, None, 0, "the gallery has no such photo")
    if not state.holds(record):
        return Enrolled(photo, None, 0, f"{record.reason}: {record.detail}")
    ids = gallery.faces_of_photo(state.contents[record.sha256])
    if not len(ids):
        return Enrolled(photo, None, 0, "no face found")
    faces = gallery.faces(ids, state)
    largest = largest_first([face.box for face in faces])[0]
    return Enrolled(photo, faces[largest], len(faces), "")


def _record(state: GalleryState, photo: Path) -> PhotoRecord | None:
    """The record of a photo, also where it was indexed under another of its names."""
    for name in (photo, absolute(photo.resolve())):
        if record := state.photos.spelled(os.fsencode(name)):
            return record
    return state.photos.of_content(sha256_of(photo))
