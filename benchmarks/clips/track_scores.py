"""How well tracks keep to people, against the truth of a clip.

Identity precision, recall and F1 as Ristani et al. define them ("Performance measures and a data
set for multi-target, multi-camera tracking", 2016): trajectories of the truth and tracks are
matched one to one so that most sightings agree; what agrees is right, all else is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.clips.made_clips import TrueFace
from facesearch.detect.boxes import iou
from facesearch.engine import FaceEngine
from facesearch.video.follow import followed
from facesearch.video.tracker import is_worth_keeping

_LEAST_OVERLAP = 0.2  # detectors' boxes and drawn ones differ
_NOBODY = -1


@dataclass(frozen=True)
class TrackSighting:
    """A face that was given to a track, by number, in one frame."""

    track: int
    time_us: int
    box: tuple[float, ...]


@dataclass(frozen=True)
class IdentityScores:
    """``precision``, ``recall`` and ``f1`` in [0, 1].

    ``pure`` is the share of the sightings of anybody that are of their track's most frequent
    person; ``tracks`` and ``trajectories`` are how many there are.
    """

    precision: float
    recall: float
    f1: float
    pure: float
    tracks: int
    trajectories: int


def follow(engine: FaceEngine, path: Path, *, in_process: bool = True) -> list[TrackSighting]:
    """Every face of the tracks of a video that ``index`` would store, frame by frame."""
    seen = list(followed(engine, path, in_process=in_process))
    qualities: dict[int, list[float]] = {}
    for track, face in seen:
        qualities.setdefault(track, []).append(face.quality)
    kept = {each for each, found in qualities.items() if is_worth_keeping(len(found), max(found))}
    return [
        TrackSighting(track, face.time_us, tuple(face.box.tolist()))
        for track, face in seen
        if track in kept
    ]


def identity_scores(
    truth: Sequence[TrueFace], seen: Sequence[TrackSighting], sampled_us: Sequence[int]
) -> IdentityScores:
    """Scores of ``seen`` against the ``truth`` of the frames ``sampled_us`` (others do not count).

    A trajectory is one person in one shot.
    """
    wanted = set(sampled_us)
    by_time: dict[int, list[TrueFace]] = {}
    for face in truth:
        if face.time_us in wanted:
            by_time.setdefault(face.time_us, []).append(face)
    trajectories = {
        key: number
        for number, key in enumerate(
            sorted({(face.shot, face.person) for faces in by_time.values() for face in faces})
        )
    }
    people = {key: number for number, key in enumerate(sorted({key[1] for key in trajectories}))}
    tracks = {number: at for at, number in enumerate(sorted({each.track for each in seen}))}
    agree = np.zeros((len(trajectories), len(tracks)))
    persons: dict[int, Counter[int]] = {at: Counter() for at in tracks.values()}
    for time, at_time in _by_time(seen).items():
        faces = by_time.get(time, [])
        matched = _matched(faces, at_time)
        for each, face in zip(at_time, matched, strict=True):
            track = tracks[each.track]
            persons[track][_NOBODY if face is None else people[face.person]] += 1
            if face is not None:
                agree[trajectories[face.shot, face.person], track] += 1
    right = agree[linear_sum_assignment(-agree)].sum()
    true_count = sum(map(len, by_time.values()))
    of_people = [
        [count for who, count in counter.items() if who != _NOBODY] for counter in persons.values()
    ]
    pure = sum(max(counts, default=0) for counts in of_people)
    return IdentityScores(
        precision=float(right / max(1, len(seen))),
        recall=float(right / max(1, true_count)),
        f1=float(2 * right / max(1, len(seen) + true_count)),
        pure=pure / max(1, sum(map(sum, of_people))),
        tracks=len(tracks),
        trajectories=len(trajectories),
    )


def _by_time(seen: Sequence[TrackSighting]) -> dict[int, list[TrackSighting]]:
    found: dict[int, list[TrackSighting]] = {}
    for each in seen:
        found.setdefault(each.time_us, []).append(each)
    return found


def _matched(faces: Sequence[TrueFace], seen: Sequence[TrackSighting]) -> list[TrueFace | None]:
    """The true face that each sighting of a frame shows, None for nothing."""
    if not faces or not seen:
        return [None] * len(seen)
    overlap = iou(np.array([each.box for each in seen]), np.array([each.box for each in faces]))
    rows, columns = linear_sum_assignment(-overlap)
    found: list[TrueFace | None] = [None] * len(seen)
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if overlap[row, column] >= _LEAST_OVERLAP:
            found[row] = faces[column]
    return found
