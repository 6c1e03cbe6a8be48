"""Is what a receipt of forgetting names still gone?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facesearch.clustering.run_store import read_run, run_paths
from facesearch.erasure.name_search import names_found
from facesearch.erasure.receipt import read_receipt
from facesearch.erasure.selection import unfinished
from facesearch.errors import FacesearchError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.tombstones import Tombstones
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import index_folder
from facesearch.search.knn_graph import graph_path
from indexer.build import held_ids
from indexer.errors import IndexerError, MissingFaissError, StaleIndexError
from indexer.graph.knn_graph import KnnGraphFile
from indexer.id_lookup import contained
from indexer.index.manifest import IndexManifest
from indexer.types import Ids


def erasure_problems(gallery: Gallery, path: Path, names: Sequence[str] = ()) -> list[str]:
    """Where anything is found of what the receipt at ``path`` says was deleted; none is good.

    Looks at every file of the gallery for the vectors, at every place and in every encoding, in
    shards, clusterings, index, graph and decisions for the faces, and for ``names``, which the
    receipt does not hold. Raises InputError for a file that is no receipt.
    """
    receipt = read_receipt(path)
    ids = np.array(sorted(receipt.faces), np.int64)
    problems = [
        *(f"{each} holds bytes of a vector" for each in receipt.traces.found(gallery.folder)),
        *(f"{each} holds a name" for each in names_found(gallery.folder, names)),
        *_listed(gallery, ids),
    ]
    for what, check in (
        ("clusterings", _in_runs),
        ("graph.h5", _in_graph),
        ("the index", _in_index),
        ("people.sqlite", _in_decisions),
    ):
        try:
            if count := int(contained(check(gallery), ids).sum()):
                problems.append(f"{what}: {count} of the faces are in it")
        except (FacesearchError, IndexerError, OSError, KeyError, ValueError, TypeError) as error:
            problems.append(f"{what} cannot be looked through: {error}")
    return problems


def _listed(gallery: Gallery, ids: Ids) -> list[str]:
    missing = int((~Tombstones.read(gallery.folder).among(ids)).sum())
    held = len(unfinished(gallery, ids))
    return [
        *([f"forgotten.json lacks {missing} of the faces, which may come back"] * bool(missing)),
        *([f"shards hold {held} of the faces"] * bool(held)),
    ]


def _in_runs(gallery: Gallery) -> Ids:
    none = np.zeros(0, np.int64)
    return np.concatenate([none, *(read_run(each).clustering.ids for each in run_paths(gallery))])


def _in_graph(gallery: Gallery) -> Ids:
    if not graph_path(gallery).exists():
        return np.zeros(0, np.int64)
    with KnnGraphFile.open(graph_path(gallery)) as graph:
        return graph.covered.ids


def _in_index(gallery: Gallery) -> Ids:
    try:
        folder = index_folder(gallery)
        held = held_ids(folder, gallery.shard_digests(), IndexManifest.read(folder))
    except (MissingFaissError, StaleIndexError):
        return np.zeros(0, np.int64)
    return held.at(np.arange(held.count))


def _in_decisions(gallery: Gallery) -> Ids:
    faces = [
        face.face_id for each in PeopleStore(gallery.folder).decisions() for face in each.faces
    ]
    return np.array(faces, np.int64)
