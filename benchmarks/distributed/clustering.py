"""Average linkage in partitions beside that of one machine: F, time, rounds and memory.

    python -m benchmarks.distributed.clustering [--count 1000000] [--partitions 4] [--here]

Made faces in a random order, one graph of neighbours for both. Partitions are the work of tasks of
a local Ray cluster, or of this process with ``--here``. ``memory`` is the greatest that a process
took, sampled: of one machine this process, with vectors and graph; of partitions the workers.
``largest_bytes`` is the largest partition between two steps. F is that of pairs and of B-cubed, of
all faces; the difference is to be less than 0.5 points.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record, versions
from benchmarks.distributed.local_cluster import local_cluster
from benchmarks.distributed.process_memory import memory_watch, workers_here
from cluster.constraints import Constraints
from cluster.graph.approximate_knn import NEIGHBOURS, approximate_knn_graph
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.average_linkage import Linkage, cut
from cluster.linkage.graph_average_linkage import graph_average_linkage
from cluster.metrics import bcubed_scores, pairwise_scores
from cluster.partitioned.linkage import graph_slices, partitioned_linkage
from cluster.partitioned.runner import LocalRunner, PartitionRunner
from facesearch.distributed.clustering.ray_runner import RayRunner

THRESHOLD = 0.12
EPSILONS = (0.0, 0.1)
PHOTO_FACES = 3  # of strangers, in each made photo
_STORE_BYTES = 2**32  # of the cluster, so that nothing goes to the disk


def main() -> None:
    """Run and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--epsilons", type=float, nargs="+", default=list(EPSILONS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--here", action="store_true", help="without Ray, in this process")
    parser.add_argument("--cores", type=int, default=2, help="of the Ray cluster")
    parser.add_argument("--record", default="partitioned", help="name of the result")
    args = parser.parse_args()
    vectors, people = made_faces(args.count, args.seed)
    began = time.monotonic()
    graph = approximate_knn_graph(vectors, NEIGHBOURS)
    settings = {
        "faces": args.count,
        "partitions": args.partitions,
        "threshold": THRESHOLD,
        "seed": args.seed,
        "workers": "this process" if args.here else f"Ray tasks on {args.cores} cores",
        "graph_seconds": round(time.monotonic() - began, 1),
        "packages": versions(("ray",)),
    }
    if args.here:
        here = [os.getpid()]
        runs = compare((vectors, people), graph, args, LocalRunner(), lambda: here)
    else:
        with local_cluster(args.cores, _STORE_BYTES) as (ray, _):
            runs = compare((vectors, people), graph, args, RayRunner(ray), workers_here())
    print(runs)
    print(f"recorded in {record(args.record, {**settings, 'runs': runs})}")


def made_faces(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Faces in an order that tells nothing, and whose they are."""
    gallery = MadeGallery(count, FaceModel.load(), seed)
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    order = np.random.default_rng(seed).permutation(count)
    return np.ascontiguousarray(vectors[order]), gallery.people(order)


def compare(
    faces: tuple[NDArray[np.float32], NDArray[np.int64]],
    graph: KnnGraph,
    args: argparse.Namespace,
    runner: PartitionRunner,
    workers: Callable[[], list[int]],
) -> list[dict[str, Any]]:
    """One machine, then partitions for each epsilon, each with the same constraints."""
    vectors, people = faces
    constraints = Constraints(photos=np.arange(len(vectors)) // PHOTO_FACES)
    with memory_watch(lambda: [os.getpid()]) as peaks:
        began = time.monotonic()
        linkage = graph_average_linkage(vectors, graph, THRESHOLD, constraints)
        seconds = round(time.monotonic() - began, 1)
    one = {"kind": "one machine", "seconds": seconds, "memory": peaks.as_mib()}
    runs: list[dict[str, Any]] = [one | scores(people, linkage)]
    print(runs[-1], file=sys.stderr)
    most = -(-len(vectors) // args.partitions)
    slices = [
        runner.put(each)
        for each in graph_slices(vectors, graph.rows, graph.distances, args.partitions)
    ]
    for epsilon in args.epsilons:
        with memory_watch(workers) as peaks:
            began = time.monotonic()
            found = partitioned_linkage(
                slices,
                len(vectors),
                THRESHOLD,
                constraints,
                most=most,
                epsilon=epsilon,
                runner=runner,
            )
            seconds = round(time.monotonic() - began, 1)
        runs.append(
            {
                "kind": "partitions",
                "epsilon": epsilon,
                "seconds": seconds,
                "memory": peaks.as_mib(),
                "rounds": found.rounds,
                "largest_bytes": found.largest_bytes,
                **scores(people, found.linkage),
            }
        )
        print(runs[-1], file=sys.stderr)
    return runs


def scores(people: NDArray[np.int64], linkage: Linkage) -> dict[str, float]:
    """F of pairs and of B-cubed, in percent."""
    labels = cut(linkage, len(people), THRESHOLD)
    return {
        "pairwise_f_percent": round(100 * pairwise_scores(people, labels).f, 3),
        "bcubed_f_percent": round(100 * bcubed_scores(people, labels).f, 3),
    }


if __name__ == "__main__":
    main()
