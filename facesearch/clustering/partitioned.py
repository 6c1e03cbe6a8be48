"""Clusters of faces whose graph fits into no one memory: made in partitions, each by a worker.

The command holds some 150 bytes a face, and one slice of the vectors and of their graph at a time;
all vectors, and the means of clusters, are in files. What a worker holds says :func:`worker_bytes`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cluster.constraints import ResolvedConstraints
from cluster.graph.approximate_knn import NEIGHBOURS
from cluster.graph.knn_graph import checked_rows, recall_of_lines
from cluster.labels import ordered_labels
from cluster.linkage.dendrogram import Dendrogram
from cluster.partitioned.initial import GraphSlice
from cluster.partitioned.knn_blocks import VectorSlice, knn_slices
from cluster.partitioned.linkage import partitioned_linkage
from cluster.partitioned.runner import Handle, PartitionRunner
from cluster.review.silhouette import lines_silhouette_confidence
from cluster.types import Clustering
from facesearch.clustering.graph_source import stored_graph, stored_slices
from facesearch.clustering.options import ClusterOptions
from facesearch.gallery.gallery import Gallery, GalleryState
from indexer.types import Ids, Vectors

# While groups move, a worker has those that come, those that it had, and the merged ones.
_TIMES_MOVING = 3

Room = Callable[[tuple[int, int]], NDArray[np.float32]]


@dataclass(frozen=True)
class PartitionedClusters:
    """Clusters, over which graph, the share of exact neighbours it has, in how many ``partitions``,
    and about what each worker held."""

    clustering: Clustering
    graph: Literal["kept", "made"]
    edge_recall: float
    partitions: int
    worker_bytes: int


def worker_bytes(faces: int, dimension: int, partitions: int, largest_bytes: int) -> int:
    """About what one worker holds at most, in bytes, without Python and its libraries.

    That is two slices of the vectors with the bytes that they are searched by, and the neighbours
    so far; or the largest partition, while groups move.
    """
    rows = math.ceil(faces / max(1, partitions))
    search = rows * (2 * 4 * dimension + dimension + 2 * 12 * (NEIGHBOURS + 1))
    return max(search, _TIMES_MOVING * largest_bytes)


def partitioned_clusters(
    gallery: Gallery,
    state: GalleryState,
    faces: tuple[Ids, Vectors],
    constraints: ResolvedConstraints,
    *,
    options: ClusterOptions,
    runner: PartitionRunner,
    room: Room,
) -> PartitionedClusters:
    """The clusters of ``faces``: ids (n,) and vectors (n, d), that may be in a file.

    Over the graph that is kept, or one of exact neighbours, by average linkage within
    :data:`cluster.partitioned.linkage.EPSILON`. ``room`` makes an array for means of clusters.
    """
    ids, vectors = faces
    parts = max(1, min(options.partitions, len(ids) // 2))
    cuts = np.linspace(0, len(ids), parts + 1).astype(np.int64)
    lines = _lines(gallery, state, faces, cuts, runner)
    most = max(2, math.ceil(len(ids) / parts))
    found = partitioned_linkage(
        lines.slices, len(ids), options.threshold, constraints, most=most, runner=runner
    )
    merges = Dendrogram.of(found.linkage, len(ids), options.threshold)
    labels = ordered_labels(ids, merges.groups(options.threshold), options.min_size)
    sure = lines_silhouette_confidence(
        vectors,
        labels,
        options.threshold,
        _neighbours(lines.slices, runner),
        room((int(labels.max(initial=-1)) + 1, vectors.shape[1])),
    )
    held = worker_bytes(len(ids), vectors.shape[1], parts, found.largest_bytes)
    return PartitionedClusters(
        Clustering(ids, labels, sure), lines.graph, lines.edge_recall, parts, held
    )


@dataclass(frozen=True)
class _Lines:
    """Handles of the graph's slices, where it is from, and its edge recall."""

    slices: list[Handle]
    graph: Literal["kept", "made"]
    edge_recall: float


def _lines(
    gallery: Gallery,
    state: GalleryState,
    faces: tuple[Ids, Vectors],
    cuts: NDArray[np.int64],
    runner: PartitionRunner,
) -> _Lines:
    ids, vectors = faces
    with ExitStack() as stack:
        stored = stored_graph(gallery, state) if len(ids) else None
        if stored is not None:
            stack.enter_context(stored)
            slices, checked = [], _CheckedLines(len(ids), stored.k)
            for each in stored_slices(stored, ids, vectors, cuts):
                checked.note(each)
                slices.append(runner.put(each))
            return _Lines(slices, "kept", checked.recall(vectors))
    parts = [
        runner.put(VectorSlice(start, np.array(vectors[start:end], np.float32)))
        for start, end in pairwise(cuts.tolist())
    ]
    neighbours = max(1, min(NEIGHBOURS, len(ids) - 1))
    return _Lines(knn_slices(parts, neighbours, runner), "made", 1.0)


class _CheckedLines:
    """The lines of a graph that its recall is measured on, as its slices come by."""

    def __init__(self, count: int, k: int) -> None:
        self._rows = checked_rows(count)
        self._lines = np.full((len(self._rows), k), -1, np.int64)

    def note(self, part: GraphSlice) -> None:
        """Keep those of a slice."""
        here = (self._rows >= part.first) & (self._rows < part.first + len(part))
        self._lines[here] = part.neighbours[self._rows[here] - part.first]

    def recall(self, vectors: Vectors) -> float:
        """The share of exact neighbours in them."""
        return recall_of_lines(vectors, self._rows, self._lines)


def _neighbours(
    slices: list[Handle], runner: PartitionRunner
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """First row and neighbours of each slice, one after the other."""
    for each in slices:
        (part,) = runner.get([each])
        yield part.first, part.neighbours
