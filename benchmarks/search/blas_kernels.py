"""The kernels of OpenBLAS that are fastest for the peers here.

OpenBLAS takes its kernels by the name of the processor, and on some virtual machines takes slower
ones than the processor can run. Users who care set ``OPENBLAS_CORETYPE``; so peers are measured
with whichever is faster, what OpenBLAS takes by itself or those for AVX-512.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from benchmarks.common.idle import LOAD_BEFORE, conditions

VARIABLE = "OPENBLAS_CORETYPE"
DEFAULT = "default"  # what OpenBLAS takes by itself
CHOICES = (DEFAULT, "SkylakeX", "Cooperlake")
_TRIALS = "FACESEARCH_BLAS_TRIALS"  # seconds by kernels, for the script that is started again

_TRIAL = """
import time
import faiss, numpy as np
vectors = np.random.default_rng(0).random((200_000, 128), np.float32)
index = faiss.IndexFlatIP(128)
index.add(vectors)
seconds = []
for _ in range(5):
    started = time.perf_counter()
    index.search(vectors[:1000], 10)
    seconds.append(time.perf_counter() - started)
print(min(seconds))
"""


def with_fastest_kernels() -> dict[str, float]:
    """Start this script again under the fastest kernels, unless the user chose some.

    Gives the seconds of a trial search by kernels, to be recorded; infinite where it failed. To be
    called after the options are parsed and before anything large is loaded.
    """
    if VARIABLE not in os.environ and _TRIALS not in os.environ:
        seconds = {name: trial_seconds(name) for name in CHOICES}
        fastest = min(seconds, key=lambda name: seconds[name])
        chosen = {} if fastest == DEFAULT else {VARIABLE: fastest}
        trials = {_TRIALS: json.dumps(seconds), LOAD_BEFORE: str(conditions()["load_before"])}
        os.execve(sys.executable, sys.orig_argv, os.environ | trials | chosen)
    return dict(json.loads(os.environ.get(_TRIALS, "{}")))


def trial_seconds(name: str) -> float:
    """The best of some searches in FAISS Flat under the kernels ``name``; infinite if they fail."""
    environment = {key: each for key, each in os.environ.items() if key != VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL],
        env=environment | ({} if name == DEFAULT else {VARIABLE: name}),
        capture_output=True,
        text=True,
    )
    return float(done.stdout) if done.returncode == 0 else float("inf")
