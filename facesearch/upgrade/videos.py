"""Tracks of videos embedded again: the frames that their vectors were made of are read again."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections
from facesearch.encoders.types import Embeddings
from facesearch.engine import DECODE_SIDE, FaceEngine, PhotoFaces
from facesearch.errors import PhotoError
from facesearch.gallery.records import PhotoRecord, face_times
from facesearch.images import sha256_of
from facesearch.quality import Qualities
from facesearch.upgrade.faces import EmbeddedAgain, PhotoToEmbed
from facesearch.video.reader import read_stills
from facesearch.video.track import track_vector
from indexer.storage.shards import Shard

logger = logging.getLogger(__name__)

Rows = NDArray[np.int64]
_CHANGED = "the file is not the one that was indexed; index the folder first"


@dataclass(frozen=True)
class VideoToEmbed:
    """A video and its tracks: ``video`` as of a photo, and the m frames of all of them.

    ``track`` int64 (m,) says which of the video's rows each frame is of, ``times_us`` int64 (m,)
    when it is shown, ``found`` where the face is in it, at full size.
    """

    video: PhotoToEmbed
    track: Rows
    times_us: Rows
    found: Detections


def are_tracks(shard: Shard, live: Rows) -> NDArray[np.bool_]:
    """Which of the ``live`` rows of faces are tracks of videos, (n,)."""
    return np.asarray(face_times(shard, live)[:, 0] >= 0)


def videos_to_embed(
    shard: Shard, live: Rows, shown: dict[int, PhotoRecord]
) -> Iterator[VideoToEmbed]:
    """The videos of the ``live`` rows of tracks; ``shown`` are their records, by row of photo."""
    if not len(live):
        return
    photo = shard.column("faces", "photo")[live]
    boxes, landmarks, scores = (
        shard.column("faces", name)[live].astype(np.float32)
        for name in ("box", "landmarks", "score")
    )
    frames = shard.table("frames")
    for number in np.unique(photo).tolist():
        mine = np.flatnonzero(photo == number)
        stills = Detections(boxes[mine], landmarks[mine], scores[mine])
        of_video = np.flatnonzero(np.isin(frames["face"], live[mine]))
        places = {row: at for at, row in enumerate(live[mine].tolist())}
        yield VideoToEmbed(
            PhotoToEmbed(shown[number], live[mine], stills),
            np.array([places[row] for row in frames["face"][of_video].tolist()], np.int64),
            frames["time_us"][of_video],
            Detections(*(frames[name][of_video] for name in ("box", "landmarks", "score"))),
        )


def video_embedded_again(engine: FaceEngine, video: VideoToEmbed, timeout: float) -> EmbeddedAgain:
    """The tracks of ``video`` with new vectors, made of the same frames, or why that failed."""
    record = video.video.record
    try:
        if sha256_of(record.location) != record.sha256:
            raise PhotoError("changed", _CHANGED)
        frames = _frames_again(engine, video, record.location, timeout)
    except PhotoError as error:
        return EmbeddedAgain(video.video, None, f"{error.reason}: {error.detail}")
    except Exception as error:
        logger.exception("cannot process %s", record.location)
        return EmbeddedAgain(video.video, None, f"internal: {type(error).__name__}: {error}")
    return EmbeddedAgain(video.video, _joined(video, frames))


def _frames_again(
    engine: FaceEngine, video: VideoToEmbed, path: Path, timeout: float
) -> list[PhotoFaces]:
    """The face of each frame of the tracks, in their order."""
    faces: dict[int, PhotoFaces] = {}
    for time, still in read_stills(path, video.times_us.tolist(), DECODE_SIDE, timeout=timeout):
        if still is None:
            raise PhotoError("changed", _CHANGED)
        rows = np.flatnonzero(video.times_us == time)
        (found,) = engine.embed([still.pixels], [video.found.rows(rows).scaled(still.scale)])
        for at, row in enumerate(rows.tolist()):
            faces[row] = found.only(np.arange(len(rows)) == at)
    return [faces[row] for row in range(len(video.track))]


def _joined(video: VideoToEmbed, frames: list[PhotoFaces]) -> PhotoFaces:
    """One face a track, with the vector of all its frames; the first is its still."""
    vectors, first = [], []
    for track in range(len(video.video.rows)):
        mine = [frames[row] for row in np.flatnonzero(video.track == track).tolist()]
        joined = np.concatenate([each.embeddings.vectors for each in mine])
        vectors.append(
            track_vector(joined, np.concatenate([each.qualities.quality for each in mine]))
        )
        first.append(mine[0])
    return PhotoFaces(
        video.video.found,
        Embeddings(
            np.array(vectors, np.float32),
            np.concatenate([each.embeddings.norms for each in first]),
        ),
        Qualities(
            *(
                np.concatenate([getattr(each.qualities, name) for each in first])
                for name in ("quality", "sharpness", "noise")
            )
        ),
    )
