"""The k-NN graph of a gallery: the k nearest neighbours of every vector, in one HDF5 file.

Searching a gallery for itself is the costly part of clustering it, so the answer is kept. It is as
exact as the index that found it, which the file says (:class:`GraphAccuracy`).
``docs/format.md`` describes the file, ``indexer/graph/build.py`` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ShardError, StaleIndexError
from indexer.storage.hdf5_reader import Checker, Hdf5Holder, reading
from indexer.storage.plain_files import parse_json
from indexer.types import Ids

FORMAT = "facesearch-graph"
VERSION = 2
BLOCK_ROWS = 4096


@dataclass(frozen=True)
class GraphAccuracy:
    """Whether neighbours are those of exact search, or an approximate index found some of them.

    ``recall`` is how often such an index finds the nearest vector, as it was measured when it was
    built (:mod:`indexer.ivf.tune`), in [0, 1]; NaN where it was not. Of several indices, the least.
    """

    exact: bool = True
    recall: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isnan(self.recall) or 0 <= self.recall <= 1):
            raise ValueError(f"expected a recall in [0, 1], got {self.recall}")
        if self.exact and self.recall != 1:
            raise ValueError(f"expected a recall of 1 of exact neighbours, got {self.recall}")

    def beside(self, other: GraphAccuracy) -> GraphAccuracy:
        """Of neighbours of which some are so accurate, and some as ``other`` says."""
        return GraphAccuracy(
            self.exact and other.exact, float(np.minimum(self.recall, other.recall))
        )


EXACT = GraphAccuracy()


@dataclass(frozen=True)
class GraphRows:
    """Neighbours of the vectors from row ``first`` on: rows int32 and squared distances float32.

    Both are (m, k). Rows count in the graph's ids; distances ascend, ties by row; where there are
    fewer neighbours, lines end in -1 and +inf. No vector is its own neighbour.
    """

    first: int
    neighbours: NDArray[np.int32]
    distances: NDArray[np.float32]


@dataclass(frozen=True)
class GraphCoverage:
    """Which vectors a graph is of: ids int64 (n,), ascending, and what names them.

    ``shards`` maps shards to their SHA-256, ``state`` is any digest of what else decides which
    vectors are in.
    """

    ids: Ids
    shards: Mapping[str, str]
    state: str

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or (np.diff(self.ids) <= 0).any():
            raise ValueError("expected ids (n,) that ascend, each once; sort them")


class KnnGraphFile(Hdf5Holder):
    """A graph file, open for reading. Open with :meth:`open`; use as a context manager.

    Every method raises StaleIndexError where the file turns out to be damaged: all that is to be
    done then, as when it is stale, is to rebuild it.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        super().__init__(path, file)
        checker = Checker(file, path)
        for name, expected in (("format", FORMAT), ("version", VERSION)):
            if (found := checker.attribute(file, name, name)) != expected:
                raise checker.fail(name, repr(expected), repr(found))
        self._neighbours = checker.dataset(file, "neighbours", "neighbours")
        self._distances = checker.dataset(file, "distances", "distances")
        ids, shards = (checker.dataset(file, name, name) for name in ("ids", "shards"))
        shape = (*ids.shape, *self._neighbours.shape[1:])
        kinds = [(ids, "<i8", 1), (shards, "u1", 1)]
        kinds += [(self._neighbours, "<i4", 2), (self._distances, "<f4", 2)]
        if any(array.dtype != kind or array.ndim != axes for array, kind, axes in kinds) or not (
            shape == self._neighbours.shape == self._distances.shape
        ):
            raise checker.fail("arrays", "ids (n,), neighbours and distances (n, k)", shape)
        digests = parse_json(shards.read().tobytes())
        if not isinstance(digests, dict):
            raise checker.fail("shards", "an object", digests)
        state = str(checker.attribute(file, "state", "state"))
        self.covered = GraphCoverage(ids.read(), digests, state)
        exact, recall = (checker.attribute(file, name, name) for name in ("exact", "recall"))
        if exact not in (0, 1):
            raise checker.fail("exact", "0 or 1", repr(exact))
        self.accuracy = GraphAccuracy(bool(exact), float(recall))

    @classmethod
    def open(cls, path: Path) -> KnnGraphFile:
        """Open a graph; StaleIndexError where there is none."""
        if not path.exists():
            raise StaleIndexError(f"there is no graph at {path}; build it")
        with _renewable(path):
            return cls.opened(path)

    def __len__(self) -> int:
        return len(self.covered.ids)

    @property
    def k(self) -> int:
        """Neighbours of each vector."""
        return int(self._neighbours.shape[1])

    def require_covers(self, shards: Mapping[str, str], state: str) -> None:
        """Raise StaleIndexError unless this is of exactly the vectors that these name."""
        if self.covered.state != state or not self.same_vectors(shards):
            raise StaleIndexError(
                f"the graph {self.path} is stale: vectors were added to the gallery or taken out "
                "since; build it again"
            )

    def same_vectors(self, shards: Mapping[str, str]) -> bool:
        """Whether no shard that this knows has another content now."""
        known = self.covered.shards
        return all(known[name] == shards[name] for name in known.keys() & shards.keys())

    def rows(self, first: int, end: int) -> GraphRows:
        """The neighbours of the vectors in rows ``first`` up to ``end``."""
        with _renewable(self.path), reading(self.path, "neighbours"):
            neighbours, distances = self._neighbours[first:end], self._distances[first:end]
            if neighbours.size and not -1 <= neighbours.min() <= neighbours.max() < len(self):
                raise ShardError(f"{self.path}: expected rows below {len(self)}")
            return GraphRows(first, neighbours, distances)

    def blocks(self, rows: int = BLOCK_ROWS) -> Iterator[GraphRows]:
        """All of it in order, ``rows`` vectors at a time."""
        for first in range(0, len(self), rows):
            yield self.rows(first, min(first + rows, len(self)))


@contextmanager
def _renewable(path: Path) -> Iterator[None]:
    """What is wrong with a graph is no loss: it is rebuilt."""
    try:
        yield
    except (ShardError, ValueError) as error:
        raise StaleIndexError(f"{path} is no whole graph: {error}; rebuild it") from error
