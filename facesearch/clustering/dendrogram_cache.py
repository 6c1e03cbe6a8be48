"""Saved merges of the last full clustering, so that another threshold needs only a cut."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import MergeRule
from cluster.agglomerative import MERGING, LinkageName
from cluster.constraints import ResolvedConstraints
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.dendrogram import Dendrogram
from facesearch.gallery.gallery import Gallery
from indexer.errors import ShardError
from indexer.storage.hdf5_reader import reading
from indexer.storage.plain_files import parse_json
from indexer.storage.sealed_arrays import SealedArrays, read_sealed, write_sealed
from indexer.storage.shard_format import Scalar
from indexer.types import Ids

logger = logging.getLogger(__name__)

FORMAT = "facesearch-merges"
VERSION = 2


@dataclass(frozen=True)
class CachedDendrogram:
    """A dendrogram and what it was made of: a digest, ``key``, by :func:`dendrogram_key`.

    ``graph`` and ``edge_recall`` are as :class:`facesearch.clustering.run_store.RunInfo` has them;
    heights are excesses over ``rule`` where there is one (:mod:`cluster.adaptive`).
    """

    key: str
    dendrogram: Dendrogram
    graph: str = ""
    edge_recall: float = 1.0
    rule: MergeRule | None = None


def dendrogram_key(
    ids: Ids,
    constraints: ResolvedConstraints,
    reach: float,
    graph: KnnGraph | str,
    linkage: LinkageName | Literal["by rule"],
) -> str:
    """The SHA-256 that names merges of the faces ``ids`` (n,), in this order, up to ``reach``.

    Vectors of a face never change, so the ids stand for them. ``graph`` is the one that is kept,
    or says in words how one is made of the vectors, or that there is none.
    """
    graph_name = graph if isinstance(graph, str) else "kept"
    digest = hashlib.sha256(f"{VERSION} {MERGING} {linkage} {reach!r} {graph_name}".encode())
    arrays: list[NDArray[Any]] = [ids, constraints.joined, *constraints.apart]
    if isinstance(graph, KnnGraph):
        arrays += [graph.rows, graph.distances]
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def dendrogram_path(gallery: Gallery) -> Path:
    """Where a gallery's merges lie."""
    return gallery.folder / "clusters" / "merges.h5"


def write_dendrogram(gallery: Gallery, merges: CachedDendrogram) -> None:
    """Replace the gallery's merges by these; for who holds its lock."""
    dendrogram = merges.dendrogram
    attributes: dict[str, Scalar] = {
        "key": merges.key,
        "count": dendrogram.count,
        "reach": float(dendrogram.reach),
        "horizon": float(dendrogram.horizon),
        "graph": merges.graph,
        "edge_recall": float(merges.edge_recall),
    }
    if merges.rule is not None:
        attributes["rule"] = json.dumps(merges.rule.as_dict())
    arrays = {"pairs": dendrogram.pairs, "heights": dendrogram.heights}
    if dendrogram.neighbours is not None:
        arrays["neighbours"] = dendrogram.neighbours
    write_sealed(dendrogram_path(gallery), FORMAT, VERSION, SealedArrays(attributes, arrays))


def read_dendrogram(gallery: Gallery, key: str, count: int) -> CachedDendrogram | None:
    """The gallery's merges, where they are those of ``key`` and whole; else None.

    ``count`` is the number of faces that ``key`` is of.
    """
    path = dendrogram_path(gallery)
    if not os.path.lexists(path):
        return None
    try:
        found = load_dendrogram(path)
    except ShardError as error:
        logger.warning("clustering without the merges that are kept: %s", error)
        return None
    return found if (found.key, found.dendrogram.count) == (key, count) else None


def load_dendrogram(path: Path) -> CachedDendrogram:
    """The merges in a file; ShardError where it is not whole."""
    content = read_sealed(path, FORMAT, VERSION)
    said, arrays = content.attributes, content.arrays
    with reading(path, "the merges"):
        dendrogram = Dendrogram(
            int(said["count"]),
            arrays["pairs"],
            arrays["heights"],
            float(said["reach"]),
            arrays.get("neighbours"),
            float(said["horizon"]),
        )
        return CachedDendrogram(
            str(said["key"]),
            dendrogram,
            str(said["graph"]),
            float(said["edge_recall"]),
            MergeRule.of(parse_json(str(said["rule"]))) if "rule" in said else None,
        )
