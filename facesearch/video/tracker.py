"""Faces followed from frame to frame: one track is one person.

As in SORT (Bewley et al., "Simple online and realtime tracking", 2016) each frame's faces are
assigned to the tracks at the least total cost (the Hungarian method), by overlap with where a track
is expected; as in its successor DeepSORT (Wojke et al., 2017) by how alike they look too. A track
ends at a cut, and where its face was not seen for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facesearch.detect.boxes import SAME_FACE_IOU, iou
from facesearch.quality import MIN_QUALITY
from facesearch.video.track import FaceSighting, OpenTrack, VideoTrack, track_vector

# Distances are in units of the encoder's verification threshold. Where boxes overlap, faces need to
# be less alike than where they only are near; poor faces look like nobody: there the place decides.
# Chosen on made clips of people of LFW View 1 (benchmarks/vision/video.py).
_LEAST_OVERLAP, _ALIKE_WHERE_OVERLAPPING = 0.3, 0.8
_NEAR, _ALIKE_WHERE_NEAR = 2.0, 0.6
_MUCH_OVERLAP, _ALIKE_WHERE_POOR = 0.5, 1.5
_SAME_SIZE = 2.0  # times the side, from one frame to the next
_NEVER = 1e6
_FORGOTTEN_US = 250_000  # how near in time a face is looked for that is to be forgotten


@dataclass(frozen=True)
class ForgottenFace:
    """A face that must not come back: at ``time_us``, in ``box`` float (4,) of the full frame."""

    time_us: int
    box: NDArray[np.float64]


@dataclass
class FaceTracker:
    """Tracks of one video. ``threshold`` is the encoder's verification threshold.

    A track ends where its face is missing in more than ``most_missed`` frames after each other, and
    is dropped where fewer than ``least_faces`` were seen, none of them good. ``forgotten`` faces'
    tracks are dropped too.
    """

    threshold: float
    most_missed: int = 5
    least_faces: int = 2
    forgotten: Sequence[ForgottenFace] = ()
    open: list[OpenTrack] = field(default_factory=list)

    def step(self, time_us: int, faces: Sequence[FaceSighting], *, cut: bool) -> list[VideoTrack]:
        """Go on with the faces of the next frame; the tracks that this ended."""
        ended = self.finish() if cut else []
        pairs = self._assigned(time_us, faces)
        for track in self.open:
            track.missed += 1
        for row, column in pairs:
            self.open[row].add(faces[column])
        taken = {column for _, column in pairs}
        new = [OpenTrack.begun(face) for at, face in enumerate(faces) if at not in taken]
        over = [track for track in self.open if track.missed > self.most_missed]
        self.open = [track for track in self.open if track.missed <= self.most_missed] + new
        self._mark_forgotten(time_us)
        return ended + self._kept(over)

    def finish(self) -> list[VideoTrack]:
        """End all tracks, as at a cut and at the end of the video."""
        over, self.open = self.open, []
        return self._kept(over)

    def _kept(self, tracks: Iterable[OpenTrack]) -> list[VideoTrack]:
        return [
            track.closed()
            for track in tracks
            if not track.forgotten
            and is_worth_keeping(track.count, track.best[0].quality, self.least_faces)
        ]

    def _assigned(self, time_us: int, faces: Sequence[FaceSighting]) -> list[tuple[int, int]]:
        """Which track goes on with which face: pairs of a row of ``open`` and one of ``faces``."""
        if not self.open or not faces:
            return []
        cost = self._costs(time_us, faces)
        from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - slow; photos need none

        rows, columns = linear_sum_assignment(cost)
        return [
            (row, column)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            if cost[row, column] < _NEVER
        ]

    def _costs(self, time_us: int, faces: Sequence[FaceSighting]) -> NDArray[np.float64]:
        """Of each open track going on with each face, (t, f); ``_NEVER`` where it cannot."""
        expected = np.array([track.box_at(time_us) for track in self.open])
        boxes = np.array([face.box for face in faces], np.float64)
        overlap = np.maximum(
            iou(expected, boxes), iou(np.array([track.latest.box for track in self.open]), boxes)
        )
        unlike = self._unlike(faces)
        sides, ours = _sides(boxes), _sides(expected)
        apart = np.linalg.norm(_centres(expected)[:, None] - _centres(boxes)[None], axis=2)
        near = apart <= _NEAR * np.maximum(ours[:, None], sides[None])
        growth = np.maximum(ours[:, None], sides[None]) / np.minimum(ours[:, None], sides[None])
        poor = np.array([face.quality < MIN_QUALITY for face in faces])[None] | np.array(
            [track.latest.quality < MIN_QUALITY for track in self.open]
        ).reshape(-1, 1)
        possible = (
            ((overlap >= _LEAST_OVERLAP) & (unlike <= _ALIKE_WHERE_OVERLAPPING))
            | (near & (unlike <= _ALIKE_WHERE_NEAR))
            | (poor & (overlap >= _MUCH_OVERLAP) & (unlike <= _ALIKE_WHERE_POOR))
        ) & (growth <= _SAME_SIZE)
        return np.where(possible, unlike + (1 - overlap), _NEVER)

    def _unlike(self, faces: Sequence[FaceSighting]) -> NDArray[np.float64]:
        """Squared distances (t, f) in units of the threshold, to a track's best faces' mean or to
        its newest face, whichever is less."""
        vectors = np.array([face.vector for face in faces], np.float64)
        best = np.array(
            [
                track_vector(
                    np.array([each.vector for each in track.best]),
                    np.array([each.quality for each in track.best]),
                )
                for track in self.open
            ],
            np.float64,
        )
        latest = np.array([track.latest.vector for track in self.open], np.float64)
        alike = np.maximum(best @ vectors.T, latest @ vectors.T)
        unlike: NDArray[np.float64] = (2 - 2 * alike) / self.threshold
        return unlike

    def _mark_forgotten(self, time_us: int) -> None:
        for gone in self.forgotten:
            if abs(gone.time_us - time_us) > _FORGOTTEN_US:
                continue
            for track in self.open:
                if track.missed == 0 and iou(track.latest.box, gone.box)[0, 0] >= SAME_FACE_IOU:
                    track.forgotten = True


def is_worth_keeping(count: int, best_quality: float, least: int = FaceTracker.least_faces) -> bool:
    """Whether a track is stored of which ``count`` faces were seen: of fewer than ``least`` only
    where the best is good."""
    return count >= least or best_quality >= MIN_QUALITY


def _sides(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0).max(axis=1), np.float64)


def _centres(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float64)
