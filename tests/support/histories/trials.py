"""Run random histories of a gallery, and tell as a line of JSON how many there were.

    python -m support.histories.trials [--examples 1000] [--steps 50] [--minutes 60] [--seed N]

with the root and ``tests`` in PYTHONPATH. It ends with the first history after which something
that is promised does not hold: it shows a short one like it, and exits with 1.
``benchmarks/jobs/histories.py`` records what it comes to.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
import traceback
from pathlib import Path

# Before numpy: one thread is enough for a dozen faces, and more would only wait for each other.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from hypothesis import HealthCheck, Phase, seed, settings  # noqa: E402
from hypothesis.stateful import run_state_machine_as_test  # noqa: E402

from support.histories.crashes import CrashError  # noqa: E402
from support.histories.gallery_machine import GalleryMachine  # noqa: E402

MEMORY = Path("/dev/shm")
SHOWN = 20  # after so many examples it says how far it is


class TimeIsOverError(KeyboardInterrupt):
    """Hypothesis takes it for an interruption, not for a failure."""


class TimedMachine(GalleryMachine):
    """Ends the run when its time is over."""

    end = float("inf")

    def __init__(self) -> None:
        if time.monotonic() > TimedMachine.end:
            raise TimeIsOverError
        super().__init__()

    def teardown(self) -> None:
        super().teardown()
        if self.counts["examples"] % SHOWN == 0:
            print(dict(self.counts), file=sys.stderr, flush=True)


def main() -> int:
    """Run examples until there are enough, or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=50, help="of each example")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most")
    parser.add_argument("--seed", type=int, help="default: another at each run")
    args = parser.parse_args()
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK):
        tempfile.tempdir = str(MEMORY)
    os.fsync = os.fstat  # type: ignore[assignment] # here nobody cuts the power
    number = secrets.randbits(32) if args.seed is None else args.seed
    begun = time.monotonic()
    TimedMachine.end = begun + 60 * args.minutes
    failure = broken(number, args.examples, args.steps)
    found = {
        "seed": number,
        **TimedMachine.counts,
        "seconds": round(time.monotonic() - begun, 1),
        "failures": [failure] if failure else [],
    }
    print(json.dumps(found))
    return 1 if failure else 0


def broken(number: int, examples: int, steps: int) -> str:
    """What did not hold in histories drawn from the seed ``number``; "" where all did."""
    try:
        run_state_machine_as_test(
            seed(number)(TimedMachine),
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                print_blob=True,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=[*HealthCheck],
            ),
        )
    except TimeIsOverError:
        return ""
    except (Exception, CrashError):
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    sys.exit(main())
