"""Photos that come later: clusters that grow, compared with all faces clustered again.

    python -m benchmarks.clustering.incremental --vectors LFW.npz

The file is that of ``benchmarks/common/labelled_vectors.py``. Faces come in an order drawn by a
seed. So many of them are clustered that the rest are 1%, 10% and 50% more; the rest then join, at
once or in ten parts, and the result is compared with one run over all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import Labels, load
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.agglomerative import agglomerative
from cluster.incremental import grow_clusters
from cluster.metrics import adjusted_rand_index, bcubed_scores, pairwise_scores
from cluster.types import NOISE, Clustering
from facesearch.clustering.person_matching import most_overlap

GROWTHS = (0.01, 0.1, 0.5)
PARTS = (1, 10)
SEEDS = (0, 1, 2)
# The album's default, and one that keeps thousands of people apart better.
THRESHOLDS = (0.14, 0.11)


def main() -> None:
    """Measure and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--note", default="LFW, one face a photo", help="kept in the result")
    args = parser.parse_args()
    vectors, truth = load(args.vectors)
    small = agglomerative(np.arange(300), vectors[:300], 0.1)  # compiles
    grow_clusters(_with_new(small, 100), vectors[:400], 0.1)
    result: dict[str, Any] = {"note": args.note, "faces": len(truth), "runs": []}
    for threshold in THRESHOLDS:
        for seed in SEEDS:
            order = np.random.default_rng(seed).permutation(len(truth))
            result["runs"] += runs_of(vectors[order], truth[order], threshold, seed)
    print(f"recorded in {record('incremental', result)}")


def runs_of(
    vectors: NDArray[np.float32], truth: Labels, threshold: float, seed: int
) -> list[dict[str, Any]]:
    """Every growth, to these faces in this order."""
    started = time.perf_counter()
    whole = agglomerative(np.arange(len(vectors)), vectors, threshold)
    full_seconds = time.perf_counter() - started
    runs = []
    for growth in GROWTHS:
        first = round(len(vectors) / (1 + growth))
        base = agglomerative(np.arange(first), vectors[:first], threshold)
        for parts in PARTS:
            ends = np.linspace(first, len(vectors), parts + 1).round().astype(int)[1:]
            found, seconds = grow(base, vectors, threshold, ends.tolist())
            about = {"threshold": threshold, "seed": seed, "growth": growth, "parts": parts}
            times = {"seconds": round(seconds, 3), "full_seconds": round(full_seconds, 3)}
            runs.append(about | {"new": len(vectors) - first} | times)
            runs[-1] |= agreement(base, found, whole, truth)
            print(runs[-1], flush=True)
    return runs


def grow(
    base: Clustering, vectors: NDArray[np.float32], threshold: float, ends: Sequence[int]
) -> tuple[Clustering, float]:
    """``base`` grown to each of ``ends`` faces in turn, and the seconds that took."""
    started = time.perf_counter()
    for end in ends:
        base = grow_clusters(_with_new(base, end - len(base.ids)), vectors[:end], threshold)
    return base, time.perf_counter() - started


def _with_new(clustering: Clustering, count: int) -> Clustering:
    first = len(clustering.ids)
    return Clustering(
        np.append(clustering.ids, np.arange(first, first + count)),
        np.append(clustering.labels, np.full(count, NOISE, np.int32)),
        np.append(clustering.confidence, np.zeros(count, np.float32)),
    )


def agreement(
    base: Clustering, found: Clustering, whole: Clustering, truth: Labels
) -> dict[str, float]:
    """How near ``found`` is to one run over all, and to the truth.

    ``faces_elsewhere`` are not in the cluster that matches theirs best; ``people_changed`` of the
    clusters of ``whole`` have not exactly the same faces. ``faces_moved`` were in another cluster
    before their cluster grew, which a full run would have moved or not.
    """
    ones, others = found.labels.astype(np.int64), whole.labels.astype(np.int64)
    same_faces = _same(others, ones)
    first = len(base.ids)
    return {
        "ari": adjusted_rand_index(whole.labels, found.labels),
        "pairwise_f_to_full": pairwise_scores(whole.labels, found.labels).f,
        "clusters": found.count,
        "clusters_full": whole.count,
        "faces_elsewhere": _elsewhere(ones, others),
        "people_changed": whole.count - same_faces,
        "faces_moved": _elsewhere(base.labels.astype(np.int64), ones[:first]),
        "faces_moved_full": _elsewhere(base.labels.astype(np.int64), others[:first]),
        "bcubed_f": bcubed_scores(truth, found.labels).f,
        "bcubed_f_full": bcubed_scores(truth, whole.labels).f,
    }


def _elsewhere(ones: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    match = dict(zip(*(each.tolist() for each in most_overlap(ones, others)), strict=True))
    pairs = zip(ones.tolist(), others.tolist(), strict=True)
    return sum(match.get(one) != other for one, other in pairs)


def _same(ones: NDArray[np.int64], others: NDArray[np.int64]) -> int:
    """How many groups of ``ones`` are groups of ``others`` too."""
    pairs, counts = np.unique(np.stack([ones, others], axis=1), axis=0, return_counts=True)
    return int(
        (
            (counts == np.bincount(ones)[pairs[:, 0]])
            & (counts == np.bincount(others)[pairs[:, 1]])
        ).sum()
    )


if __name__ == "__main__":
    main()
