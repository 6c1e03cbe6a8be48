"""The photos of a gallery with what is noted of them, face by face."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facesearch.errors import InputError, PhotoError
from facesearch.gallery.face_table import faces_of_photos
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.images.formats.metadata import PhotoMetadata, read_metadata
from facesearch.images.formats.orientation import Box
from facesearch.people.store import normalise_name
from facesearch.people_import.noted_names import ImportProblem, NotedNames
from facesearch.people_import.placed_regions import (
    PlacedName,
    match_faces,
    place_region,
    same_places,
)
from facesearch.people_import.sources import SourceReader
from facesearch.text import composed
from facesearch.video.reader import is_video
from facesearch.video_files import VIDEO_EXTENSIONS
from indexer.id_lookup import positions_of


@dataclass(frozen=True)
class GalleryPhoto:
    """A photo of a gallery where it was seen: ``photo_id`` is that of its content's row, ``size``
    its upright width and height."""

    location: Path
    photo_id: int
    size: tuple[int, int]
    sha256: str


@dataclass(frozen=True)
class NotedFace:
    """Who somebody is by some sources: the face ``face_id`` of ``photo``, or where that is None
    the place ``box``, at which no face was found."""

    photo: GalleryPhoto
    box: Box
    name: str
    sources: tuple[str, ...]
    face_id: int | None = None
    has_place: bool = True


@dataclass
class NotedPhotos:
    """All that is noted: ``faces`` with one name, ``contradictions``, what could not be used."""

    faces: list[NotedFace] = field(default_factory=list)
    contradictions: list[ImportProblem] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)
    photos: int = 0
    unnamed: int = 0


def gallery_photos(state: GalleryState) -> list[GalleryPhoto]:
    """The photos of a gallery by location, without what is called as videos are."""
    table = state.log.photos
    found = []
    for location, record in sorted(state.photos.items()):
        place = Path(os.fsdecode(location))
        if not state.holds(record) or place.suffix.lower() in VIDEO_EXTENSIONS:
            continue
        photo_id = state.contents[record.sha256]
        (row,) = positions_of(np.array([photo_id]), table.ids, ascending=True)
        content = table.record(int(row))
        size = (content.width, content.height)
        found.append(GalleryPhoto(place, photo_id, size, record.sha256))
    return found


class PhotoMatcher:
    """Finds the faces that names are of; ``found`` is what was."""

    def __init__(self, gallery: Gallery, state: GalleryState, not_faces: frozenset[int]) -> None:
        self.found = NotedPhotos()
        self._gallery = gallery
        self._state = state
        self._not_faces = not_faces

    def match(self, photos: list[GalleryPhoto], reader: SourceReader) -> None:
        """Read what is noted of ``photos`` and match it with their faces."""
        noted = [(photo, *read) for photo in photos if (read := self._read(photo, reader))]
        ids = faces_of_photos(self._gallery, {photo.photo_id for photo, *_ in noted})
        live = {*self._state.live_ids().tolist()}
        for photo, metadata, names in noted:
            faces = [face for face in ids[photo.photo_id] if face in live]
            self._match(photo, metadata, names, faces)
        self.found.problems += reader.problems

    def _read(
        self, photo: GalleryPhoto, reader: SourceReader
    ) -> tuple[PhotoMetadata, list[NotedNames]] | None:
        try:
            metadata = read_metadata(photo.location)
        except PhotoError as error:
            if is_video(photo.location):  # whatever it is called: no names are noted in those
                return None
            self.found.photos += 1
            self._problem(str(photo.location), error.reason, error.detail)
            return None
        self.found.photos += 1
        names = reader.names_of(photo.location, metadata)
        for each in names:
            self.found.unnamed += each.unnamed
            for detail in each.unusable:
                self._problem(each.source, "bad-region", detail)
        if not any(each.regions or each.people for each in names):
            return None
        if metadata.size != photo.size:
            detail = f"{photo.location} was changed; run facesearch index again"
            self._problem(str(photo.location), "changed", detail)
            return None
        return metadata, names

    def _match(
        self,
        photo: GalleryPhoto,
        metadata: PhotoMetadata,
        names: list[NotedNames],
        faces: list[int],
    ) -> None:
        records = self._gallery.faces(np.array(faces, np.int64), self._state)
        boxes = [record.box for record in records]
        places, all_placed = self._places(metadata, names)
        certain = list(self._undisputed(photo, places))
        matched = match_faces([place.box for place in certain], boxes)
        for place, row in zip(certain, matched, strict=True):
            face, box = (None, place.box) if row is None else (faces[row], boxes[row])
            self.found.faces.append(NotedFace(photo, box, place.names[0], place.sources, face))
        left = [row for row in range(len(faces)) if row not in matched]
        disputed = [place.box for place in places if place not in certain]
        taken = match_faces(disputed, [boxes[row] for row in left])
        left = [row for at, row in enumerate(left) if at not in taken]
        self._match_people(
            photo, names, [(faces[row], boxes[row]) for row in left], all_placed=all_placed
        )

    def _places(
        self, metadata: PhotoMetadata, names: list[NotedNames]
    ) -> tuple[list[PlacedName], bool]:
        """Where regions are on the photo, and whether that is known of all of them."""
        boxes, named = [], []
        for each in names:
            for region in each.regions:
                try:
                    name = normalise_name(region.name)
                    boxes.append(place_region(region, metadata, each.file))
                    named.append((name, each.source))
                except InputError as error:
                    self._problem(each.source, "bad-name", str(error))
                except ValueError as error:
                    self._problem(each.source, "other-shape", str(error))
        return same_places(boxes, named), len(boxes) == sum(len(each.regions) for each in names)

    def _undisputed(self, photo: GalleryPhoto, places: list[PlacedName]) -> Iterator[PlacedName]:
        """Places with one name that is at no other place of the photo."""
        counts: dict[str, int] = {}
        for place in places:
            for name in place.names:
                counts[name] = counts.get(name, 0) + 1
        for place in places:
            if len(place.names) > 1:
                detail = f"{' and '.join(place.names)} at one place, by {', '.join(place.sources)}"
                self._contradiction(photo, "several-names", detail)
            elif counts[place.names[0]] > 1:
                detail = f"{place.names[0]} at {counts[place.names[0]]} places"
                self._contradiction(photo, "twice", detail)
            else:
                yield place

    def _match_people(
        self,
        photo: GalleryPhoto,
        names: list[NotedNames],
        left: list[tuple[int, Box]],
        *,
        all_placed: bool,
    ) -> None:
        """Give the only name that has no region to the only face ``left`` that has none.

        Unless ``all_placed`` regions have a place, the face may be one of theirs.
        """
        people = self._without_region(names)
        if not people:
            return
        shown = [(face, box) for face, box in left if face not in self._not_faces]
        if len(people) == 1 and len(shown) == 1 and all_placed:
            ((face, box),), ((name, sources),) = shown, people.items()
            self.found.faces.append(
                NotedFace(photo, box, name, tuple(sources), face, has_place=False)
            )
            return
        number = f"{len(shown)} {'face' if len(shown) == 1 else 'faces'}"
        if any(each.regions for each in names):
            number += " without a region"
        detail = f"names without a place: {', '.join(people)}; the photo has {number}"
        self._problem(str(photo.location), "no-place", detail)

    def _without_region(self, names: list[NotedNames]) -> dict[str, dict[str, None]]:
        """Who is on a photo and has no region in it, and the sources that say so."""
        placed = {
            composed(" ".join(region.name.split())) for each in names for region in each.regions
        }
        people: dict[str, dict[str, None]] = {}
        for each in names:
            for person in each.people:
                try:
                    name = normalise_name(person)
                except InputError as error:
                    self._problem(each.source, "bad-name", str(error))
                    continue
                if name not in placed:
                    people.setdefault(name, {})[each.source] = None
        return people

    def _problem(self, place: str, reason: str, detail: str) -> None:
        self.found.problems.append(ImportProblem(place, reason, detail))

    def _contradiction(self, photo: GalleryPhoto, reason: str, detail: str) -> None:
        self.found.contradictions.append(ImportProblem(str(photo.location), reason, detail))
