"""The peer's side of ``benchmarks.jobs.end_to_end``: photos through facenet-pytorch's usual
pipeline.

    python -m benchmarks.peers.facenet_pytorch_album PEERS FOLDER PROCESSES

``PEERS`` holds the package ``facenet_pytorch`` 2.6.0. MTCNN at its defaults (smallest face 20) but
for keep_all, then InceptionResnetV1, photo by photo as its documentation shows, in processes of one
thread each. Weights of the encoder are random, which costs as much. Of torchvision, which is not
needed otherwise, its two functions used here are stood in for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

_faces_of: Callable[[Path], int]


def prepare(peers: str) -> None:
    """Load both networks in a process of the pool."""
    global _faces_of  # noqa: PLW0603 - a pool's processes have no other place for it
    import torch

    torch.set_num_threads(1)
    _faces_of = pipeline(Path(peers))


def pipeline(peers: Path) -> Callable[[Path], int]:
    """A function that embeds the faces of the photo at a path, and says how many there are."""
    import torch
    from PIL import Image

    from benchmarks.peers.facenet import random_facenet
    from benchmarks.vision.detection import stand_in_for_torchvision

    stand_in_for_torchvision()
    transforms: Any = sys.modules["torchvision.transforms.functional"]
    transforms.to_tensor = lambda face: torch.from_numpy(np.moveaxis(face, -1, 0).copy())
    encoder = random_facenet(peers, 0)
    from facenet_pytorch.models.mtcnn import MTCNN

    detector = MTCNN(keep_all=True, device="cpu")

    def faces_of(path: Path) -> int:
        with Image.open(path) as photo, torch.no_grad():
            faces = detector(photo.convert("RGB"))
            return 0 if faces is None else len(encoder(faces))

    return faces_of


def count_faces(path: Path) -> int:
    """Faces embedded of one photo."""
    return _faces_of(path)


def main() -> None:
    """Embed every photo of the folder; print photos, faces and seconds, start-up left out."""
    peers, folder, processes = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["OMP_NUM_THREADS"] = "1"
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    with get_context("spawn").Pool(processes, prepare, (peers,)) as pool:
        pool.map(count_faces, paths[:processes], chunksize=1)
        started = time.perf_counter()
        faces = pool.map(count_faces, paths, chunksize=4)
        seconds = time.perf_counter() - started
    print(json.dumps({"photos": len(paths), "faces": sum(faces), "seconds": seconds}))


if __name__ == "__main__":
    main()
