"""What a user sees when fetching weights goes wrong: every case through the real command.

    python -m benchmarks.jobs.downloads

A server on this machine plays the host. Each case begins with an empty cache folder, unless it goes
on from the one before.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.file_server import Behaviour, serving
from benchmarks.common.record import record
from facesearch.encoders import encoder_spec

PINNED, UNPINNED = "facenet-vggface2", "facenet-casia-webface"
SIZE = encoder_spec(PINNED).weights.size  # type: ignore[union-attr]
SMALL = np.random.default_rng(0).bytes(5_000_000)
FILE_LIMIT = 1_000_000  # bytes


@dataclass(frozen=True)
class Case:
    """``continues``: the cache is that of the case before; ``limit``: of bytes in a file."""

    name: str
    behaviour: Behaviour = field(default_factory=Behaviour)
    encoder: str = UNPINNED
    continues: bool = False
    limit: bool = False
    address: str = ""


def cases() -> list[Case]:
    """Every way that a fetch may go."""
    return [
        Case("all well, no digest published", Behaviour(SMALL)),
        Case("fetched again", Behaviour(SMALL), continues=True),
        Case("cut twice, then whole", Behaviour(SMALL, cuts=[1_000_000, 2_000_000])),
        Case("cut every time", Behaviour(SMALL, cuts=[1_000_000] * 4)),
        Case("... and tried again later", Behaviour(SMALL), continues=True),
        Case("cut every time, no ranges", Behaviour(SMALL, ranges=False, cuts=[1_000_000] * 4)),
        Case("not found", Behaviour(statuses=[404])),
        Case("refused", Behaviour(statuses=[403])),
        Case("server in trouble", Behaviour(statuses=[500] * 9)),
        Case("nobody answers", address="http://127.0.0.1:9/file.pt"),
        Case("no such host", address="http://no-such-host.invalid/file.pt"),
        Case("another size", Behaviour(SMALL), PINNED),
        Case("right size, wrong bytes", Behaviour(b"x" * SIZE), PINNED),
        Case("points to a local file", Behaviour(statuses=[302], location="file:///etc/passwd")),
        Case("no room for the file", Behaviour(SMALL), limit=True),
        Case("an address that is no web address", address="file:///etc/passwd"),
    ]


def run(case: Case, cache: Path) -> dict[str, Any]:
    """What the command printed and left, with the server's address and the folder taken out."""
    with serving(case.behaviour) as served:
        address = case.address or served
        command = [sys.executable, "-m", "facesearch.cli.main", "encoders", "fetch", case.encoder]
        if case.limit:
            # A limit on the size of files stands in for a full disk: the write fails midway.
            command = ["bash", "-c", f'ulimit -f {FILE_LIMIT // 1024}; exec "$@"', "-", *command]
        done = subprocess.run(
            [*command, "--url", address],
            env={**os.environ, "FACESEARCH_CACHE": str(cache)},
            capture_output=True,
            text=True,
            check=False,
        )
    said = (done.stderr.strip().splitlines() or done.stdout.strip().splitlines() or [""])[-1]
    left = sorted(path for path in cache.iterdir()) if cache.exists() else []
    return {
        "case": case.name,
        "exit": done.returncode,
        "said": said.replace(address, "ADDRESS").replace(str(cache), "CACHE"),
        "left": {each.name: each.stat().st_size for each in left if each.suffix != ".lock"},
        "requests": case.behaviour.requests,
    }


def main() -> None:
    """Run every case and record the table."""
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for number, case in enumerate(cases()):
            if not case.continues:
                cache = Path(scratch) / str(number)
            results.append(run(case, cache))
            print(results[-1]["case"], results[-1]["exit"], results[-1]["said"], sep=" | ")
    print(record("downloads", {"cases": results}))


if __name__ == "__main__":
    main()
