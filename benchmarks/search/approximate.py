"""Approximate indices of a million made faces: recall, speed and memory beside other libraries'.

    python -m benchmarks.search.approximate [--count 1000000] [--repeats 3] [--ways NAME ...]

Faces are those of ``benchmarks/common/made_galleries.py``; queries are 1,000 further faces of
people who are in the gallery. ``recall_at_1`` is the share of queries whose nearest vector (by
exact search) is found first, ``rank_1`` the share for which a face of the right person is. Each way
is swept over the setting that trades recall for speed, and its own default is marked; speeds are of
batches of 1,000 and of one query after another, medians of the repeats. Bytes a face are those of
the index file where the library has one, else what it says it takes. Peers hold what they hold by
default: float32 vectors, except usearch, which is measured with float32, bf16 and int8, and
rabitqlib, with codes of three widths. Peers that are not installed are left out, and named in the
result. FAISS Flat runs under the settings of threads and BLAS
that are fastest here (``benchmarks.search.faiss_process``).

A run replaces the ways that it measured in the result, and the result of another machine whole.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import kept_runs, record, versions
from benchmarks.search.faiss_process import flat_index
from indexer.exact.int8_search import CertifiedSearch
from indexer.ivf.build import build_ivf, learn
from indexer.ivf.index import IvfRecipe, IvfSqIndex
from indexer.ivf.kmeans import SAMPLE_EACH
from indexer.ivf.recipes import cell_count
from indexer.runtime.cores import available_cores
from indexer.types import Block, Vectors

NEIGHBOURS = 10
QUERIES = 1000
SINGLES = 200
SHARES = (1 / 64, 1 / 32, 1 / 16, 1 / 12, 1 / 8, 3 / 16, 1 / 4)  # of the cells
RABITQ_HNSW_CLUSTERS = 16  # as its documentation has it
EFFORTS = (10, 32, 64, 96, 128, 192, 256, 384, 512, 768)

Ids = NDArray[np.int64]
Search = Callable[[Vectors], Ids]


@dataclass(frozen=True)
class SearchMethod:
    """A built index: what its bytes are, and a search for each of its settings."""

    bytes_each: float
    settings: Iterator[tuple[str, Search]]


@dataclass(frozen=True)
class BenchmarkFaces:
    """A gallery in memory, 1,000 probes, who they are, and the exact nearest of each, (q,)."""

    vectors: Vectors
    people: Ids
    probes: Vectors
    probed: Ids
    nearest: Ids

    @classmethod
    def made(cls, count: int) -> BenchmarkFaces:
        gallery = MadeGallery(count, FaceModel.load())
        vectors = np.concatenate([block.vectors for block in gallery.blocks()])
        probes = gallery.probes(QUERIES)
        ids = np.arange(count)
        nearest = CertifiedSearch(ids, vectors).search(probes.vectors, 1).ids[:, 0]
        return cls(vectors, gallery.people(ids), probes.vectors, probes.people, nearest)


def main() -> None:
    """Measure and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    args = parser.parse_args()
    faiss.omp_set_num_threads(available_cores())
    faces = BenchmarkFaces.made(args.count)
    runs = kept_runs("presets")
    run = runs.setdefault(str(args.count), {"ways": {}, "build_seconds": {}})
    run["exact_rank_1"] = float((faces.people[faces.nearest] == faces.probed).mean())
    run["repeats"], run["neighbours"], run["queries"] = args.repeats, NEIGHBOURS, QUERIES
    run["peer_versions"] = versions(("faiss-cpu", "hnswlib", "usearch", "rabitqlib", "numba"))
    run["not_installed"] = not_installed(args.ways)
    for name in (way for way in args.ways if way not in run["not_installed"]):
        started = time.perf_counter()
        with WAYS[name](faces.vectors) as way:
            run["build_seconds"][name] = time.perf_counter() - started
            run["ways"][name] = measured = [
                {"setting": setting, "bytes_each": way.bytes_each}
                | measure(search, faces, args.repeats)
                for setting, search in way.settings
            ]
        for each in measured:
            print(name, json.dumps({key: each[key] for key in each if key != "seconds"}))
        record("presets", {"seed": 0, "runs": runs})


def measure(search: Search, faces: BenchmarkFaces, repeats: int) -> dict[str, Any]:
    """Recall, rank-1 and speed of one setting."""
    found = search(faces.probes)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        search(faces.probes)
        seconds.append(time.perf_counter() - started)
    singles = []
    for query in range(SINGLES):
        started = time.perf_counter()
        search(faces.probes[query : query + 1])
        singles.append(time.perf_counter() - started)
    first = np.maximum(found[:, 0], 0)
    return {
        "recall_at_1": float((found[:, 0] == faces.nearest).mean()),
        "recall_at_1_in_10": float((found == faces.nearest[:, None]).any(axis=1).mean()),
        "rank_1": float((faces.people[first] == faces.probed).mean()),
        "queries_per_second": QUERIES / statistics.median(seconds),
        "single_p50_ms": 1e3 * float(np.percentile(singles, 50)),
        "single_p99_ms": 1e3 * float(np.percentile(singles, 99)),
        "seconds": seconds,
    }


@contextmanager
def cells(
    vectors: Vectors, components: int, bits: int, *, rerank: bool = False
) -> Iterator[SearchMethod]:
    """Ours: by codes alone, or with the nearest ranked by their vectors, which stay in the file."""
    count = len(vectors)
    random = np.random.default_rng(0)
    recipe = IvfRecipe(cell_count(count), components, bits)
    chosen = np.sort(random.permutation(count)[: SAMPLE_EACH * recipe.cells])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        build_ivf(path, lambda: _blocks(vectors), learn(vectors[chosen], recipe, count))
        index = IvfSqIndex.open(path)
        index.rerank = rerank

        def settings() -> Iterator[tuple[str, Search]]:
            for share in SHARES:
                index.probes = max(1, round(share * recipe.cells))
                yield (
                    f"{index.probes} of {recipe.cells} cells",
                    lambda asked: index.search(asked, NEIGHBOURS).ids,
                )

        yield SearchMethod(index.bytes_each, settings())


def _blocks(vectors: Vectors, rows: int = 65_536) -> Iterator[Block]:
    for first in range(0, len(vectors), rows):
        part = vectors[first : first + rows]
        yield Block(np.arange(first, first + len(part)), part)


@contextmanager
def faiss_ivf(vectors: Vectors, codes: str) -> Iterator[SearchMethod]:
    """An inverted file, nprobe swept from its default of 1."""
    count = cell_count(len(vectors))
    index = faiss.index_factory(vectors.shape[1], codes.format(count=count))
    index.train(vectors[:: max(1, len(vectors) // (SAMPLE_EACH * count))])
    index.add(vectors)
    size = len(faiss.serialize_index(index)) / len(vectors)

    def settings() -> Iterator[tuple[str, Search]]:
        for probes in (1, *(max(2, round(share * count)) for share in SHARES)):
            faiss.extract_index_ivf(index).nprobe = probes
            default = " (default)" if probes == 1 else ""
            yield f"nprobe {probes}{default}", lambda asked: index.search(asked, NEIGHBOURS)[1]

    yield SearchMethod(size, settings())


@contextmanager
def faiss_hnsw(vectors: Vectors) -> Iterator[SearchMethod]:
    """HNSW32 with its default construction, efSearch swept from its default of 16."""
    index = faiss.IndexHNSWFlat(vectors.shape[1], 32)
    index.add(vectors)
    size = len(faiss.serialize_index(index)) / len(vectors)

    def settings() -> Iterator[tuple[str, Search]]:
        for effort in (16, *EFFORTS[1:]):
            index.hnsw.efSearch = effort
            default = " (default)" if effort == 16 else ""
            yield f"efSearch {effort}{default}", lambda asked: index.search(asked, NEIGHBOURS)[1]

    yield SearchMethod(size, settings())


@contextmanager
def hnswlib(vectors: Vectors) -> Iterator[SearchMethod]:
    """hnswlib with the M and ef_construction that its documentation gives; ef swept."""
    import hnswlib as library

    index = library.Index(space="l2", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=200, M=16)
    index.set_num_threads(available_cores())
    index.add_items(vectors)

    def settings() -> Iterator[tuple[str, Search]]:
        for effort in EFFORTS:
            index.set_ef(effort)
            yield (
                f"ef {effort}{' (default)' if effort == 10 else ''}",
                lambda asked: index.knn_query(asked, NEIGHBOURS)[0].astype(np.int64),
            )

    yield SearchMethod(index.index_file_size() / len(vectors), settings())


@contextmanager
def usearch(vectors: Vectors, dtype: str) -> Iterator[SearchMethod]:
    """usearch with its default graph; expansion swept from its default of 64."""
    from usearch.index import Index, MetricKind

    index = Index(ndim=vectors.shape[1], metric=MetricKind.IP, dtype=dtype)
    index.add(np.arange(len(vectors)), vectors, threads=available_cores())

    def settings() -> Iterator[tuple[str, Search]]:
        for effort in EFFORTS:
            index.expansion_search = effort
            yield (
                f"expansion {effort}{' (default)' if effort == 64 else ''}",
                lambda asked: (
                    index.search(asked, NEIGHBOURS, threads=available_cores())
                    .keys.reshape(len(asked), NEIGHBOURS)
                    .astype(np.int64)
                ),
            )

    yield SearchMethod(index.serialized_length / len(vectors), settings())


@contextmanager
def rabitq_ivf(vectors: Vectors, bits: int) -> Iterator[SearchMethod]:
    """rabitqlib's inverted file of as many clusters as ours; 32 bits: ranked by the vectors."""
    from rabitqlib import IvfIndex, RaBitQKMeans

    count, threads = cell_count(len(vectors)), available_cores()
    clusters = RaBitQKMeans(vectors.shape[1], count, num_threads=threads)
    clusters.train(vectors)
    index = IvfIndex(vectors.shape[1], len(vectors), count, bits)
    index.build(vectors, clusters.centroids, clusters.assignments, num_threads=threads)

    def settings() -> Iterator[tuple[str, Search]]:
        for share in SHARES:
            probes = max(1, round(share * count))
            yield (
                f"nprobe {probes}",
                lambda asked, probes=probes: _ids(
                    index.search(asked, NEIGHBOURS, probes, num_threads=threads)
                ),
            )

    yield SearchMethod(_file_bytes(index.save) / len(vectors), settings())


@contextmanager
def rabitq_hnsw(vectors: Vectors) -> Iterator[SearchMethod]:
    """rabitqlib's graph of codes with its default M, ef_construction and bits (8); ef swept."""
    from rabitqlib import HnswIndex, RaBitQKMeans

    threads = available_cores()
    clusters = RaBitQKMeans(vectors.shape[1], RABITQ_HNSW_CLUSTERS, num_threads=threads)
    clusters.train(vectors)
    index = HnswIndex(vectors.shape[1], len(vectors))
    index.build(vectors, clusters.centroids, clusters.assignments, num_threads=threads)

    def settings() -> Iterator[tuple[str, Search]]:
        for effort in EFFORTS:
            yield (
                f"ef {effort}",
                lambda asked, effort=effort: _ids(
                    index.search(asked, NEIGHBOURS, effort, num_threads=threads)
                ),
            )

    yield SearchMethod(_file_bytes(index.save) / len(vectors), settings())


def _ids(found: tuple[NDArray[Any], ...]) -> Ids:
    """The ids of what rabitqlib found: ids and distances."""
    ids: Ids = found[0].astype(np.int64)
    return ids


def _file_bytes(save: Callable[[str], object]) -> int:
    """How large a file is that ``save`` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        save(str(path))
        return path.stat().st_size


@contextmanager
def faiss_flat(vectors: Vectors, name: str) -> Iterator[SearchMethod]:
    """Exact, for scale."""
    with flat_index(name, vectors, available_cores(), NEIGHBOURS) as (search, _):
        yield SearchMethod(vectors.shape[1] * 4, iter([("exact", search)]))


@contextmanager
def certified(vectors: Vectors) -> Iterator[SearchMethod]:
    """Ours, exact."""
    index = CertifiedSearch(np.arange(len(vectors)), vectors)
    yield SearchMethod(
        vectors.shape[1] * 4 + index.bytes_each,
        iter([("exact", lambda asked: index.search(asked, NEIGHBOURS).ids)]),
    )


WAYS: dict[str, Callable[[Vectors], Any]] = {
    "cells 52 x 8 bits, ranked by vectors": lambda vectors: cells(vectors, 52, 8, rerank=True),
    "cells 52 x 8 bits": lambda vectors: cells(vectors, 52, 8),
    "cells 80 x 10 bits": lambda vectors: cells(vectors, 80, 10),
    "certified exact": certified,
    "faiss IndexFlatL2": lambda vectors: faiss_flat(vectors, "IndexFlatL2"),
    "faiss IndexFlatIP": lambda vectors: faiss_flat(vectors, "IndexFlatIP"),
    "faiss IVF,Flat": lambda vectors: faiss_ivf(vectors, "IVF{count},Flat"),
    "faiss IVF,PQ64x4fs + SQ8": lambda vectors: faiss_ivf(
        vectors, "IVF{count},PQ64x4fs,Refine(SQ8)"
    ),
    "faiss HNSW32": faiss_hnsw,
    "hnswlib": hnswlib,
    "usearch f32": lambda vectors: usearch(vectors, "f32"),
    "usearch bf16": lambda vectors: usearch(vectors, "bf16"),
    "usearch i8": lambda vectors: usearch(vectors, "i8"),
    "rabitqlib IVF, 4 bits": lambda vectors: rabitq_ivf(vectors, 4),
    "rabitqlib IVF, 8 bits": lambda vectors: rabitq_ivf(vectors, 8),
    "rabitqlib IVF, ranked by vectors": lambda vectors: rabitq_ivf(vectors, 32),
    "rabitqlib HNSW": rabitq_hnsw,
}
OPTIONAL = ("hnswlib", "rabitqlib", "usearch")  # libraries that need not be installed


def not_installed(ways: Sequence[str]) -> list[str]:
    """Those of ``ways`` whose library is not here."""
    absent = [name for name in OPTIONAL if importlib.util.find_spec(name) is None]
    return [way for way in ways if way.split()[0] in absent]


if __name__ == "__main__":
    with threadpool_limits(available_cores()):
        main()
