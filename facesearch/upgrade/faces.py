"""Faces of a sealed shard embedded again, at the places where they were found."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections
from facesearch.embed import EmbedOptions
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.gallery.records import PhotoRecord
from facesearch.images import DecodeOutcome, DecodeTask, FoundPhoto, decode_photos
from facesearch.images.photo_pipeline import BATCH_PHOTOS
from indexer.storage.shards import Shard

logger = logging.getLogger(__name__)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class PhotoToEmbed:
    """A photo and its faces: rows of the shard, and where they are at full size."""

    record: PhotoRecord
    rows: Rows
    found: Detections


@dataclass(frozen=True)
class EmbeddedAgain:
    """The ``faces`` of a photo, or why it could not be read as it was."""

    photo: PhotoToEmbed
    faces: PhotoFaces | None
    problem: str = ""


def photos_to_embed(
    shard: Shard, live: Rows, shown: dict[int, PhotoRecord]
) -> Iterator[PhotoToEmbed]:
    """The photos of the ``live`` rows of faces; ``shown`` are their records, by row of photo."""
    photo = shard.column("faces", "photo")[live]
    boxes, landmarks, scores = (
        shard.column("faces", name)[live].astype(np.float32)
        for name in ("box", "landmarks", "score")
    )
    for number in np.unique(photo).tolist():
        mine = np.flatnonzero(photo == number)
        found = Detections(boxes[mine], landmarks[mine], scores[mine])
        yield PhotoToEmbed(shown[number], live[mine], found)


def embedded_again(
    engine: FaceEngine, photos: Iterator[PhotoToEmbed], options: EmbedOptions
) -> Iterator[EmbeddedAgain]:
    """Each of ``photos`` decoded and embedded, in order; threads work ahead."""
    asked: deque[PhotoToEmbed] = deque()

    def tasks() -> Iterator[DecodeTask]:
        for photo in photos:
            asked.append(photo)
            yield DecodeTask(_file(photo.record))

    outcomes = decode_photos(
        tasks(),
        workers=options.decoders,
        max_side=DECODE_SIDE,
        timeout=options.decode_timeout,
    )
    waiting: deque[Future[list[EmbeddedAgain]]] = deque()
    with ThreadPoolExecutor(options.threads) as threads:
        # Outcomes come in the order of the photos that were asked for.
        while batch := [(asked.popleft(), each) for each in islice(outcomes, BATCH_PHOTOS)]:
            waiting.append(threads.submit(_embed, engine, batch))
            if len(waiting) > options.threads:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _file(record: PhotoRecord) -> FoundPhoto:
    root = Path(os.fsdecode(record.root))
    return FoundPhoto(root, os.fsdecode(record.path), record.size, record.mtime_ns)


def _embed(
    engine: FaceEngine, batch: Sequence[tuple[PhotoToEmbed, DecodeOutcome]]
) -> list[EmbeddedAgain]:
    """Each photo with its faces; where a batch fails its photos are tried one by one."""
    usable = [(photo, each) for photo, each in batch if not _problem(photo, each)]
    pixels = [each.photo.pixels for _, each in usable if each.photo]
    scaled = [photo.found.scaled(each.photo.scale) for photo, each in usable if each.photo]
    try:
        faces = iter(engine.embed(pixels, scaled))
    except Exception as error:
        if len(batch) > 1:
            return [again for pair in batch for again in _embed(engine, [pair])]
        logger.exception("cannot process %s", batch[0][0].record.location)
        return [EmbeddedAgain(batch[0][0], None, f"internal: {type(error).__name__}: {error}")]
    return [
        EmbeddedAgain(photo, None, problem)
        if (problem := _problem(photo, each))
        else EmbeddedAgain(photo, next(faces))
        for photo, each in batch
    ]


def _problem(photo: PhotoToEmbed, outcome: DecodeOutcome) -> str:
    if outcome.reason:
        return f"{outcome.reason}: {outcome.detail}"
    if outcome.sha256 != photo.record.sha256:
        return "changed: the file is not the one that was indexed; index the folder first"
    return ""
