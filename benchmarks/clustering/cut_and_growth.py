"""Another threshold as a cut, and new faces in a large gallery: what they cost.

    python -m benchmarks.clustering.cut_and_growth [--faces N] [--clustered N --new N] [--record
    NAME]

Made faces as in ``benchmarks/clustering/scale.py``, faces of one photo kept apart. Merging is timed
up to the threshold that the gallery gives, up to the encoder's, up to 1.25 times it, and to the
end, and so is a cut with its confidence. Then ``--new`` faces join ``--clustered`` ones, whose
groups are the people with some faces in none, as a strict threshold leaves them. Seconds are of the
clock and of the processor, of all threads: where other work shares the machine the second counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.clustering.scale import STOP, made_faces, made_photos
from benchmarks.clustering.size_threshold import gallery_threshold
from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from cluster.agglomerative import MOST_APART, clusters_at, merged
from cluster.constraints import Constraints, resolve
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.incremental import grow_clusters
from cluster.types import NOISE, Clustering
from facesearch.clustering.options import LOOSER
from indexer.runtime.cores import available_cores

ALONE = 0.3  # share of clustered faces that are a group of their own
SEED = 0

Result = dict[str, Any]


def main() -> None:
    """Measure and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--clustered", type=int, default=1_000_000)
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--record", default="reach", help="name of the result")
    args = parser.parse_args()
    reaches(600)  # compiles
    growth(600, 600)
    result: Result = {"cores": available_cores()}
    if args.faces:
        result["reaches"] = reaches(args.faces)
        print(json.dumps(result, indent=2), flush=True)
    if args.clustered:
        result["growth"] = growth(args.clustered, args.new)
    print(json.dumps(result, indent=2))
    print(f"recorded in {record(args.record, result)}")


def timed(call: Callable[[], Any]) -> tuple[Any, Result]:
    """What ``call`` returns, and seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    made = call()
    seconds = time.perf_counter() - clock, time.process_time() - processor
    return made, {"seconds": round(seconds[0], 2), "processor_seconds": round(seconds[1], 2)}


def reaches(count: int) -> Result:
    """Merging so far, and a cut at the gallery's threshold."""
    vectors, truth = made_faces(count)
    resolved = resolve(Constraints(made_photos(truth)), count)
    threshold = gallery_threshold(vectors, STOP) or STOP
    graph, graph_time = timed(lambda: approximate_knn_graph(vectors, NEIGHBOURS))
    result: Result = {"faces": count, "threshold": threshold, "graph": graph_time, "merging": []}
    for reach in (threshold, STOP, LOOSER * STOP, MOST_APART):
        merges, spent = timed(
            lambda reach=reach: merged(vectors, reach, constraints=resolved, graph=graph)
        )
        result["merging"].append({"reach": reach, "merges": len(merges.heights), **spent})
    _, result["cut"] = timed(lambda: clusters_at(np.arange(count), vectors, merges, threshold))
    kept = (merges.pairs, merges.heights, merges.neighbours)
    result["bytes_kept"] = sum(array.nbytes for array in kept)
    return result


def growth(clustered: int, new: int) -> Result:
    """New faces that join those there are."""
    vectors, groups = made_faces(clustered + new)
    alone = np.random.default_rng(SEED).random(len(groups)) < ALONE
    groups = np.where(alone, groups.max() + 1 + np.arange(len(groups)), groups)
    labels = np.full(len(groups), NOISE, np.int32)
    labels[:clustered] = np.unique(groups[:clustered], return_inverse=True)[1]
    before = Clustering(np.arange(len(groups)), labels, np.zeros(len(groups), np.float32))
    after, spent = timed(lambda: grow_clusters(before, vectors, STOP))
    groups_before, groups_after = before.count, after.count
    return {
        "clustered": clustered,
        "new": new,
        "groups_before": groups_before,
        "groups_after": groups_after,
        **spent,
    }


if __name__ == "__main__":
    main()
