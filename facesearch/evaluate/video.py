"""Video: the similarity of two tracks is the mean over all pairs of their frames.

FaceNet, section 5.7: "We use the average similarity of all pairs of the first one hundred frames
that our face detector detects in each video." The mean squared distance of the frames a of one
track and b of another is mean |a|^2 + mean |b|^2 - 2 mean(a) . mean(b): for unit vectors
2 - 2 mean(a) . mean(b), so a track is kept as the mean of its frames, which is no unit vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.evaluate.datasets.embed_dataset import (
    NO_CACHE,
    ONE_FACE,
    DatasetEmbedOptions,
    EmbeddingMethod,
    Progress,
    embed_photos,
)
from facesearch.evaluate.datasets.embedded_photos import NEVER, EmbeddedPhotos, PhotoFailure
from facesearch.evaluate.datasets.labelled_photos import FrameTracks

FRAMES = 100


@dataclass(frozen=True)
class EmbeddedTracks:
    """n tracks: ``means`` float32 (n, d) of the unit vectors of their ``frames`` int64 (n,).

    ``read`` int64 (n,) counts the frames that were looked at for those. A track none of whose
    frames shows a face has 0 frames and the mean 0.
    """

    names: tuple[str, ...]
    means: NDArray[np.float32]
    frames: NDArray[np.int64]
    read: NDArray[np.int64]
    failures: tuple[PhotoFailure, ...]

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which tracks show a face, bool (n,)."""
        return self.frames > 0


def embed_tracks(
    engine: FaceEngine,
    tracks: FrameTracks,
    *,
    frames: int = FRAMES,
    way: EmbeddingMethod = ONE_FACE,
    options: DatasetEmbedOptions = NO_CACHE,
    progress: Progress = lambda done, total: None,
) -> EmbeddedTracks:
    """The first ``frames`` frames of each track in which a face is found, as their mean.

    Frames are read as far as that takes and no further. Raises :class:`InputError` for less than
    one frame.
    """
    if frames < 1:
        raise InputError(f"expected 1 frame a track or more, got {frames}")
    sums = np.zeros((len(tracks), engine.contract.dimension), np.float64)
    found, read = (np.zeros(len(tracks), np.int64) for _ in range(2))
    failures: list[PhotoFailure] = []
    while wanted := _next_frames(tracks, frames - found, read):
        paths = [path for _, path in wanted]
        (embedded,) = embed_photos(
            engine, tracks.root, paths, way=way, options=options, progress=progress
        )
        failures.extend(embedded.failures)
        owner = np.array([track for track, _ in wanted], np.intp)
        _add(embedded, owner, sums, found)
        read += np.bincount(owner, minlength=len(tracks))
    means = sums / np.maximum(found, 1)[:, None]
    return EmbeddedTracks(tracks.names, means.astype(np.float32), found, read, tuple(failures))


def track_distances(
    embedded: EmbeddedTracks, first: Sequence[str], second: Sequence[str]
) -> NDArray[np.float32]:
    """Mean squared distances float32 (p,) of pairs of tracks by name; 4 where one has no face."""
    row_of = {name: row for row, name in enumerate(embedded.names)}
    left, right = (np.array([row_of[name] for name in side], np.intp) for side in (first, second))
    distances = 2 - 2 * np.einsum("ij,ij->i", embedded.means[left], embedded.means[right])
    both = embedded.usable[left] & embedded.usable[right]
    return np.where(both, distances.clip(0, NEVER), NEVER).astype(np.float32)


def _next_frames(
    tracks: FrameTracks, lacking: NDArray[np.int64], read: NDArray[np.int64]
) -> list[tuple[int, str]]:
    """The next frames to read: of each track as many as it lacks, by its row."""
    return [
        (row, path)
        for row, names in enumerate(tracks.frames)
        for path in names[read[row] : read[row] + lacking[row]]
    ]


def _add(
    embedded: EmbeddedPhotos,
    owner: NDArray[np.intp],
    sums: NDArray[np.float64],
    found: NDArray[np.int64],
) -> None:
    kept = embedded.usable("reject")
    np.add.at(sums, owner[kept], embedded.vectors[kept])
    found += np.bincount(owner[kept], minlength=len(found))
