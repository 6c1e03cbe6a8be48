"""Who is this? Neighbours of a probe's faces, open-set names, and one-to-one verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.clustering.current_people import gallery_people
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.errors import ChangedGalleryError, InputError, PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import FaceRecord
from facesearch.images import decode_photo
from facesearch.recognition.calibration import (
    Source,
    ThresholdInUse,
    read_calibration,
    threshold_in_use,
)
from facesearch.recognition.templates import PersonTemplates
from facesearch.search.gallery_index import search_gallery
from indexer.open_set.group_distances import NearestGroups
from indexer.types import Neighbours, Vectors

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Probe:
    """The faces of a photo asked about: boxes in its upright pixels, vectors float32 (n, d)."""

    photo: Path
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    qualities: tuple[float, ...]
    vectors: Vectors


@dataclass(frozen=True)
class Match:
    """A gallery face, its squared distance in [0, 4], and its name where it has one."""

    face: FaceRecord
    distance: float
    person: str | None


@dataclass(frozen=True)
class FaceMatches:
    """One face of a probe and its matches, nearest first."""

    box: Box
    score: float
    quality: float
    matches: tuple[Match, ...]


@dataclass(frozen=True)
class Identification:
    """Whose face this is: ``person`` is None for unknown.

    ``nearest`` is the nearest person (by :data:`facesearch.recognition.templates.RULE`), whether or
    not the ``distance`` is within ``threshold``; ``margin`` is how much farther the next person is
    (None when there is no other). ``threshold_from`` says where the threshold comes from, and
    ``fpir`` how often it takes a stranger for somebody, where a calibration says so.
    """

    box: Box
    score: float
    quality: float
    person: str | None
    nearest: str
    distance: float
    threshold: float
    threshold_from: Source
    fpir: float | None
    margin: float | None


@dataclass(frozen=True)
class Verification:
    """Whether the largest faces of two photos show one person."""

    same: bool
    distance: float
    threshold: float
    boxes: tuple[Box, Box]


def read_probe(engine: FaceEngine, photo: Path) -> Probe:
    """Find and embed the faces of one photo; raises InputError when it cannot be read."""
    try:
        decoded = decode_photo(photo, max_side=DECODE_SIDE)
    except PhotoError as error:
        raise InputError(f"cannot use the photo {photo}: {error}") from error
    (faces,) = engine.faces([decoded.pixels])
    boxes = faces.detections.boxes / decoded.scale
    return Probe(
        photo,
        tuple(_box(row) for row in boxes),
        tuple(faces.detections.scores.tolist()),
        tuple(faces.qualities.quality.tolist()),
        faces.embeddings.vectors,
    )


def search_photo(
    gallery: Gallery, engine: FaceEngine, photo: Path, k: int = 10, device: str = "auto"
) -> list[FaceMatches]:
    """The ``k`` nearest gallery faces of every face of ``photo``, largest face first.

    ``device`` is that of the search, as :mod:`indexer.runtime.devices` names it.
    """
    gallery.require(engine.contract)
    probe = read_probe(engine, photo)
    if not probe.boxes:
        return []
    try:
        return _face_matches(gallery, probe, k, device)
    except ChangedGalleryError:
        return _face_matches(gallery, probe, k, device)  # of what is left


def _face_matches(gallery: Gallery, probe: Probe, k: int, device: str) -> list[FaceMatches]:
    state = gallery.state()
    if not state.face_count:
        raise InputError(f"the gallery {gallery.folder} has no faces to search")
    neighbours = search_gallery(gallery, state, probe.vectors, k, device)
    names = gallery_people(gallery, state).names_by_id()
    found = np.unique(neighbours.ids[neighbours.ids >= 0])
    records = dict(zip(found.tolist(), gallery.faces(found, state), strict=True))
    return [
        FaceMatches(
            probe.boxes[row],
            probe.scores[row],
            probe.qualities[row],
            _matches(neighbours, row, records, names),
        )
        for row in largest_first(probe.boxes)
    ]


def identify_photo(
    gallery: Gallery,
    engine: FaceEngine,
    photo: Path,
    encoder_default: float,
    given: float | None = None,
) -> list[Identification]:
    """The name of every face of ``photo``, or None: the nearest person within the threshold.

    The threshold is ``given``, or the gallery's calibrated one, or ``encoder_default``. Raises
    InputError when nobody is enrolled.
    """
    gallery.require(engine.contract)
    enrolled = PersonTemplates.load(gallery, gallery.state())
    calibration = None if given is not None else read_calibration(gallery)
    threshold = threshold_in_use(enrolled, calibration, encoder_default, given)
    probe = read_probe(engine, photo)
    if not probe.boxes:
        return []
    nearest = enrolled.groups().nearest_two(probe.vectors)
    return [
        _identification(probe, row, enrolled.names, nearest, threshold)
        for row in largest_first(probe.boxes)
    ]


def verify_photos(engine: FaceEngine, first: Path, second: Path, threshold: float) -> Verification:
    """Compare the largest face of two photos; raises InputError when one has no face."""
    probes = [read_probe(engine, photo) for photo in (first, second)]
    for probe in probes:
        if not probe.boxes:
            raise InputError(f"no face found in {probe.photo}; name a photo with a visible face")
    rows = [largest_first(probe.boxes)[0] for probe in probes]
    a, b = (probe.vectors[row] for probe, row in zip(probes, rows, strict=True))
    distance = float(np.sum((a - b) ** 2))
    boxes = (probes[0].boxes[rows[0]], probes[1].boxes[rows[1]])
    return Verification(distance <= threshold, distance, threshold, boxes)


def _identification(
    probe: Probe,
    row: int,
    names: Sequence[str],
    found: NearestGroups,
    threshold: ThresholdInUse,
) -> Identification:
    distance, next_distance = found.distances[row].tolist()
    nearest = names[int(found.groups[row, 0])]
    return Identification(
        box=probe.boxes[row],
        score=probe.scores[row],
        quality=probe.qualities[row],
        person=nearest if distance <= threshold.value else None,
        nearest=nearest,
        distance=distance,
        threshold=threshold.value,
        threshold_from=threshold.source,
        fpir=threshold.fpir,
        margin=next_distance - distance if len(names) > 1 else None,
    )


def _matches(
    neighbours: Neighbours, row: int, records: dict[int, FaceRecord], names: dict[int, str]
) -> tuple[Match, ...]:
    return tuple(
        Match(records[int(face_id)], float(distance), names.get(int(face_id)))
        for face_id, distance in zip(neighbours.ids[row], neighbours.distances[row], strict=True)
        if face_id >= 0
    )


def largest_first(boxes: Sequence[Box]) -> list[int]:
    """Rows of ``boxes`` by area, the largest first; equal ones keep their order."""
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
    return sorted(range(len(boxes)), key=lambda row: -areas[row])


def _box(row: NDArray[np.float32]) -> Box:
    x0, y0, x1, y1 = (float(value) for value in row)
    return x0, y0, x1, y1
