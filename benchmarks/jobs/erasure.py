"""Forget people in galleries with everything in them, and search every byte before and after.

    python -m benchmarks.jobs.erasure [--people 50] [--seed 0]

For each kind of index a gallery is made with clusterings, a graph, a report with crops, sidecars
beside photos, decisions that were overruled and undone, and an upgrade that did not finish. While
another command clusters, searches and writes reports, people are forgotten. Vectors in every
encoding, codes of the index, names and crops are looked for in every byte of every file. Exits with
1 where one is found afterwards, or was not found before where it is stored.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.record import record

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run the trials and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    words = ["-m", "support.failures.erasure_trial", str(args.people), str(args.seed)]
    ran = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    )
    trials = [json.loads(line) for line in ran.stdout.splitlines()]
    print(record("erasure", {"seed": args.seed, "people": args.people, "galleries": trials}))
    for trial in trials:
        print_trial(trial)
    return 1 if any(sum(trial["after"].values()) + trial["damaged"] for trial in trials) else 0


def print_trial(trial: dict[str, Any]) -> None:
    """A line for each encoding."""
    print(f"{trial['index']}: {trial['faces']} faces of {trial['people']} people")
    for kind, count in trial["needles"].items():
        before, after = trial["before"][kind], trial["after"][kind]
        print(f"  {kind:<32} {count:>4} looked for, {before:>4} before, {after:>4} after")


if __name__ == "__main__":
    sys.exit(main())
