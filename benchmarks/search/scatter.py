"""Scatter search over four parts beside one exact index: equal answers, times, a part killed.

    python -m benchmarks.search.scatter [--count 1000000] [--parts 4] [--queries 1000] [--ray]

Made faces; each part is a process of this machine with its range, or a Ray actor with ``--ray``.
Answers to batches and single queries must be those of one index over all. Then one of the parts,
which has no replica, is killed: what a client sees, and after how long. Then it is rebuilt.
"""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record, versions
from benchmarks.distributed.local_cluster import local_cluster
from benchmarks.distributed.process_memory import memory_of
from facesearch.distributed.search.parts import PartIndex, ShardRange
from facesearch.distributed.search.replicas import PartReplica, ProcessReplica, RayReplica
from facesearch.distributed.search.scatter import ScatterSearch, SearchPart
from facesearch.search.partial import PartialSearchError
from indexer.index.flat import FlatIndex
from indexer.types import Block, Neighbours, Vectors, make_ids

K = 10
SINGLE = 100  # queries one by one


@dataclass(frozen=True)
class OpenMade:
    """Opens rows ``first`` to ``end`` of a made gallery, which any process can make."""

    count: int
    seed: int
    shards: ShardRange
    first: int
    end: int

    def blocks(self) -> list[Block]:
        """The faces, in as many shards as the part has."""
        made = MadeGallery(self.count, FaceModel.load(), self.seed)
        parts = []
        for block in made.blocks():
            kept = (block.ids >= self.first) & (block.ids < self.end)
            if kept.any():
                ids = make_ids(self.shards.first, block.ids[kept] - self.first)
                parts.append(Block(ids, block.vectors[kept]))
        return parts

    def __call__(self) -> PartIndex:
        return PartIndex(FlatIndex.build(self.blocks(), FaceModel.load().dimension))


def main() -> None:
    """Run and record; exits with an error unless answers are equal."""
    parser = TimingParser(__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ray", action="store_true", help="actors of a local Ray cluster")
    parser.add_argument("--record", default="scatter", help="name of the result")
    args = parser.parse_args()
    cuts = np.linspace(0, args.count, args.parts + 1).astype(int).tolist()
    opened = [
        OpenMade(args.count, args.seed, ShardRange(part, part + 1), first, end)
        for part, (first, end) in enumerate(pairwise(cuts))
    ]
    if args.ray:
        with local_cluster(args.parts) as (ray, _):
            made = lambda each: RayReplica(ray, each)  # noqa: E731
            result = measure(opened, made, args.queries)
    else:
        result = measure(opened, ProcessReplica, args.queries)
    settings = {"faces": args.count, "parts": args.parts, "k": K, "seed": args.seed}
    kind = {"replicas": "ray actors" if args.ray else "processes", "packages": versions(("ray",))}
    print(result)
    print(f"recorded in {record(args.record, {**settings, **kind, **result})}")


def measure(
    opened: list[OpenMade], made: Callable[[OpenMade], PartReplica], count: int
) -> dict[str, Any]:
    """Equality and times of one index and of the parts, then those without one of them."""
    first = opened[0]
    queries = MadeGallery(first.count, FaceModel.load(), first.seed).probes(count).vectors
    result: dict[str, Any] = {}
    expected, result["one_index"] = by_one_index(opened, queries)
    result["one_index"]["peak_mib"] = round(memory_of()["VmHWM"] / 1024)
    replicas = {each.shards: made(each) for each in opened}
    search = ScatterSearch(
        [SearchPart(shards, (each,)) for shards, each in replicas.items()], seconds=60
    )
    require_equal(search.search(queries, K), expected)
    for row in range(SINGLE):
        one = Neighbours(expected.ids[row : row + 1], expected.distances[row : row + 1])
        require_equal(search.search(queries[row : row + 1], K), one)
    result["scattered"] = times(lambda q: search.search(q, K), queries)
    peaks = [memory_of(each.pid)["VmHWM"] for each in replicas.values()]  # type: ignore[attr-defined]
    result["scattered"]["largest_part_peak_mib"] = round(max(peaks) / 1024)
    lost = opened[-1]
    os.kill(replicas[lost.shards].pid, signal.SIGKILL)  # type: ignore[attr-defined]
    began = time.monotonic()
    partial = search.search_parts(queries, K)
    result["one_part_killed"] = {
        "first_answer_seconds": round(time.monotonic() - began, 4),
        "message": message_of(search, queries[:1]),
        "missing": [str(each) for each in partial.missing],
        "recall_of_partial": recall(partial.neighbours, expected),
        **times(lambda q: search.search_parts(q, K), queries),
    }
    began = time.monotonic()
    by_range = {each.shards: each for each in opened}
    search.rebuild([each.shards for each in opened], lambda shards: made(by_range[shards]))
    result["rebuild_seconds"] = round(time.monotonic() - began, 1)
    result["complete_after_rebuild"] = search.search_parts(queries[:1], K).complete
    search.close()
    return result


def require_equal(found: Neighbours, expected: Neighbours) -> None:
    """End where answers are not the same, to the last bit of their distances."""
    same = np.array_equal(found.ids, expected.ids)
    if not same or not np.array_equal(found.distances, expected.distances):
        raise SystemExit("the answers of the parts are not those of one index")


def recall(found: Neighbours, expected: Neighbours) -> float:
    """The share of each query's nearest that were found for it."""
    return float((expected.ids[:, :, None] == found.ids[:, None, :]).any(axis=2).mean())


def message_of(search: ScatterSearch, queries: Vectors) -> str:
    """What who needs a whole answer is told, "" where there is one."""
    try:
        search.search(queries, K)
    except PartialSearchError as error:
        return str(error)
    return ""


def by_one_index(opened: list[OpenMade], queries: Vectors) -> tuple[Neighbours, dict[str, float]]:
    """The answers and times of one index of all parts."""
    blocks = (block for each in opened for block in each.blocks())
    index = FlatIndex.build(blocks, queries.shape[1])
    return index.search(queries, K), times(lambda asked: index.search(asked, K), queries)


def times(ask: Callable[[Vectors], Any], queries: Vectors) -> dict[str, float]:
    """Queries a second in one batch, best of three, and the median of single ones."""
    batch = []
    for _ in range(3):
        began = time.monotonic()
        ask(queries)
        batch.append(time.monotonic() - began)
    single = []
    for row in range(min(SINGLE, len(queries))):
        began = time.monotonic()
        ask(queries[row : row + 1])
        single.append(time.monotonic() - began)
    return {
        "queries_per_second": round(len(queries) / min(batch), 1),
        "single_ms": round(1e3 * statistics.median(single), 3),
        "single_p99_ms": round(1e3 * sorted(single)[int(0.99 * (len(single) - 1))], 3),
    }


if __name__ == "__main__":
    main()
