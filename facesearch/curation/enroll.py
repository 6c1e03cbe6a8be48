"""Enrolment: name the largest face of each photo, of one person or of a folder a person."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.face_table import faces_of_photos
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord, PhotoRecord
from facesearch.images import find_photos, sha256_of
from facesearch.images.file_access import absolute
from facesearch.people.ledger import DecisionAuthor
from facesearch.people.store import PeopleStore, normalise_name
from facesearch.people.superseded import Superseded
from facesearch.recognition.identify import largest_first

ONE_BY_ONE = EmbedOptions(decoders=0, threads=1, retry_failed=True)
Progress = Callable[[EmbedReport, int], None]


@dataclass(frozen=True)
class Enrolled:
    """A photo, the face that was enrolled from it (None: ``problem`` says why), faces in it, and
    the person's ``name``."""

    photo: Path
    face: FaceRecord | None
    faces_in_photo: int
    problem: str
    name: str = ""


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
    *,
    options: EmbedOptions = ONE_BY_ONE,
) -> Enrolment:
    """Give ``name`` to the largest face of each of ``photos``, and of each photo in folders there.

    Photos that the gallery does not hold yet are added to it. A photo without a usable face is
    reported and the others go on, and so is a path that is not there if there are several. Raises
    InputError for an unusable name, and where nothing is there.
    """
    name = normalise_name(name)
    there = [photo for photo in photos if os.path.lexists(photo)]
    if not there:
        raise InputError(f"expected photos of {name}, found nothing at {str(photos[0])!r}")
    missing = [
        Enrolled(photo, None, 0, "there is no such file or folder", name)
        for photo in photos
        if not os.path.lexists(photo)
    ]
    embed_photos(gallery, engine, there, options)
    found = [path for each in there for path in _photos_at(each)]
    results = _largest_faces(gallery, {name: found})
    return _entered(gallery, [*results, *missing], author)


def enroll_folders(
    gallery: Gallery,
    engine: FaceEngine,
    folder: Path,
    options: EmbedOptions,
    progress: Progress = lambda report, total: None,
    *,
    author: DecisionAuthor | None = None,
) -> Enrolment:
    """Enrol everybody who has a folder in ``folder``, by its name, in one decision.

    From each photo in it, at any depth, the largest face. Photos that the gallery does not hold yet
    are added to it. A photo without a usable face, and a folder whose name cannot be a person's, is
    reported. Raises InputError where there are no folders.
    """
    folders = sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if not folders:
        raise InputError(f"expected a folder for each person in {folder}, found none")
    photos_of: dict[str, list[Path]] = {}
    problems = []
    for each in folders:
        try:
            name = normalise_name(each.name)
        except InputError as error:
            problems.append(Enrolled(each, None, 0, str(error)))
            continue
        photos_of.setdefault(name, []).append(each)
    usable = [each for same in photos_of.values() for each in same]
    embed_photos(gallery, engine, usable, replace(options, retry_failed=True), progress)
    found = {
        name: [path for each in same for path in _photos_at(each)]
        for name, same in photos_of.items()
    }
    empty = [
        Enrolled(photos_of[name][0], None, 0, "there are no photos in it", name)
        for name, photos in found.items()
        if not photos
    ]
    return _entered(gallery, [*_largest_faces(gallery, found), *empty, *problems], author)


def _entered(
    gallery: Gallery, results: Sequence[Enrolled], author: DecisionAuthor | None
) -> Enrolment:
    faces_of: dict[str, list[int]] = {}
    whose: dict[int, str] = {}
    final = []
    for each in results:
        if each.face and whose.setdefault(each.face.face_id, each.name) != each.name:
            other = whose[each.face.face_id]
            problem = f"this photo is among those of {other} too; the face is enrolled as {other}"
            final.append(replace(each, face=None, problem=problem))
            continue
        if each.face:
            faces_of.setdefault(each.name, []).append(each.face.face_id)
        final.append(each)
    entered = PeopleStore(gallery.folder, author).enroll_many(faces_of)
    return Enrolment(tuple(final), entered.superseded)


def _photos_at(path: Path) -> list[Path]:
    """A photo itself, or those in a folder."""
    if not path.is_dir():
        return [absolute(path)]
    return [found.location for found in find_photos([absolute(path)])]


def _largest_faces(gallery: Gallery, photos_of: Mapping[str, Sequence[Path]]) -> list[Enrolled]:
    """The result for each photo of each person; every shard is read once."""
    state = gallery.state()
    asked = [
        (name, photo, _record(state, photo)) for name, them in photos_of.items() for photo in them
    ]
    contents = {
        record.sha256: state.contents[record.sha256]
        for *_, record in asked
        if record is not None and state.holds(record)
    }
    faces_in = faces_of_photos(gallery, set(contents.values()))
    ids = sorted(face for faces in faces_in.values() for face in faces)
    records = dict(zip(ids, gallery.faces(np.array(ids, np.int64), state), strict=True))
    results = []
    for name, photo, record in asked:
        content = None if record is None else contents.get(record.sha256)
        if record is None or content is None:
            results.append(Enrolled(photo, None, 0, _why_not(record), name))
            continue
        faces = [records[face] for face in faces_in[content]]
        if not faces:
            results.append(Enrolled(photo, None, 0, "no face found", name))
            continue
        largest = largest_first([face.box for face in faces])[0]
        results.append(Enrolled(photo, faces[largest], len(faces), "", name))
    return results


def _why_not(record: PhotoRecord | None) -> str:
    if record is None:
        return "the gallery has no such photo"
    return f"{record.reason}: {record.detail}"


def _record(state: GalleryState, photo: Path) -> PhotoRecord | None:
    """The record of a photo, also where it was indexed under another of its names."""
    for name in (photo, absolute(photo.resolve())):
        if record := state.photos.spelled(os.fsencode(name)):
            return record
    return state.photos.of_content(sha256_of(photo))
