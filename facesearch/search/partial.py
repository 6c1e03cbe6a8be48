"""What a search did not look at, said beside what it found: no answer looks whole that is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from facesearch.errors import FacesearchError
from indexer.types import Neighbours, Vectors


class PartialSearchError(FacesearchError, RuntimeError):
    """Parts that did not answer a search which needed all; ``missing`` are their ranges."""

    def __init__(self, missing: Sequence[object]) -> None:
        names = ", ".join(map(str, missing))
        super().__init__(
            f"expected an answer of every part, got none for {names}; ask again, or rebuild them"
        )
        self.missing = tuple(missing)


@dataclass(frozen=True)
class UnsearchedFaces:
    """So many ``faces`` of shards ``first_shard`` to ``last_shard``: nobody answered for them."""

    first_shard: int
    last_shard: int
    faces: int

    def __str__(self) -> str:
        return f"shards {self.first_shard} to {self.last_shard} with {self.faces} faces"


@dataclass(frozen=True)
class PartialNeighbours:
    """The nearest among the faces that were searched, and those that were not."""

    neighbours: Neighbours
    unsearched: tuple[UnsearchedFaces, ...] = ()

    def require_complete(self) -> Neighbours:
        """The nearest of all faces; raises PartialSearchError where some were not searched."""
        if self.unsearched:
            raise PartialSearchError(self.unsearched)
        return self.neighbours


@runtime_checkable
class PartedSearcher(Protocol):
    """A searcher some of whose faces may be away."""

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :meth:`indexer.protocols.Searcher.search`; PartialSearchError where some are away."""
        ...

    def search_parts(self, queries: Vectors, k: int) -> PartialNeighbours:
        """The same of those that are there, and which are away."""
        ...
