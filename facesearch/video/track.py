"""A person followed through a shot: the best few faces, and one vector made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.types import Detections
from facesearch.engine import PhotoFaces
from facesearch.video.types import TimeSpan

# How many faces of a track its vector is made of: those of the best quality. In made clips
# (benchmarks/vision/video.py) more of them tell people apart no better than chance would have it.
BEST_FACES = 3


@dataclass(frozen=True, eq=False)
class FaceSighting:
    """One face in one frame; ``box`` float32 (4,) and ``landmarks`` float32 (5, 2) are in pixels of
    the upright frame at full size, ``vector`` float32 (d,) is of unit length."""

    time_us: int
    box: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    score: float
    norm: float
    quality: float
    sharpness: float
    noise: float
    vector: NDArray[np.float32]


def sightings(time_us: int, faces: PhotoFaces, scale: float) -> list[FaceSighting]:
    """The faces of a frame that was reduced by ``scale``."""
    found, made, rated = faces.detections.scaled(1 / scale), faces.embeddings, faces.qualities
    return [
        FaceSighting(
            time_us,
            found.boxes[row],
            found.landmarks[row],
            float(found.scores[row]),
            float(made.norms[row]),
            float(rated.quality[row]),
            float(rated.sharpness[row]),
            float(rated.noise[row]),
            made.vectors[row],
        )
        for row in range(len(faces))
    ]


@dataclass(eq=False)
class OpenTrack:
    """A track that may go on. ``best`` are its best faces, the best first; ``latest`` the newest.

    ``before`` is the one before ``latest``; ``count`` faces were seen, and none in the last
    ``missed`` frames. ``forgotten``: it shows a face that is not to be found.
    """

    start_us: int
    latest: FaceSighting
    before: FaceSighting
    count: int = 1
    missed: int = 0
    forgotten: bool = False
    best: list[FaceSighting] = field(default_factory=list)

    @classmethod
    def begun(cls, face: FaceSighting) -> OpenTrack:
        """A track of one face."""
        return cls(face.time_us, face, face, best=[face])

    def add(self, face: FaceSighting, most: int = BEST_FACES) -> None:
        """Go on with ``face``; of equally good ones the earlier counts as better."""
        self.before, self.latest = self.latest, face
        self.count += 1
        self.missed = 0
        self.best = sorted([*self.best, face], key=lambda each: (-each.quality, each.time_us))
        del self.best[most:]

    def box_at(self, time_us: int) -> NDArray[np.float64]:
        """Where the face is to be expected, (4,), if it moves on as it moved last."""
        box = self.latest.box.astype(np.float64)
        passed = self.latest.time_us - self.before.time_us
        if passed <= 0:
            return box
        moved = (_centre(self.latest.box) - _centre(self.before.box)) / passed
        return box + np.tile(moved * min(time_us - self.latest.time_us, 2 * passed), 2)

    def closed(self) -> VideoTrack:
        """What is kept of it."""
        return VideoTrack.of(self)


@dataclass(frozen=True, eq=False)
class VideoTrack:
    """A track that has ended: its k best faces, the best first, and its unit ``vector`` (d,).

    ``times_us`` int64 (k,), ``boxes`` float32 (k, 4), ``landmarks`` float32 (k, 5, 2) and
    ``scores`` float32 (k,) are those of the faces; the first face stands for the track, and
    ``norm``, ``quality``, ``sharpness`` and ``noise`` are its. ``count`` faces were seen in all.
    """

    start_us: int
    end_us: int
    count: int
    vector: NDArray[np.float32]
    times_us: NDArray[np.int64]
    boxes: NDArray[np.float32]
    landmarks: NDArray[np.float32]
    scores: NDArray[np.float32]
    norm: float
    quality: float
    sharpness: float
    noise: float

    @classmethod
    def of(cls, track: OpenTrack) -> VideoTrack:
        """What is kept of an open track."""
        best = track.best
        return cls(
            start_us=track.start_us,
            end_us=track.latest.time_us,
            count=track.count,
            vector=track_vector(
                np.array([each.vector for each in best]),
                np.array([each.quality for each in best]),
            ),
            times_us=np.array([each.time_us for each in best], np.int64),
            boxes=np.array([each.box for each in best], np.float32),
            landmarks=np.array([each.landmarks for each in best], np.float32),
            scores=np.array([each.score for each in best], np.float32),
            norm=best[0].norm,
            quality=best[0].quality,
            sharpness=best[0].sharpness,
            noise=best[0].noise,
        )

    @property
    def span(self) -> TimeSpan:
        """When it is seen."""
        return TimeSpan(self.start_us, self.end_us, int(self.times_us[0]))


def track_vector(
    vectors: NDArray[np.float32], qualities: NDArray[np.float64]
) -> NDArray[np.float32]:
    """The unit vector (d,) of a track, of its best faces' unit vectors (k, d) and qualities (k,).

    Their mean, weighted by quality: benchmarks/vision/video.py compares it with the plain mean and
    with the best face alone.
    """
    weights = np.maximum(qualities, 1e-3)
    mean = (weights[:, None] * vectors.astype(np.float64)).sum(axis=0)
    length = np.linalg.norm(mean)
    if length < 1e-6:  # opposite vectors: no mean says anything
        return np.asarray(vectors[0], np.float32)
    return np.asarray(mean / length, np.float32)


def detections_of(tracks: Sequence[VideoTrack]) -> Detections:
    """The faces that stand for tracks, as if they were found in one photo."""
    if not tracks:
        return Detections.none()
    return Detections(
        np.array([each.boxes[0] for each in tracks], np.float32),
        np.array([each.landmarks[0] for each in tracks], np.float32),
        np.array([each.scores[0] for each in tracks], np.float32),
    )


def _centre(box: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray((box[:2].astype(np.float64) + box[2:]) / 2, np.float64)
