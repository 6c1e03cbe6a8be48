"""Every back end of both encoders beside their peers: speed and closeness, on the same chips.

    python -m benchmarks.vision.encoder --peers PEERS [--repeats 7]

Peers: dlib's own network, and facenet-pytorch's Inception-ResNet-v1 (as its users run it, with the
same weights; ``PEERS`` is described in benchmarks/peers/README.md). Ways take turns, chips in
memory to vectors out; every repeat is recorded and medians are compared. The Inception-ResNet has
random weights, for the published ones cannot be had here, and the batch statistics of faces, so
that it keeps faces apart. Its speed is the trained one's. Its cosines are not: nothing in random
weights makes up for rounding, layer after layer.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from benchmarks.peers.facenet import random_facenet, spread
from facesearch.align import DlibAligner, MarginAligner
from facesearch.detect import create_detector
from facesearch.encoders import encoder_spec
from facesearch.encoders.backends import Backend
from facesearch.encoders.backends.openvino_backend import OpenVinoBackend
from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.facenet.inception_resnet import InceptionResnetV1
from facesearch.encoders.int8_calibration import measured_ranges
from facesearch.encoders.load import ranges_file, read_network
from facesearch.encoders.network_ir import Network
from facesearch.encoders.quantization import ActivationRanges, read_ranges
from facesearch.encoders.torch_import import traced_network
from facesearch.evaluate.verification import read_pairs
from facesearch.model_files.packaged import PackagedFile

DLIB = "dlib-resnet-v1"
BATCH, CHIPS, CALIBRATION = 32, 256, 128
DATA = Path(os.environ.get("FACESEARCH_TEST_DATA", "../shared/data")) / "lfw"
SEED = 0

Chips = NDArray[np.uint8]
Vectors = NDArray[np.float32]


def real_chips(pairs: str, count: int) -> tuple[Chips, Chips]:
    """Chips of 150 and of 160 pixels, one face a photo, of photos in one of LFW's lists."""
    listed = read_pairs(DATA / pairs)
    paths = sorted({*listed.first, *listed.second})
    detector, aligners = create_detector("mtcnn"), (DlibAligner(), MarginAligner(margin=14))
    chips: tuple[list[Chips], list[Chips]] = ([], [])
    for path in paths[:: max(1, len(paths) // (count + 8))]:
        photo = cv2.imread(str(DATA / "images" / path))[:, :, ::-1].copy()
        faces = detector.detect([photo])[0]
        if len(faces) == 1 and len(chips[0]) < count:
            for aligner, cut in zip(aligners, chips, strict=True):
                cut.append(aligner.align(photo, faces)[0])
    return np.array(chips[0]), np.array(chips[1])


def ours(network: Network, ranges: ActivationRanges, threads: int) -> Iterator[tuple[str, Backend]]:
    """Every back end and precision of one network."""
    for precision in ("fp32", "bf16"):
        yield f"torch {precision}", TorchBackend(network, precision, threads=threads)
    for precision in ("fp32", "bf16", "int8"):
        backend = OpenVinoBackend(network, precision, ranges, threads)
        yield f"OpenVINO {precision}", backend


def dlib_ways(weights: PackagedFile) -> Iterator[tuple[str, Backend]]:
    """dlib's descriptor as face_recognition calls it, and in batches; it uses one thread."""
    network = dlib.face_recognition_model_v1(str(weights.locate()))
    yield (
        "dlib, one by one",
        lambda chips: np.array([network.compute_face_descriptor(chip) for chip in chips]),
    )
    yield "dlib, batch", lambda chips: np.array(network.compute_face_descriptor(list(chips)))


def compare(ways: dict[str, Backend], chips: Chips, repeats: int) -> dict[str, Any]:
    """Faces a second of each way, taking turns, and cosines to the first one's vectors."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    batch = chips[:BATCH]
    for way in ways.values():
        way(batch)  # allocates and compiles
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            way(batch)
            seconds[name].append(time.perf_counter() - started)
    first, *_ = ways.values()
    expected = all_vectors(first, chips)
    return {
        name: {
            "faces_per_second": BATCH / statistics.median(seconds[name]),
            "best_faces_per_second": BATCH / min(seconds[name]),
            "seconds": seconds[name],
            **closeness(all_vectors(way, chips), expected),
        }
        for name, way in ways.items()
    }


def all_vectors(way: Callable[[Chips], Any], chips: Chips) -> Vectors:
    parts = [way(chips[start : start + BATCH]) for start in range(0, len(chips), BATCH)]
    return np.concatenate(parts).astype(np.float32)


def closeness(found: Vectors, expected: Vectors) -> dict[str, float]:
    """Cosines, plain and about the mean of the expected vectors, and the largest difference.

    ``others`` is the mean cosine of the expected vectors of different chips: what a way scores that
    takes no notice of the chip.
    """
    plain = cosines(found, expected)
    found, expected = (each / lengths(each)[:, None] for each in (found, expected))
    centre = expected.mean(axis=0)
    centred = cosines(found - centre, expected - centre)
    return {
        "mean_cosine": float(plain.mean()),
        "least_cosine": float(plain.min()),
        "others_cosine": float((expected @ expected.T)[np.triu_indices(len(expected), 1)].mean()),
        "mean_centred_cosine": float(centred.mean()),
        "largest_difference": float(np.abs(found - expected).max()),
    }


def cosines(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.einsum("ij,ij->i", first, second)
    return products / (lengths(first) * lengths(second))


def lengths(vectors: Vectors) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(vectors, axis=1), np.float64)


def eager(module: Any) -> Backend:
    """A module as its users call it: standardised float32 planes, no gradient."""

    def embed(chips: Chips) -> Vectors:
        with torch.inference_mode():
            vectors: Vectors = module(standardised(chips)).numpy()
        return vectors

    return embed


def standardised(chips: Chips) -> torch.Tensor:
    """float32 planes (n, 3, side, side) of chips, as facenet-pytorch takes them."""
    return (torch.tensor(chips).permute(0, 3, 1, 2).float().contiguous() - 127.5) / 128


def dlib_resnet(chips: Chips, threads: int, repeats: int) -> dict[str, Any]:
    """Every way of dlib's network, with its own weights."""
    spec = encoder_spec(DLIB)
    network = read_network(spec).network
    ranges = read_ranges(ranges_file(network), network)
    torch.set_num_threads(threads)
    peers = dlib_ways(spec.weights) if threads == 1 else ()
    return compare(dict([*peers, *ours(network, ranges, threads)]), chips, repeats)


def inception(
    peers: Path, chips: Chips, calibration: Chips, threads: int, repeats: int
) -> dict[str, Any]:
    """Every way of the Inception-ResNet, with the batch statistics of ``calibration``."""
    peer = random_facenet(peers, SEED)
    spread(peer, standardised(calibration))
    module = InceptionResnetV1()
    state = {name: value for name, value in peer.state_dict().items() if "logits" not in name}
    module.load_state_dict(state)
    network = traced_network(module, module_side(chips), 127.5, 128.0)
    ranges = measured_ranges(network, [calibration])
    torch.set_num_threads(threads)
    ways = {"facenet-pytorch, eager": raw_output(peer)}
    return compare({**ways, **dict(ours(network, ranges, threads))}, chips, repeats)


def module_side(chips: Chips) -> int:
    return int(chips.shape[1])


def raw_output(peer: Any) -> Backend:
    """The peer's vectors, which it normalises; ours are compared by their direction."""
    return eager(peer.eval())


def start_up_seconds(repeats: int) -> list[float]:
    """From nothing to the first vectors of dlib's encoder, in fresh processes."""
    code = (
        "import time; t = time.perf_counter(); import numpy;"
        "from facesearch.encoders import load_encoder;"
        "load_encoder('dlib-resnet-v1').embed(numpy.zeros((1, 150, 150, 3), numpy.uint8));"
        "print(time.perf_counter() - t)"
    )
    runs = [subprocess.check_output([sys.executable, "-c", code]) for _ in range(repeats)]
    return [float(run) for run in runs]


def main() -> None:
    """Time every way and record the result."""
    parser = TimingParser(__doc__)
    parser.add_argument("--peers", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    small, large = real_chips("pairs.txt", CHIPS)
    _, calibration = real_chips("pairsDevTrain.txt", CALIBRATION)
    result: dict[str, Any] = {
        "chips": len(small),
        "batch": BATCH,
        "seed": SEED,
        "start_up_seconds": start_up_seconds(3),
        "operations_per_face": encoder_spec(DLIB).operations,
    }
    for threads in (1, 2):
        result[f"threads_{threads}"] = {
            "dlib-resnet-v1": dlib_resnet(small, threads, args.repeats),
            "inception-resnet-v1": inception(args.peers, large, calibration, threads, args.repeats),
        }
        for network, ways in result[f"threads_{threads}"].items():
            for name, way in ways.items():
                print(
                    f"{threads} {network} {name:24s} {way['faces_per_second']:8.1f} faces/s "
                    f"cosine {way['mean_cosine']:.6f} least {way['least_cosine']:.6f}",
                    flush=True,
                )
    print(record("encoder", result))


if __name__ == "__main__":
    main()
