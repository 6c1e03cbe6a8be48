"""Break galleries in every way there is, and record what was tried and what failed.

    python -m benchmarks.jobs.promises [--minutes 15] [--seed 0]
    python -m benchmarks.jobs.promises histories [--examples 1000] [--steps 50] [--minutes 60]

Files of a gallery and model files are damaged at random and read; commands are run with a failing,
lost or last change of a file. The trials are more of those of the tests
(``tests/support/failures``). With ``histories``, galleries go through random histories of commands,
crashes, decisions and a second writer instead, and are compared with a plain model of them after
each step (``tests/support/histories``).
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
MEMORY = Path("/dev/shm")


# Of the time, for what each module of tests/support/failures tries.
PARTS = {"fault_table": 0.75, "model_trials": 0.2}
UNGUARDED = 0.05  # OpenCV alone, without the process that reads a file first: how it was before


def main() -> int:
    """Run the trials and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="?", choices=["trials", "histories"], default="trials")
    parser.add_argument("--minutes", type=float, help="default: 15; at most 60 for histories")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=1000, help="histories")
    parser.add_argument("--steps", type=int, default=50, help="of each history")
    args = parser.parse_args()
    return histories(args) if args.which == "histories" else damages_and_faults(args)


def damages_and_faults(args: argparse.Namespace) -> int:
    """Damaged files, and commands with a fault."""
    minutes = 15.0 if args.minutes is None else args.minutes
    classes = [
        each
        for part, share in PARTS.items()
        for each in trials(part, 60 * minutes * share, args.seed)
    ]
    unguarded = trials("model_trials", 60 * minutes * UNGUARDED, args.seed, "unguarded")
    tried, failed = (sum(each[name] for each in classes) for name in ("tried", "failed"))
    result = {"seed": args.seed, "minutes": minutes, "tried": tried, "failed": failed}
    before = first_run() | by_class(unguarded)
    print(record("promises", {**result, "classes": classes, "before": before}))
    for each in classes:
        print(f"{each['class']:<36} {each['tried']:>6} tried {each['failed']:>4} failed")
    return 1 if failed else 0


def histories(args: argparse.Namespace) -> int:
    """Galleries through random histories."""
    words = {"examples": args.examples, "steps": args.steps, "seed": args.seed}
    words["minutes"] = 60.0 if args.minutes is None else args.minutes
    options = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    (found,) = ran("support.histories.trials", *options, codes=(0, 1))
    asked = {"examples_asked": args.examples, "most_steps": args.steps}
    print(record("histories", {**asked, **found}))
    print(f"{found['examples']} histories, {len(found['failures'])} failed")
    return 1 if found["failures"] else 0


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


def trials(part: str, seconds: float, seed: int, *words: str) -> list[dict[str, Any]]:
    """What each class of trials of a module came to."""
    return ran(f"support.failures.{part}", str(seconds), str(seed), *words)


def ran(module: str, *words: str, codes: tuple[int, ...] = (0,)) -> list[dict[str, Any]]:
    """What a module of the tests' support says, a JSON object a line.

    Its galleries are in memory where there is some to spare: they are made again for each trial.
    """
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths}
    if os.access(MEMORY, os.W_OK):
        environment.setdefault("TMPDIR", str(MEMORY))
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode not in codes:
        raise RuntimeError(f"{module} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    sys.exit(main())
