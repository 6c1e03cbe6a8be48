"""What a gallery promises whatever happens to it, as one check and one value to compare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from facesearch.check import check_gallery
from facesearch.clustering.run_store import read_run, run_paths
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index
from facesearch.search.knn_graph import graph_path, refresh_graph
from indexer.graph.knn_graph import KnnGraphFile
from support.fake_engine import write_photo
from support.people_galleries import cluster, people_gallery

# Long names: three letters are in a file of ciphertext or vectors by chance.
ADA, IDA = "Ada Lovelace", "Ida Rhodes"
FORGOTTEN = (2, 5)
WRITERS = (
    "index", "cluster", "graph", "build", "name", "merge", "undo", "forget", "forget person",
    "report", "export",
)  # fmt: skip


def promising_gallery(folder: Path) -> Gallery:
    """People in a gallery with all that can be derived, and photos beside it to index next."""
    gallery = people_gallery(folder, people=3, each=3)
    cluster(gallery)
    store = PeopleStore(gallery.folder)
    store.enroll(ADA, [0])
    store.enroll(IDA, [3])
    cluster(gallery)
    build_index(gallery)
    refresh_graph(gallery, 3)
    for number in range(2):
        write_photo(folder / "more" / f"9-{number}.png", [9], 90 + number)
    return gallery


def severe(gallery: Gallery) -> list[str]:
    """What ``check`` says is damaged of what cannot be made again."""
    return [f"{each.subject}: {each.problem}" for each in check_gallery(gallery) if each.severe]


def contents(gallery: Gallery) -> dict[str, Any]:
    """All that a gallery says, without times; reading it reads every file that is used."""
    state = gallery.state()
    ids = state.live_ids()
    return {
        "ids": ids.tolist(),
        "vectors": gallery.vectors(ids).tobytes(),
        "photos": sorted(each.photo.name for each in gallery.faces(ids, state)),
        "forgotten": Tombstones.read(gallery.folder).ids.tolist(),
        "decisions": [
            (each.action, each.person, each.other, each.name, each.faces)
            for each in PeopleStore(gallery.folder).decisions()
        ],
        "runs": [list(_run(path)) for path in run_paths(gallery)],
        "graph": list(_graph(gallery)),
    }


def _run(path: Path) -> Iterator[Any]:
    run = read_run(path)
    yield run.clustering.ids.tolist()
    yield run.clustering.labels.tolist()
    yield np.round(run.clustering.confidence, 4).tolist()
    yield None if run.people is None else run.people.tolist()


def _graph(gallery: Gallery) -> Iterator[Any]:
    if graph_path(gallery).exists():
        with KnnGraphFile.open(graph_path(gallery)) as graph:
            yield graph.covered.ids.tolist()
            for block in graph.blocks():
                yield block.neighbours.tolist()
