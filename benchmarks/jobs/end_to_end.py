"""Whole jobs on 2,000 real photos: ours beside ``face_recognition`` and facenet-pytorch.

    python -m benchmarks.jobs.end_to_end --face-recognition PYTHON --facenet PEERS

Ours is ``facesearch index`` as a user runs it, the whole process: start-up, shards, search index.
The peers run their own defaults in as many processes as there are cores, of one thread each, their
start-up left out (see benchmarks/peers). All sides take turns in every round. A peer may be given
only every so-many-th photo of each collection, to keep the time bounded; the result says so.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.idle import TimingParser
from benchmarks.common.mixed_photos import link_photos, mixed_photos
from benchmarks.common.record import record
from facesearch.encoders import encoder_spec

FACE_RECOGNITION = Path(__file__).parents[1] / "peers" / "face_recognition_album.py"
OURS = "facesearch"
OUR_OPTIONS = ("--encoder", "dlib-resnet-v1")  # what needs no download
# face_recognition's detector finds faces from 40 pixels, ours by default from 20; and it encodes a
# face once, ours the face and its mirror image.
LARGER_FACES = "facesearch --min-face 40"
# Beside the default: jobs nearer to the peer's, the better encoder where it was fetched, and the
# detector of before.
VARIANTS = {
    LARGER_FACES: (*OUR_OPTIONS, "--min-face", "40"),
    f"{LARGER_FACES} --no-flip": (*OUR_OPTIONS, "--min-face", "40", "--no-flip"),
    "facesearch --encoder retail-0095": ("--encoder", "retail-0095"),
    "facesearch --detector mtcnn": (*OUR_OPTIONS, "--detector", "mtcnn"),
}
OUR_SIDES = (OURS, *VARIANTS)


@dataclass(frozen=True)
class FinishedProcess:
    """What a process printed, its wall seconds, and the most memory that one process took."""

    printed: str
    seconds: float
    peak_mib: float


def run_process(
    command: Sequence[str], environment: dict[str, str] | None = None
) -> FinishedProcess:
    """Run ``command`` to its end; CalledProcessError where it fails.

    Linux counts at least the memory of this process, from which it is forked: that is small.
    """
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process:
            printed = process.stdout.read() if process.stdout else ""
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise subprocess.CalledProcessError(
                process.returncode, list(command), printed, errors.read()
            )
    return FinishedProcess(printed, seconds, usage.ru_maxrss / 1024)


def run_ours(photos: Path, scratch: Path, cores: int, *more: str) -> dict[str, float]:
    """Photos, faces and seconds of the whole command, with ``more`` options."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, "-m", "facesearch.cli.main", "index", str(photos), "--json"]
        options = ["--gallery", f"{folder}/gallery", "--threads", str(cores), "--quiet", *more]
        ran = run_process([*command, *options])
    report = json.loads(ran.printed)
    photos_done = report["embedded"] + report["known"] + report["failed"]
    return {
        "photos": photos_done,
        "faces": report["faces"],
        "seconds": ran.seconds,
        "peak_mib": ran.peak_mib,
    }


def run_peer(command: list[str]) -> dict[str, float]:
    """What the peer's script printed last."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ran = run_process(command, environment)
    printed: dict[str, float] = json.loads(ran.printed.splitlines()[-1])
    return {**printed, "peak_mib": ran.peak_mib}


def sides(args: argparse.Namespace, scratch: Path) -> dict[str, Callable[[], dict[str, float]]]:
    """A function for each side that runs it once over its photos."""
    photos = mixed_photos()
    folders = {}
    for every in {1, args.face_recognition_every, args.facenet_every}:
        folders[every] = scratch / f"every-{every}"
        link_photos(photos, folders[every], every)
    runs: dict[str, Callable[[], dict[str, float]]] = {
        OURS: lambda: run_ours(folders[1], scratch, args.cores, *OUR_OPTIONS),
    }
    for name, options in VARIANTS.items():
        if "retail" not in name or encoder_spec("retail-0095").present:
            runs[name] = functools.partial(run_ours, folders[1], scratch, args.cores, *options)
    cores = str(args.cores)
    if args.face_recognition:
        folder = str(folders[args.face_recognition_every])
        script = [str(args.face_recognition), str(FACE_RECOGNITION)]
        runs["face_recognition"] = lambda: run_peer(
            [*script, folder, str(scratch / "peer.npz"), cores]
        )
    if args.facenet:
        subset = str(folders[args.facenet_every])
        module = [sys.executable, "-m", "benchmarks.peers.facenet_pytorch_album"]
        runs["facenet-pytorch"] = lambda: run_peer([*module, str(args.facenet), subset, cores])
    return runs


def summary(rounds: list[dict[str, float]]) -> dict[str, Any]:
    """Rates of every round, and their medians; the largest process."""
    rates = {
        f"{what}_per_second": [each[what] / each["seconds"] for each in rounds]
        for what in ("photos", "faces")
    }
    medians = {f"median_{name}": statistics.median(values) for name, values in rates.items()}
    return {
        "photos": rounds[0]["photos"],
        "faces": rounds[0]["faces"],
        "peak_mib": round(statistics.median(each["peak_mib"] for each in rounds)),
        **medians,
        **rates,
    }


def main() -> None:
    """Time all sides in turns and record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--face-recognition", type=Path, help="Python with face_recognition")
    parser.add_argument("--facenet", type=Path, help="folder that holds facenet_pytorch")
    parser.add_argument("--face-recognition-every", type=int, default=1, metavar="N")
    parser.add_argument("--facenet-every", type=int, default=5, metavar="N")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        runs = sides(args, Path(folder))
        # Where the kernels were never compiled on this machine, this run compiles them.
        first = runs[OURS]()
        for _ in range(args.rounds):
            rounds.append({name: run() for name, run in runs.items()})
            print(json.dumps(rounds[-1]), file=sys.stderr)
    measured = {name: summary([each[name] for each in rounds]) for name in runs}
    rate = "median_photos_per_second"
    ratios = {
        f"{ours} over {peer}": measured[ours][rate] / each[rate]
        for ours in OUR_SIDES
        if ours in measured
        for peer, each in measured.items()
        if peer not in OUR_SIDES
    }
    result = {
        "composition": {name: len(paths) for name, paths in mixed_photos().items()},
        "cores": args.cores,
        "every": {
            "face_recognition": args.face_recognition_every,
            "facenet-pytorch": args.facenet_every,
        },
        "first_run": first,
        "ratios": ratios,
        "sides": measured,
    }
    print(json.dumps(ratios, indent=2))
    print(f"recorded in {record('end_to_end', result)}")


if __name__ == "__main__":
    main()
