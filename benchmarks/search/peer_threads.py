"""Peers at their best: the kernels of OpenBLAS and the waiting of threads that are fastest here.

OpenBLAS takes its kernels by the name of the processor, and on some virtual machines takes slower
ones than the processor can run. Threads of OpenMP that wait for their next work keep a core busy,
which OpenBLAS's threads need. Users who care set ``OPENBLAS_CORETYPE`` and ``OMP_WAIT_POLICY``; so
scripts that measure FAISS try both and run under what is fastest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from benchmarks.common.idle import LOAD_BEFORE, conditions

SETTINGS: dict[str, dict[str, str]] = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "SkylakeX, passive": {"OPENBLAS_CORETYPE": "SkylakeX", "OMP_WAIT_POLICY": "passive"},
}
_TRIALS = "FACESEARCH_PEER_TRIALS"  # seconds by settings, for the script that is started again

_TRIAL = """
import time
import faiss, numpy as np
vectors = np.random.default_rng(0).random((500_000, 128), np.float32)
index = faiss.IndexFlatIP(128)
index.add(vectors)
seconds = []
for _ in range(6):
    started = time.perf_counter()
    index.search(vectors[:1000], 10)
    seconds.append(time.perf_counter() - started)
print(min(seconds))
"""


def with_fastest_threads() -> dict[str, float]:
    """Start this script again under the fastest settings, unless the user chose some.

    Gives the seconds of a trial search by settings, to be recorded; infinite where it failed. To be
    called after the options are parsed and before anything large is loaded.
    """
    chosen_by_user = {name for each in SETTINGS.values() for name in each} & os.environ.keys()
    if not chosen_by_user and _TRIALS not in os.environ:
        seconds = {name: trial_seconds(name) for name in SETTINGS}
        fastest = min(seconds, key=lambda name: seconds[name])
        trials = {_TRIALS: json.dumps(seconds), LOAD_BEFORE: str(conditions()["load_before"])}
        os.execve(sys.executable, sys.orig_argv, os.environ | trials | SETTINGS[fastest])
    return dict(json.loads(os.environ.get(_TRIALS, "{}")))


def trial_seconds(name: str) -> float:
    """The best of some searches in FAISS Flat under the settings ``name``."""
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL],
        env=os.environ | SETTINGS[name],
        capture_output=True,
        text=True,
    )
    return float(done.stdout) if done.returncode == 0 else float("inf")
