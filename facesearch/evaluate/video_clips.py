"""Video files as tracks of the protocol: in each clip its person is whom it shows longest."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facesearch.engine import FaceEngine
from facesearch.errors import InputError, PhotoError
from facesearch.evaluate.datasets.embed_dataset import Progress
from facesearch.evaluate.datasets.embedded_photos import PhotoFailure
from facesearch.evaluate.datasets.labelled_photos import LabelledTracks
from facesearch.evaluate.video import FRAMES, EmbeddedTracks
from facesearch.images import find_photos
from facesearch.video.follow import followed
from facesearch.video.reader import MISSING, can_read_videos

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VideoClips(LabelledTracks):
    """Tracks that are video files at ``paths``: names are "person/clip", without the ending."""

    paths: tuple[Path, ...]

    layout = "person/clip.mp4"


def read_clips(root: Path) -> VideoClips | None:
    """The videos of a folder ``person/clip.mp4``; None where it has none.

    Raises :class:`InputError` where two clips of a person differ only in their endings.
    """
    if not root.is_dir():
        return None
    found = sorted(
        each.path for each in find_photos([root], videos=True) if each.video and not each.error
    )
    paths = [path for path in found if len(path.parts) > 1]
    if not paths:
        return None
    if len(paths) < len(found):
        logger.warning("%d videos in %s lie in no person's folder", len(found) - len(paths), root)
    names = tuple(path.with_suffix("").as_posix() for path in paths)
    if len({*names}) < len(names):
        raise InputError(f"expected clips of different names in {root}, found two of one name")
    return VideoClips(
        root, names, tuple(path.parts[0] for path in paths), tuple(root / path for path in paths)
    )


def embed_clips(
    engine: FaceEngine,
    clips: VideoClips,
    *,
    frames: int = FRAMES,
    progress: Progress = lambda done, total: None,
) -> EmbeddedTracks:
    """The longest track of each clip, as the mean of its first ``frames`` sampled faces.

    Raises :class:`InputError` for less than one frame, and where PyAV is not installed.
    """
    if frames < 1:
        raise InputError(f"expected 1 frame a track or more, got {frames}")
    if not can_read_videos():
        raise InputError(MISSING)
    means = np.zeros((len(clips), engine.contract.dimension), np.float32)
    used, read = (np.zeros(len(clips), np.int64) for _ in range(2))
    failures = []
    for row, path in enumerate(clips.paths):
        try:
            means[row], used[row], read[row] = _longest(engine, path, frames)
        except PhotoError as error:
            failures.append(PhotoFailure(clips.names[row], error.reason, error.detail))
        progress(row + 1, len(clips))
    return EmbeddedTracks(clips.names, means, used, read, tuple(failures))


def _longest(engine: FaceEngine, path: Path, frames: int) -> tuple[NDArray[np.float64], int, int]:
    """The mean (d,) of the longest track's first faces, how many these are, and faces in all."""
    sums: dict[int, NDArray[np.float64]] = {}
    counts: dict[int, int] = {}
    for track, face in followed(engine, path):
        counts[track] = counts.get(track, 0) + 1
        if counts[track] <= frames:
            sums[track] = sums.get(track, np.zeros(len(face.vector))) + face.vector
    if not counts:
        return np.zeros(engine.contract.dimension), 0, 0
    longest = max(counts, key=lambda track: (counts[track], -track))
    used = min(frames, counts[longest])
    return sums[longest] / used, used, used
