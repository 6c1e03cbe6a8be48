"""How many times faster than real time are videos read?

    python -m benchmarks.vision.video_speed [--repeats N]

A clip of 10 s, 1920 x 1080 pixels at 30 frames a second, of two people of ``many``, is read as
``facesearch index`` reads it, in both modes: two threads detect and encode, a process of one thread
decodes. What tracks are worth is measured by :mod:`benchmarks.vision.video`.
"""

from __future__ import annotations

import tempfile
import time
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

SIZE, FPS, SECONDS, SEED, THREADS = (1920, 1080), 30, 10.0, 0, 2
MODES: tuple[VideoMode, ...] = ("tracks", "keyframes")


def write_film(engine: FaceEngine, path: Path) -> None:
    """The clip that is read."""
    rng = np.random.default_rng(SEED)
    people = people_of_many(engine)
    actors = tuple(
        moving(name, people.pictures(name, 2, rng), rng, SIZE) for name in people.names[:2]
    )
    shot = ClipShot(SECONDS, background(1, SIZE), actors)
    write_clip(path, [shot], ClipFormat(fps=FPS, options=(("preset", "fast"),)))


def measure(engine: FaceEngine, path: Path, repeats: int) -> dict[str, Any]:
    """Seconds that reading takes, and what they are against those of the clip."""
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
            "times_real_time": round(SECONDS / float(np.median(kept)), 2),
        }
    return result


def main() -> None:
    """Make the clip, measure both modes and record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="of each mode (default: 5)")
    args = parser.parse_args()
    engine = DEFAULT_ENGINE.create(callers=THREADS)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "film.mp4"
        write_film(engine, path)
        modes = measure(engine, path, args.repeats)
    result = {
        "seed": SEED,
        "repeats": args.repeats,
        "encoder": engine.contract.name,
        "size": SIZE,
        "fps": FPS,
        "seconds": SECONDS,
        "threads": THREADS,
        "runs": modes,
    }
    print(modes)
    print(record("video_speed", result))


if __name__ == "__main__":
    main()
