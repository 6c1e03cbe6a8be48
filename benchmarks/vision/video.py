"""Videos: do tracks keep to one person, which vector suits a track, what does a long file take?

    python -m benchmarks.vision.video [--clips N] [--people N] [--minutes N] [--only PART ...]

No film is at hand whose people are known, so clips are made: photos of people move over soft
backgrounds, cross each other, grow, lean, and change for another photo of the same person; shots
are cut (``benchmarks/clips/made_clips.py``). That says how faces are followed, not how well people
are recognised in film. Nothing here is a timing, so it may run beside other work; times are those
of :mod:`benchmarks.vision.video_speed`.

- ``tracks``: identity precision, recall and F1 (``benchmarks/clips/track_scores.py``) of clips of
  people of ``many``, by kind: two people who cross; six short shots between cuts; two to four
  people who come, go and cross in three shots. Every other clip is stored turned by a quarter, a
  half or three quarters, with the matrix that turns it back.
- ``vectors``: of the longest track of clips of one person, the best faces' plain mean, their mean
  weighted by quality, and the best face alone, for several numbers of faces. Equal error rate and
  accept rate at up to 1% false accepts over all pairs of tracks of different clips, whose photos
  are different ones. Chosen on people of LFW View 1, reported on ``many``.
- ``memory``: the greatest memory for a long file (``--minutes``, 120 by default) and for one of two
  minutes, of small frames with one face each that no network finds: what grows with length would
  show, what the networks take would not.
- ``resume``: ``facesearch index`` of one clip is killed (SIGKILL) after new checkpoints, until it
  comes to its end. The faces must be those of a job that was not killed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.killed_videos import killed_and_resumed
from benchmarks.clips.made_clips import Actor, ClipFormat, ClipShot, background, write_clip
from benchmarks.clips.peak_memory import reading_memory, write_long_clip
from benchmarks.clips.portraits import (
    Portraits,
    Rng,
    moving,
    people_of_many,
    people_of_view_1,
)
from benchmarks.clips.track_scores import follow, identity_scores
from benchmarks.common.record import record
from facesearch.engine import FaceEngine, create_engine
from facesearch.video.follow import followed
from facesearch.video.track import FaceSighting, track_vector
from facesearch.video.types import SAMPLE_US

SEED = 0
PARTS = ("tracks", "vectors", "memory", "resume")
NUMBERS_OF_FACES = (1, 3, 5, 10)
CLIPS_A_PERSON, PHOTOS_A_CLIP = 4, 2
TURNS = (0, 90, 0, 180, 0, 270)
SHORT_MINUTES = 2.0
LEAST_PAIRS = 100  # of different people, of which one is 1%

PersonTrack = tuple[int, int, list[FaceSighting]]


def crossing_clip(people: Portraits, rng: Rng) -> list[ClipShot]:
    """Two people cross, the second before the first."""
    names = rng.permutation(people.names)[:2].tolist()
    actors = []
    for name, ends in zip(names, ((0.1, 0.9), (0.9, 0.1)), strict=True):
        side = rng.uniform(110, 180)
        pictures = tuple(people.pictures(name, 2, rng))
        heights = rng.uniform(0.42, 0.58, 2).tolist()
        places = (ends[0], heights[0]), (ends[1], heights[1])
        actors.append(Actor(name, pictures, *places, (side, side), lean=rng.uniform(0, 10)))
    return [ClipShot(5.0, background(int(rng.integers(1e9))), tuple(actors))]


def cuts_clip(people: Portraits, rng: Rng) -> list[ClipShot]:
    """Six shots of one or two of three people."""
    names = rng.permutation(people.names)[:3].tolist()
    return [
        _shot(people, names, int(rng.integers(1, 3)), rng.uniform(1.2, 2.5), rng) for _ in range(6)
    ]


def crowd_clip(people: Portraits, rng: Rng) -> list[ClipShot]:
    """Three shots of two to four people each, who come, go and cross."""
    names = rng.permutation(people.names)[:4].tolist()
    return [_shot(people, names, int(rng.integers(2, 5)), rng.uniform(3, 6), rng) for _ in range(3)]


def _shot(
    people: Portraits, names: Sequence[str], count: int, seconds: float, rng: Rng
) -> ClipShot:
    there = rng.permutation(names)[:count].tolist()
    actors = tuple(moving(name, people.pictures(name, 2, rng), rng) for name in there)
    return ClipShot(seconds, background(int(rng.integers(1e9))), actors)


KINDS: dict[str, Callable[[Portraits, Rng], list[ClipShot]]] = {
    "crossing": crossing_clip,
    "cuts": cuts_clip,
    "crowd": crowd_clip,
}


def score_tracks(engine: FaceEngine, folder: Path, clips: int) -> dict[str, Any]:
    """Identity scores of ``clips`` made clips of each kind, of ``many``: the means, and each."""
    rng = np.random.default_rng(SEED)
    people, result = people_of_many(engine), {}
    for kind, make in KINDS.items():
        scores = []
        for number in range(clips):
            path = folder / f"{kind}-{number}.mp4"
            turn = TURNS[number % len(TURNS)]
            truth = write_clip(path, make(people, rng), ClipFormat(turn=turn))
            seen = follow(engine, path)
            sampled = first_of_each(sorted({face.time_us for face in truth}))
            scores.append({"turn": turn, **asdict(identity_scores(truth, seen, sampled))})
        names = [name for name in scores[0] if name != "turn"]
        means = {name: float(np.mean([each[name] for each in scores])) for name in names}
        result[kind] = {"clips": clips, "mean": means, "each": scores}
    return {"data": "many", **result}


def first_of_each(times_us: Sequence[int]) -> list[int]:
    """The first of the times in each interval that is sampled."""
    return list({time // SAMPLE_US: time for time in reversed(times_us)}.values())


def tracks_of(engine: FaceEngine, folder: Path, people: Portraits, count: int) -> list[PersonTrack]:
    """Person, clip and faces of the longest track of clips of one person each.

    Several clips a person, of different photos.
    """
    rng = np.random.default_rng(SEED)
    found = []
    for person, name in enumerate(people.names[:count]):
        pictures = people.pictures(name, CLIPS_A_PERSON * PHOTOS_A_CLIP, rng)
        for clip in range(min(CLIPS_A_PERSON, len(pictures))):
            path = folder / f"person-{person}-{clip}.mp4"
            shown = moving(name, pictures[clip::CLIPS_A_PERSON], rng)
            shot = ClipShot(4.0, background(int(rng.integers(1e9))), (shown,))
            write_clip(path, [shot], ClipFormat(fps=10, options=(("crf", "30"),)))
            tracks: dict[int, list[FaceSighting]] = {}
            for track, face in followed(engine, path):
                tracks.setdefault(track, []).append(face)
            if tracks:
                found.append((person, clip, max(tracks.values(), key=len)))
    return found


def plain_mean(vectors: NDArray[np.float32], qualities: NDArray[np.float64]) -> Any:
    """The unit mean of vectors, whatever their qualities."""
    return track_vector(vectors, np.ones_like(qualities))


WAYS: dict[str, Callable[[NDArray[np.float32], NDArray[np.float64]], Any]] = {
    "mean": plain_mean,
    "mean weighted by quality": track_vector,
}


def compare_vectors(tracks: Sequence[PersonTrack]) -> dict[str, Any]:
    """Errors of each way to make a track's vector; of one face all ways are the best face."""
    result = {}
    for count in (*NUMBERS_OF_FACES, None):
        for name, way in WAYS.items():
            vectors = []
            for _, _, faces in tracks:
                best = sorted(faces, key=lambda each: -each.quality)[:count]
                vectors.append(
                    way(
                        np.array([each.vector for each in best]),
                        np.array([each.quality for each in best]),
                    )
                )
            key = "best face" if count == 1 else f"{name} of {count or 'all'}"
            result[key] = errors(tracks, np.array(vectors))
    return result


def errors(tracks: Sequence[PersonTrack], vectors: NDArray[np.float32]) -> dict[str, float]:
    """Equal error rate, and accept rate at no more than 1% false accepts, of pairs of tracks.

    ``far_1e-2_resolved``: there are different pairs enough that one of them may be accepted. Of
    fewer the rate is that at no false accept.
    """
    people = np.array([person for person, _, _ in tracks])
    first, second = np.triu_indices(len(tracks), 1)
    distances = ((vectors[first] - vectors[second]) ** 2).sum(axis=1)
    same = people[first] == people[second]
    ours, others = np.sort(distances[same]), np.sort(distances[~same])
    cuts = np.concatenate([ours, others])
    missed = 1 - np.searchsorted(ours, cuts, "right") / len(ours)
    accepted = np.searchsorted(others, cuts, "right") / len(others)
    at = int(np.abs(missed - accepted).argmin())
    limit = others[len(others) // LEAST_PAIRS]  # below which no more than 1% are
    return {
        "equal_error_rate": float((missed[at] + accepted[at]) / 2),
        "accept_rate_at_far_1e-2": float((ours < limit).mean()),
        "far_1e-2_resolved": len(others) >= LEAST_PAIRS,
        "mean_distance_same": float(ours.mean()),
        "pairs_same": len(ours),
        "pairs_different": len(others),
    }


def measure_memory(folder: Path, minutes: float) -> dict[str, Any]:
    """The greatest memory, in MiB, of both processes, for a short file and a long one."""
    result = {}
    for name, length in (("short", SHORT_MINUTES), ("long", minutes)):
        path = folder / f"{name}.mp4"
        write_long_clip(path, length, 5, (320, 180))
        result[name] = {"minutes": length, **asdict(reading_memory(path))}
        path.unlink()
    return result


def kill_and_resume(engine: FaceEngine, folder: Path, kills: int) -> dict[str, Any]:
    """A clip of ``many`` whose job is killed so many times."""
    rng = np.random.default_rng(SEED)
    people = people_of_many(engine)
    shots = [shot for _ in range(3) for shot in crowd_clip(people, rng)]
    videos = folder / "videos"
    videos.mkdir()
    write_clip(videos / "clip.mp4", shots)
    return asdict(killed_and_resumed(videos, folder, kills, SEED))


def main() -> None:
    """Measure the parts that are asked for, and record the result where that is all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clips", type=int, default=6, help="clips of each kind (default: 6)")
    parser.add_argument("--people", type=int, default=40, help="people of vectors (default: 40)")
    parser.add_argument("--minutes", type=float, default=120, help="of the long file")
    parser.add_argument("--kills", type=int, default=3, help="of resume (default: 3)")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="parts to run")
    args = parser.parse_args()
    engine = create_engine()
    result: dict[str, Any] = {"seed": SEED, "encoder": engine.contract.name}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "tracks" in args.only:
            result["tracks"] = score_tracks(engine, folder, args.clips)
        if "vectors" in args.only:
            result["vectors"] = {
                data: compare_vectors(tracks_of(engine, folder, people, args.people))
                for data, people in (
                    ("LFW View 1, to choose", people_of_view_1(engine)),
                    ("many, to report", people_of_many(engine)),
                )
            }
        if "memory" in args.only:
            result["memory"] = measure_memory(folder, args.minutes)
        if "resume" in args.only:
            result["resume"] = kill_and_resume(engine, folder, args.kills)
    if set(args.only) == {*PARTS}:
        print(record("video", result))
    else:
        print(result)


if __name__ == "__main__":
    main()
