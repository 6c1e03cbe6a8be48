"""A few damaged files of each kind of model; ``benchmarks/jobs/promises.py`` tries many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_no_damaged_model_crashes_or_hangs() -> None:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    ran = subprocess.run(
        [sys.executable, "-m", "support.failures.model_trials", "600", "0", "--most", "4"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    classes = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(classes) >= 5 and {each["tried"] for each in classes} == {4}
    assert [each["failures"] for each in classes if each["failed"]] == []
