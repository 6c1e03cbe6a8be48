"""Kill the batch job at random moments, resume it, and compare with an uninterrupted run.

    python -m benchmarks.jobs.kill_and_resume --photos FOLDER [--count 600] [--kills 20] [--seed 0]

SIGKILL goes to the job's process alone, as the kernel's out-of-memory killer would send it. The
galleries must hold the same rows (all columns) and the same vectors, shard by shard.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common.record import record
from facesearch.images import find_photos
from indexer.storage.shards import Shard, list_shards

SHARD_PHOTOS = 16


def main() -> None:
    """Run the kill test and record it; exits with 1 unless all kills came and all is equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        photos = copy_photos(args.photos, Path(scratch) / "photos", args.count)
        result = kill_test(photos, Path(scratch), args.kills, args.seed)
    path = record("kill", {"photos": args.count, "seed": args.seed, **result})
    print(f"{result}\nrecorded in {path}")
    sys.exit(0 if result["equal"] and result["kills"] == args.kills else 1)


def copy_photos(source: Path, target: Path, count: int) -> Path:
    """The first ``count`` photos of a folder, in a folder of their own."""
    target.mkdir()
    for photo in list(find_photos([source]))[:count]:
        shutil.copy2(photo.location, target)
    return target


def kill_test(photos: Path, scratch: Path, kills: int, seed: int) -> dict[str, object]:
    """Run uninterrupted, then with ``kills`` kills at random moments; compare."""
    chooser = random.Random(seed)
    whole = seconds(command(photos, scratch / "whole.gallery"))
    start_up = seconds(command(photos, scratch / "whole.gallery"))  # nothing is left to do
    shards = len(list_shards(scratch / "whole.gallery" / "shards"))
    killed = scratch / "killed.gallery"
    moments: list[float] = []
    progress = []
    while len(moments) < kills:
        # From the process's first breath to beyond the work that can be lost, so that some kills
        # come while starting, most while shards are filled, and the job outlasts them all.
        left = (whole - start_up) * (1 - (progress[-1] if progress else 0) / shards)
        moment = chooser.uniform(0, start_up + 1.6 * left / (kills - len(moments) + 1))
        if not killed_at(moment, command(photos, killed)):
            break
        moments.append(round(moment, 3))
        progress.append(len(list_shards(killed / "shards")))
        print(
            f"kill {len(moments)} after {moment:.2f} s: {progress[-1]} of {shards} shards",
            file=sys.stderr,
        )
    seconds(command(photos, killed))
    differences = compare(scratch / "whole.gallery", killed)
    return {
        "uninterrupted_seconds": whole,
        "start_up_seconds": start_up,
        "shards": shards,
        "kills": len(moments),
        "kill_moments_seconds": moments,
        "shards_sealed_at_each_kill": progress,
        "differences": differences,
        "equal": not differences,
    }


def seconds(job: list[str]) -> float:
    """How long a whole run takes."""
    started = time.monotonic()
    subprocess.run(job, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def command(photos: Path, gallery: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "facesearch.cli.main", "index", str(photos), "--quiet"),
        *("--gallery", str(gallery), "--shard-photos", str(SHARD_PHOTOS)),
    ]


def killed_at(moment: float, job: list[str]) -> bool:
    """Start ``job`` and kill it after ``moment`` seconds; False if it had ended by itself."""
    process = subprocess.Popen(job, stdout=subprocess.DEVNULL)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def compare(first: Path, second: Path) -> list[str]:
    """Differences between two galleries' shards; empty when they hold the same."""
    names = [[path.name for path in list_shards(each / "shards")] for each in (first, second)]
    if names[0] != names[1]:
        return [f"shards {names[0]} against {names[1]}"]
    differences = []
    for name in names[0]:
        with (
            Shard.open(first / "shards" / name) as one,
            Shard.open(second / "shards" / name) as other,
        ):
            differences += [f"{name}: {what}" for what in compare_shards(one, other)]
    return differences


def compare_shards(one: Shard, other: Shard) -> list[str]:
    """What differs between two shards."""
    differences = []
    for table in ("photos", "faces"):
        columns, others = one.table(table), other.table(table)
        for name, column in columns.items():
            if not np.array_equal(column, others[name]):
                differences.append(f"{table}/{name}")
    if one.count != other.count or not np.array_equal(one.vectors(), other.vectors()):
        differences.append("vectors")
    return differences


if __name__ == "__main__":
    main()
