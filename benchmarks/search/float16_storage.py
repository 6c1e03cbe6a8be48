"""What storing vectors as float16 costs: distances moved, neighbours exchanged, bytes saved.

    python -m benchmarks.search.float16_storage [--shards FOLDER] [--queries 1000] [--seed 0]

Without ``--shards`` (a folder of shards that hold float32) on synthetic unit vectors in bunches.
The gallery is stored both ways; queries stay float32, as a probe's vector is. Recall at k is the
share of the float32 gallery's k nearest that the float16 gallery also gives.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from benchmarks.common.vectors import bunches
from indexer.errors import ShardError
from indexer.exact.brute_force import exact_search
from indexer.storage.shards import (
    Shard,
    ShardContent,
    VectorType,
    list_shards,
    shard_path,
    write_shard,
)
from indexer.types import Block, Neighbours, Vectors


def main() -> None:
    """Measure what float16 storage costs and record it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.shards:
        results = {"faces": measure(float32_vectors(args.shards), args.queries, args.seed)}
    else:
        results = {
            f"synthetic, {dimension} dimensions": measure(
                bunches(args.count, dimension, args.seed), args.queries, args.seed
            )
            for dimension in (128, 512)
        }
    print(results)
    name = "float16_faces" if args.shards else "float16"
    print(f"recorded in {record(name, {'seed': args.seed, **results})}")


def float32_vectors(folder: Path) -> Vectors:
    """All vectors of a folder of shards."""
    parts = []
    for path in list_shards(folder):
        with Shard.open(path) as shard:
            if shard.dtype != "float32":
                raise ShardError(f"{path} holds {shard.dtype}; index with --vectors float32")
            parts.append(shard.vectors())
    return np.concatenate(parts)


def measure(vectors: Vectors, queries: int, seed: int) -> dict[str, Any]:
    """Compare a gallery stored as float16 with the same as float32."""
    picked = np.random.default_rng(seed).permutation(len(vectors))
    probes, gallery = vectors[picked[:queries]], vectors[picked[queries:]]
    with tempfile.TemporaryDirectory() as scratch:
        exact, exact_bytes = stored(Path(scratch) / "float32", gallery, "float32")
        rounded, rounded_bytes = stored(Path(scratch) / "float16", gallery, "float16")
    ids = np.arange(len(gallery))
    truth = exact_search([Block(ids, exact)], probes, 10)
    found = exact_search([Block(ids, rounded)], probes, 10)
    moved = np.abs(distances(probes, exact, truth) - distances(probes, rounded, truth))
    lengths = np.linalg.norm(rounded.astype(np.float64), axis=1)
    return {
        "gallery": len(gallery),
        "queries": len(probes),
        "dimension": vectors.shape[1],
        "distance_moved_max": float(moved.max()),
        "distance_moved_mean": float(moved.mean()),
        "length_error_max": float(np.abs(lengths - 1).max()),
        "recall_at_1": recall(truth, found, 1),
        "recall_at_10": recall(truth, found, 10),
        "median_distance_of_10th": float(np.median(truth.distances[:, 9])),
        "bytes_per_face": {
            "float32": exact_bytes / len(gallery),
            "float16": rounded_bytes / len(gallery),
        },
    }


def stored(folder: Path, vectors: Vectors, dtype: VectorType) -> tuple[Vectors, int]:
    """``vectors`` as a shard gives them back, and the size of its file."""
    folder.mkdir()
    path = shard_path(folder, 0)
    write_shard(path, ShardContent(0, vectors, {}, {}), dtype)
    with Shard.open(path) as shard:
        return shard.vectors(), path.stat().st_size


def distances(probes: Vectors, gallery: Vectors, pairs: Neighbours) -> NDArray[np.float64]:
    """Squared distances of the given pairs, float64 (q, k)."""
    difference = probes[:, None].astype(np.float64) - gallery[pairs.ids]
    squared: NDArray[np.float64] = np.square(difference).sum(axis=2)
    return squared


def recall(truth: Neighbours, found: Neighbours, k: int) -> float:
    """The share of the true ``k`` nearest among the ``k`` found."""
    pairs = zip(truth.ids[:, :k], found.ids[:, :k], strict=True)
    return float(np.mean([np.isin(row, other).mean() for row, other in pairs]))


if __name__ == "__main__":
    main()
