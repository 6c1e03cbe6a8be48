"""Search on a GPU: by torch, certified, and by FAISS flat, IVF and CAGRA; beside what is possible.

    python -m benchmarks.search.gpu [--device cuda] [--count 10000000] [--repeats 5]
        [--dimension 512] [--ways exhaustive,CAGRA]
    python -m benchmarks.search.gpu --small --device cpu

Made faces (``benchmarks.common.made_galleries``); result: ``gpu_search``, or ``gpu_search_512`` of
another dimension. ``--ways`` takes a part of the ways: ``exhaustive``, ``IVF``, ``CAGRA``. One way
is on the device at a time. Each has its build time, the device memory it takes, how many of the
true nearest (and of the true 10) it finds, and queries a second in batches of 1, 1,000 and 10,000,
answers on the host. The floor of a batch is the greater of the time that reading the vectors once
takes at the device's copying speed and that of the multiplications at the speed of a large matrix
product in the same numbers, both measured in the same run; it is for exhaustive ways only. FAISS'
ways are measured where it has a GPU build, CAGRA where that has cuVS.

``--small`` takes 20,000 faces and records nothing: it tries the script itself, on a CPU too.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import faiss
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record, versions
from indexer.exact.brute_force import exact_search
from indexer.exact.torch_products import PRECISIONS, full_sums
from indexer.exact.torch_search import TorchSearch
from indexer.runtime.devices import (
    check_device,
    faiss_gpus,
    to_device,
    torch_device,
    torch_gpus,
)
from indexer.types import Block, Vectors

NEIGHBOURS = 10
BATCHES = (1, 1000, 10_000)
SINGLES = 100  # searches of one query, one after the other
CHECKED = 1000  # queries whose answers are compared
PROVED = 100  # of these, by the oracle on the CPU
PROBED = (8, 32, 128, 512)
TRAINED = 50  # vectors a cell of an IVF index
CAGRA_DEGREE = 64  # neighbours that each vector keeps
MATRIX, COPIED = 8192, 2**30
SMALL = {"count": 20_000, "repeats": 2, "matrix": 256, "copied": 2**20, "batches": (1, 100)}

KINDS = ("exhaustive", "IVF", "CAGRA")

Search = Callable[[Vectors], NDArray[Any]]


@dataclass(frozen=True)
class GpuMethod:
    """``build`` puts vectors on the device; what it gives is searched with every setting.

    ``precision`` and ``bytes_each`` of a component are those of exhaustive ways, which have a
    floor.
    """

    build: Callable[[Vectors], Any]
    settings: dict[str, Callable[[Any], Search]]
    precision: str | None = None
    bytes_each: int = 0


def main() -> None:
    """Measure, and record unless it is small."""
    parser = TimingParser(__doc__)
    parser.add_argument("--device", default="cuda", type=check_device)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    if unknown := {*args.ways} - {*KINDS}:
        sys.exit(f"expected --ways of {', '.join(KINDS)}, got {', '.join(sorted(unknown))}")
    if args.device == "cpu" and not args.small:
        sys.exit("expected a GPU; --small --device cpu only tries the script")
    if args.device != "cpu" and not torch_gpus():
        sys.exit(f"expected a GPU for {args.device!r}, but torch finds none; nothing was measured")
    options = {**vars(args), "matrix": MATRIX, "copied": COPIED, "batches": BATCHES}
    if args.small:
        options |= SMALL
    result = measure(options)
    print(json.dumps(result, indent=2))
    if not args.small:
        name = "gpu_search" if args.dimension == 128 else f"gpu_search_{args.dimension}"
        print(f"recorded in {record(name, result)}")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Peaks, and every way on the device."""
    model = FaceModel.load()
    if options["dimension"] != model.dimension:
        model = model.turned(options["dimension"])
    gallery = MadeGallery(options["count"], model)
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    queries = gallery.probes(max(*options["batches"], CHECKED)).vectors
    device = torch.device("cuda" if options["device"] == "auto" else options["device"])
    on_gpu = device.type == "cuda"
    speeds = peaks(device, options)
    found = TorchSearch(np.arange(len(vectors)), vectors, str(device)).search(
        queries[:CHECKED], NEIGHBOURS
    )
    proof = exact_search([Block(np.arange(len(vectors)), vectors)], queries[:PROVED], NEIGHBOURS)
    chosen = (options["batches"], options["repeats"])
    bench = Bench(vectors, queries, found.ids, speeds, device, *chosen)
    forget(device)
    ways = {}
    for name, way in all_ways(options["device"], len(vectors)):
        if kind_of(name, way) not in options["ways"]:
            continue
        print(name, file=sys.stderr)
        ways[name] = measured(way, bench)
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "device_memory_gib": torch.cuda.mem_get_info(device)[1] / 2**30 if on_gpu else None,
        "count": len(vectors),
        "dimension": vectors.shape[1],
        "neighbours": NEIGHBOURS,
        "repeats": options["repeats"],
        "peaks": speeds,
        "equal_to_the_oracle": bool(
            np.array_equal(found.ids[:PROVED], proof.ids)
            and np.array_equal(found.distances[:PROVED], proof.distances)
        ),
        "faiss_gpus": faiss_gpus(faiss),
        "cagra": has_cagra(),
        "ways": ways,
        "peer_versions": versions(("torch", "faiss-cpu", "faiss-gpu", "faiss-gpu-cuvs")),
    }


def all_ways(device: str, count: int) -> Iterator[tuple[str, GpuMethod]]:
    """Every way that this machine has."""
    place = "cuda:0" if device in {"cuda", "auto"} else device
    for precision in PRECISIONS:
        build = partial(torch_index, device=place, precision=precision)
        size = 4 if precision == "fp32" else 2
        yield f"torch {precision}", GpuMethod(build, {"certified": by_torch}, precision, size)
    if device != "cpu" and not faiss_gpus(faiss):
        return
    for half in (False, True) if device != "cpu" else (False,):
        name = "faiss flat, fp16" if half else "faiss flat, fp32"
        flat = partial(faiss_index, recipe="Flat", device=device, half=half)
        yield (
            name,
            GpuMethod(flat, {"exhaustive": by_faiss}, "fp16" if half else "fp32", 2 if half else 4),
        )
    cells = 2 ** round(np.log2(4 * np.sqrt(count)))
    probed = {f"nprobe {n}": partial(by_cells, probed=n) for n in PROBED if n <= cells}
    for codes in ("Flat", "SQ8"):
        ivf = partial(faiss_index, recipe=f"IVF{cells},{codes}", device=device, trained=cells)
        yield f"faiss IVF{cells},{codes}", GpuMethod(ivf, probed)
    if device != "cpu" and has_cagra():
        yield "faiss CAGRA", GpuMethod(partial(cagra_index, device=device), {"default": by_faiss})


def kind_of(name: str, way: GpuMethod) -> str:
    """Which of :data:`KINDS` a way is."""
    return "exhaustive" if way.precision else "CAGRA" if "CAGRA" in name else "IVF"


def torch_index(vectors: Vectors, device: str, precision: str) -> TorchSearch:
    return TorchSearch(np.arange(len(vectors)), vectors, device, precision)


def has_cagra() -> bool:
    """Whether the installed FAISS was built with cuVS, of which CAGRA is a part."""
    return hasattr(faiss, "GpuIndexCagra") and faiss_gpus(faiss) > 0


def cagra_index(vectors: Vectors, device: str) -> Any:
    """A CAGRA graph (Ootomo et al. 2023) over ``vectors`` float32 (n, d), searched by rows."""
    resources = faiss.StandardGpuResources()
    config = faiss.GpuIndexCagraConfig()
    config.device = int(torch_device(device).partition(":")[2])
    config.graph_degree = CAGRA_DEGREE
    config.intermediate_graph_degree = 2 * CAGRA_DEGREE
    index = faiss.GpuIndexCagra(resources, vectors.shape[1], faiss.METRIC_L2, config)
    index.train(vectors)
    index.referenced_objects = [resources]
    return index


def faiss_index(
    vectors: Vectors, recipe: str, device: str, *, half: bool = False, trained: int = 0
) -> Any:
    """An index that is trained and filled on the device."""
    index = to_device(faiss.index_factory(vectors.shape[1], recipe), device, half=half)
    if trained:
        step = max(1, len(vectors) // (TRAINED * trained))
        index.train(np.ascontiguousarray(vectors[::step]))
    for first in range(0, len(vectors), 1_000_000):
        index.add(vectors[first : first + 1_000_000])
    return index


def by_torch(index: TorchSearch) -> Search:
    return lambda asked: index.search(asked, NEIGHBOURS).ids


def by_faiss(index: Any) -> Search:
    return lambda asked: index.search(asked, NEIGHBOURS)[1]


def by_cells(index: Any, probed: int) -> Search:
    faiss.downcast_index(index).nprobe = probed
    return by_faiss(index)


@dataclass(frozen=True)
class Bench:
    """What all ways are measured with."""

    vectors: Vectors
    queries: Vectors
    truth: NDArray[np.int64]
    speeds: dict[str, float]
    device: torch.device
    batches: tuple[int, ...]
    repeats: int


def measured(way: GpuMethod, bench: Bench) -> dict[str, Any]:
    """Build, memory, and every setting's recall and speed."""
    before, started = used(bench.device), time.perf_counter()
    index = way.build(bench.vectors)
    build_seconds = time.perf_counter() - started
    taken = used(bench.device) - before
    settings = {}
    for name, prepare in way.settings.items():
        search = prepare(index)
        found = search(bench.queries[:CHECKED])
        batches = {}
        for batch in bench.batches:
            spent = seconds(search, bench.queries, batch, bench.repeats)
            each = {"queries_per_second": batch / statistics.median(spent), "seconds": spent}
            if way.precision:
                lowest = floor(way, bench.vectors.shape, batch, bench.speeds)
                each |= {"floor_seconds": lowest, "share": lowest / statistics.median(spent)}
            batches[str(batch)] = each
        settings[name] = {**recall(found, bench.truth), "batches": batches}
    del index
    forget(bench.device)
    return {
        "build_seconds": build_seconds,
        "device_bytes_each": taken / len(bench.vectors),
        "settings": settings,
    }


def seconds(search: Search, queries: Vectors, batch: int, repeats: int) -> list[float]:
    """Of a batch, on average over some where it is small, in every repeat."""
    starts = range(0, batch if batch > 1 else SINGLES, batch)
    search(queries[:batch])
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        for start in starts:
            search(queries[start : start + batch])
        spent.append((time.perf_counter() - started) / len(starts))
    return spent


def recall(found: NDArray[Any], truth: NDArray[np.int64]) -> dict[str, float]:
    """Share of queries whose nearest is found first, and of the true neighbours that are found."""
    among = [np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]
    return {
        "recall_at_1": float((found[:, 0] == truth[:, 0]).mean()),
        "recall": float(np.mean(among)),
    }


def floor(way: GpuMethod, shape: tuple[int, ...], batch: int, speeds: dict[str, float]) -> float:
    """Seconds that a batch takes at the least."""
    count, dimension = shape
    reading = count * dimension * way.bytes_each / speeds["copied_bytes_a_second"]
    multiplying = 2.0 * batch * count * dimension / speeds[f"{way.precision}_operations_a_second"]
    return max(reading, multiplying)


def peaks(device: torch.device, options: dict[str, Any]) -> dict[str, float]:
    """What the device copies (bytes read and written) and multiplies, in the best repeat."""
    source = torch.ones(options["copied"], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    # A copy reads and writes, and the memory carries both.
    copied = 2 * options["copied"] / best(lambda: target.copy_(source), device, options)
    result = {"copied_bytes_a_second": copied}
    side = options["matrix"]
    for name, dtype in zip(PRECISIONS, (torch.float32, torch.bfloat16, torch.float16), strict=True):
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        with full_sums(device):
            spent = best(partial(torch.mm, a, b), device, options)
        result[f"{name}_operations_a_second"] = 2.0 * side**3 / spent
    return result


def best(run: Callable[[], object], device: torch.device, options: dict[str, Any]) -> float:
    """Seconds of the fastest repeat, at least five."""
    spent = []
    for _ in range(max(5, options["repeats"]) + 1):
        wait(device)
        started = time.perf_counter()
        run()
        wait(device)
        spent.append(time.perf_counter() - started)
    return min(spent[1:])


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget(device: torch.device) -> None:
    """Give back what torch keeps of memory that was freed, so that it is not counted."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def used(device: torch.device) -> int:
    """Bytes of the device in use, by torch and by others."""
    if device.type != "cuda":
        return 0
    free, total = torch.cuda.mem_get_info(device)
    return total - free


if __name__ == "__main__":
    main()
