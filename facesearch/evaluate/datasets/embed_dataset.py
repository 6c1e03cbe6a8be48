"""Photos of a protocol to one vector each: decoded by workers, embedded by threads, in order."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from facesearch.detect.types import Detections, Pixels
from facesearch.engine import DECODE_SIDE, FaceEngine
from facesearch.evaluate.datasets.embedded_photos import EmbeddedPhotos, PhotoFailure, State
from facesearch.evaluate.datasets.embedding_cache import CachedPhoto, EmbeddingCache
from facesearch.evaluate.datasets.face_selection import DEFAULT_RULE, choose_face
from facesearch.images import DecodeOutcome, DecodeTask, FoundPhoto, process_photos
from facesearch.images.file_access import refusal
from indexer.runtime.cores import available_cores

logger = logging.getLogger(__name__)

SAVE_EVERY = 2000  # photos; what a killed run may lose

# Medians over 415 photos of LFW View 1, in shares of the photo: where a portrait has its face.
_PORTRAIT_BOX = (0.30, 0.26, 0.68, 0.75)
_PORTRAIT_LANDMARKS = (
    (0.417, 0.450),
    (0.587, 0.450),
    (0.503, 0.549),
    (0.430, 0.633),
    (0.580, 0.633),
)

Progress = Callable[[int, int], None]


class EmbeddingMethod(Protocol):
    """How photos become vectors: ``name`` says all that decides them, ``variants`` how many."""

    @property
    def name(self) -> str: ...

    @property
    def variants(self) -> int: ...

    def embed(self, engine: FaceEngine, photos: Sequence[Pixels]) -> list[CachedPhoto]:
        """A record of each photo RGB uint8 (h, w, 3)."""
        ...


@dataclass(frozen=True)
class OneFace:
    """The face that ``rule`` chooses, and where there is none the centre in its stead."""

    rule: str = DEFAULT_RULE

    @property
    def name(self) -> str:
        return f"the {self.rule} face"

    @property
    def variants(self) -> int:
        return 1

    def embed(self, engine: FaceEngine, photos: Sequence[Pixels]) -> list[CachedPhoto]:
        """A record of one variant of each photo."""
        return embed_chosen(engine, photos, find_faces(engine, photos, self.rule))


ONE_FACE = OneFace()


@dataclass(frozen=True)
class ChosenFace:
    """One face of a photo: ``detection`` of length 1, found or standing in."""

    detection: Detections
    state: State


@dataclass(frozen=True)
class DatasetEmbedOptions:
    """``decoders`` processes (0: none) and ``threads`` work; ``cache``: a folder, or None."""

    decoders: int = 1
    threads: int = 2
    cache: Path | None = None

    @classmethod
    def for_cores(cls, cache: Path | None = None) -> DatasetEmbedOptions:
        """For all cores."""
        cores = available_cores()
        return cls(max(1, cores // 2), cores, cache)


NO_CACHE = DatasetEmbedOptions()


def find_faces(engine: FaceEngine, photos: Sequence[Pixels], rule: str) -> list[ChosenFace]:
    """The chosen face of each photo, or the centre."""
    found = engine.detect(photos)
    return [_chosen(photo, faces, rule) for photo, faces in zip(photos, found, strict=True)]


def embed_chosen(
    engine: FaceEngine, photos: Sequence[Pixels], faces: Sequence[ChosenFace]
) -> list[CachedPhoto]:
    """A record of one variant of each photo, at the faces given."""
    embedded = engine.embed(photos, [face.detection for face in faces])
    return [
        CachedPhoto(each.embeddings.vectors, np.array([face.state], np.uint8))
        for each, face in zip(embedded, faces, strict=True)
    ]


def portrait_face(photo: Pixels) -> Detections:
    """Where a portrait has its face: a box in the middle with the landmarks of a frontal face.

    In a photo that is not square the box is that of the largest square in its middle.
    """
    height, width = photo.shape[:2]
    side = min(height, width)
    corner = np.array([width - side, height - side], np.float32) / 2
    box = np.array(_PORTRAIT_BOX, np.float32).reshape(1, 2, 2) * side + corner
    landmarks = np.array([_PORTRAIT_LANDMARKS], np.float32) * side + corner
    return Detections(box.reshape(1, 4), landmarks, np.zeros(1, np.float32))


def embed_photos(
    engine: FaceEngine,
    root: Path,
    paths: Sequence[str],
    *,
    way: EmbeddingMethod = ONE_FACE,
    options: DatasetEmbedOptions = NO_CACHE,
    progress: Progress = lambda done, total: None,
) -> list[EmbeddedPhotos]:
    """The photos ``root / path`` as each variant of ``way``, in the order of ``paths``.

    What is wrong with a photo is a failure of it and of nothing else, also where the file does not
    exist; failures are never cached. ``progress`` is called with the photos done and their total.
    """
    cache = None
    if options.cache is not None:
        cache = EmbeddingCache(options.cache, engine.contract, engine.settings, way.name)
    records: list[CachedPhoto | None] = []
    failures = []
    try:
        processed = process_photos(
            _tasks(root, paths, cache),
            lambda photos: way.embed(engine, photos),
            decoders=options.decoders,
            threads=options.threads,
            max_side=DECODE_SIDE,
        )
        for outcome, fresh in processed:
            records.append(_kept(cache, outcome, fresh))
            if outcome.reason:
                path = outcome.found.path.as_posix()
                failures.append(PhotoFailure(path, outcome.reason, outcome.detail))
            progress(len(records), len(paths))
    finally:
        if cache is not None:
            cache.save()
    return _by_variant(tuple(paths), records, tuple(failures), way, engine.contract.dimension)


def _kept(
    cache: EmbeddingCache | None, outcome: DecodeOutcome, fresh: CachedPhoto | None
) -> CachedPhoto | None:
    """The record of a photo, new or known, None for a failure; what is new is kept."""
    if cache is None:
        return fresh
    if fresh is None:
        return cache.get(outcome.sha256) if outcome.known else None
    cache.add(outcome.sha256, fresh)
    if cache.unsaved >= SAVE_EVERY:
        cache.save()
    return fresh


def _by_variant(
    paths: tuple[str, ...],
    records: Sequence[CachedPhoto | None],
    failures: tuple[PhotoFailure, ...],
    way: EmbeddingMethod,
    dimension: int,
) -> list[EmbeddedPhotos]:
    vectors = np.zeros((way.variants, len(paths), dimension), np.float32)
    states = np.full((way.variants, len(paths)), State.FAILED, np.uint8)
    for row, record in enumerate(records):
        if record is not None:
            vectors[:, row], states[:, row] = record.vectors, record.states
    return [
        EmbeddedPhotos(paths, each, state, failures)
        for each, state in zip(vectors, states, strict=True)
    ]


def _chosen(photo: Pixels, faces: Detections, rule: str) -> ChosenFace:
    row = choose_face(faces, (photo.shape[1], photo.shape[0]), rule)
    if row is None:
        return ChosenFace(portrait_face(photo), State.NO_FACE)
    kept = slice(row, row + 1)
    face = Detections(faces.boxes[kept], faces.landmarks[kept], faces.scores[kept])
    return ChosenFace(face, State.FOUND)


def _tasks(root: Path, paths: Sequence[str], cache: EmbeddingCache | None) -> Iterator[DecodeTask]:
    known = cache.digests if cache is not None else frozenset()
    for path in paths:
        yield DecodeTask(_found(root, Path(path)), known)


def _found(root: Path, path: Path) -> FoundPhoto:
    try:
        status = (root / path).stat()
    except (OSError, ValueError) as error:
        problem = refusal(error) if isinstance(error, OSError) else str(error)
        return FoundPhoto(root, str(path), 0, 0, problem)
    return FoundPhoto.of(root, str(path), status)
