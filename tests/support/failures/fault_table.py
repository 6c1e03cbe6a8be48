"""Trials of what galleries promise, a line of JSON for each class when it is done.

Used as ``python -m support.failures.fault_table SECONDS SEED`` with the root and ``tests`` in
PYTHONPATH; see ``benchmarks/jobs/promises.py``.
"""

from __future__ import annotations

import errno
import logging
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.clustering.dendrogram_cache import load_dendrogram
from facesearch.clustering.run_store import run_at
from facesearch.errors import FacesearchError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstone, Tombstones
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import load_index
from facesearch.search.knn_graph import open_graph
from indexer.errors import IndexerError
from indexer.storage.shards import Shard
from support.failures.fault_trials import Trials
from support.failures.faults import EVERY, WRITE, faulty_commands
from support.failures.promises import WRITERS, promising_gallery
from support.failures.trials import TOO_LONG, Trial, mutated, report_classes
from support.shards import everything

MOST_DAMAGED = 500  # of each file, so that most of the time is left for faults
DAMAGED = 0.5  # of the time, at most


def main() -> None:
    """Run each class for its share of the seconds, or until all its trials are done."""
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.CRITICAL)
    end = time.monotonic() + seconds
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        gallery = promising_gallery(folder / "read")
        box = (0.0, 0.0, 1.0, 1.0)
        Tombstones([Tombstone(5 << 32, "0f" * 32, box)]).write(gallery.folder)  # of a lost shard
        files = {
            f"damage of {name}": damaged(gallery.folder / name, read, random)
            for name, read in readers(gallery).items()
        }
        report_classes(files, DAMAGED * seconds, MOST_DAMAGED)
        with faulty_commands(folder) as commands:
            made = Trials.prepared(commands, folder / "faults")
            report_classes(faulted(made, random), end - time.monotonic())


def readers(gallery: Gallery) -> dict[str, Callable[[], Any]]:
    """What each file is read to; equal for equal content."""
    state, folder = gallery.state(), gallery.folder
    shard = gallery.shard_paths()[0]

    def read_shard() -> Any:
        with Shard.open(shard) as opened:
            problems = opened.verify()
            if problems:
                raise FacesearchError(str(problems))
            return everything(opened)

    def graph() -> Any:
        with open_graph(gallery, state) as opened:
            return [
                (each.neighbours.tobytes(), each.distances.tobytes()) for each in opened.blocks()
            ]

    def run(name: str) -> Callable[[], Any]:
        def read() -> Any:
            found = run_at(folder / "clusters" / name)
            arrays = (found.clustering.ids, found.clustering.labels, found.clustering.confidence)
            return [each.tolist() for each in arrays], found.numbers.tolist(), found.how

        return read

    def merges() -> Any:
        found = load_dendrogram(folder / "clusters" / "merges.h5")
        return found.key, found.dendrogram.pairs.tolist(), found.dendrogram.heights.tolist()

    return {
        f"shards/{shard.name}": read_shard,
        "clusters/000000.h5": run("000000.h5"),
        "clusters/000001.h5": run("000001.h5"),
        "clusters/merges.h5": merges,
        "graph.h5": graph,
        "state.h5": lambda: gallery.state().digest(),
        "index/index.json": lambda: _read(load_index(gallery, state, verify=True)),
        "people.sqlite": lambda: _read(PeopleStore(folder).decisions()),
        "gallery.json": lambda: _read(Gallery.open(folder)),
        "next-shard": lambda: _read(gallery.next_shard_number()),
        "forgotten.json": lambda: _read(Tombstones.read(folder)),
    }


def _read(_: object) -> None:
    """For what holds no checksum: that it was read is all there is to compare."""


def damaged(path: Path, read: Callable[[], Any], random: np.random.Generator) -> Iterator[Trial]:
    """Random damage of a file: reading it is an error that is meant, or gives what was there.

    What holds no checksum of what it says (JSON, SQLite) need only give something or such an error.
    """
    if not path.exists():
        return
    whole = path.read_bytes()
    before = read()

    def trial() -> str:
        path.write_bytes(mutated(whole, random))
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(TOO_LONG)
        try:
            found = read()
        except (FacesearchError, IndexerError, FileNotFoundError):
            return ""
        except BaseException as error:
            return f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
            path.write_bytes(whole)
        return "" if before is None or found == before else "something else was believed"

    while True:
        yield trial


def _too_long(*_: object) -> None:
    raise TimeoutError(f"took more than {TOO_LONG} s")


def faulted(made: Trials, random: np.random.Generator) -> dict[str, Iterator[Trial]]:
    """Commands with a fault at a random one of their changes of files, none twice."""

    def spread(kinds: int, trial: Callable[[str, int], str]) -> Iterator[Trial]:
        places = [(name, at) for name in WRITERS for at in made.places(name, kinds)]
        for number in random.permutation(len(places)).tolist():
            command, at = places[number]
            yield lambda command=command, at=at: _named(command, at, trial(command, at))  # type: ignore[misc]

    errors = (errno.ENOSPC, errno.EIO)
    return {
        "a change of a file fails": spread(
            EVERY, lambda name, at: made.failing(name, at, EVERY, errors[at % 2])
        ),
        "a write is lost": spread(WRITE, made.losing),
        "killed at a change of a file": spread(EVERY, made.killed),
    }


def _named(command: str, at: int, problem: str) -> str:
    return f"{command}, {at}: {problem}" if problem else ""


if __name__ == "__main__":
    main()
