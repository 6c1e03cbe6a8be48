"""Photos to a crop file: the face that a photo is of, found by the product's own detector."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.align.five_points import FivePointAligner
from facesearch.detect.types import Detections, Detector, Pixels
from facesearch.encoders.catalogue.templates import OPEN_MODEL_ZOO, Template
from facesearch.encoders.types import Aligner, Encoder
from facesearch.engine import DECODE_SIDE, detect_faces
from facesearch.evaluate.datasets.face_selection import choose_face
from facesearch.images import DecodeOutcome, DecodeTask, FoundPhoto, decode_photos, find_photos
from facesearch.train.data.crop_file import CropWriter, writing_crops

logger = logging.getLogger(__name__)

# The inner square is facenet-small's chip; eight pixels more on each side let augmentation turn,
# shift and enlarge it without leaving the crop.
SIDE, MARGIN = 128, 8

_BATCH_PHOTOS = 16

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Teacher:
    """An encoder whose vectors a crop file shall hold, and the aligner it takes chips from."""

    aligner: Aligner
    encoder: Encoder


@dataclass(frozen=True)
class CropFailure:
    """A photo that gave no crop: ``reason`` is "no-face" or one of photos' reasons."""

    photo: str
    reason: str
    detail: str


@dataclass(frozen=True)
class CropReport:
    """What was made: counts of photos, crops, people with a name, and the photos without a crop."""

    photos: int
    crops: int
    people: int
    failures: tuple[CropFailure, ...]


def make_crops(
    roots: Sequence[Path],
    path: Path,
    detector: Detector,
    teachers: Sequence[Teacher] = (),
    *,
    labelled: bool = True,
    decoders: int = 1,
    progress: Progress = lambda photos: None,
) -> CropReport:
    """Write the crop file ``path`` from the photos under ``roots``, one crop a photo at most.

    Of several faces the prominent one is taken. With ``labelled`` the folder of a photo, relative
    to its root, names its person; photos right in a root have no name. Each teacher's vectors are
    kept under its encoder's name. Photos without a face and those that cannot be read are reported
    and stop nothing. Raises :class:`~facesearch.errors.InputError` for a root that is not there.
    """
    maker = _CropMaker(detector, teachers, labelled)
    tasks = (DecodeTask(found) for found in find_photos(roots))
    outcomes = decode_photos(tasks, workers=decoders, max_side=DECODE_SIDE)
    with writing_crops(path, SIDE, MARGIN) as writer:
        for batch in _batches(outcomes):
            maker.add(batch, writer)
            progress(maker.photos)
        return CropReport(maker.photos, len(writer), len(maker.people), tuple(maker.failures))


def crop_template() -> Template:
    """Where landmarks go on a whole crop: the template of the inner square, margin around it."""
    inner = SIDE - 2 * MARGIN
    points = tuple(
        ((x * inner + MARGIN) / SIDE, (y * inner + MARGIN) / SIDE) for x, y in OPEN_MODEL_ZOO.points
    )
    return Template(f"{OPEN_MODEL_ZOO.name}-crop", points)


class _CropMaker:
    """Batches of decoded photos to pieces of a crop file."""

    def __init__(self, detector: Detector, teachers: Sequence[Teacher], labelled: bool) -> None:
        self._detector, self._teachers, self._labelled = detector, teachers, labelled
        self._aligner = FivePointAligner(crop_template(), SIDE)
        self.photos = 0
        self.people: set[str] = set()
        self.failures: list[CropFailure] = []

    def add(self, outcomes: Sequence[DecodeOutcome], writer: CropWriter) -> None:
        self.photos += len(outcomes)
        faces = [
            (outcome.found, outcome.photo.pixels, face)
            for outcome in outcomes
            if outcome.photo is not None
            and (face := self._face(outcome.found, outcome.photo.pixels)) is not None
        ]
        for outcome in outcomes:
            if outcome.photo is None:
                self._fail(outcome.found, outcome.reason, outcome.detail)
        if not faces:
            return
        crops = np.concatenate([self._aligner.align(photo, face) for _, photo, face in faces])
        people = [self._person(found) for found, _, _ in faces]
        self.people |= {person for person in people if person is not None}
        vectors = {each.encoder.name: self._vectors(each, faces) for each in self._teachers}
        writer.add(crops, people, vectors)

    def _face(self, found: FoundPhoto, photo: Pixels) -> Detections | None:
        try:
            face = _prominent_face(self._detector, photo)
        except Exception as error:  # one photo must not stop the others
            logger.exception("cannot process %s", found.location)
            self._fail(found, "internal", f"{type(error).__name__}: {error}")
            return None
        if face is None:
            self._fail(found, "no-face", "no face was found")
        return face

    def _vectors(
        self, teacher: Teacher, faces: Sequence[tuple[FoundPhoto, Pixels, Detections]]
    ) -> NDArray[np.float32]:
        chips = [teacher.aligner.align(photo, face) for _, photo, face in faces]
        return teacher.encoder.embed(np.concatenate(chips)).vectors

    def _person(self, found: FoundPhoto) -> str | None:
        parent = found.path.parent.as_posix()
        return parent if self._labelled and parent != "." else None

    def _fail(self, found: FoundPhoto, reason: str, detail: str) -> None:
        self.failures.append(CropFailure(str(found.location), reason, detail))


def _prominent_face(detector: Detector, photo: Pixels) -> Detections | None:
    found = detect_faces(detector, [photo])[0]
    row = choose_face(found, (photo.shape[1], photo.shape[0]))
    if row is None:
        return None
    kept = slice(row, row + 1)
    return Detections(found.boxes[kept], found.landmarks[kept], found.scores[kept])


def _batches(outcomes: Iterable[DecodeOutcome]) -> Iterator[list[DecodeOutcome]]:
    waiting = iter(outcomes)
    while batch := list(islice(waiting, _BATCH_PHOTOS)):
        yield batch
