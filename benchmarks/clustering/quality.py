"""Clustering: the threshold chosen on one set of people, the quality reported on others, the cost.

    python -m benchmarks.clustering.quality --choose LFW.npz [--report ALBUM.npz] [--times]

Both files hold ``vectors`` (n, d), unit length, and ``names`` (n,), whose face each is. The people
of ``--choose`` are split at random in two halves. On galleries drawn from the first, of several
sizes and of an album's make-up, BCubed F is averaged for each threshold and each HDBSCAN setting;
the galleries of the second half and ``--report`` only report. Costs are measured on all vectors of
``--choose`` and on made ones of several numbers, next to scipy's average linkage, which keeps all
distances.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from cluster.labels import ordered_labels
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.metrics import (
    adjusted_mutual_information,
    adjusted_rand_index,
    bcubed_scores,
    normalized_mutual_information,
    pairwise_scores,
)
from cluster.review.silhouette import silhouette_confidence

THRESHOLDS = np.round(np.arange(0.08, 0.261, 0.01), 3)
GALLERIES = ((30, 10), (100, 10), (300, 5), (1000, 3), (0, 1))  # people (0: all), repeats
# An album has many faces of some people, and strangers seen once.
ALBUM = {"people": 25, "least_faces": 8, "strangers": 60, "repeats": 8}
HDBSCAN_SETTINGS = tuple((size, samples) for size in (2, 3, 5) for samples in (1, 2, 3))
TIMED = (1000, 5000, 30_000)
SEED = 0

Labels = NDArray[np.integer[Any]]


def main() -> None:
    """Choose the threshold on one data set, report on the other, time if asked."""
    parser = TimingParser(__doc__)
    parser.add_argument("--choose", type=Path, required=True)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--repeats", type=int, default=2, help="of each timing")
    parser.add_argument("--note", default="", help="what the vectors are; kept in the result")
    args = parser.parse_args()
    vectors, truth = load(args.choose)
    rng = np.random.default_rng(SEED)
    first = rng.random(truth.max() + 1) < 0.5
    result: dict[str, Any] = {"note": args.note, "seed": SEED}
    result |= {"faces": len(truth), "people": int(truth.max()) + 1}
    people = np.flatnonzero(first)
    galleries = {**drawn(truth, people, rng), "album-like": album_like(truth, people, rng)}
    result["choosing"] = [curve(name, vectors, truth, rows) for name, rows in galleries.items()]
    result["choosing_hdbscan"] = {
        name: hdbscan_grid(vectors, truth, galleries[name]) for name in ("100", "album-like")
    }
    chosen = choose(result["choosing"])
    result["threshold_by_gallery"] = chosen
    result["reporting"] = {
        "other half": quality(*members(vectors, truth, np.flatnonzero(~first)), chosen),
        "other half, 100 people": quality(
            *members(vectors, truth, rng.permutation(np.flatnonzero(~first))[:100]), chosen
        ),
    }
    if args.report:
        result["reporting"]["report"] = quality(*load(args.report), chosen)
    if args.times:
        sources = {f"made {count}": count for count in TIMED} | {"choose": str(args.choose)}
        result["times"] = {name: cost(source, args.repeats) for name, source in sources.items()}
    print(json.dumps(result, indent=2))
    print(f"recorded in {record('clustering', result)}")


def load(path: Path) -> tuple[NDArray[np.float32], Labels]:
    data = np.load(path)
    return data["vectors"].astype(np.float32), np.unique(data["names"], return_inverse=True)[1]


def members(
    vectors: NDArray[np.float32], truth: Labels, people: NDArray[np.intp]
) -> tuple[NDArray[np.float32], Labels]:
    """The faces of ``people``."""
    kept = np.isin(truth, people)
    return vectors[kept], truth[kept]


def drawn(
    truth: Labels, people: NDArray[np.intp], rng: np.random.Generator
) -> dict[str, list[NDArray[np.intp]]]:
    """Rows of galleries with all faces of so many people drawn from ``people``."""
    return {
        str(wanted or len(people)): [
            np.flatnonzero(np.isin(truth, rng.permutation(people)[: wanted or None]))
            for _ in range(repeats)
        ]
        for wanted, repeats in GALLERIES
        if wanted < len(people)
    }


def album_like(
    truth: Labels, people: NDArray[np.intp], rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """Rows of galleries with all faces of some people, and one face each of many others."""
    sizes = np.bincount(truth)[people]
    often, seldom = people[sizes >= ALBUM["least_faces"]], people[sizes < ALBUM["least_faces"]]
    galleries = []
    for _ in range(ALBUM["repeats"]):
        strangers = rng.permutation(seldom)[: ALBUM["strangers"]]
        once = [int(np.flatnonzero(truth == stranger)[0]) for stranger in strangers]
        many = np.flatnonzero(np.isin(truth, rng.permutation(often)[: ALBUM["people"]]))
        galleries.append(np.concatenate([many, once]))
    return galleries


def curve(
    name: str, vectors: NDArray[np.float32], truth: Labels, galleries: list[NDArray[np.intp]]
) -> dict[str, Any]:
    """BCubed F for each threshold on each of ``galleries``, and the best threshold in the mean."""
    runs = []
    for rows in galleries:
        linkage = average_linkage(vectors[rows], stop=float(THRESHOLDS[-1]))
        groups = (cut(linkage, len(rows), threshold) for threshold in THRESHOLDS.tolist())
        runs.append([bcubed_scores(truth[rows], found).f for found in groups])
    mean = np.mean(runs, axis=0)
    return {
        "gallery": name,
        "faces": [len(rows) for rows in galleries],
        "thresholds": THRESHOLDS.tolist(),
        "bcubed_f": np.round(mean, 4).tolist(),
        "bcubed_f_runs": np.round(runs, 4).tolist(),
        "best_threshold": float(THRESHOLDS[mean.argmax()]),
    }


def hdbscan_grid(
    vectors: NDArray[np.float32], truth: Labels, galleries: list[NDArray[np.intp]]
) -> list[dict[str, Any]]:
    """Mean BCubed F of each setting."""
    results = []
    for size, samples in HDBSCAN_SETTINGS:
        runs = [
            bcubed_scores(
                truth[rows],
                hdbscan_clustering(rows, vectors[rows], DensitySettings(size, samples)).labels,
            ).f
            for rows in galleries
        ]
        results.append(
            {
                "min_cluster_size": size,
                "min_samples": samples,
                "bcubed_f": round(float(np.mean(runs)), 4),
                "bcubed_f_runs": np.round(runs, 4).tolist(),
            }
        )
    return results


def choose(results: list[dict[str, Any]]) -> dict[str, float]:
    """The best threshold for each kind of gallery, and ``all``: best in the mean over them."""
    mean = np.mean([result["bcubed_f"] for result in results], axis=0)
    best = {str(result["gallery"]): float(result["best_threshold"]) for result in results}
    return best | {"all": float(THRESHOLDS[mean.argmax()])}


def quality(
    vectors: NDArray[np.float32], truth: Labels, chosen: dict[str, float]
) -> dict[str, Any]:
    """Scores of each chosen threshold and of HDBSCAN, and the whole curve beside them."""
    ids = np.arange(len(vectors))
    linkage = average_linkage(vectors, stop=float(THRESHOLDS[-1]))
    found: dict[str, Labels] = {
        f"agglomerative {threshold}": cut(linkage, len(vectors), threshold)
        for threshold in sorted(set(chosen.values()))
    }
    found["hdbscan"] = hdbscan_clustering(ids, vectors).labels
    return {
        "faces": len(vectors),
        "people": len(np.unique(truth)),
        "methods": {name: scores(truth, labels) for name, labels in found.items()},
        "bcubed_f_by_threshold": {
            str(t): round(bcubed_scores(truth, cut(linkage, len(vectors), t)).f, 4)
            for t in THRESHOLDS.tolist()
        },
    }


def scores(truth: Labels, labels: Labels) -> dict[str, float]:
    """Counts and scores of a clustering of faces whose people are known."""
    pairwise, bcubed = pairwise_scores(truth, labels), bcubed_scores(truth, labels)
    return {
        "clusters": int(labels.max()) + 1,
        "noise": float((labels < 0).mean()),
        "pairwise_precision": pairwise.precision,
        "pairwise_recall": pairwise.recall,
        "pairwise_f": pairwise.f,
        "bcubed_precision": bcubed.precision,
        "bcubed_recall": bcubed.recall,
        "bcubed_f": bcubed.f,
        "nmi": normalized_mutual_information(truth, labels),
        "ami": adjusted_mutual_information(truth, labels),
        "ari": adjusted_rand_index(truth, labels),
    }


def cost(source: int | str, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of each stage, each run in a process of its own."""
    count = len(vectors_of(source))
    return {
        "faces": count,
        **{
            name: [in_new_process(stage, source) for _ in range(repeats)]
            for name, stage in STAGES.items()
            if count <= LARGEST.get(name, count)
        },
    }


def vectors_of(source: int | str) -> NDArray[np.float32]:
    """So many made vectors, or those of a file."""
    return facelike(source) if isinstance(source, int) else load(Path(source))[0]


def in_new_process(
    stage: Callable[[NDArray[np.float32]], object], source: int | str
) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measured, (stage, source))


def measured(stage: Callable[[NDArray[np.float32]], object], source: int | str) -> dict[str, float]:
    """Seconds, and MiB by which the process grew at its peak, of one run after a small one."""
    stage(facelike(64))  # imports, compilation
    vectors = vectors_of(source)
    ctypes.CDLL(None).malloc_trim(0)  # freed memory is given back,
    Path("/proc/self/clear_refs").write_text("5")  # and the peak so far forgotten (Linux)
    before = memory_kib("VmRSS")
    started = time.perf_counter()
    stage(vectors)
    seconds = time.perf_counter() - started
    grown = memory_kib("VmHWM") - before
    return {"seconds": round(seconds, 4), "peak_growth_mib": round(grown / 1024, 1)}


def memory_kib(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def facelike(count: int, dimension: int = 128) -> NDArray[np.float32]:
    """Unit vectors float32 (n, d) like the default encoder's; see :func:`facelike_people`."""
    rng = np.random.default_rng(SEED)
    return facelike_people(count, rng, dimension)[0]


def facelike_people(
    count: int, rng: np.random.Generator, dimension: int = 128
) -> tuple[NDArray[np.float32], Labels]:
    """Unit vectors of people whose numbers of faces fall as 1 / rank, and whose each is.

    Mean squared distances are 0.1 within a person and 0.32 between people, and most of the spread
    lies in few directions, as with the default encoder's vectors of faces.
    """
    people = max(count // 3, 1)
    shares = 1 / np.arange(1, people + 1)
    truth = rng.choice(people, count, p=shares / shares.sum())
    spectrum = np.arange(1, dimension + 1) ** -0.5
    spectrum *= np.sqrt(dimension) / np.linalg.norm(spectrum)
    vectors = rng.standard_normal((people, dimension))[truth] * spectrum
    vectors += np.sqrt(0.45) * rng.standard_normal((count, dimension)) * spectrum
    vectors += np.sqrt(7.6) * np.sign(rng.standard_normal(dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def whole_dendrogram(vectors: NDArray[np.float32]) -> object:
    return average_linkage(vectors)


def up_to_threshold(vectors: NDArray[np.float32]) -> object:
    linkage = average_linkage(vectors, stop=0.15)
    labels = ordered_labels(np.arange(len(vectors)), cut(linkage, len(vectors), 0.15))
    return silhouette_confidence(vectors, labels, 0.15)


def hdbscan_default(vectors: NDArray[np.float32]) -> object:
    return hdbscan_clustering(np.arange(len(vectors)), vectors)


def scipy_average(vectors: NDArray[np.float32]) -> object:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    return linkage(pdist(vectors.astype(np.float64), "sqeuclidean"), "average")


STAGES = {
    "average linkage, whole dendrogram": whole_dendrogram,
    "agglomerative at 0.15, with confidence": up_to_threshold,
    "hdbscan": hdbscan_default,
    "scipy, whole dendrogram": scipy_average,
}
# What would take minutes is left out.
LARGEST = dict.fromkeys(
    ("average linkage, whole dendrogram", "hdbscan", "scipy, whole dendrogram"), 15_000
)


if __name__ == "__main__":
    main()
