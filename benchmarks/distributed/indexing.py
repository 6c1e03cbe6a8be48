"""Index with 1, 2 and 4 workers of a local Ray cluster, beside one process without Ray.

    python -m benchmarks.distributed.indexing --photos FOLDER [--count 400] [--workers 1 2 4]

The galleries must hold the same rows: all columns of photos and faces, in any order; vectors to
within the encoder's rounding, which depends on the batch that a face is in. The one process has as
many threads as all workers together. The cluster is there before: it has as many cores as there are
workers at most, which may be more than the machine has. ``overhead_percent`` is what the work of
the workers takes longer than that of one process with as many threads, the start of the command
and of engines left out. ``start_seconds`` has that: a run over one photo for each worker, into a
new gallery, so that each worker starts its engine, as the one process does. The photos of that run
are left out of those per second.
``memory`` is the greatest that a process took, sampled.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record, versions
from benchmarks.distributed.local_cluster import local_cluster
from benchmarks.distributed.process_memory import memory_watch, workers_here
from benchmarks.jobs.kill_and_resume import copy_photos
from indexer.storage.shards import Shard, list_shards

SHARD_PHOTOS = 32
WORKER = b"ray::PhotoWorker"
JOB = sys.executable.encode()
CLOSE = 2e-3  # of a component of a vector, stored as float16
Rows = dict[tuple[bytes, ...], list[tuple[Any, ...]]]


def main() -> None:
    """Run and record; exits with 1 unless all galleries hold the same."""
    parser = TimingParser(__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--record", default="ray_index", help="name of the result")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = copy_photos(args.photos, Path(scratch) / "photos", args.count)
        began = time.monotonic()
        with local_cluster(max(args.workers)) as (_, address):
            cluster_seconds = round(time.monotonic() - began, 1)
            result = compare_workers(photos, Path(scratch), args.workers, args.repeats, address)
        result["cluster_seconds"] = cluster_seconds
    settings = {"photos": args.count, "shard_photos": SHARD_PHOTOS, "packages": versions(("ray",))}
    print(result)
    print(f"recorded in {record(args.record, {**settings, **result})}")
    sys.exit(0 if all(not each["differences"] for each in result["runs"]) else 1)


def compare_workers(
    photos: Path, scratch: Path, workers: list[int], repeats: int, address: str
) -> dict[str, Any]:
    """A run for each number of workers, and one of one process for as many threads."""
    runs = []
    number = sum(1 for each in photos.iterdir())
    for count in workers:
        few = copy_photos(photos, scratch / f"few-{count}", count)
        plain_options = ["--threads", str(count)]
        plain = timed((photos, few), scratch / f"plain-{count}", repeats, plain_options, JOB)
        options = ["--ray", address, "--ray-workers", str(count), "--threads", "1"]
        spread = timed((photos, few), scratch / f"ray-{count}", repeats, options, WORKER)
        first, second = (scratch / f"{kind}-{count}-0.gallery" for kind in ("plain", "ray"))
        differences = differing_rows(first, second)
        work = [each["seconds"] - each["start_seconds"] for each in (plain, spread)]
        if min(work) <= 0:
            sys.exit(
                f"expected photos that take longer than the start, got {number}: give more of them "
                f"with --count (seconds of work: {work})"
            )
        for each, seconds in zip((plain, spread), work, strict=True):
            each["photos_per_second"] = round((number - count) / seconds, 1)
        runs.append(
            {
                "workers": count,
                "one_process": plain,
                "ray": spread,
                "overhead_percent": round(100 * (work[1] / work[0] - 1), 1),
                "differences": differences,
            }
        )
        print(runs[-1], file=sys.stderr)
    return {"runs": runs}


def timed(
    photos: tuple[Path, Path], gallery: Path, repeats: int, options: list[str], watched: bytes
) -> dict[str, Any]:
    """Medians of runs over all and over few ``photos``, into new galleries.

    The few have a shard each, so that every worker gets one. The memory is that of processes whose
    command begins with ``watched``.
    """
    whole: list[float] = []
    start: list[float] = []
    # Files of programs, models and photos are in memory from then on, for all runs alike.
    warm = gallery.with_name(f"{gallery.name}-warm.gallery")
    subprocess.run(index_command(photos[1], warm, options), check=True)
    with memory_watch(workers_here(watched)) as peaks:
        for repeat in range(repeats):
            folder = gallery.with_name(f"{gallery.name}-{repeat}.gallery")
            first = gallery.with_name(f"{gallery.name}-{repeat}-start.gallery")
            jobs = (
                (start, index_command(photos[1], first, [*options, "--shard-photos", "1"])),
                (whole, index_command(photos[0], folder, options)),
            )
            for times, job in jobs:
                began = time.monotonic()
                subprocess.run(job, check=True)
                times.append(round(time.monotonic() - began, 2))
    return {
        "memory": peaks.as_mib(),
        "seconds": statistics.median(whole),
        "start_seconds": statistics.median(start),
        "repeats": whole,
        "start_repeats": start,
    }


def index_command(photos: Path, gallery: Path, options: list[str]) -> list[str]:
    """The command that indexes."""
    return [
        *(sys.executable, "-m", "facesearch.cli.main", "index", str(photos), "--quiet"),
        *("--gallery", str(gallery), "--shard-photos", str(SHARD_PHOTOS), *options),
    ]


def differing_rows(first: Path, second: Path) -> list[str]:
    """What differs between two galleries, whatever the shards; at most ten of it."""
    one, two = rows_of(first), rows_of(second)
    found = [f"only in one: {key[1]!r}" for key in one.keys() ^ two.keys()]
    both = one.keys() & two.keys()
    found += [f"other faces: {key[1]!r}" for key in both if not same_faces(one[key], two[key])]
    return found[:10]


def rows_of(gallery: Path) -> Rows:
    """The faces of each photo row, by all its columns; a row that is there twice is an error."""
    rows: Rows = {}
    for path in list_shards(gallery / "shards"):
        with Shard.open(path) as shard:
            photos, faces, vectors = shard.table("photos"), shard.table("faces"), shard.vectors()
        names = sorted(photos, key=lambda name: (name != "root", name != "path", name))
        keys = [
            tuple(str(photos[name][row]).encode() for name in names)
            for row in range(len(photos["path"]))
        ]
        if len({*keys, *rows}) != len(keys) + len(rows):
            raise ValueError(f"a row of {path} is there twice")
        rows |= {key: [] for key in keys}
        for face, photo in enumerate(faces["photo"].tolist()):
            columns = [np.ravel(faces[name][face]) for name in sorted(faces) if name != "photo"]
            rows[keys[photo]].append((np.concatenate(columns), vectors[face]))
    return rows


def same_faces(one: list[tuple[Any, ...]], two: list[tuple[Any, ...]]) -> bool:
    """Whether two photos have the same faces, in the same order."""
    return len(one) == len(two) and all(
        np.allclose(a, b, rtol=1e-3, atol=CLOSE, equal_nan=True)
        for first, second in zip(one, two, strict=True)
        for a, b in zip(first, second, strict=True)
    )


if __name__ == "__main__":
    main()
