"""FAISS Flat at its best: in a process of its own, under the settings that are fastest here.

OpenBLAS takes its kernels by the name of the processor, and on some virtual machines takes slower
ones than the processor can run. Threads of OpenMP that wait for their next work keep a core busy,
which OpenBLAS's threads need, and so do those of other libraries in the same process. Users who
care set ``OPENBLAS_CORETYPE`` and ``OMP_WAIT_POLICY``: each of :data:`SETTINGS` is tried first.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import faiss
import numpy as np
from numpy.typing import NDArray

from indexer.types import Vectors

SETTINGS: dict[str, dict[str, str]] = {
    "default": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "SkylakeX": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "SkylakeX, passive": {"OPENBLAS_CORETYPE": "SkylakeX", "OMP_WAIT_POLICY": "passive"},
}
_TRIALS, _TRIAL_QUERIES = 3, 1000

_index: Any = None  # of the process that searches


@contextmanager
def flat_index(
    name: str, vectors: Vectors, threads: int, neighbours: int
) -> Iterator[tuple[Callable[[Vectors], NDArray[np.int64]], dict[str, float]]]:
    """A search of ``vectors`` float32 (n, d) by FAISS's index called ``name``, on ``threads``.

    Gives a function of queries (q, d) to ids int64 (q, neighbours), and the seconds of the best of
    some trials by settings; what is yielded runs under the fastest.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, vectors)
        start = (name, path, threads)
        seconds = {each: _trial(start, each, vectors[:_TRIAL_QUERIES]) for each in SETTINGS}
        fastest = min(seconds, key=lambda each: seconds[each])
        with _process(start, fastest) as pool:
            yield lambda asked: pool.submit(_search, asked, neighbours).result(), seconds


def _trial(start: tuple[str, Path, int], settings: str, queries: Vectors) -> float:
    """Seconds of the best of some searches under ``settings``."""
    seconds = []
    with _process(start, settings) as pool:
        for _ in range(_TRIALS):
            started = time.perf_counter()
            pool.submit(_search, queries, 1).result()
            seconds.append(time.perf_counter() - started)
    return min(seconds)


@contextmanager
def _process(start: tuple[str, Path, int], settings: str) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, _load, start) as pool:
        with mock.patch.dict(os.environ, SETTINGS[settings]):
            pool.submit(os.getpid).result()  # the process starts here
        yield pool


def _load(name: str, path: Path, threads: int) -> None:
    global _index  # noqa: PLW0603 - a process of its own
    faiss.omp_set_num_threads(threads)
    vectors = np.load(path)
    _index = getattr(faiss, name)(vectors.shape[1])
    _index.add(vectors)


def _search(queries: Vectors, neighbours: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = _index.search(queries, neighbours)[1]
    return found
