"""An approximate k-nearest-neighbour graph of many unit vectors: search only in near cells.

Each vector goes to the cell of its nearest centre, and is compared with the vectors of the cells
whose centres are nearest to it: an inverted file (Jegou, Douze and Schmid 2011, "Product
quantization for nearest neighbor search", section IV) with every vector in turn as the query.
Since all queries are known, those that look into one cell do so together, as a product of dense
matrices.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cluster.graph import Graph
from cluster.linkage import check_vectors
from indexer.compiled import compiled_reordering
from indexer.cores import available_cores

CELL = 256  # vectors, on average
PROBES = 64  # cells that each vector is compared with
_ROUNDS = 3  # of moving the centres
_SAMPLE = 32  # vectors a centre, when they are moved
_BLOCK = 2048  # queries
_STEP = 64  # candidates that are looked at one by one if any of them is near enough
_SEED = 0

Vectors = NDArray[np.float32]
Rows = NDArray[np.int32]


def cell_graph(
    vectors: NDArray[Any], k: int, *, probes: int = PROBES, threads: int | None = None
) -> Graph:
    """About the ``k`` nearest others of each of ``vectors`` (n, d), unit length.

    More ``probes`` find more of them and take longer: time grows with n (n / :data:`CELL` +
    ``probes`` times :data:`CELL`). Memory is two float32 copies of the vectors and 8 bytes for
    each neighbour. Equal input gives equal output, by any number of ``threads`` (by default, as
    many as there are cores to use). Raises ValueError
    for vectors that are not floating and two-dimensional, or fewer than one neighbour or probe.
    """
    check_vectors(vectors)
    if k < 1 or probes < 1:
        raise ValueError(f"expected at least 1 neighbour and probe, got {k} and {probes}")
    points = np.ascontiguousarray(vectors, np.float32)
    rows = np.full((len(points), k), -1, np.int32)
    products = np.full((len(points), k), -np.inf, np.float32)
    with threadpool_limits(1), ThreadPoolExecutor(threads or available_cores()) as pool:
        centres = _centres(points, pool)
        cells = _Cells(points, centres, _nearest_centres(points, centres, 1, pool)[:, 0])

        def search(start: int) -> None:
            queries = cells.order[start : start + _BLOCK]
            rows[queries], products[queries] = cells.search(queries, k, probes)

        for _ in pool.map(search, range(0, len(points), _BLOCK)):
            pass
    return Graph(rows, np.maximum(2 - 2 * products, 0))


class _Cells:
    """The vectors by cell: ``order`` int32 (n,) are their rows."""

    def __init__(self, points: Vectors, centres: Vectors, cell: Rows) -> None:
        self._centres = centres
        self._points = points
        self.order: Rows = np.argsort(cell, kind="stable").astype(np.int32)
        self._starts = np.searchsorted(cell[self.order], np.arange(len(centres) + 1))
        self._grouped = points[self.order]

    def search(self, queries: Rows, k: int, probes: int) -> tuple[Rows, Vectors]:
        """Rows of the best of ``queries`` (q,), int32 (q, k), and their products, descending."""
        points = self._points[queries]
        probed = _best_centres(points, self._centres, min(probes, len(self._centres)))
        best = np.full((len(queries), k), -np.inf, np.float32)
        found = np.full((len(queries), k), -1, np.int32)
        by_cell = np.argsort(probed, axis=None, kind="stable")
        lines = (by_cell // probed.shape[1]).astype(np.int32)
        cells, firsts = np.unique(probed.ravel()[by_cell], return_index=True)
        for cell, asking in zip(cells, np.split(lines, firsts[1:]), strict=True):
            part = slice(self._starts[cell], self._starts[cell + 1])
            products = points[asking] @ self._grouped[part].T
            _keep_best(products, asking, queries, self.order[part], (best, found))
        return found, best


def _centres(points: Vectors, pool: ThreadPoolExecutor) -> Vectors:
    """Means of cells of a sample, unit length, by some rounds of k-means."""
    count = max(1, len(points) // CELL)
    rng = np.random.default_rng(_SEED)
    sample = points[np.sort(rng.permutation(len(points))[: _SAMPLE * count])]
    centres = sample[np.sort(rng.permutation(len(sample))[:count])]
    for _ in range(_ROUNDS if len(sample) else 0):
        cell = _nearest_centres(sample, centres, 1, pool)[:, 0]
        order = np.argsort(cell, kind="stable")
        held, starts = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres[held] = sums / np.maximum(lengths, np.finfo(np.float32).tiny)
    return centres


def _nearest_centres(
    points: Vectors, centres: Vectors, count: int, pool: ThreadPoolExecutor
) -> Rows:
    """Numbers of the ``count`` centres nearest to each of ``points``, int32 (n, count)."""
    blocks = [points[start : start + _BLOCK] for start in range(0, len(points), _BLOCK)]
    found = pool.map(lambda block: _best_centres(block, centres, count), blocks)
    return np.concatenate([np.zeros((0, count), np.int32), *found])


def _best_centres(points: Vectors, centres: Vectors, count: int) -> Rows:
    best = np.full((len(points), count), -np.inf, np.float32)
    found = np.full((len(points), count), -1, np.int32)
    lines = np.arange(len(points), dtype=np.int32)
    numbers = np.arange(len(centres), dtype=np.int32)
    # No query is a candidate here: none has a number below 0.
    _keep_best(points @ centres.T, lines, -1 - lines, numbers, (best, found))
    return found


@compiled_reordering
def _keep_best(
    products: Vectors, lines: Rows, queries: Rows, candidates: Rows, kept: tuple[Vectors, Rows]
) -> None:
    """Put ``candidates`` (c,) with greater ``products`` (m, c) among the best, which descend.

    The m queries have ``lines`` (m,) of their own in ``queries`` and in both of ``kept``, the
    products and the rows of the best; none is among its own best.
    """
    best, found = kept
    width = best.shape[1]
    for asking in range(len(lines)):
        line = lines[asking]
        least = best[line, width - 1]
        for start in range(0, len(candidates), _STEP):
            end = min(start + _STEP, len(candidates))
            above = 0
            for column in range(start, end):
                above += products[asking, column] > least
            if above == 0:
                continue
            for column in range(start, end):
                product = products[asking, column]
                if product > least and candidates[column] != queries[line]:
                    place = width - 1
                    while place > 0 and best[line, place - 1] < product:
                        best[line, place] = best[line, place - 1]
                        found[line, place] = found[line, place - 1]
                        place -= 1
                    best[line, place], found[line, place] = product, candidates[column]
                    least = best[line, width - 1]
