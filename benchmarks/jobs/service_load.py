"""How many searches a second does the service answer, while it indexes, and does its memory grow?

``python -m benchmarks.jobs.service_load --faces 1000000`` makes a gallery of so many made faces,
serves it in a process, and asks it over HTTP: what is near a face of the gallery (the search alone,
without detecting and encoding), by 1, 8 and 32 clients at once, alone and while an index job runs;
then lists, names and crops, ``--requests`` times, to see whether memory grows. ``--peer`` asks
deepface's REST service in the same way, if it can be imported: it compares a photo with every photo
of a folder, so its figure is for a folder of ``--peer-photos``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.face_model import FaceModel
from benchmarks.common.idle import TimingParser
from benchmarks.common.made_galleries import MadeGallery
from benchmarks.common.record import record
from benchmarks.common.vector_gallery import add_faces, vector_gallery
from cluster.types import Clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import refresh_index

CLIENTS = (1, 8, 32)
SEED = 5
FACES_OF_PERSON = 100


@dataclass(frozen=True)
class Load:
    """Answers a second, and the times in milliseconds that half and 99 of 100 of them took."""

    clients: int
    indexing: bool
    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int


class RunningService:
    """``facesearch serve`` in a process."""

    def __init__(self, galleries: list[Path], folder: Path) -> None:
        command = [
            sys.executable, "-m", "facesearch.cli.main", "serve", *map(str, galleries), "--port",
            "0", "--state", str(folder / "state"),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.startswith("http"):
                self.url = line.strip()
                break
        else:
            raise RuntimeError("the service did not start")
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        assert self._process.stderr is not None
        for _ in self._process.stderr:
            pass

    @property
    def memory(self) -> int:
        """Resident bytes of the process."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def measure(
    ask: Callable[[int], Callable[[], None]], clients: int, seconds: float
) -> tuple[list[float], float, int]:
    """Times of all answers in seconds, how long it took in all, and how many were errors.

    ``ask(number)`` makes what client ``number`` does once.
    """
    times: list[list[float]] = [[] for _ in range(clients)]
    errors = [0] * clients
    until = time.perf_counter() + seconds

    def work(number: int) -> None:
        once = ask(number)
        while (began := time.perf_counter()) < until:
            try:
                once()
            except Exception:
                errors[number] += 1
            times[number].append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for some in times for each in some], time.perf_counter() - began, sum(errors)


def load_of(
    ask: Callable[[int], Callable[[], None]], clients: int, seconds: float, indexing: bool
) -> Load:
    """The load that ``clients`` can put on what they ask."""
    times, took, errors = measure(ask, clients, seconds)
    p50, p99 = np.percentile(times, [50, 99])
    return Load(clients, indexing, len(times) / took, 1000 * float(p50), 1000 * float(p99), errors)


def search_asker(url: str, faces: list[str]) -> Callable[[int], Callable[[], None]]:
    """Clients that ask which faces are near faces of the gallery."""
    from facesearch.service.transport import ServiceTransport

    def ask(number: int) -> Callable[[], None]:
        transport = ServiceTransport(url)
        draw = random.Random(SEED + number)
        gallery = transport.send("GET", "galleries").json()["galleries"][0]["id"]

        def once() -> None:
            face = draw.choice(faces)
            transport.send("GET", f"galleries/{gallery}/faces/{face}/neighbours?k=10")

        return once

    return ask


def memory_growth(service: RunningService, faces: list[str], requests: int) -> dict[str, Any]:
    """Resident megabytes after each tenth of ``requests`` of several kinds."""
    from facesearch.service.transport import ServiceTransport

    transport = ServiceTransport(service.url)
    gallery = transport.send("GET", "galleries").json()["galleries"][0]["id"]
    draw = random.Random(SEED)
    found = []
    for number in range(requests):
        face = draw.choice(faces)
        path = draw.choice(
            [f"faces/{face}", f"faces/{face}/neighbours", "people", "photos", "people?order=name",
             f"faces/{face}/candidates", "timeline", ""]
        )  # fmt: skip
        transport.send("GET", f"galleries/{gallery}/{path}".rstrip("/"))
        if (number + 1) % max(1, requests // 10) == 0:
            found.append(round(service.memory / 2**20, 1))
    return {"requests": requests, "megabytes": found}


def peer_load(photos: Path, clients: int, seconds: float) -> Load | None:
    """deepface's search of a photo in a folder, in this process; None where it is not installed."""
    try:
        from deepface import DeepFace
    except ImportError:
        return None
    files = sorted(photos.glob("**/*.jpg"))

    def ask(number: int) -> Callable[[], None]:
        draw = random.Random(SEED + number)
        return lambda: DeepFace.find(
            str(draw.choice(files)), str(photos), enforce_detection=False, silent=True
        )

    ask(0)()  # it makes its index at the first question
    return load_of(ask, clients, seconds, indexing=False)


def main() -> None:
    """Measure and save."""
    parser = TimingParser(__doc__)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=10_000, help="to see whether memory grows")
    parser.add_argument("--index-photos", type=Path, help="folder that is indexed meanwhile")
    parser.add_argument("--peer-photos", type=Path, help="folder that deepface searches")
    parser.add_argument("--no-save", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gallery = made_gallery(folder / "made.gallery", args.faces)
        result = _measured(args, gallery, folder)
    print(json.dumps(result, indent=1))
    if not args.no_save:
        record("service_load", result)


def made_gallery(folder: Path, faces: int) -> Gallery:
    """A gallery of so many made faces, indexed, in people of a hundred faces that come one after
    the other: lists are as long as those of real people."""
    made = MadeGallery(faces, FaceModel.load(), SEED)
    gallery = vector_gallery(folder, made.dimension)
    ids = np.concatenate([add_faces(gallery, block.vectors, block.ids) for block in made.blocks()])
    refresh_index(gallery)
    labels = (np.arange(len(ids)) // FACES_OF_PERSON).astype(np.int32)
    found = Clustering(ids, labels, np.full(len(ids), 0.9, np.float32))
    numbers = np.arange(1, found.count + 1)
    state = gallery.state().digest()
    made_at = "2026-01-01T00:00:00+00:00"
    run = ClusterRun(found, "agglomerative", 0.5, made_at, state, 0.0, False, numbers)
    save_run(gallery, run)
    return gallery


def _measured(args: argparse.Namespace, gallery: Gallery, folder: Path) -> dict[str, Any]:
    galleries = [gallery.folder]
    if args.index_photos:
        galleries.append(_gallery_to_index(args.index_photos, folder / "indexed.gallery"))
    ids = gallery.state().live_ids()
    draw = np.random.default_rng(SEED)
    faces = [str(each) for each in draw.choice(ids, min(1000, len(ids)), replace=False).tolist()]
    service = RunningService(galleries, folder)
    try:
        ask = search_asker(service.url, faces)
        ask(0)()  # what is loaded at the first question is loaded
        loads = [load_of(ask, clients, args.seconds, indexing=False) for clients in CLIENTS]
        if args.index_photos:
            _start_indexing(service.url, args.index_photos)
            loads += [load_of(ask, clients, args.seconds, indexing=True) for clients in CLIENTS]
        memory = memory_growth(service, faces, args.requests)
    finally:
        service.stop()
    peer = peer_load(args.peer_photos, 1, args.seconds) if args.peer_photos else None
    return {
        "seed": SEED,
        "faces": args.faces,
        "seconds": args.seconds,
        "loads": [vars(load) for load in loads],
        "memory": memory,
        "deepface": None if peer is None else vars(peer),
    }


def _gallery_to_index(photos: Path, folder: Path) -> Path:
    """A gallery of one photo of a folder, whose others are indexed while questions are asked."""
    first = next(path for path in sorted(photos.glob("**/*.jpg")))
    command = [
        sys.executable, "-m", "facesearch.cli.main", "index", str(first), "--gallery", str(folder),
        "--quiet",
    ]  # fmt: skip
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def _start_indexing(url: str, photos: Path) -> None:
    from facesearch.service.client import ServiceClient

    client = ServiceClient(url)
    client.be_local()
    client.gallery("indexed").start_job("index", roots=[str(photos.resolve())])


if __name__ == "__main__":
    main()
