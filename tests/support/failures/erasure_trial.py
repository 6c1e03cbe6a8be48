"""People forgotten in a gallery with all there is, and every byte searched before and after.

Used as ``python -m support.failures.erasure_trial PEOPLE SEED`` with the root and ``tests`` in
PYTHONPATH, it prints a line of JSON for each kind of index; see ``benchmarks/jobs/erasure.py``.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facesearch.api.clustering import gallery_album, write_report, write_sidecars
from facesearch.check import check_gallery
from facesearch.clustering.current_people import gallery_people
from facesearch.clustering.options import ClusterOptions
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure.forget import Selection, forget
from facesearch.erasure.verify import erasure_problems
from facesearch.errors import BusyGalleryError, FacesearchError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.report.crops import prepare_pictures
from facesearch.search.gallery_index import IndexGoal, build_index, index_folder
from facesearch.search.knn_graph import refresh_graph
from facesearch.upgrade.gallery import upgrade_gallery
from indexer import build
from indexer.build import open_index
from indexer.errors import IndexerError
from indexer.ivf import tune
from indexer.storage.shards import Shard, shard_path
from support.failures.byte_search import Needles, search_bytes
from support.fake_engine import FakeEngine, OtherEngine, write_photo
from support.people_galleries import cluster
from support.search import search_gallery

Kind = Literal["exact", "cells", "FAISS IVF"]
KINDS: tuple[Kind, ...] = ("exact", "cells", "FAISS IVF")
EACH = 3  # photos of a person
GROUP = 5  # people forgotten by one command
TIGHT = ClusterOptions("agglomerative", 0.1)  # that no two of many are one by chance
OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=12)
_ATTEMPTS = 2000
_PAUSE = 0.05  # seconds


def main() -> None:
    """Forget so many people with every kind of index, a line of JSON for each."""
    people, seed = int(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.CRITICAL)
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(erased(Path(folder), kind, people, seed)), flush=True)


def erased(folder: Path, kind: Kind, people: int, seed: int) -> dict[str, Any]:
    """Forget ``people`` of a gallery with an index of this ``kind``, another command running.

    ``before`` and ``after`` are how many needles of each encoding are found in any byte of any
    file, of so many that there are in ``needles``.
    """
    random = np.random.default_rng(seed)
    names = {number: name_of(number, random) for number in range(1, people + 1)}
    with index_of(kind):
        gallery = full_gallery(folder, names)
        ids = faces_of(gallery, names)
        derive_all(gallery, kind)
        needles = all_needles(gallery, ids, list(names.values()))
        before = search_bytes(folder, needles)
        with another_command(gallery) as runs:
            receipts = [
                forgotten(gallery, tuple(list(names.values())[start : start + GROUP]), folder)
                for start in range(0, people, GROUP)
            ]
        forget(gallery)
    after = search_bytes(folder, needles)
    proved = [problem for each in receipts for problem in erasure_problems(gallery, each)]
    return {
        "index": kind,
        "people": people,
        "faces": len(ids),
        "commands_meanwhile": runs[0],
        "needles": needles.counts(),
        "before": before,
        "after": after,
        "receipts": len(receipts),
        "receipts_found": len(proved),
        "damaged": sum(each.severe for each in check_gallery(gallery)),
        "faces_left": gallery.state().face_count,
    }


def name_of(number: int, random: np.random.Generator) -> str:
    """A name that is nowhere by chance; every third is not ASCII."""
    family = bytes(random.integers(97, 123, 12, dtype=np.uint8)).decode()
    given = ("Zoë", "Ann", "李")[number % 3]
    return f"{given} {family.capitalize()}"


@contextmanager
def index_of(kind: Kind) -> Iterator[None]:
    """Build indices of this kind, of however few faces."""
    with mock.patch.multiple(build, FEW=0, QUERIES=8), mock.patch.object(tune, "_SECONDS", 0.02):
        if kind != "FAISS IVF":
            yield
            return
        with mock.patch.object(build, "ivf_available", lambda dimension: False):
            yield


def full_gallery(folder: Path, names: dict[int, str]) -> Gallery:
    """A gallery with all that can lie in one: what is derived, sidecars, and half an upgrade.

    People 1 to n are those of ``names``; 200 is on some photos with them, and as many others again
    are on photos of their own.
    """
    photos = folder / "photos"
    for person in (*names, *range(201, 201 + max(12, len(names) // 2))):
        for number in range(EACH):
            together = [person, 200] if number == 0 and person % 4 == 0 else [person]
            noisy_photo(photos / f"{person:03d}-{number}.png", together, 10 * person + number)
    gallery = Gallery.create(folder / "my.gallery", FakeEngine().contract)
    embed_photos(gallery, FakeEngine(), [photos], OPTIONS)  # type: ignore[arg-type]
    cluster(gallery, TIGHT)
    store, first = PeopleStore(gallery.folder), first_faces(gallery)
    for person, name in names.items():
        if person % 5 == 0:  # a decision that another overrules, and one that is undone
            store.enroll(f"{name} Junior", [first[person]])
        store.enroll(name, [first[person]])
    store.enroll("Nobody Else", [first[201]])
    store.undo()
    cluster(gallery, TIGHT)
    return gallery


def derive_all(gallery: Gallery, kind: Kind) -> None:
    """Index, graph, report with crops, sidecars beside photos, an upgrade that did not finish."""
    build_index(gallery, IndexGoal(recall=1.0 if kind == "exact" else 0.9))
    refresh_graph(gallery, 5)
    album = gallery_album(gallery)
    write_report(album, workers=0)
    write_sidecars(album)
    # The last person's photo is gone, which keeps the upgrade from being finished.
    last = max((gallery.folder.parent / "photos").glob("*.png"))
    hidden = last.rename(last.with_suffix(".hidden"))
    upgrade_gallery(gallery, OtherEngine(), OPTIONS)  # type: ignore[arg-type]
    hidden.rename(last)


def noisy_photo(path: Path, people: list[int], variant: int) -> None:
    """A photo for the stand-in of an engine, of which no two pieces are alike."""
    write_photo(path, people, variant)
    pixels = np.array(Image.open(path))
    noise = np.random.default_rng(variant).integers(0, 256, (*pixels[3:].shape,), dtype=np.uint8)
    pixels[3:] = noise
    Image.fromarray(pixels).save(path)


def first_faces(gallery: Gallery) -> dict[int, int]:
    """The first face of each person, by the names of photos."""
    state = gallery.state()
    found: dict[int, int] = {}
    for record in gallery.faces(state.live_ids(), state):
        found.setdefault(int(record.photo.name.partition("-")[0]), record.face_id)
    return found


def faces_of(gallery: Gallery, names: dict[int, str]) -> NDArray[np.int64]:
    """All faces that decisions and the last clustering give to those named, ascending."""
    given = gallery_people(gallery, gallery.state()).names_by_id()
    wanted = {*names.values()}
    ids = np.array(sorted(face for face, name in given.items() if name in wanted), np.int64)
    assert len(ids) == EACH * len(names), "clustering did not give each person their faces"
    return ids


def all_needles(gallery: Gallery, ids: NDArray[np.int64], names: list[str]) -> Needles:
    """What is looked for: vectors in every encoding that is stored, names, and crops."""
    vectors = gallery.vectors(ids)
    index = open_index(index_folder(gallery), gallery.shard_digests())
    report = gallery.folder / "report"
    crops = prepare_pictures(gallery_album(gallery).faces, report, workers=0).crops
    return Needles.of_vectors(vectors).joined(
        Needles.of_vectors(upgraded_vectors(gallery, ids), " of the other encoder"),
        Needles.of_names(names),
        Needles.of_crops([(report / crops[each]).read_bytes() for each in ids.tolist()]),
        Needles.of_index(index, ids, vectors),
    )


def upgraded_vectors(gallery: Gallery, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """Of those faces whose shards the unfinished upgrade has made already."""
    (folder,) = gallery.folder.glob("shards-*")
    found = []
    for number in np.unique(ids >> 32).tolist():
        path = shard_path(folder, number)
        if path.exists():
            with Shard.open(path) as shard:
                found.append(shard.vectors(ids[ids >> 32 == number] & 0xFFFFFFFF))
    assert found
    return np.concatenate(found)


def forgotten(gallery: Gallery, names: tuple[str, ...], folder: Path) -> Path:
    """Forget them, as often as another process is in the way; the receipt."""
    place = folder / f"receipt-{len(list(folder.glob('receipt-*')))}.json"
    for _ in range(_ATTEMPTS):
        with suppress(BusyGalleryError):
            report = forget(gallery, Selection(people=names), receipt=place)
            assert report.found == [], report.found
            return place
        threading.Event().wait(_PAUSE)
    raise BusyGalleryError("the other command never ended")


@contextmanager
def another_command(gallery: Gallery) -> Iterator[list[int]]:
    """Cluster, make reports and graphs, and search, again and again; how often is in the list."""
    done, runs = threading.Event(), [0]

    def work() -> None:
        other = Gallery.open(gallery.folder)
        while not done.is_set():
            with suppress(FacesearchError, IndexerError, FileNotFoundError):
                album = gallery_album(other)
                state = other.state()
                search_gallery(other, state, other.vectors(state.live_ids()[:3]), 2)
                write_report(album, workers=0)
                write_sidecars(album)
                cluster(other, TIGHT)
                refresh_graph(other, 5)
            runs[0] += 1
            done.wait(_PAUSE)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield runs
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
