"""Processor seconds that facenet-small's training takes a face, by precision and threads.

    python -m benchmarks.training.speed CROPS.h5

A step forward and backward, and the reading and changing of its crops. The process's own seconds,
the best of some steps, for other work may share the machine; threads that wait for each other by
spinning show as more of them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.common.idle import TimingParser
from benchmarks.common.record import record
from facesearch.encoders.facenet_small.architecture import SIDE
from facesearch.encoders.facenet_small.network import facenet_small
from facesearch.encoders.paper_networks.layers import Size
from facesearch.train.data.augmentation import Augmentation, augmented
from facesearch.train.data.crop_file import open_crops
from facesearch.train.validation import standardised

_FACES, _STEPS = 48, 5


def faces_per_second(step: Callable[[], Any]) -> float:
    """Faces a processor second, of the best of some steps."""
    best = np.inf
    for _ in range(_STEPS):
        started = time.process_time()
        step()
        best = min(best, time.process_time() - started)
    return round(_FACES / best, 1)


def training(precision: str, threads: int) -> float:
    """Of a step of the network."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    network = facenet_small().to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    chips = np.random.default_rng(0).integers(0, 256, (_FACES, SIDE, SIDE, 3), np.uint8)
    target = functional.normalize(torch.randn(_FACES, 128), dim=1)

    def step() -> None:
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            vectors = network(standardised(chips))
        (1 - (functional.normalize(vectors.float(), dim=1) * target).sum(1).mean()).backward()

    return faces_per_second(step)


def preparation(path: Path) -> float:
    """Of reading and changing crops."""
    file = open_crops(path)
    rows = np.random.default_rng(0).integers(len(file), size=_FACES)
    random = np.random.default_rng(1)
    size = Size(SIDE, SIDE)
    return faces_per_second(
        lambda: augmented(file.read(rows), file.margin, size, Augmentation(), random)
    )


def main() -> None:
    """Measure and record."""
    parser = TimingParser(__doc__)
    parser.add_argument("crops", type=Path)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    ways = {
        f"{precision}, {threads} threads": training(precision, threads)
        for threads in (1, 2)
        for precision in ("bf16", "fp32")
    }
    result = {
        "faces": _FACES,
        "load": round(os.getloadavg()[0], 1),
        "training_faces_per_processor_second": ways,
        "preparation_faces_per_processor_second": preparation(args.crops),
    }
    print(result)
    record("training_speed", result)


if __name__ == "__main__":
    main()
