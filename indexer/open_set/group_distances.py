"""Distances from vectors to groups of vectors, such as the enrolled faces of each person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.exact.distances import check_dimension
from indexer.types import Vectors, check_unit_vectors

_NEAREST = re.compile(r"nearest-([1-9]\d{0,3})")
_TEMPLATE = "template"
_TILE_BYTES = 1 << 27  # of the distances that are held at once


@dataclass(frozen=True)
class GroupRule:
    """What the distance from a vector to a group is.

    ``nearest`` = m: the mean distance of the m nearest members (1: the nearest alone; all of a
    group that has fewer); None: the distance to the template, the mean of the members brought
    back to unit length.
    """

    nearest: int | None = 1

    @classmethod
    def parse(cls, text: str) -> GroupRule:
        """The rule called ``nearest-M`` or ``template``; ValueError for any other name."""
        if text == _TEMPLATE:
            return cls(None)
        if found := _NEAREST.fullmatch(text):
            return cls(int(found[1]))
        raise ValueError(f"expected a rule nearest-M (M of 1 or more) or template, got {text!r}")

    def __str__(self) -> str:
        return _TEMPLATE if self.nearest is None else f"nearest-{self.nearest}"


@dataclass(frozen=True)
class NearestGroups:
    """The two nearest groups of each query: int64 (q, 2) and squared distances float32 (q, 2).

    Distances ascend, ties by group. Where there are fewer groups, rows end in -1 and +inf.
    """

    groups: NDArray[np.int64]
    distances: NDArray[np.float32]


class VectorGroups:
    """Vectors float32 (n, d), unit length, each of a group int (n,) in 0 to g - 1, none empty."""

    def __init__(self, vectors: Vectors, groups: NDArray[np.integer[Any]], rule: GroupRule) -> None:
        """Raises InvalidVectorsError for other vectors, ValueError for other groups."""
        check_unit_vectors(vectors)
        if groups.shape != vectors.shape[:1]:
            raise ValueError(f"expected a group for each of {len(vectors)}, got {groups.shape}")
        self.sizes = np.bincount(groups) if len(groups) else np.zeros(0, np.int64)
        if (self.sizes == 0).any():
            raise ValueError(f"expected every group to have a member, got none in {self.sizes}")
        self._rule = rule
        order = np.argsort(groups, kind="stable")
        self._starts = np.cumsum(self.sizes) - self.sizes
        members = vectors[order].astype(np.float64)
        if rule.nearest is None and len(members):
            sums = np.add.reduceat(members, self._starts)
            self._members = _unit(sums, members[self._starts])
        else:
            self._members = members

    def __len__(self) -> int:
        return len(self.sizes)

    def distances(self, queries: Vectors) -> NDArray[np.float32]:
        """Squared distances float32 (q, g) from each of ``queries`` float32 (q, d) to each group.

        Accurate to float32 rounding: products and sums are of float64. Raises InvalidVectorsError
        for queries of another dimension or length.
        """
        check_unit_vectors(queries, "queries")
        check_dimension(queries, self._members.shape[1])
        result = np.empty((len(queries), len(self)), np.float32)
        for part in self._tiles(len(queries)):
            result[part] = self._reduced(self._to_members(queries[part].astype(np.float64)))
        return result

    def nearest_two(
        self, queries: Vectors, without: NDArray[np.integer[Any]] | None = None
    ) -> NearestGroups:
        """The two nearest groups of each of ``queries`` float32 (q, d), in bounded memory.

        ``without`` int (q,): a group that each query is not compared with, -1 for none. Raises
        InvalidVectorsError as :meth:`distances` does.
        """
        groups = np.full((len(queries), 2), -1, np.int64)
        nearest = np.full((len(queries), 2), np.inf, np.float32)
        for part in self._tiles(len(queries)):
            distances = self.distances(queries[part])
            if without is not None:
                left_out = np.flatnonzero(without[part] >= 0)
                distances[left_out, without[part][left_out]] = np.inf
            rows = np.arange(len(distances))
            for place in range(min(2, len(self))):
                found = distances.argmin(axis=1)
                groups[part, place], nearest[part, place] = found, distances[rows, found]
                distances[rows, found] = np.inf
        groups[np.isinf(nearest)] = -1
        return NearestGroups(groups, nearest)

    def _tiles(self, queries: int) -> Iterator[slice]:
        rows = max(1, _TILE_BYTES // (8 * max(1, len(self._members))))
        for start in range(0, queries if len(self) else 0, rows):
            yield slice(start, start + rows)

    def _to_members(self, queries: NDArray[np.float64]) -> NDArray[np.float64]:
        distances = queries @ self._members.T
        distances *= -2.0
        distances += np.einsum("ij,ij->i", queries, queries)[:, None]
        distances += np.einsum("ij,ij->i", self._members, self._members)
        return np.maximum(distances, 0.0, out=distances)

    def _reduced(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        nearest = self._rule.nearest
        if nearest is None:
            return distances
        if nearest == 1:
            return np.asarray(np.minimum.reduceat(distances, self._starts, axis=1))
        reduced = np.empty((len(distances), len(self)))
        for group, (start, size) in enumerate(zip(self._starts, self.sizes, strict=True)):
            of_group = distances[:, start : start + size]
            if size > nearest:
                of_group = np.partition(of_group, nearest - 1, axis=1)[:, :nearest]
            reduced[:, group] = of_group.mean(axis=1)
        return reduced


def _unit(sums: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    """``sums`` brought to unit length; members that cancel out are represented by ``instead``."""
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    cancelled = lengths < 1e-6
    return np.where(cancelled, instead, sums / np.where(cancelled, 1.0, lengths))
