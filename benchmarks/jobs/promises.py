"""Break galleries in every way there is, and record what was tried and what failed.

    python -m benchmarks.jobs.promises [--minutes 10] [--seed 0]

Files of a gallery and model files are damaged at random and read; commands are run with a failing,
lost or last change of a file. The trials are more of those of the tests
(``tests/support/failures``).
Exits with 1 where one failed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.record import RESULTS, record

ROOT = Path(__file__).parents[2]


# Of the time, for what each module of tests/support/failures tries.
PARTS = {"fault_table": 0.7, "model_trials": 0.25}
UNGUARDED = 0.05  # OpenCV alone, without the process that reads a file first: how it was before


def main() -> int:
    """Run the trials and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    classes = [each for part, share in PARTS.items() for each in trials(part, share, args)]
    before = first_run() | by_class(trials("model_trials", UNGUARDED, args, "unguarded"))
    tried, failed = (sum(each[name] for each in classes) for name in ("tried", "failed"))
    result = {"seed": args.seed, "minutes": args.minutes, "tried": tried, "failed": failed}
    print(record("promises", {**result, "classes": classes, "before": before}))
    for each in classes:
        print(f"{each['class']:<36} {each['tried']:>6} tried {each['failed']:>4} failed")
    return 1 if failed else 0


def first_run() -> dict[str, Any]:
    """What the classes of the first recorded run came to."""
    path = RESULTS / "promises.json"
    document = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return document.get("before") or by_class(document.get("classes", []))


def by_class(classes: list[dict[str, Any]]) -> dict[str, Any]:
    """How many were tried and failed of each class, and how."""
    return {
        each["class"]: {name: each[name] for name in ("tried", "failed", "failures")}
        for each in classes
    }


def trials(part: str, share: float, args: argparse.Namespace, *words: str) -> list[dict[str, Any]]:
    """What each class of trials of a module came to."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    seconds = str(60 * args.minutes * share)
    ran = subprocess.run(
        [sys.executable, "-m", f"support.failures.{part}", seconds, str(args.seed), *words],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
