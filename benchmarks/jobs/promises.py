"""Break galleries in every way there is, and record what was tried and what failed.

    python -m benchmarks.jobs.promises [--minutes 10] [--seed 0]

Files of a gallery are damaged at random and read; commands are run with a failing, lost or last
change of a file. The trials are more of those of the tests
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

from benchmarks.common.record import record

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Run the trials and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [
        sys.executable,
        "-m",
        "support.failures.fault_table",
        str(60 * args.minutes),
        str(args.seed),
    ]
    ran = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": paths}, stdout=subprocess.PIPE, check=True
    )
    classes = [json.loads(line) for line in ran.stdout.splitlines()]
    tried, failed = (sum(each[name] for each in classes) for name in ("tried", "failed"))
    result = {"seed": args.seed, "minutes": args.minutes, "tried": tried, "failed": failed}
    print(record("promises", {**result, "classes": classes}))
    for each in classes:
        print(f"{each['class']:<36} {each['tried']:>6} tried {each['failed']:>4} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
