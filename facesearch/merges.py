"""The merges of the last full clustering, kept, so that another threshold is only another cut."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cluster.agglomerative import MERGING, LinkageName
from cluster.constraints import Resolved
from cluster.dendrogram import Dendrogram
from cluster.graph import Graph
from facesearch.gallery import Gallery
from indexer.files import partial_path, sync_file, sync_folder
from indexer.types import Ids

logger = logging.getLogger(__name__)

FORMAT = "facesearch-merges"
VERSION = 1


@dataclass(frozen=True)
class Merges:
    """A dendrogram and what it was made of: a digest, ``key``, by :func:`merges_key`.

    ``graph`` and ``edge_recall`` are as :class:`facesearch.runs.How` has them.
    """

    key: str
    dendrogram: Dendrogram
    graph: str = ""
    edge_recall: float = 1.0


def merges_key(
    ids: Ids, constraints: Resolved, reach: float, graph: Graph | str, linkage: LinkageName
) -> str:
    """The SHA-256 that names merges of the faces ``ids`` (n,), in this order, up to ``reach``.

    Vectors of a face never change, so the ids stand for them. ``graph`` is the one that is kept,
    or says in words how one is made of the vectors, or that there is none.
    """
    told = graph if isinstance(graph, str) else "kept"
    digest = hashlib.sha256(f"{VERSION} {MERGING} {linkage} {reach!r} {told}".encode())
    arrays: list[NDArray[Any]] = [ids, constraints.joined, *constraints.apart]
    if isinstance(graph, Graph):
        arrays += [graph.rows, graph.distances]
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def merges_path(gallery: Gallery) -> Path:
    """Where a gallery's merges lie."""
    return gallery.folder / "clusters" / "merges.h5"


def write_merges(gallery: Gallery, merges: Merges) -> None:
    """Replace the gallery's merges by these; for who holds its lock."""
    path = merges_path(gallery)
    dendrogram = merges.dendrogram
    with h5py.File(partial_path(path), "w") as file:
        file.attrs.update(
            format=FORMAT,
            version=VERSION,
            key=merges.key,
            count=dendrogram.count,
            reach=dendrogram.reach,
            horizon=dendrogram.horizon,
            graph=merges.graph,
            edge_recall=merges.edge_recall,
        )
        arrays: dict[str, NDArray[Any]] = {
            "pairs": dendrogram.pairs,
            "heights": dendrogram.heights,
        }
        if dendrogram.neighbours is not None:
            arrays["neighbours"] = dendrogram.neighbours
        for name, array in arrays.items():
            file.create_dataset(name, data=array, fletcher32=bool(array.size))
    sync_file(partial_path(path))
    partial_path(path).replace(path)
    sync_folder(path.parent)


def read_merges(gallery: Gallery, key: str) -> Merges | None:
    """The gallery's merges, where they are those of ``key`` and whole; else None."""
    path = merges_path(gallery)
    if not path.exists():
        return None
    try:
        with h5py.File(path, "r") as file:
            about = file.attrs
            if (about["format"], about["version"], about["key"]) != (FORMAT, VERSION, key):
                return None
            dendrogram = Dendrogram(
                int(about["count"]),
                file["pairs"][()],
                file["heights"][()],
                float(about["reach"]),
                file["neighbours"][()] if "neighbours" in file else None,
                float(about["horizon"]),
            )
            return Merges(key, dendrogram, str(about["graph"]), float(about["edge_recall"]))
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        logger.warning(
            "clustering without the merges that are kept: cannot read %s: %s", path, error
        )
        return None
