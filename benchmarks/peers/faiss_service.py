"""A service that is nothing but FAISS behind FastAPI: what a program of an afternoon answers.

``python -m benchmarks.peers.faiss_service VECTORS.npy`` holds float32 vectors in an inverted file
of FAISS (IVF, vectors as they are), searches as many of its cells as the recall needs, and answers
``GET /neighbours/ROW?k=10`` with rows and squared distances. It has no people, no photos, no
accounts and no changes. Prints its address, then a line of JSON about its index.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from typing import Any

import faiss
import numpy as np
import uvicorn
from fastapi import FastAPI
from numpy.typing import NDArray

_CELLS_OF_ROOT = 4  # cells for the square root of the number of vectors, as FAISS's guide has it
_TRAINED = 64  # vectors for each cell
_ASKED = 200
_K = 10


def made_index(vectors: NDArray[np.float32], recall: float) -> tuple[Any, dict[str, Any]]:
    """An inverted file of ``vectors`` that finds this share of the ten nearest, and what it is."""
    count, dimension = vectors.shape
    cells = max(1, int(_CELLS_OF_ROOT * count**0.5))
    index = faiss.index_factory(dimension, f"IVF{cells},Flat")
    draw = np.random.default_rng(0)
    sample = draw.choice(count, min(count, _TRAINED * cells), replace=False)
    index.train(vectors[np.sort(sample)])
    index.add(vectors)
    asked = vectors[draw.choice(count, min(count, _ASKED), replace=False)]
    _, truth = faiss.knn(asked, vectors, _K)
    found, probes = 0.0, 0
    while found < recall and probes < cells:
        probes = min(cells, max(1, 2 * probes))
        index.nprobe = probes
        _, ids = index.search(asked, _K)
        hits = [len({*one} & {*other}) for one, other in zip(ids, truth, strict=True)]
        found = sum(hits) / truth.size
    return index, {"index": f"IVF{cells},Flat", "probes": probes, "recall_at_10": round(found, 4)}


def application(vectors: NDArray[np.float32], index: Any) -> FastAPI:
    """The service."""
    app = FastAPI()

    @app.get("/neighbours/{row}")
    def neighbours(row: int, k: int = _K) -> dict[str, Any]:
        distances, ids = index.search(vectors[row : row + 1], k + 1)
        return {"ids": ids[0].tolist(), "distances": distances[0].tolist()}

    return app


def main() -> None:
    """Serve until the process is ended, or standard input is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("vectors", help="file *.npy")
    parser.add_argument("--recall", type=float, default=0.99)
    args = parser.parse_args()
    vectors = np.ascontiguousarray(np.load(args.vectors), np.float32)
    index, about = made_index(vectors, args.recall)
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as where uvicorn makes its own
    print(f"http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    print(json.dumps(about), flush=True)
    config = uvicorn.Config(application(vectors, index), log_level="warning")
    server = uvicorn.Server(config)

    def end_with_input() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=end_with_input, daemon=True).start()
    server.run(sockets=[bound])


if __name__ == "__main__":
    main()
