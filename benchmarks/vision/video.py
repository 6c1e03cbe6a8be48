"""Videos: do tracks keep to one person, which vector suits a track, how fast, in how much memory?

    python -m benchmarks.vision.video [--clips N] [--people N] [--minutes N] [--only PART ...]

No film is at hand whose people are known, so clips are made: photos of people move over soft
backgrounds, cross each other, grow, lean, and change for another photo of the same person; shots
are cut (``benchmarks/clips/made_clips.py``). That says how faces are followed, not how well people
are recognised in film.

- ``tracks``: identity precision, recall and F1 (``benchmarks/clips/track_scores.py``) of clips of
  two to four people of ``many``.
- ``vectors``: of the longest track of clips of one person, the best faces' plain mean, their mean
  weighted by quality, and the best face alone, for several numbers of faces. Equal error rate and
  accept rate at 1% false accepts over all pairs of tracks of different clips, whose photos are
  different ones. Chosen on people of LFW View 1, reported on ``many``.
- ``speed``: times real time of reading a clip of 1920 x 1080 pixels, of two people, in both modes.
- ``memory``: the greatest memory of this process, and of the one that decodes, for a long clip
  (``--minutes``, 120 by default) of small frames.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.made_clips import Actor, ClipFormat, ClipShot, Pixels, background, write_clip
from benchmarks.clips.track_scores import follow, identity_scores
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.encoders.types import EncoderContract
from facesearch.engine import FaceEngine, create_engine
from facesearch.evaluate.verification import read_pairs
from facesearch.video.follow import followed
from facesearch.video.pipeline import VideoReading, video_faces
from facesearch.video.track import FaceSighting, track_vector
from facesearch.video.types import SAMPLE_US
from facesearch.video_files import VideoMode

DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data"))
SIZE, SEED = (640, 360), 0
PARTS = ("tracks", "vectors", "speed", "memory")
NUMBERS_OF_FACES = (1, 3, 5, 10)

Rng = np.random.Generator
_HEAD_SIDE = 200  # pixels


def people_of_many(engine: FaceEngine, least: int = 8) -> Portraits:
    """The photos of each person of ``many``."""
    found = {each.name: sorted(each.iterdir()) for each in sorted((DATA / "many").iterdir())}
    return Portraits(engine, {name: each for name, each in found.items() if len(each) >= least})


def people_of_view_1(engine: FaceEngine, least: int = 8) -> Portraits:
    """The photos of LFW View 1 of each person with enough of them."""
    found: dict[str, set[Path]] = {}
    for part in ("Train", "Test"):
        pairs = read_pairs(DATA / "lfw" / f"pairsDev{part}.txt")
        for name in {*pairs.first, *pairs.second}:
            found.setdefault(Path(name).parent.name, set()).add(DATA / "lfw" / "images" / name)
    kept = {name: sorted(paths) for name, paths in found.items() if len(paths) >= least}
    return Portraits(engine, kept)


@dataclass(frozen=True)
class Portraits:
    """The photos of people, and the engine that finds the faces in them."""

    engine: FaceEngine
    photos: dict[str, list[Path]]

    @property
    def names(self) -> list[str]:
        """The people."""
        return sorted(self.photos)

    def pictures(self, name: str, count: int, rng: Rng) -> list[Pixels]:
        """So many heads of a person, RGB and square, of photos drawn by ``rng``.

        The face of each is half as wide as the picture. Photos without a face are passed over.
        """
        found: list[Pixels] = []
        for at in rng.permutation(len(self.photos[name])).tolist():
            head = self._head(self.photos[name][at])
            if head is not None:
                found.append(head)
            if len(found) == count:
                break
        return found

    def _head(self, path: Path) -> Pixels | None:
        pixels = np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)
        (faces,) = self.engine.detect([pixels])
        if not len(faces):
            return None
        centre = np.array(pixels.shape[1::-1]) / 2
        middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
        x0, y0, x1, y1 = faces.boxes[int(((middles - centre) ** 2).sum(axis=1).argmin())]
        side = 2.0 * (x1 - x0)
        corner = np.array([(x0 + x1 - side) / 2, (y0 + y1 - side) / 2])
        matrix = np.column_stack([np.eye(2) * _HEAD_SIDE / side, -corner * _HEAD_SIDE / side])
        head = cv2.warpAffine(
            pixels,
            matrix,
            (_HEAD_SIDE, _HEAD_SIDE),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(head, np.uint8)


def moving(
    person: str, pictures: Sequence[Pixels], rng: Rng, size: tuple[int, int] = SIZE
) -> Actor:
    """Somebody who walks through the frame, their photos one after the other."""
    low, high = 0.3 * size[1], 0.55 * size[1]
    first, last = sorted(rng.uniform(0.15, 0.85, 2))
    ends = (first, last) if rng.random() < 0.5 else (last, first)
    return Actor(
        person,
        tuple(pictures),
        (ends[0], rng.uniform(0.4, 0.6)),
        (ends[1], rng.uniform(0.4, 0.6)),
        (rng.uniform(low, high), rng.uniform(low, high)),
        lean=rng.uniform(0, 15),
        light=rng.uniform(0, 0.3),
        change=rng.uniform(0.8, 2.0),
    )


def crowd_clip(people: Portraits, rng: Rng) -> list[ClipShot]:
    """Three shots of two to four people each, who come, go and cross."""
    names = rng.permutation(people.names)[:4].tolist()
    shots = []
    for _ in range(3):
        there = rng.permutation(names)[: rng.integers(2, 5)].tolist()
        actors = [moving(name, people.pictures(name, 2, rng), rng) for name in there]
        shots.append(ClipShot(rng.uniform(3, 6), background(int(rng.integers(1e9))), tuple(actors)))
    return shots


def score_tracks(engine: FaceEngine, folder: Path, clips: int) -> dict[str, Any]:
    """Identity scores of made clips of ``many``, the mean and each."""
    rng = np.random.default_rng(SEED)
    people, scores = people_of_many(engine), []
    for number in range(clips):
        path = folder / f"crowd-{number}.mp4"
        truth = write_clip(path, crowd_clip(people, rng))
        seen = follow(engine, path)
        sampled = first_of_each(sorted({face.time_us for face in truth}))
        scores.append(asdict(identity_scores(truth, seen, sampled)))
    means = {name: float(np.mean([each[name] for each in scores])) for name in scores[0]}
    return {"data": "many", "clips": clips, "mean": means, "each": scores}


def first_of_each(times_us: Sequence[int]) -> list[int]:
    """The first of the times in each interval that is sampled."""
    return list({time // SAMPLE_US: time for time in reversed(times_us)}.values())


def tracks_of(
    engine: FaceEngine, folder: Path, people: Portraits, count: int
) -> list[tuple[int, int, list[FaceSighting]]]:
    """Person, clip and faces of the longest track of clips of one person each.

    Two clips a person, of different photos.
    """
    rng = np.random.default_rng(SEED)
    found = []
    for person, name in enumerate(people.names[:count]):
        pictures = people.pictures(name, 8, rng)
        for half in range(2):
            path = folder / f"person-{person}-{half}.mp4"
            shot = ClipShot(
                6.0,
                background(int(rng.integers(1e9))),
                (moving(name, pictures[half::2], rng),),
            )
            write_clip(path, [shot], ClipFormat(options=(("crf", "30"),)))
            tracks: dict[int, list[FaceSighting]] = {}
            for track, face in followed(engine, path):
                tracks.setdefault(track, []).append(face)
            if tracks:
                found.append((person, half, max(tracks.values(), key=len)))
    return found


def plain_mean(vectors: NDArray[np.float32], qualities: NDArray[np.float64]) -> Any:
    """The unit mean of vectors, whatever their qualities."""
    return track_vector(vectors, np.ones_like(qualities))


WAYS: dict[str, Callable[[NDArray[np.float32], NDArray[np.float64]], Any]] = {
    "mean": plain_mean,
    "mean weighted by quality": track_vector,
}


def compare_vectors(tracks: list[tuple[int, int, list[FaceSighting]]]) -> dict[str, Any]:
    """Errors of each way to make a track's vector."""
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
            result[f"{name} of {count or 'all'}"] = errors(tracks, np.array(vectors))
    return result


def errors(
    tracks: list[tuple[int, int, list[FaceSighting]]], vectors: NDArray[np.float32]
) -> dict[str, float]:
    """Equal error rate, and accept rate at 1% false accepts, of pairs of tracks."""
    people = np.array([person for person, _, _ in tracks])
    first, second = np.triu_indices(len(tracks), 1)
    distances = ((vectors[first] - vectors[second]) ** 2).sum(axis=1)
    same = people[first] == people[second]
    ours, others = np.sort(distances[same]), np.sort(distances[~same])
    cuts = np.concatenate([ours, others])
    missed = 1 - np.searchsorted(ours, cuts, "right") / len(ours)
    accepted = np.searchsorted(others, cuts, "right") / len(others)
    at = int(np.abs(missed - accepted).argmin())
    limit = others[max(0, int(0.01 * len(others)) - 1)]
    return {
        "equal_error_rate": float((missed[at] + accepted[at]) / 2),
        "accept_rate_at_far_1e-2": float((ours <= limit).mean()),
        "mean_distance_same": float(ours.mean()),
        "pairs_same": len(ours),
        "pairs_different": len(others),
    }


def measure_speed(engine: FaceEngine, folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds of a clip read a second, of 20 s of 1920 x 1080 pixels at 30 frames a second."""
    size, seconds = (1920, 1080), 20.0
    rng = np.random.default_rng(SEED)
    people = people_of_many(engine)
    actors = tuple(
        moving(name, people.pictures(name, 2, rng), rng, size) for name in people.names[:2]
    )
    path = folder / "speed.mp4"
    shot = ClipShot(seconds, background(1, size), actors)
    write_clip(path, [shot], ClipFormat(fps=30, options=(("preset", "fast"),)))
    result: dict[str, Any] = {"size": size, "seconds": seconds, "fps": 30}
    modes: tuple[VideoMode, ...] = ("tracks", "keyframes")
    for mode in modes:
        times = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            video_faces(engine, path, VideoReading(mode, threads=2, decoders=1))
            times.append(time.perf_counter() - started)
        kept = times[1:]  # the first also starts the engine
        result[mode] = {
            "seconds": [round(each, 3) for each in kept],
            "times_real_time": round(seconds / float(np.median(kept)), 2),
        }
    return result


class BlindEngine:
    """Finds no face, so that only reading takes memory and time."""

    def __init__(self, engine: FaceEngine) -> None:
        self.contract: EncoderContract = engine.contract
        self._none = engine.faces([np.zeros((64, 64, 3), np.uint8)])[0]

    def faces(self, photos: Sequence[Pixels]) -> list[Any]:
        """No face in any photo."""
        return [self._none] * len(photos)


def measure_memory(engine: FaceEngine, folder: Path, minutes: float) -> dict[str, Any]:
    """The greatest memory, in MiB, of this process beyond what it had, and of its children."""
    path = folder / "long.mp4"
    form = ClipFormat(fps=10, keyframe_every=100, options=(("preset", "ultrafast"),))
    shots = [
        ClipShot(60.0, background(minute % 7, (320, 180)), ()) for minute in range(int(minutes))
    ]
    write_clip(path, shots, form)
    blind: Any = BlindEngine(engine)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found = video_faces(blind, path)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "minutes": minutes,
        "frames_looked_at": found.frames,
        "grown_mib": round((after - before) / 1024, 1),
        "decoding_process_mib": round(children / 1024, 1),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure the parts that are asked for, and record the result where that is all of them."""
    parser = TimingParser(__doc__)
    parser.add_argument("--clips", type=int, default=20, help="clips of crowds (default: 20)")
    parser.add_argument("--people", type=int, default=40, help="people of vectors (default: 40)")
    parser.add_argument("--minutes", type=float, default=120, help="of the long clip")
    parser.add_argument("--repeats", type=int, default=3, help="of speed (default: 3)")
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
        if "speed" in args.only:
            result["speed"] = measure_speed(engine, folder, args.repeats)
        if "memory" in args.only:
            result["memory"] = measure_memory(engine, folder, args.minutes)
    if set(args.only) == {*PARTS}:
        print(record("video", result))
    else:
        print(result)


if __name__ == "__main__":
    main()
