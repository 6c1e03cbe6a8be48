"""Tracks of videos as rows of the tables of faces and frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facesearch.encoders.types import Embeddings
from facesearch.engine import PhotoFaces
from facesearch.quality import Qualities
from facesearch.video.checkpoint import frame_table
from facesearch.video.track import VideoTrack, detections_of

TIMES = ("start_us", "end_us", "still_us")  # columns of the table of faces


def track_faces(tracks: Sequence[VideoTrack]) -> PhotoFaces | None:
    """The stills of tracks with the tracks' vectors, as faces of one photo; None of no track."""
    if not tracks:
        return None
    return PhotoFaces(
        detections_of(tracks),
        Embeddings(
            np.array([each.vector for each in tracks], np.float32),
            np.array([each.norm for each in tracks], np.float32),
        ),
        Qualities(
            *(
                np.array([getattr(each, name) for each in tracks], np.float32)
                for name in ("quality", "sharpness", "noise")
            )
        ),
    )


def track_times(tracks: Sequence[VideoTrack]) -> NDArray[np.int64]:
    """The columns :data:`TIMES` of n tracks, int64 (n, 3)."""
    spans = [each.span for each in tracks]
    rows = [[getattr(span, name) for name in TIMES] for span in spans]
    return np.array(rows, np.int64).reshape(-1, len(TIMES))


def frames_table(
    parts: Sequence[tuple[int, Sequence[VideoTrack]]],
) -> dict[str, NDArray[Any]]:
    """The table ``frames`` of tracks; each part begins at a row of the table of faces."""
    tables = [(start, frame_table(tracks)) for start, tracks in parts]
    joined = {name: np.concatenate([table[name] for _, table in tables]) for name in tables[0][1]}
    rows = [table["face"] + np.int32(start) for start, table in tables]
    return {**joined, "face": np.concatenate(rows).astype(np.int32)}
