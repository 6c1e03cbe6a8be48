"""Clusters by the gallery's own rule, beside the threshold by size, the best threshold, and peers.

    python -m benchmarks.clustering.rules --lfw LFW.npz --album ALBUM.npz --many MANY.npz
        [--name RESULT] [--beyond D] [--made N ...] [--peers N] [--rule-only]

Files hold ``vectors`` and ``names`` (``benchmarks/common/labelled_vectors.py``), of one encoder;
``--beyond`` is its threshold for albums. The best threshold is that of average linkage with the
greatest sum of pairwise and BCubed F on the very gallery: no method has it, for it needs the truth.
Peers run at their defaults or at the encoder's threshold, on galleries of up to ``--peers`` faces.
The rule's constants were chosen on other people and on parts of LFW (docs/accuracy.md).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clustering.quality import Labels, load
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.idle import TimingParser
from benchmarks.common.markdown import result as recorded
from benchmarks.common.mixed_galleries import Labelled, Vectors, made_faces, real_galleries
from benchmarks.common.record import record, versions
from cluster.adaptive.clustering import adaptive_merges, graph_for
from cluster.linkage.average_linkage import average_linkage, cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.encoders import encoder_spec

GRID = np.linspace(0.6, 1.5, 37)  # of the encoder's threshold
MOST_DENSE = 14_000
WHISPERS_RADIUS = 0.5  # of the field's usual script, for descriptors that are not of unit length


def main() -> None:
    """Measure each gallery and record."""
    parser = TimingParser(__doc__)
    for name in ("lfw", "album", "many"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--name", default="cluster_rules")
    parser.add_argument("--beyond", type=float, default=None)
    parser.add_argument("--made", type=int, nargs="*", default=[])
    parser.add_argument("--peers", type=int, default=7000)
    parser.add_argument("--note", default="", help="what the vectors are; kept in the result")
    parser.add_argument(
        "--rule-only",
        action="store_true",
        help="measure the rule, and keep what the result has of all else",
    )
    args = parser.parse_args()
    kept = recorded(args.name)["galleries"] if args.rule_only else {}
    beyond = args.beyond or encoder_spec("dlib-resnet-v1").thresholds(True).cluster
    result = {}
    for name, faces in galleries(args):
        if name in kept:
            result[name] = {**kept[name], **rule_scores(faces, beyond)}
        else:
            result[name] = study(faces, beyond, args.peers)
        print(name, json.dumps(result[name]), flush=True)
    packages = versions(("hdbscan", "scikit-learn", "dlib-bin"))
    about = {"note": args.note, "beyond": beyond, "peers": packages}
    record(args.name, {**about, "galleries": result})


def galleries(args: argparse.Namespace) -> Iterator[tuple[str, Labelled]]:
    """Real ones, then made ones."""
    yield from real_galleries(*(load(path) for path in (args.lfw, args.album, args.many)))
    for count in args.made:
        yield f"made, {count:,}", made_faces(count)


def study(faces: Labelled, beyond: float, most_for_peers: int) -> dict[str, Any]:
    """Scores of each method on one gallery."""
    vectors, truth = faces
    sizes = np.bincount(truth)
    result: dict[str, Any] = {
        "faces": len(truth),
        "people": len(sizes),
        "people_with_two": int((sizes > 1).sum()),
    }
    result |= rule_scores(faces, beyond)
    by_size = gallery_threshold(vectors, beyond) or beyond
    grid = [round(float(each * beyond), 4) for each in GRID]
    groups = at_thresholds(vectors, [*grid, by_size])
    result["threshold_by_size"] = {**scores(truth, groups[by_size]), "threshold": by_size}
    each = {threshold: scores(truth, groups[threshold]) for threshold in grid}
    best = max(grid, key=lambda at: each[at]["pairwise_f"] + each[at]["bcubed_f"])
    result["best_threshold"] = {**each[best], "threshold": best}
    if len(truth) <= most_for_peers:
        result["peers"] = {
            name: scores(truth, labels) for name, labels in peers(vectors, beyond).items()
        }
    return result


def rule_scores(faces: Labelled, beyond: float) -> dict[str, Any]:
    """Scores of the gallery's rule; empty where it tells none."""
    vectors, truth = faces
    start = time.perf_counter()
    found = adaptive_merges(vectors, beyond)
    if found is None:
        return {}
    rule = scores(truth, found.dendrogram.groups(0.0))
    rule["seconds"] = round(time.perf_counter() - start, 2)
    pairs = {"two faces": (1, 1), "face and 40": (1, 40), "40 and 40": (40, 40)}
    rule["distances"] = {name: round(found.rule.distance(*pair), 4) for name, pair in pairs.items()}
    return {"rule": rule}


def at_thresholds(vectors: Vectors, thresholds: list[float]) -> dict[float, NDArray[np.int32]]:
    """Groups by average linkage cut at each threshold."""
    stop = max(thresholds)
    if len(vectors) <= MOST_DENSE:
        linkage = average_linkage(vectors, stop)
    else:
        linkage = graph_average_linkage(vectors, graph_for(vectors), stop)
    return {each: cut(linkage, len(vectors), each) for each in thresholds}


def peers(vectors: Vectors, beyond: float) -> dict[str, Labels]:
    """Labels by the field's usual methods, as they come."""
    import dlib
    from hdbscan import HDBSCAN
    from sklearn.cluster import AgglomerativeClustering

    points = vectors.astype(np.float64)
    squared = np.maximum(2 - 2 * (vectors @ vectors.T), 0)
    average = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=beyond
    )
    whispers = [dlib.vector(each) for each in points]
    return {
        "hdbscan, its defaults": HDBSCAN(core_dist_n_jobs=1).fit(points).labels_,
        "hdbscan, min_cluster_size=2": HDBSCAN(core_dist_n_jobs=1, min_cluster_size=2)
        .fit(points)
        .labels_,
        "scikit-learn average linkage, encoder's threshold": average.fit(squared).labels_,
        "Chinese whispers, encoder's threshold": np.array(
            dlib.chinese_whispers_clustering(whispers, float(np.sqrt(beyond)))
        ),
    }


def scores(truth: Labels, labels: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """Pairwise and BCubed F, precision, and how many groups of two or more."""
    pairwise, bcubed = pairwise_scores(truth, labels), bcubed_scores(truth, labels)
    return {
        "pairwise_f": round(pairwise.f, 4),
        "bcubed_f": round(bcubed.f, 4),
        "pairwise_precision": round(pairwise.precision, 4),
        "groups_of_two": int((np.bincount(labels[labels >= 0]) > 1).sum()),
    }


if __name__ == "__main__":
    main()
