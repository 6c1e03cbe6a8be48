"""An approximate k-nearest-neighbour graph of many unit vectors: search only in near cells.

Each vector goes to the cell of its nearest centre, and is compared with the vectors of the cells
whose centres are nearest to it: an inverted file (Jegou, Douze and Schmid 2011, "Product
quantization for nearest neighbor search", section IV) with every vector in turn as the query. They
are compared as bytes (:mod:`indexer.ivf.scan`), and the nearest by these measured exactly.

Since all queries are known, they are taken cell by cell, in an order of cells that keeps near ones
together: those of a block look into nearly the same cells, which are in the cache by then.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cluster.graph.knn_graph import KnnGraph
from cluster.vectors import check_vectors, squared_lengths
from indexer.exact.int8_kernel import BYTES, LANES
from indexer.ivf.build import learn
from indexer.ivf.faiss_ivf import FaissIvfIndex
from indexer.ivf.index import IvfRecipe
from indexer.ivf.kmeans import CentroidFinder
from indexer.ivf.scalar_quantizer import encode
from indexer.ivf.scan import InvertedLists, empty_rows
from indexer.runtime.blas_threads import one_thread_each
from indexer.runtime.cores import available_cores
from indexer.runtime.numba_jit import jit_fastmath
from indexer.types import Block

NEIGHBOURS = 32  # of each vector in a graph that is made for one clustering
CELL = 512  # vectors, on average
PROBES = 64  # cells that each vector is compared with
_VARIANCE = 0.999  # that the components hold which are compared
_BITS = 8  # a component
_MORE = 8  # are found than are asked for, before they are measured
_SAMPLE = 40  # vectors a centre, to learn from
_BLOCK = 2048  # queries
_ASSIGNED = 65_536  # vectors whose cells are found together
_SEED = 0

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]


def approximate_knn_graph(
    vectors: NDArray[Any], k: int, *, probes: int = PROBES, threads: int | None = None
) -> KnnGraph:
    """About the ``k`` nearest others of each of ``vectors`` (n, d), unit length, and how far.

    More ``probes`` find more of them and take longer: time grows with n (n / :data:`CELL` +
    ``probes`` times :data:`CELL`). Memory is a float32 copy of the vectors, a byte for each of
    their principal components, and 8 bytes for each neighbour. Equal input gives equal output, by
    any number of ``threads`` (by default, as many as there are cores to use). Processors that
    multiply no bytes (AVX2) search by FAISS. Raises ValueError for vectors that are not floating,
    finite and two-dimensional, or fewer than one neighbour or probe.
    """
    check_vectors(vectors)
    if k < 1 or probes < 1:
        raise ValueError(f"expected at least 1 neighbour and probe, got {k} and {probes}")
    points = np.ascontiguousarray(vectors, np.float32)
    squared_lengths(points)
    rows = np.full((len(points), k), -1, np.int32)
    distances = np.full((len(points), k), np.inf, np.float32)
    if len(points) < 2:
        return KnnGraph(rows, distances)
    threads = threads or available_cores()
    with one_thread_each(), ThreadPoolExecutor(threads) as pool:
        recipe, sample = _recipe(points)
        cells: _Cells = (
            _ByteCells.of(points, recipe, sample, pool, threads)
            if LANES
            else _FaissCells.of(points, recipe, sample)
        )

        def search(start: int) -> None:
            near = cells.search(start, k + 1 + _MORE, probes)
            _keep_nearest(cells.points, cells.order, start, near, (rows, distances))

        for _ in pool.map(search, range(0, len(points), _BLOCK)):
            pass
    return KnnGraph(rows, distances)


class _Cells(Protocol):
    """Vectors to be searched: ``order`` int64 (n,) are their rows, ``points`` in that order."""

    @property
    def order(self) -> Rows: ...

    @property
    def points(self) -> Vectors: ...

    def search(self, start: int, k: int, probes: int) -> Rows:
        """Places in ``order`` of about the ``k`` nearest of each of the _BLOCK from ``start`` on.

        int64 (b, k); where there are fewer, negative or beyond the last.
        """


@dataclass(frozen=True)
class _ByteCells:
    order: Rows
    points: Vectors
    scan: InvertedLists

    @classmethod
    def of(
        cls,
        points: Vectors,
        recipe: IvfRecipe,
        sample: Vectors,
        pool: ThreadPoolExecutor,
        threads: int,
    ) -> _ByteCells:
        learnt = learn(sample, recipe, len(points), threads)
        coding, centres = learnt.coding, learnt.centres[_near_together(learnt.centres)]
        finder = CentroidFinder(centres, threads)
        parts = (points[start : start + _ASSIGNED] for start in range(0, len(points), _ASSIGNED))
        cell = np.concatenate([finder.nearest(coding.project(part)[0]) for part in parts])
        order = np.argsort(cell, kind="stable")
        starts = np.searchsorted(cell[order], np.arange(len(centres) + 1)).astype(np.int64)
        grouped = points[order]
        rows = empty_rows(len(points), coding)

        def write(start: int) -> None:
            components, rest = coding.project(grouped[start : start + _BLOCK])
            encode(
                components, rest, np.arange(start, start + len(rest)), coding.step, coding.unit,
                rows.codes, rows.fine, rows.terms,
            )  # fmt: skip

        for _ in pool.map(write, range(0, len(points), _BLOCK)):
            pass
        return cls(order, grouped, InvertedLists(coding, centres, rows._replace(starts=starts)))

    def search(self, start: int, k: int, probes: int) -> Rows:
        components, rest = self.scan.coding.project(self.points[start : start + _BLOCK])
        return self.scan.nearest(components, rest, k, probes).rows


@dataclass(frozen=True)
class _FaissCells:
    order: Rows
    points: Vectors
    index: FaissIvfIndex

    @classmethod
    def of(cls, points: Vectors, recipe: IvfRecipe, sample: Vectors) -> _FaissCells:
        order = np.arange(len(points))
        components = min(recipe.components, points.shape[1], len(sample))
        block = Block(order, points)
        return cls(order, points, FaissIvfIndex.build([block], sample, recipe.cells, components))

    def search(self, start: int, k: int, probes: int) -> Rows:
        self.index.probes = min(probes, self.index.cells)
        return self.index.search(self.points[start : start + _BLOCK], k).ids


def _recipe(points: Vectors) -> tuple[IvfRecipe, Vectors]:
    """How to keep ``points`` (n, d), and the sample of them that cells are learnt from."""
    cells = max(1, len(points) // CELL)
    chosen = np.random.default_rng(_SEED).permutation(len(points))[: _SAMPLE * cells]
    sample = points[np.sort(chosen)]
    centred = sample - sample.mean(axis=0, dtype=np.float64)
    variances = np.cumsum(np.linalg.eigvalsh(centred.T @ centred)[::-1])
    components = int(np.searchsorted(variances, _VARIANCE * variances[-1])) + 1
    return IvfRecipe(cells, -(-components // BYTES) * BYTES, _BITS), sample


def _near_together(centres: Vectors) -> Rows:
    """An order of ``centres`` (c, d) in which near ones are near: halves of halves of them."""
    parts = [np.arange(len(centres))]
    while max(len(part) for part in parts) > 1:
        parts = [half for part in parts for half in _halves(centres, part) if len(half)]
    return np.concatenate(parts)


def _halves(centres: Vectors, part: Rows) -> list[Rows]:
    if len(part) < 2:
        return [part]
    along = centres[part, centres[part].var(axis=0).argmax()]
    return np.array_split(part[np.argsort(along, kind="stable")], 2)


@jit_fastmath
def _keep_nearest(
    points: Vectors, order: Rows, start: int, near: Rows, kept: tuple[NDArray[np.int32], Vectors]
) -> None:
    """The nearest others of ``points[start + i]`` among ``near[i]`` (b, m), by exact distance.

    ``points`` are the rows ``order``; what is found goes to the lines of those rows in ``kept``,
    rows and distances (n, k), which hold -1 and +inf there.
    """
    rows, distances = kept
    for line in range(len(near)):
        source = start + line
        found, best = rows[order[source]], distances[order[source]]
        for other in near[line]:
            if other == source or not 0 <= other < len(points):
                continue
            distance = np.float32(0)
            for column in range(points.shape[1]):
                difference = points[source, column] - points[other, column]
                distance += difference * difference
            place = len(best)
            while place > 0 and (
                distance < best[place - 1]
                or (distance == best[place - 1] and order[other] < found[place - 1])
            ):
                place -= 1
                if place + 1 < len(best):
                    best[place + 1], found[place + 1] = best[place], found[place]
            if place < len(best):
                best[place], found[place] = distance, order[other]
