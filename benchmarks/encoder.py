"""The default encoder beside dlib's own: parity on real chips, and speed.

    python -m benchmarks.encoder [--repeats 5] [--compile]

Speeds are faces a second of the network alone, chips in memory to descriptors out; every repeat is
recorded and the best is compared, for on a shared machine the others measure the neighbours.
``plain torch`` runs the stored layers one by one, as the file has them, in torch's default layout.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.record import record
from facesearch.align.shape_predictor import FIVE_POINT_MODEL
from facesearch.encoders.dlib_layers import Affine, Convolution, Dense, Layer, read_metric_network
from facesearch.encoders.dlib_resnet import WEIGHTS, DlibResnet, DlibResnetEncoder

BATCH = 32
PARITY_PHOTOS = 200
DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw" / "images"

Chips = NDArray[np.uint8]


def real_chips(count: int) -> Chips:
    """Chips that dlib cuts of the faces in ``count`` photos spread over the whole set."""
    find = dlib.get_frontal_face_detector()
    predict = dlib.shape_predictor(str(FIVE_POINT_MODEL.locate()))
    paths = sorted(DATA.glob("*/*.jpg"))
    if not paths:
        raise SystemExit(f"no photos at {DATA}; set FACESEARCH_TEST_DATA")
    chips = []
    for path in paths[:: max(1, len(paths) // count)][:count]:
        photo = dlib.load_rgb_image(str(path))
        chips += [dlib.get_face_chip(photo, predict(photo, box), 150, 0.25) for box in find(photo)]
    return np.array(chips)


class PlainNetwork:
    """The stored layers one after another, nothing folded, in torch's default layout."""

    def __init__(self) -> None:
        network = read_metric_network(WEIGHTS.read(), WEIGHTS.path)
        self.mean = torch.tensor(network.mean)
        self.layers = [(layer, parameters(layer)) for layer in network.layers]

    def __call__(self, chips: Chips) -> NDArray[np.float32]:
        """Descriptors float32 (n, 128)."""
        x = ((torch.from_numpy(chips).float() - self.mean) / 256).permute(0, 3, 1, 2).contiguous()
        kept = x
        for index, (layer, tensors) in enumerate(self.layers):
            if layer.kind == "avg_pool 2x2 /2":
                continue  # of the shortcut: done where it is added
            x = add(x, kept) if layer.kind == "add_prev" else apply(layer, tensors, x)
            if layer.kind.startswith("max_pool") or self.layers[index - 1][0].kind == "add_prev":
                kept = x  # a residual block ends, the next begins
        return np.asarray(x.numpy())


def parameters(layer: Layer) -> list[torch.Tensor]:
    """The layer's arrays as tensors."""
    return [torch.tensor(value) for value in vars(layer).values() if isinstance(value, np.ndarray)]


def apply(layer: Layer, tensors: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """One layer's output."""
    if isinstance(layer, Convolution):
        return functional.conv2d(x, *tensors, layer.stride, layer.padding)
    if isinstance(layer, Affine):
        gamma, beta = tensors
        return x * gamma[:, None, None] + beta[:, None, None]
    if isinstance(layer, Dense):
        return x @ tensors[0]
    simple: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "relu": torch.relu,
        "max_pool 3x3 /2": lambda x: functional.max_pool2d(x, 3, 2),
        "avg_pool everything": lambda x: x.mean(dim=(2, 3)),
    }
    return simple[layer.kind](x)


def add(x: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """dlib's sum of a block's output and its input, halved where the output is smaller."""
    if kept.shape != x.shape:
        kept = functional.avg_pool2d(kept, 2, 2)
    shape = [max(sizes) for sizes in zip(x.shape, kept.shape, strict=True)]
    return grown(x, shape) + grown(kept, shape)


def grown(x: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """``x`` with zeros after it in channels, rows and columns."""
    missing = [size - have for size, have in zip(shape, x.shape, strict=True)]
    return functional.pad(x, (0, missing[3], 0, missing[2], 0, missing[1]))


def operations(encoder: DlibResnetEncoder) -> int:
    """Floating-point operations of the convolutions for one face, counted while they run."""
    counted = []
    original = functional.conv2d

    def counting(x: Any, weight: torch.Tensor, *rest: Any) -> torch.Tensor:
        out: torch.Tensor = original(x, weight, *rest)
        counted.append(2 * out.numel() * weight[0].numel())
        return out

    functional.conv2d = counting
    try:
        encoder.describe(np.zeros((1, 150, 150, 3), np.uint8))
    finally:
        functional.conv2d = original
    return sum(counted)


def seconds(work: Callable[[], object], repeats: int) -> list[float]:
    """Wall times of ``repeats`` runs after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def matrix_peak(repeats: int) -> float:
    """The machine's best rate in float32 matrix products, operations a second."""
    a, b = torch.randn(2, 1536, 1536)
    return float(2 * 1536**3 / min(seconds(lambda: a @ b, repeats * 3)))


def convolution_peak(repeats: int) -> float:
    """The best rate of one 3 x 3 convolution of the network's own shapes, operations a second."""
    best = 0.0
    for channels, side in ((32, 35), (64, 17), (128, 8), (256, 4)):
        x = torch.randn(BATCH, channels, side, side).to(memory_format=torch.channels_last)
        weight = torch.randn(channels, channels, 3, 3).to(memory_format=torch.channels_last)
        with torch.inference_mode():
            times = seconds(lambda x=x, w=weight: functional.conv2d(x, w, None, 1, 1), repeats * 3)
        best = max(best, 2 * x.numel() * channels * 9 / min(times))
    return best


def compiled_network() -> Callable[[Chips], object]:
    """The encoder's network through torch.compile."""
    network = torch.compile(DlibResnet(read_metric_network(WEIGHTS.read(), "resnet")).__call__)

    def describe(chips: Chips) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(chips.astype(np.float32))).numpy()

    return describe


def speeds(chips: Chips, threads: int, args: argparse.Namespace) -> dict[str, Any]:
    """Faces a second of each way to run the network, with all repeats."""
    torch.set_num_threads(threads)
    encoder, plain = DlibResnetEncoder(threads), PlainNetwork()
    batch = np.ascontiguousarray(chips[:BATCH])

    def run_plain() -> None:
        with torch.inference_mode():
            plain(batch)

    ways: dict[str, tuple[int, Callable[[], object]]] = {
        "facesearch": (BATCH, lambda: encoder.embed(batch)),
        "facesearch, batch 1": (1, lambda: encoder.embed(batch[:1])),
        "facesearch, batch 8": (8, lambda: encoder.embed(batch[:8])),
        "plain torch": (BATCH, run_plain),
    }
    if args.compile:
        compiled = compiled_network()
        ways["torch.compile"] = (BATCH, lambda: compiled(batch))
    if threads == 1:  # dlib's CPU code has no threads to set
        dlib_network = dlib.face_recognition_model_v1(str(WEIGHTS.locate()))
        few = list(batch[:8])
        ways["dlib, one by one"] = (
            4,
            lambda: [dlib_network.compute_face_descriptor(c) for c in few[:4]],
        )
        ways["dlib, batch 8"] = (8, lambda: dlib_network.compute_face_descriptor(few))
    result: dict[str, Any] = {}
    for name, (count, work) in ways.items():
        times = seconds(work, args.repeats)
        result[name] = {"faces_per_second": count / min(times), "faces": count, "seconds": times}
        print(f"{threads} thread(s)  {name:22s} {count / min(times):7.1f} faces/s", flush=True)
    rate = result["facesearch"]["faces_per_second"] * operations(encoder)
    peaks = {"matrix": matrix_peak(args.repeats), "convolution": convolution_peak(args.repeats)}
    shares = {name: rate / peak for name, peak in peaks.items()}
    print(f"{threads} thread(s)  {rate / 1e9:.0f} GFLOP/s, of the peaks {shares}")
    return {"ways": result, "gflops": rate / 1e9, "peaks": peaks, "share_of_peak": shares}


def two_callers(chips: Chips, repeats: int) -> dict[str, Any]:
    """Two Python threads, each encoding on one core: shows that the interpreter lock is free."""
    encoder = DlibResnetEncoder(threads=1)
    with ThreadPoolExecutor(2) as pool:
        times = seconds(lambda: list(pool.map(encoder.embed, [chips[:BATCH]] * 2)), repeats)
    return {"faces_per_second": 2 * BATCH / min(times), "seconds": times}


def parity(chips: Chips) -> dict[str, Any]:
    """Largest differences from dlib, descriptors not normalised."""
    network = dlib.face_recognition_model_v1(str(WEIGHTS.locate()))
    expected = np.array([network.compute_face_descriptor(chip) for chip in chips])
    found = DlibResnetEncoder().describe(chips)
    with torch.inference_mode():
        plain = PlainNetwork()(chips)
    return {
        "chips": len(chips),
        "largest_difference": float(np.abs(found - expected).max()),
        "largest_euclidean_distance": float(np.linalg.norm(found - expected, axis=1).max()),
        "largest_difference_of_plain_torch": float(np.abs(plain - expected).max()),
    }


def load_seconds(repeats: int) -> list[float]:
    """Time to read, check and fold the weights, in fresh processes, torch already imported."""
    code = (
        "import time; from facesearch.encoders.dlib_resnet import DlibResnetEncoder;"
        "t = time.perf_counter(); DlibResnetEncoder(); print(time.perf_counter() - t)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(repeats)]
    return [float(run) for run in runs]


def main() -> None:
    """Check parity, time every way and record the result."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="also measure torch.compile")
    args = parser.parse_args()
    chips = real_chips(PARITY_PHOTOS)
    result = {
        "operations_per_face": operations(DlibResnetEncoder()),
        "load_seconds": load_seconds(args.repeats),
        "parity": parity(chips),
    }
    print(result, flush=True)
    cores = len(os.sched_getaffinity(0))
    result["threads"] = {n: speeds(chips, n, args) for n in sorted({1, min(2, cores)})}
    result["two_callers_one_thread_each"] = two_callers(chips, args.repeats)
    print(record("encoder", result))


if __name__ == "__main__":
    main()
