"""Searches that several threads ask for at one moment, done as one: a service's clients."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np

from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import GallerySearch, SearchOpener
from facesearch.search.partial import PartedSearcher, PartialNeighbours
from indexer.types import Neighbours, Vectors

MOST_TOGETHER = 1024  # queries; more would gain little and take memory


@dataclass(eq=False)
class _SearchRequest:
    """A search that somebody waits for, and what came of it."""

    queries: Vectors
    k: int
    found: PartialNeighbours | None = None
    error: Exception | None = None

    @property
    def ended(self) -> bool:
        """Whether there is an answer."""
        return self.found is not None or self.error is not None


class GatheredSearcher:
    """Answers as ``searcher`` does, and one search after the other.

    What is asked while another search runs is gathered and searched together when that has ended:
    a searcher reads its vectors once for many queries, and two searches at once would only take
    each other's cores and cache, or wait for each other where the parts of a cluster do them.
    """

    def __init__(self, searcher: PartedSearcher) -> None:
        self._searcher = searcher
        self._waiting: list[_SearchRequest] = []
        self._entering = threading.Lock()  # held while ``_waiting`` is looked at or changed
        self._searching = threading.Lock()

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :meth:`indexer.protocols.Searcher.search` does; also the errors are its own."""
        return self.search_parts(queries, k).require_complete()

    def search_parts(self, queries: Vectors, k: int) -> PartialNeighbours:
        """The same of the faces that are there, and which are away."""
        request = _SearchRequest(queries, k)
        with self._entering:
            self._waiting.append(request)
        with self._searching:
            # Whoever had the turn before may have searched for this one too.
            if not request.ended:
                self._search(self._gathered(request))
        if request.error is not None:
            raise request.error
        assert request.found is not None
        return request.found

    def _gathered(self, first: _SearchRequest) -> list[_SearchRequest]:
        """``first`` and what can be searched together with it, taken off those that wait."""
        taken, left, count = [first], [], len(first.queries)
        with self._entering:
            for other in self._waiting:
                # Another k would be another search where the index is not exact.
                alike = other.k == first.k and other.queries.shape[1:] == first.queries.shape[1:]
                if other is first:
                    continue
                if alike and count + len(other.queries) <= MOST_TOGETHER:
                    taken.append(other)
                    count += len(other.queries)
                else:
                    left.append(other)
            self._waiting = left
        return taken

    def _search(self, requests: list[_SearchRequest]) -> None:
        try:
            together = np.concatenate([request.queries for request in requests])
            found = self._searcher.search_parts(together, requests[0].k)
        except Exception as error:
            if len(requests) == 1:
                requests[0].error = error
                return
            for request in requests:  # one of them is wrong, the others are not
                self._search([request])
            return
        start, every = 0, found.neighbours
        for request in requests:
            end = start + len(request.queries)
            its = Neighbours(every.ids[start:end], every.distances[start:end])
            request.found = PartialNeighbours(its, found.unsearched)
            start = end


def gathering(opener: SearchOpener) -> SearchOpener:
    """``opener`` with searches that are gathered."""

    def opened(gallery: Gallery, state: GalleryState) -> GallerySearch:
        found = opener(gallery, state)
        return replace(found, searcher=GatheredSearcher(found))

    return opened
