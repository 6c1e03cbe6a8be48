"""The neighbour graph of a clustering: that saved in the gallery, or one made for this run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cluster.adaptive.clustering import graph_for
from cluster.graph.knn_graph import KnnGraph, edge_recall
from cluster.partitioned.initial import GraphSlice
from facesearch.errors import BusyGalleryError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.knn_graph import graph_path, open_graph, refresh_graph
from indexer.errors import StaleIndexError
from indexer.graph.knn_graph import BLOCK_ROWS, KnnGraphFile
from indexer.types import Ids, Vectors

logger = logging.getLogger(__name__)

_WITHOUT = "clustering without the graph that is kept: %s"


@dataclass(frozen=True)
class ClusteringGraph:
    """A graph of the faces to be clustered, where it is from, and its measured edge recall."""

    graph: KnnGraph
    source: Literal["kept", "made"]
    recall: float


def clustering_graph(vectors: Vectors, kept: KnnGraph | None) -> ClusteringGraph:
    """The graph of ``vectors`` float32 (n, d): the one that is ``kept``, or one that is made.

    Without one the :data:`cluster.graph.approximate_knn.NEIGHBOURS` nearest are found: exactly
    among few vectors, about so in near cells among many.
    """
    graph = graph_for(vectors) if kept is None else kept
    return ClusteringGraph(graph, "made" if kept is None else "kept", edge_recall(vectors, graph))


def kept_graph(gallery: Gallery, state: GalleryState, ids: Ids) -> KnnGraph | None:
    """The graph that ``facesearch graph`` made, of the live faces ``ids`` int64 (n,), ascending.

    It is brought up to date. None where there is none to use.
    """
    stored = stored_graph(gallery, state)
    if stored is None:
        return None
    try:
        with stored:
            return _among(stored, ids)
    except StaleIndexError as error:
        logger.warning(_WITHOUT, error)
        return None


def stored_graph(gallery: Gallery, state: GalleryState) -> KnnGraphFile | None:
    """The file of the graph that is kept, brought up to date; None where there is none to use."""
    if not graph_path(gallery).exists():
        return None
    try:
        return _up_to_date(gallery, state)
    except (StaleIndexError, BusyGalleryError) as error:
        logger.warning(_WITHOUT, error)
        return None


def stored_slices(
    stored: KnnGraphFile, ids: Ids, vectors: Vectors, cuts: NDArray[np.int64]
) -> Iterator[GraphSlice]:
    """The slices ``cuts[i]`` up to ``cuts[i + 1]`` of the graph of the faces ``ids`` int64 (n,),
    ascending, with their ``vectors`` (n, d); as :func:`kept_graph`, without all in memory."""
    covered = stored.covered.ids
    lines = np.searchsorted(covered, ids)
    place = np.full(len(covered), -1, np.int32)
    place[lines] = np.arange(len(ids), dtype=np.int32)
    for start, end in pairwise(cuts.tolist()):
        rows = np.empty((end - start, stored.k), np.int64)
        distances = np.empty((end - start, stored.k), np.float32)
        for first in range(start, end, BLOCK_ROWS):
            wanted = lines[first : min(first + BLOCK_ROWS, end)]
            block = stored.rows(int(wanted[0]), int(wanted[-1]) + 1)
            found = block.neighbours[wanted - block.first]
            part = slice(first - start, first - start + len(wanted))
            rows[part] = np.where(found >= 0, place[found], -1)
            distances[part] = block.distances[wanted - block.first]
        yield GraphSlice(start, np.array(vectors[start:end], np.float32), rows, distances)


def _up_to_date(gallery: Gallery, state: GalleryState) -> KnnGraphFile:
    try:
        return open_graph(gallery, state)
    except StaleIndexError:
        with KnnGraphFile.open(graph_path(gallery)) as before:
            k = before.k
        refresh_graph(gallery, k)
        return open_graph(gallery, state)


def _among(stored: KnnGraphFile, ids: Ids) -> KnnGraph:
    """The lines of ``ids``, which the graph covers, with neighbours counted in ``ids``; others,
    such as poor faces, are left out of the lines."""
    covered = stored.covered.ids
    lines = np.searchsorted(covered, ids)
    place = np.full(len(covered), -1, np.int32)
    place[lines] = np.arange(len(ids), dtype=np.int32)
    rows = np.empty((len(ids), stored.k), np.int32)
    distances = np.empty((len(ids), stored.k), np.float32)
    for block in stored.blocks():
        here = place[block.first : block.first + len(block.neighbours)]
        wanted = here >= 0
        found = block.neighbours[wanted]
        rows[here[wanted]] = np.where(found >= 0, place[found], np.int32(-1))
        distances[here[wanted]] = block.distances[wanted]
    return KnnGraph(rows, distances)
