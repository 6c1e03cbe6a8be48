"""Approximate search as galleries grow: from generated shards to answers, each step by itself.

    python -m benchmarks.search.scale --folder DIR --counts 100000 1000000 10000000
        [--recall 0.99] [--bytes-each B] [--queries 1000] [--keep] [--search]

Made faces (``benchmarks/common/made_galleries.py``) are written to shards (float16) in DIR. Then,
in processes of their own whose peak memory is measured, the nearest face of 2,000 probes is
searched for exactly over the shards, the index is built as ``facesearch build`` builds it (goal:
``--recall`` within ``--bytes-each`` times the number of faces), and half of the probes are searched
for one by one, the other half together. ``recall_at_1`` is the share of probes whose nearest vector
is found first; ``rank_1`` the share whose first is of the right person, beside that of exact
search. ``search`` is as the product does it, the nearest by codes ranked by their vectors in the
index file; ``codes`` is by codes alone, which touches nothing that is not in memory. Single probes
were never searched for before, so their vectors come from the disk unless the system happens to
hold that page. The memory of a process counts pages of the index file that it maps, though the
system may drop these. A run replaces its own count in the result, and the result of another machine
whole. Shards and index are deleted afterwards unless ``--keep`` is given; ``--search`` searches
what was kept again, and leaves the other figures as they were recorded.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clustering.quality import memory_kib
from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import kept_runs, record
from indexer import build
from indexer.build import CoveredShards, build_index, open_index
from indexer.exact.int8_search import search_blocks
from indexer.ivf.index import IvfSqIndex
from indexer.ivf.recipes import RecipeGoal
from indexer.storage.shards import (
    Shard,
    ShardContent,
    digest_path,
    list_shards,
    shard_path,
    write_shard,
)
from indexer.types import Block, Ids, Vectors, split_ids

SHARD_ROWS = 1_000_000
PROBES = 2000  # every other one is searched for alone
NEIGHBOURS = 10
BATCHES = 3

Result = dict[str, Any]


def main() -> None:
    """Run every count and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--counts", type=int, nargs="+", required=True)
    parser.add_argument("--recall", type=float, default=0.99)
    parser.add_argument("--bytes-each", type=float, default=128)
    parser.add_argument("--queries", type=int, default=build.QUERIES, help="to tune by")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--search", action="store_true", help="only, in what was kept")
    args = parser.parse_args()
    for count in args.counts:
        folder = args.folder / str(count)
        if args.search:
            run: Result = kept_runs("scale")[str(count)]
        else:
            run = {"faces": count, "goal_recall": args.recall, "goal_bytes_each": args.bytes_each}
            run["shards"] = apart(write_shards, folder, count)
            run["exact"] = apart(search_exactly, folder, count)
            run["build"] = apart(
                build_shards, folder, count, args.recall, args.bytes_each, args.queries
            )
        run["codes"] = apart(search_index, folder, count, False)
        run["search"] = apart(search_index, folder, count, True)
        print(json.dumps(run, indent=2))
        runs = kept_runs("scale")
        runs[str(count)] = run
        ordered = dict(sorted(runs.items(), key=lambda item: int(item[0])))
        record("scale", {"seed": 0, "runs": ordered, "exponents": exponents(ordered)})
        if not args.keep:
            shutil.rmtree(folder)


def apart(work: Callable[..., Result], *given: Any) -> Result:
    """What ``work`` returns, run in a process of its own, with that one's peak memory."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (work, given))


def _measured(work: Callable[..., Result], given: tuple[Any, ...]) -> Result:
    started = time.perf_counter()
    result = work(*given)
    return {
        **result,
        "process_seconds": round(time.perf_counter() - started, 2),
        "peak_mib": round(memory_kib("VmHWM") / 1024),
    }


def gallery(count: int) -> MadeGallery:
    return MadeGallery(count, FaceModel.load())


def write_shards(folder: Path, count: int) -> Result:
    """Shards that are not there yet; a run that was stopped and kept them goes on with them."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(list_shards(folder)) == -(-count // SHARD_ROWS):
        return _size_of(folder)

    def write(task: tuple[int, Vectors]) -> None:
        path = shard_path(folder, task[0])
        if not path.exists():
            digest_path(path).unlink(missing_ok=True)
            write_shard(path, ShardContent(task[0], task[1], {}, {}))

    with ThreadPoolExecutor(1) as pool:  # one is written while the next is made
        waiting = None
        for number, block in enumerate(gallery(count).blocks(SHARD_ROWS)):
            if waiting is not None:
                waiting.result()
            waiting = pool.submit(write, (number, block.vectors))
    return _size_of(folder)


def _size_of(folder: Path) -> Result:
    size = sum(path.stat().st_size for path in list_shards(folder))
    return {"gib": round(size / 2**30, 3)}


def shard_blocks(folder: Path) -> Iterator[Block]:
    for path in list_shards(folder):
        with Shard.open(path) as shard:
            yield from shard.blocks()


def number_of(ids: Ids) -> Ids:
    """The number in the made gallery of each face id; -1 stays."""
    shard, row = split_ids(np.maximum(ids, 0))
    return np.where(ids < 0, -1, shard * SHARD_ROWS + row)


def search_exactly(folder: Path, count: int) -> Result:
    """The nearest of every probe, kept in a file for the other processes."""
    made = gallery(count)
    probes = made.probes(PROBES)
    started = time.perf_counter()
    found = search_blocks(_large(shard_blocks(folder)), probes.vectors, 1)
    seconds = time.perf_counter() - started
    nearest = number_of(found.ids[:, 0])
    np.save(folder / "nearest.npy", nearest)
    right = made.people(nearest) == probes.people
    return {"seconds": round(seconds, 2), "rank_1": float(right.mean()), "probes": PROBES}


def _large(blocks: Iterator[Block]) -> Iterator[Block]:
    """Blocks joined to shards, for codes are made of each."""
    held: list[Block] = []
    for block in blocks:
        held.append(block)
        if sum(map(len, held)) >= SHARD_ROWS // 2:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(blocks: list[Block]) -> Block:
    return Block(
        np.concatenate([block.ids for block in blocks]),
        np.concatenate([block.vectors for block in blocks]),
    )


def build_shards(
    folder: Path, count: int, recall: float, bytes_each: float, queries: int
) -> Result:
    """Build the index, with the seconds of each stage."""
    build.QUERIES = queries
    stages: dict[str, float] = {}
    started = time.perf_counter()

    def progress(stage: str, done: int) -> None:
        if stage not in stages:
            print(f"{stage}: {time.perf_counter() - started:.0f} s", flush=True)
        stages[stage] = round(time.perf_counter() - started, 2)

    covers = CoveredShards(count, gallery(count).dimension, {}, "")
    description = build_index(
        folder / "index",
        lambda: shard_blocks(folder),
        covers,
        RecipeGoal(recall, bytes_each * count),
        progress=progress,
    )
    return {
        "seconds": round(time.perf_counter() - started, 2),
        "done_after_seconds": stages,
        "recipe": description.recipe,
        "parameters": dict(description.parameters),
        "measured": dict(description.measured),
        "index_gib": round((folder / "index" / description.file_name).stat().st_size / 2**30, 3),
    }


def search_index(folder: Path, count: int, rerank: bool) -> Result:
    """Recall, rank-1 and speed of the saved index."""
    started = time.perf_counter()
    index = open_index(folder / "index", {})
    opened = time.perf_counter() - started
    if isinstance(index, IvfSqIndex):
        index.rerank = rerank
    made = gallery(count)
    probes, nearest = made.probes(PROBES), np.load(folder / "nearest.npy")
    together, alone = np.ascontiguousarray(probes.vectors[::2]), probes.vectors[1::2]
    batches, singles = [], []
    ids = np.zeros(PROBES, np.int64)
    for _ in range(1 + BATCHES):  # the first brings the index into memory
        started = time.perf_counter()
        ids[::2] = index.search(together, NEIGHBOURS).ids[:, 0]
        batches.append(time.perf_counter() - started)
    for number, query in enumerate(alone):
        started = time.perf_counter()
        ids[2 * number + 1] = index.search(query[None], NEIGHBOURS).ids[0, 0]
        singles.append(time.perf_counter() - started)
    first = number_of(ids)
    return {
        "open_seconds": round(opened, 2),
        "queries_per_second": len(together) / float(np.median(batches[1:])),
        "batch_seconds": batches,
        "single_p50_ms": 1e3 * float(np.percentile(singles, 50)),
        "single_p99_ms": 1e3 * float(np.percentile(singles, 99)),
        "recall_at_1": float((first == nearest).mean()),
        "rank_1": float((made.people(first) == probes.people).mean()),
    }


def exponents(runs: dict[str, Result]) -> dict[str, float]:
    """Slopes of log seconds over log faces, by least squares, where there are two runs or more.

    Of runs with one goal, that of the smallest count.
    """
    goals = [(run["goal_recall"], run["goal_bytes_each"]) for run in runs.values()]
    alike = [run for run, goal in zip(runs.values(), goals, strict=True) if goal == goals[0]]
    if len(alike) < 2:
        return {}
    sizes = np.log([run["faces"] for run in alike])
    seconds = {
        "build": [run["build"]["seconds"] for run in alike],
        "one query": [run["search"]["single_p50_ms"] for run in alike],
        "a query of 1,000": [1 / run["search"]["queries_per_second"] for run in alike],
        "exact search": [run["exact"]["seconds"] for run in alike],
    }
    return {
        name: round(float(np.polyfit(sizes, np.log(each), 1)[0]), 3)
        for name, each in seconds.items()
    }


if __name__ == "__main__":
    main()
