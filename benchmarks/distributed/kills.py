"""Kill workers and drivers of a Ray job at random moments; the gallery must have no gap.

    python -m benchmarks.distributed.kills --photos FOLDER [--count 400] [--workers 10]

SIGKILL goes to one worker of the job ``--workers`` times, and to the driver ``--drivers`` times.
The order, the worker and the moment, counted from the first shard that was sealed since the last
kill, are drawn from ``--seed``. A killed driver is started again at once, while its workers may
still be at work: the cluster is this process's. At the end the gallery is compared, row for row,
with that of one uninterrupted process, which took ``whole_seconds``.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.record import record, versions
from benchmarks.distributed.indexing import WORKER, differing_rows, index_command
from benchmarks.distributed.local_cluster import local_cluster
from benchmarks.distributed.process_memory import processes_below
from benchmarks.jobs.kill_and_resume import copy_photos
from indexer.storage.shards import list_shards

SHARD = ["--shard-photos", "8", "--threads", "1"]


def main() -> None:
    """Run the kills and record; exits with 1 unless all came and the galleries are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--workers", type=int, default=10, help="kills of a worker")
    parser.add_argument("--drivers", type=int, default=5, help="kills of the driver")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", default="ray_kill", help="name of the result")
    args = parser.parse_args()
    kinds = ["worker"] * args.workers + ["driver"] * args.drivers
    with tempfile.TemporaryDirectory() as scratch:
        photos = copy_photos(args.photos, Path(scratch) / "photos", args.count)
        with local_cluster(2) as (_, address):
            result = kill_test(photos, Path(scratch), kinds, args.seed, address)
    settings = {"photos": args.count, "seed": args.seed, "packages": versions(("ray",))}
    path = record(args.record, {**settings, **result})
    print(f"{result}\nrecorded in {path}")
    sys.exit(0 if not result["differences"] and len(result["kills"]) == len(kinds) else 1)


def kill_test(
    photos: Path, scratch: Path, kinds: list[str], seed: int, address: str
) -> dict[str, Any]:
    """One whole run without Ray, then one with kills of ``kinds``, in a random order."""
    chooser = random.Random(seed)
    chooser.shuffle(kinds)
    whole, killed = scratch / "whole.gallery", scratch / "killed.gallery"
    began = time.monotonic()
    subprocess.run(index_command(photos, whole, SHARD), check=True)
    seconds = round(time.monotonic() - began, 1)
    job = index_command(photos, killed, [*SHARD, "--ray", address, "--ray-workers", "2"])
    kills: list[dict[str, Any]] = []
    sealed = 0
    driver = subprocess.Popen(job)
    for number, kind in enumerate(kinds):
        # Half of what the whole job took, together: so the shards last for all kills.
        moment = chooser.uniform(0, 0.5 * seconds / len(kinds))
        if not wait_for_shard(driver, killed, sealed):
            break  # the job had ended before all kills came
        time.sleep(moment)
        if not kill_one(driver, kind, chooser):
            break
        sealed = sealed_in(killed)
        kills.append({"of": kind, "after_seconds": round(moment, 2), "sealed": sealed})
        print(f"kill {number + 1} of {len(kinds)}: {kills[-1]}", file=sys.stderr)
        if kind == "driver":
            driver.wait()
            driver = subprocess.Popen(job)
    driver.wait()
    subprocess.run(job, check=True)
    return {
        "whole_seconds": seconds,
        "kills": kills,
        "differences": differing_rows(whole, killed),
    }


def sealed_in(gallery: Path) -> int:
    """How many shards a gallery has, which may not be there yet."""
    return len(list_shards(gallery / "shards")) if (gallery / "shards").exists() else 0


def wait_for_shard(driver: subprocess.Popen[bytes], gallery: Path, sealed: int) -> bool:
    """Wait until there are more shards than ``sealed``; False where the job has ended."""
    while sealed_in(gallery) <= sealed:
        if driver.poll() is not None:
            return False
        time.sleep(0.05)
    return True


def kill_one(driver: subprocess.Popen[bytes], kind: str, chooser: random.Random) -> bool:
    """Kill the driver, or any worker as soon as there is one; False where the job has ended."""
    while driver.poll() is None:
        found = [driver.pid] if kind == "driver" else processes_below(os.getpid(), WORKER)
        if found:
            try:
                os.kill(chooser.choice(found), signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has ended meanwhile: another one
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    main()
