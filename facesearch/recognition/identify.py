"""Search, open-set identification and one-to-one verification of the faces of a photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.errors import InputError, PhotoError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.records import FaceRecord
from facesearch.images.photo_reader import photo_reader
from facesearch.quality import MIN_QUALITY
from facesearch.recognition.calibration import Source, ThresholdInUse
from facesearch.recognition.negative_examples import NO_NEGATIVES, NegativeExamples
from facesearch.search.gallery_index import GallerySearch
from facesearch.search.partial import PartialSearchError, UnsearchedFaces
from facesearch.video.pipeline import VideoReading, video_faces
from facesearch.video.reader import is_video
from facesearch.video.track import detections_of
from facesearch.video.types import TimeSpan
from indexer.open_set.group_distances import NearestGroups, VectorGroups
from indexer.types import MAX_NEIGHBOURS, Neighbours, Vectors

Box = tuple[float, float, float, float]

# Within so many times the threshold another person makes a name unsure (chosen on LFW View 1,
# benchmarks/recognition/crowded_regions.py).
CROWDED = 1.2
_ALONE = VideoReading()  # how a video is read that is all that is asked about


@dataclass(frozen=True)
class Probe:
    """The faces of a photo asked about: boxes in its upright pixels, vectors float32 (n, d).

    Of a video the tracks: ``spans`` says when each is seen, and boxes are in their stills.
    """

    photo: Path
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    qualities: tuple[float, ...]
    vectors: Vectors
    spans: tuple[TimeSpan, ...] = ()

    def span(self, row: int) -> TimeSpan | None:
        """When a face is seen, None in a photo."""
        return self.spans[row] if self.spans else None

    @property
    def order(self) -> list[int]:
        """Rows of faces: the largest first, or tracks by time."""
        if self.spans:
            return sorted(range(len(self.spans)), key=lambda row: self.spans[row].start_us)
        return largest_first(self.boxes)


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
    span: TimeSpan | None = None


@dataclass(frozen=True)
class ProbeMatches:
    """The matches of each face of a probe, the largest face first; and which faces of the gallery
    were not searched, because they are on a cluster and nobody answered for them."""

    faces: tuple[FaceMatches, ...]
    unsearched: tuple[UnsearchedFaces, ...] = ()

    def require_complete(self) -> list[FaceMatches]:
        """The matches; raises PartialSearchError where faces were not searched."""
        if self.unsearched:
            raise PartialSearchError(self.unsearched)
        return list(self.faces)


@dataclass(frozen=True)
class Identification:
    """Whose face this is: ``person`` is None for unknown.

    ``nearest`` is the nearest person (by :data:`facesearch.recognition.templates.RULE`), whether or
    not the ``distance`` is within ``threshold``; ``margin`` is how much farther the next person is
    (None when there is no other). ``threshold_from`` says where the threshold comes from, and
    ``fpir`` how often it identifies an unknown person wrongly, where a calibration says so.
    ``rejected`` tells that the face is nearest to one that was removed from the nearest person, so
    that it does not get that name. ``unsure`` tells that the gallery is crowded there: beside the
    person named, another one is within :data:`CROWDED` times the threshold.
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
    rejected: bool = False
    unsure: bool = False
    span: TimeSpan | None = None


@dataclass(frozen=True)
class PhotoIdentification:
    """Who is in a photo of many, largest face first, or in a video, by time; or why it could not be
    read: ``reason``, one of :data:`facesearch.images.types.REASONS`, with its ``detail``."""

    photo: Path
    faces: tuple[Identification, ...]
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Verification:
    """Whether the largest faces of two photos show one person.

    They do within the ``threshold``, unless both are of a quality below
    :data:`facesearch.quality.MIN_QUALITY`: faces that are blurred, or do not stand upright,
    resemble each other whoever they are.
    """

    same: bool
    distance: float
    threshold: float
    boxes: tuple[Box, Box]
    qualities: tuple[float, float]

    @property
    def too_poor(self) -> bool:
        """Whether both faces are too poor to say that they are of one person."""
        return max(self.qualities) < MIN_QUALITY


def read_probe(engine: FaceEngine, photo: Path) -> Probe:
    """Find and embed the faces of one photo, or the tracks of one video.

    Raises InputError when it cannot be read.
    """
    kind = "video" if is_video(photo) else "photo"
    try:
        if kind == "video":
            return probe_of_video(engine, photo)
        decoded = photo_reader(DECODE_SIDE).read(photo)
    except PhotoError as error:
        raise InputError(f"cannot use the {kind} {photo}: {error}") from error
    (faces,) = engine.faces([decoded.pixels])
    return probe_of_faces(photo, faces, decoded.scale)


def probe_of_faces(photo: Path, faces: PhotoFaces, scale: float) -> Probe:
    """The ``faces`` that were found in ``photo``, decoded at ``scale``, as a probe."""
    boxes = faces.detections.boxes / scale
    return Probe(
        photo,
        tuple(_box(row) for row in boxes),
        tuple(faces.detections.scores.tolist()),
        tuple(faces.qualities.quality.tolist()),
        faces.embeddings.vectors,
    )


def probe_of_video(engine: FaceEngine, video: Path, reading: VideoReading = _ALONE) -> Probe:
    """The tracks of ``video`` as a probe; raises PhotoError where it cannot be read at all."""
    tracks = video_faces(engine, video, reading).tracks
    found = detections_of(tracks)
    vectors = np.array([each.vector for each in tracks], np.float32)
    return Probe(
        video,
        tuple(_box(row) for row in found.boxes),
        tuple(found.scores.tolist()),
        tuple(each.quality for each in tracks),
        vectors.reshape(-1, engine.contract.dimension),
        tuple(each.span for each in tracks),
    )


def match_probe(
    probe: Probe,
    gallery: Gallery,
    state: GalleryState,
    search: GallerySearch,
    *,
    names: Mapping[int, str],
    k: int,
) -> ProbeMatches:
    """The ``k`` nearest live faces of ``state`` for every face of ``probe``, largest face first.

    ``names`` maps face ids to the names that matches show. Raises InputError where the gallery has
    no faces or k is below 1, ChangedGalleryError where faces found were forgotten meanwhile.
    """
    if k < 1:
        raise InputError(f"expected 1 or more matches a face, got {k}")
    if not probe.boxes:
        return ProbeMatches(())
    if not state.face_count:
        raise InputError(f"the gallery {gallery.folder} has no faces to search")
    result = search.search_parts(probe.vectors, min(k, state.face_count, MAX_NEIGHBOURS))
    neighbours = result.neighbours
    found = np.unique(neighbours.ids[neighbours.ids >= 0])
    records = dict(zip(found.tolist(), gallery.faces(found, state), strict=True))
    faces = tuple(
        FaceMatches(
            probe.boxes[row],
            probe.scores[row],
            probe.qualities[row],
            _matches(neighbours, row, records, names),
            probe.span(row),
        )
        for row in probe.order
    )
    return ProbeMatches(faces, result.unsearched)


def identify_probe(
    probe: Probe,
    names: Sequence[str],
    groups: VectorGroups,
    threshold: ThresholdInUse,
    negatives: NegativeExamples = NO_NEGATIVES,
) -> list[Identification]:
    """The name of every face of ``probe``, or None: the nearest person within the threshold.

    ``groups`` are the vectors of the people ``names``, as
    :meth:`facesearch.recognition.templates.PersonTemplates.groups` has them. A face that the
    ``negatives`` of its nearest person bar gets the name of the next, if that is near enough.
    """
    if not probe.boxes:
        return []
    nearest = groups.nearest_two(probe.vectors)
    barred = np.stack(
        [negatives.bar(probe.vectors, nearest.groups[:, place]) for place in (0, 1)], axis=1
    )
    return [
        _identification(probe, row, names, nearest, threshold, barred=barred[row])
        for row in probe.order
    ]


def compare_probes(first: Probe, second: Probe, threshold: float) -> Verification:
    """Compare the largest face of each; raises InputError when one has no face."""
    for probe in (first, second):
        if not probe.boxes:
            raise InputError(f"no face found in {probe.photo}; name a photo with a visible face")
    one, two = (largest_first(probe.boxes)[0] for probe in (first, second))
    distance = float(np.sum((first.vectors[one] - second.vectors[two]) ** 2))
    qualities = (first.qualities[one], second.qualities[two])
    return Verification(
        distance <= threshold and max(qualities) >= MIN_QUALITY,
        distance,
        threshold,
        (first.boxes[one], second.boxes[two]),
        qualities,
    )


def _identification(
    probe: Probe,
    row: int,
    names: Sequence[str],
    found: NearestGroups,
    threshold: ThresholdInUse,
    *,
    barred: NDArray[np.bool_],
) -> Identification:
    distance, next_distance = found.distances[row].tolist()
    nearest = names[int(found.groups[row, 0])]
    person = None
    for place in (0, 1):
        if found.distances[row, place] <= threshold.value and not barred[place]:
            person = names[int(found.groups[row, place])]
            break
        if not barred[place]:
            break
    return Identification(
        box=probe.boxes[row],
        score=probe.scores[row],
        quality=probe.qualities[row],
        person=person,
        nearest=nearest,
        distance=distance,
        threshold=threshold.value,
        threshold_from=threshold.source,
        fpir=threshold.fpir,
        margin=next_distance - distance if len(names) > 1 else None,
        rejected=bool(barred[0]) and distance <= threshold.value,
        unsure=person is not None and next_distance <= CROWDED * threshold.value,
        span=probe.span(row),
    )


def _matches(
    neighbours: Neighbours, row: int, records: Mapping[int, FaceRecord], names: Mapping[int, str]
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
