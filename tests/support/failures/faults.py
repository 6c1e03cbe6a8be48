"""Commands run with a fault in the n-th of their changes of files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("file_faults.c")
WRITE, SYNC, RENAME, REMOVE = 1, 2, 4, 8
EVERY = WRITE | SYNC | RENAME | REMOVE
FAIL, LOSE, KILL = 1, 2, 3


@dataclass(frozen=True)
class Ran:
    """How a command ended: by a signal ``died``, with an ``error`` (not ``expected``: a bug), or
    well; ``seen`` changes of files were counted until then."""

    died: int = 0
    error: str = ""
    expected: bool = True
    seen: int = 0


class FaultyCommands:
    """The process that runs them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self,
        command: str,
        folder: Path,
        *,
        at: int = -1,
        kinds: int = EVERY,
        fault: int = FAIL,
        error: int = 0,
    ) -> Ran:
        """Run ``command`` on the gallery ``folder`` with a fault at its ``at``-th change."""
        request = {
            "command": command, "folder": str(folder), "at": at, "kinds": kinds, "fault": fault,
            "errno": error,
        }  # fmt: skip
        assert self._process.stdin and self._process.stdout
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return Ran(**json.loads(self._process.stdout.readline()))


def compiler() -> str | None:
    """The C compiler of this machine, if it has one."""
    return shutil.which("cc") or shutil.which("gcc")


@contextmanager
def faulty_commands(folder: Path) -> Iterator[FaultyCommands]:
    """Start the process; ``folder`` is for its library."""
    library = folder / "libfaults.so"
    compiled = [str(compiler()), "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(compiled, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONUNBUFFERED": "1"}
    root = SOURCE.parents[2]
    environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "tests")])
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment[name] = "1"  # forks have no threads of their parent's
    process = subprocess.Popen(
        [sys.executable, "-m", "support.failures.faulty_server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        yield FaultyCommands(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(30)
