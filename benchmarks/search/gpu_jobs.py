"""What else a GPU does here: encoding faces, a graph of nearest neighbours, and training.

    python -m benchmarks.search.gpu_jobs [--device cuda] [--count 10000000] [--seconds 240]
    python -m benchmarks.search.gpu_jobs --small --device cpu

Result: ``gpu_jobs``. Encoders: faces a second from pixels in memory to vectors in memory, by batch,
of the product's back end. Graph: the k nearest of each of ``count`` made vectors by exact search,
block after block as ``facesearch graph`` asks; it ends after ``--seconds``, and the result says how
many vectors were done. Training: steps a second of facenet-small, forward, backward and the
optimiser's step, in bf16, with crops in memory; reading crops is measured by
``benchmarks.training.speed``. Every repeat is recorded. ``--small`` tries the script and records
nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record
from benchmarks.search.gpu import wait
from facesearch.encoders.backends import Placement
from facesearch.encoders.facenet_small.architecture import SIDE
from facesearch.encoders.facenet_small.network import facenet_small
from facesearch.encoders.load import load
from facesearch.encoders.registry import encoder_spec
from facesearch.train.optimizers import create_optimizer
from facesearch.train.validation import standardised
from indexer.exact.torch_search import TorchSearch
from indexer.id_lookup import drop_self
from indexer.runtime.devices import check_device, torch_gpus

ENCODERS = ("dlib-resnet-v1",)
NEIGHBOURS = 32
BLOCK = 8192  # vectors asked about at once, as a graph does
SEED = 0
FULL = {"encoded": (1, 32, 256, 1024), "trained": (64, 256, 1024)}
SMALL = {"encoded": (1, 2), "trained": (2,), "count": 4000, "repeats": 2, "seconds": 60.0}


def main() -> None:
    """Measure, and record unless it is small."""
    parser = TimingParser(__doc__)
    parser.add_argument("--device", default="cuda", type=check_device)
    parser.add_argument("--count", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=240.0, help="most for the graph")
    parser.add_argument("--small", action="store_true")
    args = parser.parse_args()
    if args.device == "cpu" and not args.small:
        sys.exit("expected a GPU; --small --device cpu only tries the script")
    if args.device != "cpu" and not torch_gpus():
        sys.exit(f"expected a GPU for {args.device!r}, but torch finds none; nothing was measured")
    options = {**FULL, **vars(args), **(SMALL if args.small else {})}
    result = measure(options)
    print(json.dumps(result, indent=2))
    if not args.small:
        print(f"recorded in {record('gpu_jobs', result)}")


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """All three."""
    device = torch.device("cuda" if options["device"] == "auto" else options["device"])
    repeats = options["repeats"]
    encoders = {
        f"{name}, {precision}": encoding(name, precision, device, options["encoded"], repeats)
        for name in ENCODERS
        for precision in (("fp32", "bf16", "fp16") if device.type == "cuda" else ("fp32",))
    }
    steps = {str(batch): training(device, batch, repeats) for batch in options["trained"]}
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU",
        "seed": SEED,
        "repeats": repeats,
        "encoders": encoders,
        "training": steps,
        "graph": graph(device, options["count"], options["seconds"]),
    }


def timed(work: Callable[[], object], device: torch.device, repeats: int) -> list[float]:
    """Seconds of each repeat, after one that is not counted."""
    spent = []
    for _ in range(repeats + 1):
        wait(device)
        started = time.perf_counter()
        work()
        wait(device)
        spent.append(time.perf_counter() - started)
    return spent[1:]


def encoding(
    name: str, precision: str, device: torch.device, batches: tuple[int, ...], repeats: int
) -> dict[str, Any]:
    """Faces a second by batch."""
    encoder = load(encoder_spec(name), None, Placement(str(device), precision))
    random, found = np.random.default_rng(SEED), {}
    for batch in batches:
        shape = (batch, *encoder_spec(name).chip_shape)
        chips = random.integers(0, 256, shape, np.uint8)
        spent = timed(lambda chips=chips: encoder.embed(chips), device, repeats)  # type: ignore[misc]
        rate = batch / statistics.median(spent)
        found[str(batch)] = {"faces_per_second": rate, "seconds": spent}
    return found


def training(device: torch.device, batch: int, repeats: int) -> dict[str, Any]:
    """Steps a second of ``batch`` crops."""
    torch.manual_seed(SEED)
    network = facenet_small().to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    optimizer = create_optimizer("adamw", [network], 1e-3, 1e-4, 0.9)
    chips = np.random.default_rng(SEED).integers(0, 256, (batch, SIDE, SIDE, 3), np.uint8)
    pixels = standardised(chips).to(device)
    target = functional.normalize(torch.randn(batch, 128, device=device), dim=1)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16):
            vectors = network(pixels)
        (1 - (functional.normalize(vectors.float(), dim=1) * target).sum(1).mean()).backward()
        optimizer.step()

    spent = timed(step, device, repeats)
    rate = 1 / statistics.median(spent)
    return {"steps_per_second": rate, "faces_per_second": batch * rate, "seconds": spent}


def graph(device: torch.device, count: int, most: float) -> dict[str, Any]:
    """The neighbours of every vector, or of as many as ``most`` seconds allow."""
    gallery = MadeGallery(count, FaceModel.load())
    vectors = np.concatenate([block.vectors for block in gallery.blocks()])
    ids = np.arange(len(vectors))
    started = time.perf_counter()
    search = TorchSearch(ids, vectors, str(device), "fp32" if device.type == "cpu" else "fp16")
    placed = time.perf_counter() - started
    done, started = 0, time.perf_counter()
    while done < len(vectors) and (done == 0 or time.perf_counter() - started < most):
        rows = slice(done, min(done + BLOCK, len(vectors)))
        found = drop_self(search.search(vectors[rows], NEIGHBOURS + 1), ids[rows])
        done = rows.stop
    spent = time.perf_counter() - started
    return {
        "count": len(vectors),
        "dimension": vectors.shape[1],
        "neighbours": found.ids.shape[1],
        "placing_seconds": placed,
        "done": done,
        "seconds": spent,
        "seconds_for_all": spent * len(vectors) / done,
    }


if __name__ == "__main__":
    main()
