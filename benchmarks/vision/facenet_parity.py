"""Our Inception-ResNet-v1 beside facenet-pytorch's, with equal random weights, on real chips.

    python -m benchmarks.vision.facenet_parity --peers PEERS

The peer's weights and batch statistics are random (seed 0); as all faces then get nearly one
vector, cosines about the mean vector count too. Its state is saved as its checkpoints
are, with and without a classifier, read by our loader, and run by every fp32 back end.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.record import record
from benchmarks.peers.facenet import random_facenet
from benchmarks.vision.encoder import SEED, all_vectors, closeness, eager, real_chips
from facesearch.encoders import encoder_spec
from facesearch.encoders.backends.openvino_backend import OpenVinoBackend
from facesearch.encoders.backends.torch_backend import TorchBackend
from facesearch.encoders.load import read_network

NAME = "facenet-vggface2"
LEAST_COSINE = 0.99999


def main() -> None:
    """Compare and record; exits with 1 when a cosine is too low."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", type=Path, required=True)
    args = parser.parse_args()
    peer = random_facenet(args.peers, SEED)
    _, chips = real_chips("pairs.txt", 128)
    expected = all_vectors(eager(peer), chips)
    state = dict(peer.state_dict())
    classifier = {"logits.weight": torch.zeros(10, 512), "logits.bias": torch.zeros(10)}
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for label, extra in (("714 keys", {}), ("716 keys, with classifier", classifier)):
            path = Path(scratch) / f"{len(extra)}.pt"
            torch.save({**state, **extra}, path)
            network = read_network(encoder_spec(NAME), path).network
            for name, backend in (("torch", TorchBackend), ("OpenVINO", OpenVinoBackend)):
                found = all_vectors(backend(network, "fp32"), chips)
                found /= np.linalg.norm(found, axis=1, keepdims=True)
                results[f"{name}, {label}"] = closeness(found, expected)
    print(results)
    print(record("parity", {"chips": len(chips), "seed": SEED, "results": results}))
    if (
        min(min(each["least_cosine"], each["mean_centred_cosine"]) for each in results.values())
        < LEAST_COSINE
    ):
        raise SystemExit(f"expected cosines of {LEAST_COSINE} and above")


if __name__ == "__main__":
    main()
