"""Clustering as galleries grow: time, memory and quality, ours beside others'; each run on its own.

    python -m benchmarks.clustering.scale [--counts N ...] [--peers [NAME ...]] [--faces LFW.npz]

Made faces (``benchmarks/common/made_galleries.py``, fitted to LFW), in an order that tells nothing,
go through threshold, graph, linkage, cut and confidence in a process each, whose peak memory is
measured with the vectors in it but without the making of them; then through HDBSCAN over the same
graph. The dendrogram is one; every threshold is a cut. Peers that fail, or take more than
``--limit`` seconds, are said to; fast_hdbscan needs pynndescent beside it for more than 30
components. ``--faces`` (``vectors``, ``names``) compares, on real faces, the linkage over graphs of
several k with that over all pairs.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import SEED, Labels, load, memory_kib, scores
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record, versions
from cluster.constraints import Constraints
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.graph.knn_graph import KnnGraph, exact_knn_graph
from cluster.hdbscan_clustering import DensitySettings, hdbscan_clustering
from cluster.labels import ordered_labels
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.metrics import adjusted_rand_index
from cluster.review.silhouette import graph_silhouette_confidence
from facesearch.clustering.options import REFINE
from indexer.runtime.cores import available_cores

COUNTS = (10_000, 50_000, 200_000, 1_000_000)
THRESHOLDS = (0.10, 0.11, 0.12, 0.13, 0.14)
STOP = 0.14  # the encoder's; no default is looser
PEERS = ("scikit-learn average", "hdbscan", "fast_hdbscan")
NEIGHBOUR_COUNTS = (8, 16, 32, 64)
CHECKED = 1000  # rows whose neighbours are searched for exactly
PHOTO_FACES = 3  # of strangers, in each made photo

Vectors = NDArray[np.float32]
Result = dict[str, Any]


def main() -> None:
    """Run and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--faces", type=Path, help="labelled vectors of real faces")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--limit", type=float, default=300, help="seconds a peer may take")
    parser.add_argument("--record", default="clustering_scale", help="name of the result")
    args = parser.parse_args()
    result: Result = {"cores": available_cores(), "neighbours": NEIGHBOURS}
    result["packages"] = versions(("scikit-learn", "hdbscan", "fast_hdbscan", "scipy"))
    result["ours"] = [in_new_process(ours, count) for count in args.counts]
    result["growth_exponent_after_graph"] = exponent(result["ours"])
    result["peers"] = {name: until_it_dies(name, args.counts, args.limit) for name in args.peers}
    if args.faces:
        result["sparse_against_dense"] = sparse_against_dense(*load(args.faces))
    print(json.dumps(result, indent=2))
    print(f"recorded in {record(args.record, result)}")


def in_new_process(run: Callable[..., Result], *arguments: object) -> Result:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(run, arguments)


def until_it_dies(name: str, counts: list[int], limit: float) -> list[Result]:
    """Runs of a peer up to the first that fails or takes too long, which says so."""
    runs: list[Result] = []
    for count in sorted(counts):
        found = _limited(name, count, limit)
        runs.append(found)
        if "died" in found:
            break
    return runs


def _limited(name: str, count: int, limit: float) -> Result:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(False)
    process = context.Process(target=_send_peer, args=(sender, count, name))
    process.start()
    sender.close()  # so that the end of the process ends the waiting
    try:
        if receiver.poll(limit):
            found: Result = receiver.recv()
            return found
        return {"faces": count, "died": f"still running after {limit:.0f} s"}
    except EOFError:
        process.join()
        return {"faces": count, "died": f"killed or crashed, exit {process.exitcode}"}
    finally:
        process.kill()
        process.join()


def _send_peer(sender: Connection, count: int, name: str) -> None:
    # Not the whole machine may be brought down by a matrix of all distances.
    memory = 20 << 30
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        sender.send(peer(count, name))
    except Exception as error:  # whatever a peer dies of is its result
        sender.send(
            {"faces": count, "died": f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"}
        )


def made_faces(count: int) -> tuple[Vectors, Labels]:
    """Faces float32 (n, d) and whose each is, neighbours in neither people nor time."""
    gallery = MadeGallery(count, FaceModel.load(), seed=SEED)
    order = np.random.default_rng(SEED).permutation(count)
    vectors = np.empty((count, gallery.dimension), np.float32)
    places = np.argsort(order)
    for block in gallery.blocks():
        vectors[places[block.ids]] = block.vectors
    return vectors, gallery.people(order)


def ours(count: int) -> Result:
    """Seconds of each stage, peak memory, and scores at each threshold."""
    warm, _ = made_faces(600)
    _stages(warm, Constraints(np.arange(600) // 2), {})
    vectors, truth = made_faces(count)
    photos = made_photos(truth)
    forget_peak()
    seconds: dict[str, float] = {}
    graph, linkage, constrained = _stages(vectors, Constraints(photos), seconds)
    peak = memory_kib("VmHWM")
    threshold = gallery_threshold(vectors, STOP) or STOP
    started = time.perf_counter()
    settings = DensitySettings(min_samples=1, refine=REFINE * threshold)
    dense = hdbscan_clustering(np.arange(count), vectors, settings, graph=graph)
    seconds["hdbscan over the graph"] = time.perf_counter() - started
    return {
        "faces": count,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "peak_mib": round(peak / 1024),
        "peak_mib_with_hdbscan": round(memory_kib("VmHWM") / 1024),
        "threshold": threshold,
        "at_threshold": _rounded(truth, cut(linkage, count, threshold)),
        "hdbscan": _rounded(truth, dense.labels),
        "edge_recall": edge_recall(vectors, truth, graph),
        "by_threshold": by_threshold(linkage, truth),
        "photos_kept_apart": by_threshold(constrained, truth),
    }


def _stages(
    vectors: Vectors, constraints: Constraints, seconds: dict[str, float]
) -> tuple[KnnGraph, NDArray[np.float64], NDArray[np.float64]]:
    """Graph, dendrogram and constrained dendrogram; ``seconds`` are noted by stage."""

    def timed(name: str, stage: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        made = stage()
        seconds[name] = time.perf_counter() - started
        return made

    graph = timed("graph", lambda: approximate_knn_graph(vectors, NEIGHBOURS))
    linkage = timed("linkage", lambda: graph_average_linkage(vectors, graph, STOP))
    groups = timed("cut", lambda: cut(linkage, len(vectors), 0.13))
    labels = ordered_labels(np.arange(len(vectors)), groups)
    timed("confidence", lambda: graph_silhouette_confidence(vectors, labels, 0.13, graph.rows))
    timed("threshold", lambda: gallery_threshold(vectors, STOP))
    constrained = timed(
        "linkage with photos kept apart",
        lambda: graph_average_linkage(vectors, graph, STOP, constraints),
    )
    return graph, linkage, constrained


def made_photos(truth: Labels) -> NDArray[np.int64]:
    """Faces drawn into photos of :data:`PHOTO_FACES`, none of one person twice."""
    order = np.random.default_rng(1).permutation(len(truth))
    photos = np.empty(len(truth), np.int64)
    photos[order] = np.arange(len(truth)) // PHOTO_FACES
    by_photo = np.lexsort((truth, photos))
    again = by_photo[1:][(np.diff(photos[by_photo]) == 0) & (np.diff(truth[by_photo]) == 0)]
    photos[again] = -1  # a face whose person is in the photo already is in one alone
    return photos


def _rounded(truth: Labels, labels: Labels) -> Result:
    return {name: round(value, 4) for name, value in scores(truth, labels).items()}


def by_threshold(linkage: NDArray[np.float64], truth: Labels) -> dict[str, Result]:
    return {
        str(threshold): _rounded(truth, cut(linkage, len(truth), threshold))
        for threshold in THRESHOLDS
    }


def edge_recall(vectors: Vectors, truth: Labels, graph: KnnGraph) -> dict[str, float]:
    """The share of exact neighbours that the graph has: of all, and of the same person."""
    rows = np.sort(np.random.default_rng(2).permutation(len(vectors))[:CHECKED])
    width = graph.rows.shape[1]
    nearest = np.concatenate([_nearest(vectors, part, width) for part in np.split(rows, 20)])
    found = np.array(
        [np.isin(exact, ours) for exact, ours in zip(nearest, graph.rows[rows], strict=True)]
    )
    same = truth[nearest] == truth[rows][:, None]
    few = same & (np.bincount(truth)[truth[rows]] <= width)[:, None]
    return {
        "all": round(float(found.mean()), 4),
        "same person": round(float(found[same].mean()), 4),
        "same person, of no more faces than neighbours": round(float(found[few].mean()), 4),
    }


def _nearest(vectors: Vectors, rows: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """Rows of the ``width`` nearest others of each of ``rows``, in no order."""
    products = vectors[rows] @ vectors.T
    products[np.arange(len(rows)), rows] = -np.inf
    return np.argpartition(products, -width, axis=1)[:, -width:]


def exponent(runs: list[Result]) -> float | None:
    """The slope of log seconds after the graph over log faces, by least squares."""
    if len(runs) < 2:
        return None
    after = [
        run["seconds"]["linkage"] + run["seconds"]["cut"] + run["seconds"]["confidence"]
        for run in runs
    ]
    slope = np.polyfit(np.log([run["faces"] for run in runs]), np.log(after), 1)[0]
    return round(float(slope), 3)


def peer(count: int, name: str) -> Result:
    """One of :data:`PEERS`; its threshold is the best of ours, on the truth itself."""
    fit = PEER_METHODS[name]
    fit(made_faces(600)[0])
    vectors, truth = made_faces(count)
    forget_peak()
    started = time.perf_counter()
    found = fit(vectors)
    seconds = time.perf_counter() - started
    return {
        "faces": count,
        "seconds": round(seconds, 3),
        "peak_mib": round(memory_kib("VmHWM") / 1024),
        "scores": max(
            (scores(truth, labels) for labels in found), key=lambda each: each["bcubed_f"]
        ),
    }


def sklearn_average(vectors: Vectors) -> list[Labels]:
    from sklearn.cluster import AgglomerativeClustering
    from sklearn.metrics.pairwise import euclidean_distances

    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=0.13
    )
    return [model.fit_predict(euclidean_distances(vectors, squared=True))]


def hdbscan(vectors: Vectors) -> list[Labels]:
    from hdbscan import HDBSCAN

    model = HDBSCAN(min_cluster_size=2, min_samples=1)
    return [model.fit_predict(vectors.astype(np.float64))]


def fast_hdbscan(vectors: Vectors) -> list[Labels]:
    from fast_hdbscan import HDBSCAN

    return [HDBSCAN(min_cluster_size=2, min_samples=1).fit_predict(vectors)]


PEER_METHODS: dict[str, Callable[[Vectors], list[Labels]]] = {
    "scikit-learn average": sklearn_average,
    "hdbscan": hdbscan,
    "fast_hdbscan": fast_hdbscan,
}


def sparse_against_dense(vectors: Vectors, truth: Labels) -> Result:
    """Agreement with the linkage over all pairs, and the scores of both."""
    dense = average_linkage(vectors, STOP)
    result: Result = {"faces": len(vectors), "people": len(np.unique(truth))}
    result["dense"] = by_threshold(dense, truth)
    graph = exact_knn_graph(vectors, max(NEIGHBOUR_COUNTS))
    for k in NEIGHBOUR_COUNTS:
        nearest = KnnGraph(graph.rows[:, :k].copy(), graph.distances[:, :k].copy())
        sparse = graph_average_linkage(vectors, nearest, STOP)
        result[f"k = {k}"] = by_threshold(sparse, truth)
        for threshold in THRESHOLDS:
            both = (cut(each, len(vectors), threshold) for each in (dense, sparse))
            agreement = round(adjusted_rand_index(*both), 4)
            result[f"k = {k}"][str(threshold)]["ari_to_dense"] = agreement
    return result


def forget_peak() -> None:
    """Give freed memory back and forget the peak so far (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main()
