"""A saved index without deleted vectors, together with new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from indexer.exact.distances import nearest_first
from indexer.id_ranges import IdRanges
from indexer.protocols import Index, Searcher
from indexer.types import Ids, Neighbours, Vectors

# A saved index is kept while the vectors hidden from it and those it lacks are at most this share
# of all: rebuilt at every step of so much growth, a gallery costs a constant number of builds of
# its last size, however large it becomes.
KEPT_SHARE = 0.05
# Those it lacks are searched exhaustively, so there is a bound to their number too.
KEPT_FRESH = 100_000


@dataclass(frozen=True)
class Coverage:
    """How many live vectors the ``base`` serves, how many it ``hidden`` holds back as no longer
    live, and how many ``fresh`` ones it lacks."""

    base: int
    hidden: int
    fresh: int

    @property
    def live(self) -> int:
        """All that searches find."""
        return self.base + self.fresh

    @property
    def share(self) -> float:
        """Of the live vectors that the base serves, in [0, 1]."""
        return self.base / self.live if self.live else 1.0

    def worth_rebuilding(self) -> bool:
        """Whether the base should be rebuilt: by :data:`KEPT_SHARE` and :data:`KEPT_FRESH`."""
        return self.hidden + self.fresh > KEPT_SHARE * self.live or self.fresh > KEPT_FRESH


@dataclass(frozen=True)
class IndexChanges:
    """What live ids differ in from those that an index holds: some are ``gone``, some ``fresh``.

    ``live`` is how many are live.
    """

    gone: IdRanges
    fresh: IdRanges
    live: int

    @classmethod
    def between(cls, held: IdRanges, live: IdRanges) -> IndexChanges:
        """From the ids ``held`` to those ``live``."""
        return cls(held.without(live), live.without(held), live.count)

    @property
    def coverage(self) -> Coverage:
        """What an index of the ids held serves."""
        return Coverage(self.live - self.fresh.count, self.gone.count, self.fresh.count)


class OverlayIndex:
    """Exactly the ``live`` vectors, whatever those of the saved ``base`` are.

    Where the base is exact, so are all answers: those of :func:`exact_search` over
    the live vectors. Where it is not, the fresh vectors are still found exactly.
    """

    def __init__(self, base: Index, live: IdRanges, searcher: Callable[[Ids], Searcher]) -> None:
        """Take over ``base``, from which vectors are hidden that are not ``live``.

        ``searcher`` makes an exact searcher of some live vectors: those that the base lacks.
        """
        changes = IndexChanges.between(base.ids, live)
        if changes.gone.count:
            base.hide(changes.gone.all())
        self._base = base
        self._fresh = searcher(changes.fresh.all()) if changes.fresh.count else None
        self.coverage = changes.coverage

    def __len__(self) -> int:
        return self.coverage.live

    @property
    def exact(self) -> bool:
        """Whether answers are those of exact search."""
        return self._base.exact

    def place(self, device: str) -> None:
        """Search the saved vectors on ``device``; see :meth:`indexer.protocols.Index.place`."""
        self._base.place(device)

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """The ``k`` nearest live vectors of each of ``queries`` float32 (q, d), unit length.

        Raises InvalidVectorsError for queries that cannot be compared, ValueError for k that is
        not in [1, MAX_NEIGHBOURS].
        """
        found = self._base.search(queries, k)
        if self._fresh is None:
            return found
        return nearest_of(found, self._fresh.search(queries, k))


def nearest_of(one: Neighbours, other: Neighbours) -> Neighbours:
    """The k nearest among both, each (q, k) and of other vectors; ties by id."""
    ids = np.concatenate([one.ids, other.ids], axis=1)
    distances = np.concatenate([one.distances, other.distances], axis=1)
    # Padding has id -1 but distance inf, so it sorts last.
    return Neighbours(*nearest_first(ids, distances, one.ids.shape[1]))
