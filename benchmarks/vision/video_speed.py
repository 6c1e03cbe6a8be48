"""How many times faster than real time are videos read?

    python -m benchmarks.vision.video_speed [--repeats N]

Clips of two people of ``many``, as cameras and phones write them, at 30 frames a second, with film
grain: 10 s of H.264, 1920 x 1080 pixels, and 5 s of HEVC, 3840 x 2160. Each is read as
``facesearch index`` reads it, in both modes: two threads detect and encode, a process of one thread
decodes. What tracks are worth is measured by :mod:`benchmarks.vision.video`.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips.made_clips import ClipFormat, ClipShot, background, write_clip
from benchmarks.clips.portraits import moving, people_of_many
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.engine import FaceEngine
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.video.pipeline import VideoReading, video_faces
from facesearch.video_files import VideoMode

FPS, SEED, THREADS = 30, 0, 2
GRAIN = 4.0  # levels: that of a phone's sensor indoors
MODES: tuple[VideoMode, ...] = ("tracks", "keyframes")


@dataclass(frozen=True)
class FilmKind:
    """A kind of film, written by FFmpeg's encoder ``written_by`` with so many bits a second."""

    codec: str
    written_by: str
    size: tuple[int, int]
    seconds: float
    bits: str


KINDS = (
    FilmKind("H.264", "libx264", (1920, 1080), 10.0, "17M"),
    FilmKind("HEVC", "libx265", (3840, 2160), 5.0, "50M"),
)


def write_film(engine: FaceEngine, path: Path, kind: FilmKind) -> None:
    """The clip that is read."""
    rng = np.random.default_rng(SEED)
    people = people_of_many(engine)
    actors = tuple(
        moving(name, people.pictures(name, 2, rng), rng, kind.size) for name in people.names[:2]
    )
    shot = ClipShot(kind.seconds, background(1, kind.size), actors)
    options = (("preset", "superfast"), ("b", kind.bits))
    write_clip(
        path, [shot], ClipFormat(fps=FPS, codec=kind.written_by, grain=GRAIN, options=options)
    )


def measure(engine: FaceEngine, path: Path, seconds: float, repeats: int) -> dict[str, Any]:
    """Seconds that reading takes, and what they are against the ``seconds`` of the clip."""
    result: dict[str, Any] = {}
    for mode in MODES:
        times = []
        for _ in range(repeats + 1):
            started = time.perf_counter()
            found = video_faces(engine, path, VideoReading(mode, threads=THREADS, decoders=1))
            times.append(time.perf_counter() - started)
        kept = times[1:]  # the first also starts the engine
        result[mode] = {
            "frames_looked_at": found.frames,
            "tracks": len(found.tracks),
            "seconds": [round(each, 3) for each in kept],
            "times_real_time": round(seconds / float(np.median(kept)), 2),
        }
    return result


def measured(engine: FaceEngine, kind: FilmKind, repeats: int) -> dict[str, Any]:
    """A clip of ``kind``, and what reading it takes."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "film.mp4"
        write_film(engine, path, kind)
        runs = measure(engine, path, kind.seconds, repeats)
        rate = round(path.stat().st_size * 8e-6 / kind.seconds, 1)
    print(kind, runs)
    return {**asdict(kind), "mbit_per_second": rate, "runs": runs}


def main() -> None:
    """Make the clips, measure both modes and record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of each mode (default: 5)")
    args = parser.parse_args()
    engine = DEFAULT_ENGINE.create(callers=THREADS)
    plain, larger = (measured(engine, kind, args.repeats) for kind in KINDS)
    result = {
        "seed": SEED,
        "repeats": args.repeats,
        "encoder": engine.contract.name,
        "fps": FPS,
        "grain": GRAIN,
        "threads": THREADS,
        **plain,
        "larger": larger,
    }
    print(record("video_speed", result))


if __name__ == "__main__":
    main()
