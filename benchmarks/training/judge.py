"""A trained network and its teacher on crop files of people that it was not trained on.

    python -m benchmarks.training.judge WEIGHTS --teacher retail-0095 NAME=CROPS.h5 ...

TAR at false accept rates over all pairs of the faces of each crop file (``facesearch crops SET
CROPS.h5 --teacher retail-0095``): by the network as the encoder runs it, with and without its
mirror image; by the teacher; and by the teacher's first 128 principal components over those very
faces, which is about as good as the network could get. Photos without a face are left out for all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.record import record
from facesearch.encoders.backends import Placement, load_backend
from facesearch.encoders.facenet_small.architecture import SIDE
from facesearch.encoders.facenet_small.stored_network import read_weights
from facesearch.encoders.network_encoder import NetworkEncoder
from facesearch.encoders.paper_networks.layers import DIMENSION, Size
from facesearch.evaluate.all_pairs import all_pairs
from facesearch.train.data.batches import TrainingSet
from facesearch.train.data.crop_file import CropFile, open_crops
from facesearch.train.losses.distillation import principal_components

FARS = (1e-2, 1e-3, 1e-4)

_PIECE = 256

Vectors = NDArray[np.float32]


def rates(vectors: Vectors, people: NDArray[np.integer]) -> dict[str, float]:
    """TAR at each rate of false accepts."""
    judged = all_pairs(vectors, people, fars=FARS).at_far
    return {f"{each.far:g}": round(each.validation_rate, 4) for each in judged}


def embed(encoder: NetworkEncoder, file: CropFile) -> tuple[Vectors, Vectors, float]:
    """Vectors without and with flip averaging, and faces a second of one pass."""
    training = TrainingSet([file], [1.0])
    size = Size(SIDE, SIDE)
    plain, flipped, seconds = [], [], 0.0
    for start in range(0, len(file), _PIECE):
        chips = training.chips(np.arange(start, min(start + _PIECE, len(file))), size)
        started = time.process_time()
        plain.append(encoder.embed(chips).vectors)
        seconds += time.process_time() - started
        flipped.append(encoder.embed(np.ascontiguousarray(chips[:, :, ::-1])).vectors)
    one, other = np.concatenate(plain), np.concatenate(flipped)
    return one, unit(one + other), len(file) / seconds


def unit(vectors: Vectors) -> Vectors:
    """Vectors of length 1."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def judge(encoder: NetworkEncoder, file: CropFile, teacher: str) -> dict[str, Any]:
    """All figures on one crop file."""
    plain, flipped, speed = embed(encoder, file)
    target = file.vectors(teacher)
    projected = unit(target @ principal_components(target, DIMENSION).numpy())
    return {
        "faces": len(file),
        "people": len(file.people),
        "facenet-small": rates(plain, file.person),
        "facenet-small, flip": rates(flipped, file.person),
        "teacher": rates(target, file.person),
        "teacher, 128 numbers": rates(projected, file.person),
        "faces_per_processor_second": round(speed, 1),
    }


def main() -> None:
    """Judge and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("sets", nargs="+", metavar="NAME=CROPS.h5")
    parser.add_argument("--teacher", default="retail-0095")
    parser.add_argument("--precision", default="bf16")
    args = parser.parse_args()
    weighted = read_weights(args.weights)
    loaded = load_backend(weighted.network, Placement("cpu", args.precision, 1, 1), None)
    encoder = NetworkEncoder("facenet-small", weighted.sha256, weighted.network, loaded)
    results = {}
    for each in args.sets:
        name, path = each.split("=", 1)
        results[name] = judge(encoder, open_crops(Path(path)), args.teacher)
        print(name, results[name], flush=True)
    facts = {"weights_sha256": weighted.sha256, "numerics": encoder.numerics, "sets": results}
    record("facenet_small_judged", facts)


if __name__ == "__main__":
    main()
