"""Compact dendrograms: all that a cut at any threshold needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.graph.knn_graph import KnnGraph, horizon
from cluster.linkage.average_linkage import Linkage, groups_after


@dataclass(frozen=True)
class Dendrogram:
    """The merges of ``count`` vectors at distances of at most ``reach``, in ascending order.

    ``pairs`` int32 (m, 2) are the groups merged, as in scipy's linkage: below ``count`` a vector,
    else ``count`` + an earlier row. ``heights`` float32 (m,) are the distances. ``neighbours``
    int32 (n, k), -1 for none, are the rows of the graph whose edges were looked at, or None where
    all pairs were. ``horizon`` is the distance below which that graph has every edge, as
    :func:`cluster.graph.knn_graph.horizon` tells it.
    """

    count: int
    pairs: NDArray[np.int32]
    heights: NDArray[np.float32]
    reach: float
    neighbours: NDArray[np.int32] | None = None
    horizon: float = np.inf

    def __post_init__(self) -> None:
        merges = len(self.heights)
        arrays: list[tuple[str, NDArray[Any], type, tuple[int, ...]]] = [
            ("pairs", self.pairs, np.int32, (merges, 2)),
            ("heights", self.heights, np.float32, (merges,)),
        ]
        if self.neighbours is not None:
            columns = self.neighbours.shape[-1]
            arrays.append(("neighbours", self.neighbours, np.int32, (self.count, columns)))
        for name, array, dtype, shape in arrays:
            if array.dtype != dtype or array.shape != shape:
                raise ValueError(
                    f"expected {name} {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}"
                )
        known = self.count + np.arange(merges)
        if merges and (self.pairs.min() < 0 or (self.pairs.max(axis=1) >= known).any()):
            raise ValueError("expected pairs of vectors and earlier merges, got others")
        near = self.neighbours
        if near is not None and near.size and not -1 <= near.min() <= near.max() < self.count:
            raise ValueError(
                f"expected neighbours from -1 to {self.count - 1}, got {near.min()} to {near.max()}"
            )
        if (np.diff(self.heights) < 0).any():
            raise ValueError("expected heights that ascend, got some that do not")

    @classmethod
    def of(
        cls, linkage: Linkage, count: int, reach: float, graph: KnnGraph | None = None
    ) -> Dendrogram:
        """Rows of a ``linkage`` of ``count`` vectors, over ``graph``, that stopped at ``reach``."""
        pairs, heights = linkage[:, :2].astype(np.int32), linkage[:, 2].astype(np.float32)
        if graph is None:
            return cls(count, pairs, heights, reach)
        return cls(count, pairs, heights, reach, graph.rows, horizon(graph))

    def groups(self, threshold: float) -> NDArray[np.int32]:
        """Groups int32 (n,) after all merges at most ``threshold``, both as float32.

        Raises ValueError for a threshold beyond ``reach``.
        """
        if threshold > self.reach:
            raise ValueError(
                f"expected a threshold of at most {self.reach}, where merging stopped, got "
                f"{threshold}"
            )
        merges = np.searchsorted(self.heights, np.float32(threshold), side="right")
        return groups_after(self.pairs[:merges].astype(np.int64), self.count)
