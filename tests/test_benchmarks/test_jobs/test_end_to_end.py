"""Processes that whole jobs are timed in: what they print, how long they take, what they hold."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from benchmarks.jobs.end_to_end import run_process, summary


def test_a_process_is_timed_and_its_memory_is_noted() -> None:
    """In a process of its own: what is started counts at least what starts it, here all tests."""
    large = "import os; x = b'x' * (300 << 20); print(os.environ['WORD'])"
    asks = f"""
        import os, sys
        from benchmarks.jobs.end_to_end import run_process
        ran = run_process([sys.executable, "-c", {large!r}], os.environ | {{"WORD": "printed"}})
        print(repr(ran.printed), 300 < ran.peak_mib < 500, 0 < ran.seconds < 60)
    """
    command = [sys.executable, "-c", textwrap.dedent(asks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "'printed\\n' True True\n"


def test_a_process_that_fails_is_an_error_with_what_it_said() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_process([sys.executable, "-c", "raise SystemExit('no photos')"])
    assert failed.value.returncode == 1
    assert failed.value.stderr == "no photos\n"


def test_rates_are_of_every_round() -> None:
    rounds = [
        {"photos": 10, "faces": 20, "seconds": seconds, "peak_mib": 100 + seconds}
        for seconds in (1.0, 4.0, 2.0)
    ]
    found = summary(rounds)
    assert found["photos_per_second"] == [10, 2.5, 5]
    assert (found["median_photos_per_second"], found["median_faces_per_second"]) == (5, 10)
    assert found["peak_mib"] == 102
