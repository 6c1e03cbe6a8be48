"""Saved merges of the last full clustering, so that another threshold needs only a cut."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.merge_rule import MergeRule
from cluster.agglomerative import MERGING, LinkageName
from cluster.constraints import ResolvedConstraints
from cluster.graph.knn_graph import KnnGraph
from cluster.linkage.dendrogram import Dendrogram
from facesearch.gallery.gallery import Gallery
from indexer.errors import ShardError
from indexer.storage.hdf5_reader import Checker, open_hdf5, reading
from indexer.storage.hdf5_writer import replacing_hdf5, write_array
from indexer.storage.shard_format import Scalar
from indexer.types import Ids

logger = logging.getLogger(__name__)

FORMAT = "facesearch-merges"
VERSION = 1


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
    with replacing_hdf5(dendrogram_path(gallery), FORMAT, VERSION) as file:
        file.attrs.update(
            key=np.bytes_(merges.key.encode()),
            count=np.int64(dendrogram.count),
            reach=np.float64(dendrogram.reach),
            horizon=np.float64(dendrogram.horizon),
            graph=np.bytes_(merges.graph.encode()),
            edge_recall=np.float64(merges.edge_recall),
        )
        if merges.rule is not None:
            file.attrs["rule"] = np.bytes_(json.dumps(merges.rule.as_dict()).encode())
        write_array(file, "pairs", dendrogram.pairs)
        write_array(file, "heights", dendrogram.heights)
        if dendrogram.neighbours is not None:
            write_array(file, "neighbours", dendrogram.neighbours)


def read_dendrogram(gallery: Gallery, key: str, count: int) -> CachedDendrogram | None:
    """The gallery's merges, where they are those of ``key`` and whole; else None.

    ``count`` is the number of faces that ``key`` is of.
    """
    path = dendrogram_path(gallery)
    if not path.exists():
        return None
    try:
        with open_hdf5(path) as file, reading(path, "the merges"):
            return _read(Checker(file, path), file, key, count)
    except ShardError as error:
        logger.warning("clustering without the merges that are kept: %s", error)
        return None


def _read(checker: Checker, file: h5py.File, key: str, count: int) -> CachedDendrogram | None:
    def said(name: str) -> Scalar:
        return checker.attribute(file, name, name)

    def array(name: str) -> NDArray[Any]:
        return np.asarray(checker.dataset(file, name, name)[()])

    if (said("format"), said("version"), said("key")) != (FORMAT, VERSION, key):
        return None
    if said("count") != count:
        raise checker.fail("count", str(count), said("count"))
    dendrogram = Dendrogram(
        count,
        array("pairs"),
        array("heights"),
        float(said("reach")),
        array("neighbours") if "neighbours" in file else None,
        float(said("horizon")),
    )
    rule = None
    if "rule" in file.attrs:
        try:
            rule = MergeRule.of(json.loads(str(said("rule"))))
        except (ValueError, KeyError, TypeError) as error:
            raise checker.fail("rule", "a rule as JSON", said("rule")) from error
    return CachedDendrogram(key, dendrogram, str(said("graph")), float(said("edge_recall")), rule)
