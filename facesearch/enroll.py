"""Giving a person's name to the faces of photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine import FaceEngine
from facesearch.gallery import Gallery, GalleryState, absolute
from facesearch.people import People
from facesearch.records import FaceRecord


@dataclass(frozen=True)
class Enrolled:
    """A photo, the face that was enrolled from it (None: ``problem`` says why), faces in it."""

    photo: Path
    face: FaceRecord | None
    faces_in_photo: int
    problem: str


def enroll(
    gallery: Gallery, engine: FaceEngine, name: str, photos: Sequence[Path]
) -> list[Enrolled]:
    """Say that the largest face of each photo shows ``name``.

    Photos that the gallery does not hold yet are added to it. A photo without a usable face is
    reported and the others go on. Raises InputError for a photo that does not exist.
    """
    embed_photos(gallery, engine, photos, EmbedOptions(decoders=0, threads=1, retry_failed=True))
    state = gallery.state()
    results = [_largest_face(gallery, state, absolute(photo)) for photo in photos]
    People(gallery.folder).enroll(name, [each.face.face_id for each in results if each.face])
    return results


def _largest_face(gallery: Gallery, state: GalleryState, photo: Path) -> Enrolled:
    record = state.photos[bytes(photo)]
    if record.status == "failed":
        return Enrolled(photo, None, 0, f"{record.reason}: {record.detail}")
    ids = gallery.faces_of_photo(state.contents[record.sha256])
    if not len(ids):
        return Enrolled(photo, None, 0, "no face found")
    faces = gallery.faces(ids, state)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (face.box for face in faces)]
    return Enrolled(photo, faces[int(np.argmax(areas))], len(faces), "")
