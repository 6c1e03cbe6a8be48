"""How many searches a second does the service answer, while it indexes, and does its memory grow?

``python -m benchmarks.jobs.service_load --index-photos PHOTOS`` makes a gallery of a million made
faces, serves it in a process, and asks it over HTTP: what is near a face of the gallery (the search
alone, without detecting and encoding), by 1, 8 and 32 clients at once, alone and while the photos
of a folder are indexed; then lists, names and faces, ``--requests`` times, to see whether memory
grows; then whole commands, by the service and without it. The same questions go to a peer, FAISS
behind the same web framework (:mod:`benchmarks.peers.faiss_service`). ``--keep DIR`` keeps the made
gallery for another run. Takes about ten minutes on two cores.
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
from benchmarks.jobs.command_times import command_times
from cluster.types import Clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import refresh_index

CLIENTS = (1, 8, 32)
SEED = 5
FACES_OF_PERSON = 100
_VECTORS = "vectors.npy"


@dataclass(frozen=True)
class Load:
    """Answers a second, and the times in milliseconds that half and 99 of 100 of them took."""

    clients: int
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


def loads_of(ask: Callable[[int], Callable[[], None]], seconds: float) -> list[dict[str, Any]]:
    """The load that each number of clients can put on what they ask."""
    ask(0)()  # what is loaded at the first question is loaded
    found = []
    for clients in CLIENTS:
        times, took, errors = measure(ask, clients, seconds)
        p50, p99 = (1000 * float(each) for each in np.percentile(times, [50, 99]))
        rate = len(times) / took
        found.append(vars(Load(clients, round(rate, 1), round(p50, 2), round(p99, 2), errors)))
    return found


def search_asker(url: str, gallery: str, faces: list[str]) -> Callable[[int], Callable[[], None]]:
    """Clients that ask which faces are near faces of the gallery."""
    from facesearch.service.transport import ServiceTransport

    def ask(number: int) -> Callable[[], None]:
        transport = ServiceTransport(url)
        draw = random.Random(SEED + number)

        def once() -> None:
            face = draw.choice(faces)
            transport.send("GET", f"galleries/{gallery}/faces/{face}/neighbours?k=10")

        return once

    return ask


def peer_asker(url: str, rows: list[int]) -> Callable[[int], Callable[[], None]]:
    """Clients that ask the peer the same."""
    import http.client
    from urllib.parse import urlsplit

    parts = urlsplit(url)

    def ask(number: int) -> Callable[[], None]:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        draw = random.Random(SEED + number)

        def once() -> None:
            connection.request("GET", f"/neighbours/{draw.choice(rows)}?k=10")
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise OSError(f"the peer answered {answer.status}")

        return once

    return ask


def peer_loads(vectors: Path, rows: list[int], seconds: float) -> dict[str, Any]:
    """What the peer is, and the load that it bears."""
    command = [sys.executable, "-m", "benchmarks.peers.faiss_service", str(vectors)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        url, about = process.stdout.readline().strip(), json.loads(process.stdout.readline())
        try:
            return {**about, "loads": loads_of(peer_asker(url, rows), seconds)}
        finally:
            process.stdin.close()
            process.wait()


def memory_growth(
    service: RunningService, gallery: str, faces: list[str], requests: int
) -> dict[str, Any]:
    """Resident megabytes before, and after each tenth of ``requests`` of several kinds."""
    from facesearch.service.transport import ServiceTransport

    transport = ServiceTransport(service.url)
    draw = random.Random(SEED)
    found = [round(service.memory / 2**20, 1)]
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


def main() -> None:
    """Measure and save."""
    parser = TimingParser(__doc__)
    parser.add_argument("--faces", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each number of clients")
    parser.add_argument("--requests", type=int, default=10_000, help="to see whether memory grows")
    parser.add_argument("--repeats", type=int, default=10, help="of each command")
    parser.add_argument("--index-photos", type=Path, help="folder that is indexed meanwhile")
    parser.add_argument("--keep", type=Path, help="folder that keeps the made gallery")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--no-save", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = _measured(args, Path(name))
    print(json.dumps(result, indent=1))
    if not args.no_save:
        record("service_load", result)


def made_gallery(folder: Path, faces: int) -> Gallery:
    """A gallery of so many made faces, indexed, in people of a hundred faces that come one after
    the other: lists are as long as those of real people. Their vectors are beside it."""
    made = MadeGallery(faces, FaceModel.load(), SEED)
    gallery = vector_gallery(folder, made.dimension)
    vectors = np.lib.format.open_memmap(
        folder.parent / _VECTORS, "w+", np.float32, (faces, made.dimension)
    )
    ids = []
    for block in made.blocks():
        vectors[block.ids] = block.vectors
        ids.append(add_faces(gallery, block.vectors, block.ids))
    vectors.flush()
    refresh_index(gallery)
    all_ids = np.concatenate(ids)
    labels = (np.arange(faces) // FACES_OF_PERSON).astype(np.int32)
    found = Clustering(all_ids, labels, np.full(faces, 0.9, np.float32))
    numbers = np.arange(1, found.count + 1)
    state = gallery.state().digest()
    made_at = "2026-01-01T00:00:00+00:00"
    run = ClusterRun(found, "agglomerative", 0.5, made_at, state, 0.0, False, numbers)
    save_run(gallery, run)
    return gallery


def _measured(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    place = (args.keep or folder) / "made.gallery"
    place.parent.mkdir(parents=True, exist_ok=True)
    gallery = Gallery.open(place) if place.exists() else made_gallery(place, args.faces)
    galleries = [gallery.folder]
    if args.index_photos:
        galleries.append(_gallery_to_index(args.index_photos, folder / "indexed.gallery"))
    ids = gallery.state().live_ids()
    rows = np.random.default_rng(SEED).choice(len(ids), min(1000, len(ids)), replace=False)
    faces = [str(each) for each in ids[rows].tolist()]
    result: dict[str, Any] = {"seed": SEED, "faces": len(ids), "seconds": args.seconds}
    began = time.perf_counter()
    service = RunningService(galleries, folder)
    try:
        ask = search_asker(service.url, "made", faces)
        ask(0)()
        result["until_first_answer_seconds"] = round(time.perf_counter() - began, 1)
        result["loads"] = loads_of(ask, args.seconds)
        if args.index_photos:
            result["while_indexing"] = _while_indexing(service.url, args, ask)
        result["memory"] = memory_growth(service, "made", faces, args.requests)
        commands = _commands(gallery.folder, faces[0], args.index_photos, folder)
        result["commands"] = command_times(commands, galleries, args.repeats)
    finally:
        service.stop()
    if not args.no_peer:
        peer = peer_loads(place.parent / _VECTORS, rows.tolist(), args.seconds)
        result["faiss_behind_fastapi"] = peer
    return result


def _commands(made: Path, face: str, photos: Path | None, folder: Path) -> dict[str, list[str]]:
    """Commands by what they are called in the result: of many people, and about a photo."""
    commands = {
        "people show": ["people", "show", str(made), "p5"],
        "people history": ["people", "history", str(made)],
        "people list, all 10,000": ["people", "list", str(made)],
        # Said of faces that are nobody's business: it may be said again and again.
        "people later (a decision)": ["people", "later", str(made), "p5", "--face", face],
    }
    if photos is not None:
        indexed = str(folder / "indexed.gallery")
        photo = str(_first_photo(photos))
        commands["people list"] = ["people", "list", indexed]
        commands["identify"] = ["identify", indexed, photo]
        commands["search"] = ["search", indexed, photo]
    return commands


def _first_photo(photos: Path) -> Path:
    return next(path for path in sorted(photos.glob("**/*.jpg")))


def _gallery_to_index(photos: Path, folder: Path) -> Path:
    """A gallery of one photo of a folder, with somebody in it, whose others are indexed while
    questions are asked."""
    first = str(_first_photo(photos))
    for words in (["index", first, "--gallery", str(folder), "--quiet"],
                  ["enroll", str(folder), "Somebody", first, "--quiet"]):  # fmt: skip
        command = [sys.executable, "-m", "facesearch.cli.main", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def _while_indexing(
    url: str, args: argparse.Namespace, ask: Callable[[int], Callable[[], None]]
) -> dict[str, Any]:
    """Loads while a job indexes, and how many photos it indexed meanwhile; then it is cancelled."""
    from facesearch.service.client import ServiceClient

    client = ServiceClient(url)
    client.be_local()
    job = client.gallery("indexed").start_job("index", roots=[str(args.index_photos.resolve())])
    while (now := client.job(job.id)).progress is None and now.state != "done":
        time.sleep(0.1)
    began = time.perf_counter()
    loads = loads_of(ask, args.seconds)
    took = time.perf_counter() - began
    at_end = client.job(job.id)
    client.cancel(job.id)
    client.wait(job.id)
    before, after = (each.progress.done if each.progress else 0 for each in (now, at_end))
    return {
        "loads": loads,
        "indexed_photos": after - before,
        "indexing_all_the_time": at_end.state == "running",
        "seconds": round(took, 1),
    }


if __name__ == "__main__":
    main()
