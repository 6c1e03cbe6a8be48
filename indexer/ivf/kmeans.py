"""Centres of cells: learnt from a sample, and which is nearest to a vector."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from indexer.ivf.scalar_quantizer import ScalarQuantizer
from indexer.ivf.scan import InvertedLists
from indexer.runtime.cores import available_cores
from indexer.types import Ids, Vectors

ROUNDS = 8  # of moving the centres
SAMPLE_EACH = 64  # vectors a centre, to learn from
_FEW = 512  # centres that are compared with every vector
_GROUP = 128  # centres of a group, otherwise
_SEARCHED = 0.125  # of the groups, and at least
_LEAST_SEARCHED = 8
_BLOCK = 4096
_SEED = 0


class CentroidFinder:
    """The centre nearest to each vector; where there are many, nearly always."""

    def __init__(self, centres: Vectors, threads: int | None = None) -> None:
        """``centres`` float32 (cells, c), at least 1; ``threads``: by default, all cores."""
        self._threads = threads or available_cores()
        groups = len(centres) // _GROUP if len(centres) > _FEW else 1
        middles = learn_centroids(centres, groups, self._threads) if groups > 1 else centres[:1]
        group = _nearest_by_product(centres, middles)
        self._order = np.argsort(group, kind="stable")
        self._scan = InvertedLists.of(
            ScalarQuantizer.plain(centres), middles, group[self._order], centres[self._order]
        )
        self._probes = max(_LEAST_SEARCHED, round(_SEARCHED * groups))

    def nearest(self, components: Vectors) -> Ids:
        """Numbers of the centres nearest to ``components`` (n, c), int64 (n,)."""

        def one(start: int) -> Ids:
            block = np.ascontiguousarray(components[start : start + _BLOCK])
            return self._scan.nearest(
                block, np.zeros(len(block), np.float32), 1, self._probes
            ).rows[:, 0]

        with ThreadPoolExecutor(self._threads) as pool:
            parts = list(pool.map(one, range(0, len(components), _BLOCK)))
        numbers: Ids = self._order[np.concatenate([*parts, np.zeros(0, np.int64)])]
        return numbers


def learn_centroids(sample: Vectors, count: int, threads: int | None = None) -> Vectors:
    """``count`` centres float32 (count, c) of ``sample`` (n, c), n >= 1, by k-means (Lloyd 1982).

    Fewer where the sample is smaller. A centre that loses all its vectors stays where it is.
    """
    random = np.random.default_rng(_SEED)
    count = min(count, len(sample))
    centres = sample[np.sort(random.permutation(len(sample))[:count])].copy()
    for _ in range(ROUNDS):
        cell = CentroidFinder(centres, threads).nearest(sample)
        order = np.argsort(cell, kind="stable")
        held, starts = np.unique(cell[order], return_index=True)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        centres[held] = sums / np.diff(np.append(starts, len(cell)))[:, None]
    return centres


def _nearest_by_product(points: Vectors, centres: Vectors) -> Ids:
    """The nearest of few ``centres`` for each of ``points``, int64 (n,)."""
    halves = np.einsum("ij,ij->i", centres, centres) / 2
    parts = [
        (halves - points[start : start + _BLOCK] @ centres.T).argmin(axis=1)
        for start in range(0, len(points), _BLOCK)
    ]
    return np.concatenate(parts)
