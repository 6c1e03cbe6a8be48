"""How long whole processes of commands take, from their start to their end."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.service.announcement import FILE

GOOD = (0, 1)  # exit codes: 1 says that nobody is known


def program() -> list[str]:
    """How the command is started: as it is installed, or else from this source."""
    installed = Path(sys.executable).with_name("facesearch")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "facesearch.cli.main"]


def milliseconds(words: Sequence[str], repeats: int) -> list[float]:
    """The time of each of ``repeats`` runs; one before them is not counted."""
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        done = subprocess.run([*program(), *words], capture_output=True, check=False, text=True)
        times.append(1000 * (time.perf_counter() - began))
        if done.returncode not in GOOD:
            raise RuntimeError(f"{' '.join(words)} ended with {done.returncode}: {done.stderr}")
    return times[1:]


def command_times(
    commands: Mapping[str, Sequence[str]], folders: Sequence[Path], repeats: int
) -> dict[str, Any]:
    """The times of commands by the service that runs for the galleries in ``folders``, and without
    it: its file, by which commands find it, is put aside meanwhile."""
    starting = milliseconds(["--version"], repeats)
    asked = {name: milliseconds(words, repeats) for name, words in commands.items()}
    kept = {folder / FILE: (folder / FILE).read_bytes() for folder in folders}
    for path in kept:
        path.unlink()
    try:
        alone = {name: milliseconds(words, repeats) for name, words in commands.items()}
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
            path.chmod(0o600)
    return {
        "--version": {"median_ms": _median(starting)},
        **{
            name: {
                "service_ms": _rounded(asked[name]),
                "service_median_ms": _median(asked[name]),
                "alone_ms": _rounded(alone[name]),
                "alone_median_ms": _median(alone[name]),
            }
            for name in commands
        },
    }


def _median(times: Sequence[float]) -> float:
    return round(float(np.median(times)), 1)


def _rounded(times: Sequence[float]) -> list[float]:
    return [round(each, 1) for each in times]
