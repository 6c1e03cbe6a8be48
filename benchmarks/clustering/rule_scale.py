"""The gallery's own rule on very many made faces: precision, time and memory.

    python -m benchmarks.clustering.rule_scale --counts 200000 1000000

Each count runs in a process of its own, whose peak memory is told; times are of the machine as busy
as it was.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from typing import Any

from benchmarks.common.idle import TimingParser
from benchmarks.common.mixed_galleries import made_faces
from benchmarks.common.record import record
from cluster.adaptive.clustering import adaptive_merges, graph_for
from cluster.metrics import bcubed_scores, pairwise_scores
from facesearch.encoders import encoder_spec

BEYOND = encoder_spec("dlib-resnet-v1").thresholds(True).cluster


def main() -> None:
    """Measure each count and record, or measure one and print."""
    parser = TimingParser(__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[200_000])
    parser.add_argument("--one", type=int)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(study(args.one)))
        return
    result = {}
    for count in args.counts:
        command = [sys.executable, "-m", "benchmarks.clustering.rule_scale", "--one", str(count)]
        command.append("--busy")  # by the count before
        result[f"{count:,}"] = json.loads(subprocess.check_output(command))
        print(count, result[f"{count:,}"], flush=True)
    record("cluster_rule_scale", {"beyond": BEYOND, "galleries": result})


def study(count: int) -> dict[str, Any]:
    """Scores, seconds and peak memory of one made gallery."""
    vectors, truth = made_faces(count)
    start = time.perf_counter()
    graph = graph_for(vectors)
    graph_made = time.perf_counter()
    found = adaptive_merges(vectors, BEYOND, graph=graph)
    merged = time.perf_counter()
    if found is None:
        raise SystemExit("no rule was learnt")
    groups = found.dendrogram.groups(0.0)
    pairwise = pairwise_scores(truth, groups)
    return {
        "pairwise_precision": round(pairwise.precision, 4),
        "pairwise_recall": round(pairwise.recall, 4),
        "pairwise_f": round(pairwise.f, 4),
        "bcubed_f": round(bcubed_scores(truth, groups).f, 4),
        "seconds_graph": round(graph_made - start, 1),
        "seconds_rule_and_merges": round(merged - graph_made, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
