"""Where the time of ``facesearch index`` goes: processor seconds of every stage.

    python -m benchmarks.jobs.stage_times [--album-only]

The job runs in this process on one thread (no decoding processes, no threads beside), the stages'
functions wrapped from outside; seconds are the process's own, each stage's less those of stages it
calls. What the real job adds is measured apart: starting up, as a whole ``facesearch index`` of one
small photo; handing pixels from decoding processes to the job, as the difference between decoding
all photos there and here, the start of the process taken off. One warm-up, then --repeats
measurements of everything.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.common.idle import TimingParser
from benchmarks.common.mixed_photos import DATA, link_photos, mixed_photos
from benchmarks.common.record import record
from indexer.runtime.cores import available_cores

ENCODER = "dlib-resnet-v1"  # what needs no download
LARGE = 40  # pixels of the smallest faces wanted, in the third set
REST = "everything else"
START = "starting up"
TRANSFER = "pixels between processes"


class Stages:
    """Exclusive processor seconds of wrapped functions."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inner = [0.0]
        self._undivided = False

    def wrapped(
        self, stage: str, function: Callable[..., Any], *, whole: bool = False
    ) -> Callable[..., Any]:
        """``function``, its time counted as ``stage``; all of it if ``whole``."""

        def timed(*arguments: Any, **keywords: Any) -> Any:
            if self._undivided:
                return function(*arguments, **keywords)
            self._undivided = whole
            self._inner.append(0.0)
            started = time.process_time()
            try:
                return function(*arguments, **keywords)
            finally:
                self._undivided = False
                spent = time.process_time() - started
                self.seconds[stage] += spent - self._inner.pop()
                self._inner[-1] += spent

        return timed


class Inline:
    """Stands in for a ThreadPoolExecutor: runs at once, in the caller's thread."""

    def __init__(self, threads: int) -> None: ...

    def __enter__(self) -> Inline:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """A future that is done."""
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done


@contextmanager
def instrumented(stages: Stages, engine: Any) -> Iterator[None]:
    """Within this, every stage of a job with ``engine`` is counted in ``stages``."""
    import facesearch.engine
    import facesearch.images.worker
    from facesearch.detect import scaling, turned
    from facesearch.detect.padded_network import PaddedNetwork
    from facesearch.detect.yunet import detector as yunet
    from facesearch.gallery.shards.builder import ShardBuilder
    from facesearch.images import photo_pipeline

    # What a second look calls is its own, not the first look's.
    second_looks = {
        "_righted": "detect: doubtful faces turned",
        "_full_look": "detect: photos with a turned face turned",
        "_turned_photo": "detect: photos without a face turned",
    }
    places: list[tuple[Any, str, str]] = [
        (facesearch.images.worker, "sha256_of_stream", "read and hash"),
        (facesearch.images.worker, "decode_stream", "decode"),
        (scaling, "shrunk", "detect: shrink"),
        (yunet, "shrunk", "detect: shrink"),
        (PaddedNetwork, "__call__", "detect: network"),
        (PaddedNetwork, "_compile", "detect: compile for a shape"),
        (yunet, "decoded", "detect: decode"),
        (yunet.YuNetDetector, "detect", "detect: boxes"),
        *((turned.TurningDetector, name, stage) for name, stage in second_looks.items()),
        (engine.aligner, "align", "align"),
        (engine.encoder, "embed", "encode"),
        (facesearch.engine, "measure", "quality"),
        (ShardBuilder, "seal", "write shards"),
    ]
    with mock.patch.object(photo_pipeline, "ThreadPoolExecutor", Inline):
        patches = [
            mock.patch.object(
                owner,
                name,
                stages.wrapped(stage, getattr(owner, name), whole=name in second_looks),
            )
            for owner, name, stage in places
        ]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def measure_stages(engine: Any, photos: Path) -> dict[str, Any]:
    """Seconds of every stage of one job over ``photos``, with its counts."""
    from facesearch.embed import EmbedOptions, embed_photos
    from facesearch.gallery.gallery import Gallery
    from facesearch.search.gallery_index import build_index

    stages = Stages()
    with tempfile.TemporaryDirectory() as scratch, instrumented(stages, engine):
        gallery = Gallery.open_or_create(Path(scratch) / "gallery", engine.contract, "float16")
        job = stages.wrapped(REST, embed_photos)
        report = job(gallery, engine, [photos], EmbedOptions(decoders=0, threads=1))
        stages.wrapped("index", build_index)(gallery)
    return {
        "photos": report.embedded + report.known,
        "faces": report.faces,
        "seconds": dict(stages.seconds),
    }


def measure_transfer(photos: Path) -> float:
    """Processor seconds that decoding in a process of its own adds, its start taken off."""
    from facesearch.images import DecodeTask, FoundPhoto, decode_photos, find_photos

    def spent(found: list[FoundPhoto], workers: int) -> float:
        def clock() -> float:
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            return time.process_time() + children.ru_utime + children.ru_stime

        started = clock()
        for _ in decode_photos(map(DecodeTask, found), workers=workers, max_side=decode_side()):
            pass
        return clock() - started

    found = list(find_photos([photos]))
    start = spent(found[:1], 1) - spent(found[:1], 0)
    return max(0.0, spent(found, 1) - spent(found, 0) - start)


def decode_side() -> int:
    """The job's own limit."""
    from facesearch.engine import DECODE_SIDE

    return DECODE_SIDE


def measure_job(photos: Path, options: Sequence[str] = ()) -> dict[str, float]:
    """Wall and processor seconds of a whole ``facesearch index`` in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "facesearch.cli.main", "index", str(photos), *options]
        command += ["--encoder", ENCODER]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run(
            [*command, "--gallery", f"{scratch}/gallery", "--quiet"], check=True, stdout=sys.stderr
        )
        wall = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_seconds": wall, "processor_seconds": processor}


def middle(runs: list[dict[str, float]]) -> dict[str, float]:
    """The median of each stage over runs, largest first; 0 in a run without it."""
    stages = dict.fromkeys(stage for run in runs for stage in run)
    medians = {stage: statistics.median(run.get(stage, 0.0) for run in runs) for stage in stages}
    return dict(sorted(medians.items(), key=lambda each: -each[1]))


def measure_set(
    photos: Path, small: Path, repeats: int, min_face: int | None = None
) -> dict[str, Any]:
    """Everything about one folder of photos."""
    options = [] if min_face is None else ["--min-face", str(min_face)]
    runs, transfers, starts, jobs = [], [], [], []
    for _ in range(repeats):
        # A new engine for each run, as each job has: it compiles for the shapes of photos.
        runs.append(measure_stages(engine_of(min_face), photos))
        transfers.append(measure_transfer(photos))
        starts.append(measure_job(small))
        jobs.append(measure_job(photos, options))
    stages = middle([run["seconds"] for run in runs])
    stages[TRANSFER] = statistics.median(transfers)
    stages[START] = statistics.median(start["processor_seconds"] for start in starts)
    total = sum(stages.values())
    return {
        "photos": runs[0]["photos"],
        "faces": runs[0]["faces"],
        "shares": {stage: round(seconds / total, 4) for stage, seconds in stages.items()},
        "milliseconds_a_photo": {
            stage: round(1000 * seconds / runs[0]["photos"], 3) for stage, seconds in stages.items()
        },
        "start_up": starts,
        "job": jobs,
        "runs": runs,
        "transfer_seconds": transfers,
    }


def engine_of(min_face: int | None) -> Any:
    """The engine of the job, on one thread."""
    from facesearch.engine import EncoderChoice, create_engine

    return create_engine(encoder=EncoderChoice(ENCODER, threads=1), min_face=min_face)


def main() -> None:
    """Measure the album and the mixed photos, record where the time goes."""
    import cv2

    parser = TimingParser(__doc__)
    parser.add_argument("--album-only", action="store_true", help="leave the mixed photos out")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        photos = mixed_photos()
        small, mixed = Path(scratch) / "small", Path(scratch) / "mixed"
        link_photos({"lfw": photos["lfw"][:1]}, small)
        sets: dict[str, tuple[Path, int | None]] = {"album": (DATA / "album" / "photos", None)}
        if not args.album_only:
            link_photos(photos, mixed)
            sets |= {"mixed": (mixed, None), f"mixed, min face {LARGE}": (mixed, LARGE)}
        engine = engine_of(None)
        measure_stages(engine, small)
        measure_job(small)
        result = {
            "composition": {name: len(paths) for name, paths in photos.items()},
            "cores": available_cores(),
            "encoder": {"name": engine.encoder.name, "numerics": engine.encoder.numerics},
            "sets": {
                name: measure_set(folder, small, args.repeats, min_face)
                for name, (folder, min_face) in sets.items()
            },
        }
    for name, each in result["sets"].items():  # type: ignore[attr-defined]
        print(name, json.dumps(each["milliseconds_a_photo"], indent=2))
    print(f"recorded in {record('pipeline', result)}")


if __name__ == "__main__":
    main()
