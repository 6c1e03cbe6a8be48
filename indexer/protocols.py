"""What every searcher and every index can do."""

from __future__ import annotations

from typing import Protocol

from indexer.id_ranges import IdRanges
from indexer.types import Ids, Neighbours, Vectors


class Searcher(Protocol):
    """Any index: answers like :func:`indexer.exact.brute_force.exact_search` over its vectors."""

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """The ``k`` nearest vectors of each of ``queries`` float32 (q, d), unit length."""
        ...


class Index(Searcher, Protocol):
    """A searcher that knows its vectors by id, and can leave some of them out."""

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        ...

    @property
    def exact(self) -> bool:
        """Whether answers are those of :func:`indexer.exact.brute_force.exact_search`."""
        ...

    @property
    def ids(self) -> IdRanges:
        """Of the vectors that searches can find."""
        ...

    def __len__(self) -> int: ...

    def place(self, device: str) -> None:
        """Search on ``device``, as :mod:`indexer.runtime.devices` names it; DeviceError where it
        cannot."""
        ...

    def hide(self, ids: Ids) -> None:
        """Never find the vectors of ``ids`` again; ids that are not there do not matter."""
        ...
