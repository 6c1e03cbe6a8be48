"""Certified search and other exact searches in memory: are they exact, and how fast.

    python -m benchmarks.search.exact GALLERY [--threads 2] [--repeats 5] [--seconds 6]

GALLERY is one of ``made-128`` (1,000,000 made faces like the default encoder's, see
``benchmarks.common.made_faces``), ``full-128`` (as many with variance in all directions) and
``full-512`` (250,000 of these); queries are further faces. Each run replaces its own entry in the
result, and the result of another machine whole, so that no run is long. Ways take turns; a way that
has spent
--seconds on a batch size leaves it, and does not begin one that would take eight times as long at
the speed it had before.

Certified answers must equal exact search's to the last bit; of the others, which have neither ties
by id nor distances that are accurate near zero, the share of neighbours they agree in is recorded.
``usearch`` is measured if it is installed. FAISS runs in a process of its own under
the settings of threads and BLAS that are fastest here (``benchmarks.search.faiss_process``).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.clustering.quality import facelike
from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import kept_runs, record, versions
from benchmarks.search.faiss_process import flat_index
from benchmarks.search.int8_peak import byte_peak
from benchmarks.vision.flop_peaks import MATRIX, rate, torch_matrix
from indexer.exact import int8_search
from indexer.exact.brute_force import exact_search
from indexer.exact.int8_screen import screen
from indexer.exact.int8_search import CertifiedSearch
from indexer.types import Block, Vectors

NEIGHBOURS = 10
BATCHES = (1, 32, 1000, 10_000)
CHECKED = 1000  # queries whose answers are compared
SINGLES = 32  # searches of one query, one after the other
TOO_LONG = 8
TORCH_QUERIES, NUMPY_ROWS = 128, 32_768

Way = Callable[[Vectors], NDArray[Any]]


def main() -> None:
    """Measure one gallery on so many threads and record it beside what was recorded before."""
    parser = TimingParser(__doc__)
    parser.add_argument("gallery", choices=GALLERIES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6)
    args = parser.parse_args()
    vectors, queries = GALLERIES[args.gallery]()
    with threadpool_limits(args.threads):
        torch.set_num_threads(args.threads)
        result = measure(vectors, queries, args)
    print(json.dumps(result, indent=2))
    runs = kept_runs("exact_search")
    runs[f"{args.gallery}, {args.threads} threads"] = {**vars(args), **result}
    print(f"recorded in {record('exact_search', {'runs': dict(sorted(runs.items()))})}")


def made_128() -> tuple[Vectors, Vectors]:
    gallery = MadeGallery(1_000_000, FaceModel.load())
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    return vectors, gallery.probes(BATCHES[-1]).vectors


def full_128() -> tuple[Vectors, Vectors]:
    return apart(facelike(1_000_000 + BATCHES[-1], 128))


def full_512() -> tuple[Vectors, Vectors]:
    return apart(facelike(250_000 + BATCHES[-1], 512))


def apart(vectors: Vectors) -> tuple[Vectors, Vectors]:
    """A gallery, and as many queries as the largest batch has."""
    return vectors[: -BATCHES[-1]], vectors[-BATCHES[-1] :]


GALLERIES = {"made-128": made_128, "full-128": full_128, "full-512": full_512}


def measure(vectors: Vectors, queries: Vectors, args: argparse.Namespace) -> dict[str, Any]:
    """Peaks, build, agreement and times."""
    ids = np.arange(len(vectors))
    CertifiedSearch(ids[:99], vectors[:99], args.threads).search(queries[:9], 1)  # compiles
    started = time.perf_counter()
    index = CertifiedSearch(ids, vectors, args.threads)
    build_seconds = time.perf_counter() - started
    truth = exact_search([Block(ids, vectors)], queries[:CHECKED], NEIGHBOURS)
    found = index.search(queries[:CHECKED], NEIGHBOURS)
    before = byte_peak(args.threads)
    ways: dict[str, Way] = {"certified": lambda asked: index.search(asked, NEIGHBOURS).ids}
    trials = {}
    with ExitStack() as stack:
        for name in ("IndexFlatL2", "IndexFlatIP"):
            flat = flat_index(name, vectors, args.threads, NEIGHBOURS)
            ways[f"faiss {name}"], trials[name] = stack.enter_context(flat)
        ways |= peers(vectors, args.threads)
        agreed = agreement(ways, queries[:CHECKED], truth.ids)
        batches = timed(ways, queries, args)
    peak = max(before, byte_peak(args.threads))
    multiplied = 2e-9 * (index.bytes_each - 4) * len(vectors)
    return {
        "count": len(vectors),
        "dimension": vectors.shape[1],
        "neighbours": NEIGHBOURS,
        "build_seconds": build_seconds,
        "bytes_each_beside_vectors": index.bytes_each,
        "equal_ids": bool(np.array_equal(found.ids, truth.ids)),
        "equal_distances": bool(np.array_equal(found.distances, truth.distances)),
        "agreement": agreed,
        "measured_vectors_a_query": measured_vectors(index, queries[:CHECKED]),
        "peak_int8_gops": peak,
        "peak_fp32_gflops": rate(torch_matrix(torch.float32), 2.0 * MATRIX**3, args.repeats),
        "share_of_int8_peak": {
            batch: times["certified"]["queries_per_second"] * multiplied / peak if peak else None
            for batch, times in batches.items()
        },
        "batches": batches,
        "faiss_seconds_by_settings": trials,
        "peer_versions": versions(("faiss-cpu", "usearch", "torch", "numpy")),
    }


def peers(vectors: Vectors, threads: int) -> dict[str, Way]:
    """Exact searches by other libraries: each gives ids (q, k) for queries (q, d)."""
    ways: dict[str, Way] = {}
    ways["torch"] = lambda asked: torch_search(vectors, asked)
    ways["numpy"] = lambda asked: numpy_search(vectors, asked)
    if importlib.util.find_spec("usearch"):
        from usearch.index import MetricKind, search

        ways["usearch exact"] = lambda asked: (
            search(vectors, asked, NEIGHBOURS, MetricKind.IP, exact=True, threads=threads)
            .keys.reshape(len(asked), NEIGHBOURS)
            .astype(np.int64)
        )
    return ways


def torch_search(vectors: Vectors, queries: Vectors) -> NDArray[Any]:
    """Greatest inner products, by a matrix product and top-k."""
    gallery = torch.from_numpy(vectors).T
    parts = torch.from_numpy(queries).split(TORCH_QUERIES)
    return torch.cat([(part @ gallery).topk(NEIGHBOURS).indices for part in parts]).numpy()


def numpy_search(vectors: Vectors, queries: Vectors) -> NDArray[Any]:
    """Greatest inner products, by a matrix product and a partition of each block of rows."""
    rows, products = [], []
    for first in range(0, len(vectors), NUMPY_ROWS):
        block = queries @ vectors[first : first + NUMPY_ROWS].T
        best = np.argpartition(block, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
        rows.append(best + first)
        products.append(np.take_along_axis(block, best, axis=1))
    order = np.argsort(-np.concatenate(products, axis=1), axis=1)[:, :NEIGHBOURS]
    return np.take_along_axis(np.concatenate(rows, axis=1), order, axis=1)


def agreement(ways: dict[str, Way], queries: Vectors, truth: NDArray[np.int64]) -> dict[str, float]:
    """Share of the true neighbours that each way finds, of the first queries."""
    few = queries[:100]
    return {
        name: float(
            np.mean([np.isin(t, f).mean() for t, f in zip(truth, search(few), strict=False)])
        )
        for name, search in ways.items()
    }


def measured_vectors(index: CertifiedSearch, queries: Vectors) -> float:
    """Gallery vectors a query whose distance was taken, for the bound did not exclude them."""
    counts = []

    def counting(*given: Any) -> tuple[int, int, int]:
        tile, found, measured = screen(*given)
        counts.append(measured)
        return tile, found, measured

    int8_search.screen = counting
    try:
        index.search(queries, NEIGHBOURS)
    finally:
        int8_search.screen = screen
    return sum(counts) / len(queries)


def timed(
    ways: dict[str, Way], queries: Vectors, args: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Seconds of every repeat, and queries a second in the median one, by batch size and way."""
    rates = dict.fromkeys(ways, float("inf"))
    batches: dict[str, dict[str, Any]] = {}
    for batch in BATCHES:
        asked = queries[: max(batch, SINGLES)]
        starts = range(0, len(asked), batch)
        seconds: dict[str, list[float]] = {
            name: [] for name in ways if len(asked) / rates[name] <= TOO_LONG * args.seconds
        }
        for _ in range(args.repeats):
            for name, spent in seconds.items():
                if sum(spent) < args.seconds:
                    started = time.perf_counter()
                    for start in starts:
                        ways[name](asked[start : start + batch])
                    spent.append(time.perf_counter() - started)
        batches[str(batch)] = {
            name: {"queries_per_second": len(asked) / statistics.median(spent), "seconds": spent}
            for name, spent in seconds.items()
        }
        rates |= {name: way["queries_per_second"] for name, way in batches[str(batch)].items()}
    return batches


if __name__ == "__main__":
    main()
