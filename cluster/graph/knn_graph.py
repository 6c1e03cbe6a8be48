"""The k nearest of each vector as the sparse graph that clustering works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.exact.brute_force import exact_search
from indexer.id_lookup import drop_self
from indexer.types import Block

CHECKED = 512  # vectors, whose neighbours are searched for to know what a graph lacks
_CHECKED_TOGETHER = 64
_ROUNDING = 1e-6  # of products and squares
_QUERIES = 4096


@dataclass(frozen=True)
class KnnGraph:
    """Neighbours of n vectors: rows int32 (n, k), squared distances float32 (n, k).

    Row -1 is none, anywhere in a line. An edge counts from whichever end it is seen; the distance
    may be approximate, for it only says which edges to look at first.
    """

    rows: NDArray[np.int32]
    distances: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.rows.ndim != 2 or self.rows.dtype != np.int32:
            raise ValueError(f"expected rows int32 (n, k), got {self.rows.dtype} {self.rows.shape}")
        if self.distances.dtype != np.float32 or self.distances.shape != self.rows.shape:
            raise ValueError(
                f"expected distances float32 {self.rows.shape}, got "
                f"{self.distances.dtype} {self.distances.shape}"
            )
        if self.rows.size and not -1 <= self.rows.min() <= self.rows.max() < len(self.rows):
            raise ValueError(
                f"expected rows in [-1, {len(self.rows)}), got {self.rows.min()} to "
                f"{self.rows.max()}"
            )

    def __len__(self) -> int:
        return len(self.rows)


def horizon(graph: KnnGraph) -> float:
    """The squared distance below which ``graph`` has every edge, if its lines are the nearest.

    That is how far the line reaches that reaches least; +inf where none has as many neighbours as
    it has room for.
    """
    if graph.rows.size == 0:
        return float("inf") if len(graph) < 2 else 0.0
    return float(graph.distances.max(axis=1).min())


def edge_recall(vectors: NDArray[Any], graph: KnnGraph) -> float:
    """The share of the exact neighbours of vectors (n, d), unit length, that ``graph`` has.

    Measured on :data:`CHECKED` vectors drawn at random, each compared with all others, in time
    that grows with n; a neighbour as near as the farthest exact one counts, whichever it is. 1
    where no vector has a neighbour.
    """
    if len(graph) != len(vectors):
        raise ValueError(f"expected a graph of {len(vectors)} vectors, got one of {len(graph)}")
    rows = checked_rows(len(vectors))
    return recall_of_lines(vectors, rows, graph.rows[rows])


def checked_rows(count: int) -> NDArray[np.int64]:
    """The rows, ascending, of ``count`` that :func:`edge_recall` is measured on."""
    rows: NDArray[np.int64] = np.sort(np.random.default_rng(0).permutation(count)[:CHECKED])
    return rows


def recall_of_lines(
    vectors: NDArray[Any], rows: NDArray[np.int64], lines: NDArray[np.integer[Any]]
) -> float:
    """:func:`edge_recall` by the ``lines`` (r, k) of a graph that are of ``rows`` (r,) alone."""
    points = np.asarray(vectors, np.float32)
    width = min(lines.shape[1], len(points) - 1)
    if width < 1:
        return 1.0
    # The greater x . y - |y|^2 / 2, the nearer; lengths are 1 but for rounding, as to float16.
    halves = np.einsum("ij,ij->i", points, points) / 2
    found = 0
    pieces = -(-len(rows) // _CHECKED_TOGETHER)
    for part, known in zip(
        np.array_split(rows, pieces), np.array_split(lines, pieces), strict=True
    ):
        nearness = points[part] @ points.T - halves
        nearness[np.arange(len(part)), part] = -np.inf
        least = -np.partition(-nearness, width - 1, axis=1)[:, width - 1]
        near = np.take_along_axis(nearness, np.maximum(known, 0), axis=1)
        hits = (known >= 0) & (near >= least[:, None] - _ROUNDING)
        found += int(np.minimum(hits.sum(axis=1), width).sum())
    return float(found / (len(rows) * width))


def exact_knn_graph(vectors: NDArray[Any], k: int) -> KnnGraph:
    """The ``k`` nearest others of each of ``vectors`` (n, d), unit length; n^2 d operations."""
    points = np.ascontiguousarray(vectors, np.float32)
    block = [Block(np.arange(len(points)), points)]
    rows = np.empty((len(points), k), np.int32)
    distances = np.empty((len(points), k), np.float32)
    for start in range(0, len(points), _QUERIES):
        part = slice(start, start + _QUERIES)
        found = drop_self(exact_search(block, points[part], k + 1), block[0].ids[part])
        rows[part], distances[part] = found.ids, found.distances
    return KnnGraph(rows, distances)
