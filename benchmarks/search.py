"""Exact search two ways: FAISS's flat index, and block by block over sealed shards.

    python -m benchmarks.search [--count 200000] [--queries 1000] [--k 10] [--repeats 5] [--seed 0]

Synthetic unit vectors in bunches, as faces are; queries are further members of the bunches. Both
answers must be equal to the last bit; queries a second are those of whole batches, and of one
query at a time. FAISS's own search is timed next to them: it gives neither ties by id nor
distances that are accurate near zero.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import record
from benchmarks.vectors import bunches
from indexer.exact import exact_search
from indexer.index import FlatIndex, import_faiss
from indexer.shards import Shard, ShardContent, list_shards, shard_path, write_shard
from indexer.types import Block, Vectors

SHARD_ROWS = 50_000


def main() -> None:
    """Compare answers, time every way and record the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    vectors = bunches(args.count + args.queries, args.dimension, args.seed)
    gallery, queries = vectors[: args.count], vectors[args.count :]
    with tempfile.TemporaryDirectory() as scratch:
        write_gallery(Path(scratch), gallery)
        result = compare(Path(scratch), queries, args.k, args.repeats)
    print(result)
    print(f"recorded in {record('search', {**vars(args), **result})}")


def write_gallery(folder: Path, vectors: Vectors) -> None:
    """Seal ``vectors`` as shards of float32."""
    for number, start in enumerate(range(0, len(vectors), SHARD_ROWS)):
        content = ShardContent(number, vectors[start : start + SHARD_ROWS], {}, {})
        write_shard(shard_path(folder, number), content, "float32")


def read_blocks(folder: Path) -> Iterator[Block]:
    """All blocks of all shards of a folder."""
    for path in list_shards(folder):
        with Shard.open(path) as shard:
            yield from shard.blocks()


def compare(folder: Path, queries: Vectors, k: int, repeats: int) -> dict[str, Any]:
    """Time every way, and compare the answers."""
    started = time.perf_counter()
    index = FlatIndex.build(read_blocks(folder), queries.shape[1])
    build_seconds = time.perf_counter() - started
    plain = import_faiss().IndexFlatL2(queries.shape[1])
    for block in read_blocks(folder):
        plain.add(block.vectors)
    flat, exact = index.search(queries, k), exact_search(read_blocks(folder), queries, k)
    single = queries[: min(100, len(queries))]
    return {
        "equal_ids": bool(np.array_equal(flat.ids, exact.ids)),
        "equal_distances": bool(np.array_equal(flat.distances, exact.distances)),
        "build_seconds": build_seconds,
        "ways": timed(
            {
                "flat index, batch": (lambda: index.search(queries, k), len(queries)),
                "faiss alone, batch": (lambda: plain.search(queries, k), len(queries)),
                "blocks of shards, batch": (
                    lambda: exact_search(read_blocks(folder), queries, k),
                    len(queries),
                ),
                "flat index, one at a time": (
                    lambda: [index.search(query[None], k) for query in single],
                    len(single),
                ),
                "faiss alone, one at a time": (
                    lambda: [plain.search(query[None], k) for query in single],
                    len(single),
                ),
            },
            repeats,
        ),
    }


def timed(ways: dict[str, tuple[Callable[[], object], int]], repeats: int) -> dict[str, Any]:
    """Seconds of every repeat, and queries a second in the median one, of each way.

    ``ways`` give a search and how many queries it answers. They take turns, so that whatever else
    the machine does meets all of them; one round to warm up is not counted.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, (search, _) in ways.items():
            started = time.perf_counter()
            search()
            seconds[name].append(time.perf_counter() - started)
    return {
        name: {
            "queries_per_second": queries / statistics.median(seconds[name][1:]),
            "seconds": seconds[name][1:],
        }
        for name, (_, queries) in ways.items()
    }


if __name__ == "__main__":
    main()
