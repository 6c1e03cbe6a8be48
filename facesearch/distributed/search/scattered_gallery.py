"""A gallery that is searched in parts, elsewhere, and followed as it changes.

Parts hold the faces that were live when they were opened. Newer ones are searched here until the
parts are opened again, one replica after the other; a face that is live no longer is dropped from
answers at once, and those that were forgotten are hidden from all replicas. Replicas that die are
replaced; until then their faces are said not to be searched.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from facesearch.distributed.ray_runtime import ClusterError
from facesearch.distributed.search.parts import GalleryPart, ShardRange, cut_ranges
from facesearch.distributed.search.replicas import PartReplica
from facesearch.distributed.search.scatter import ScatterSearch, SearchPart, merged_neighbours
from facesearch.errors import FacesearchError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.gallery.tombstones import Tombstones
from facesearch.search.gallery_index import GallerySearch, live_ranges, search_among
from facesearch.search.partial import PartialNeighbours, UnsearchedFaces
from indexer.errors import IndexerError
from indexer.exact.distances import check_queries
from indexer.id_ranges import IdRanges
from indexer.index.overlay import IndexChanges
from indexer.protocols import Searcher
from indexer.types import MAX_NEIGHBOURS, Neighbours, Vectors

logger = logging.getLogger(__name__)

# Opens a replica of a part, and returns once it can answer.
ReplicaMaker = Callable[[GalleryPart], PartReplica]

_MORE = 4  # times as many neighbours are asked for where some found are live no longer


@dataclass(frozen=True)
class ScatterOptions:
    """Into how many ``parts`` a gallery is cut, each with so many ``replicas``.

    ``patience`` and ``seconds`` are those of a search (:class:`ScatterSearch`); every
    ``check_seconds`` dead replicas are looked for.
    """

    parts: int = 1
    replicas: int = 1
    patience: float = 0.2
    seconds: float = 10.0
    check_seconds: float = 5.0

    def check(self) -> None:
        """Raise InputError for options out of range."""
        if self.parts < 1 or self.replicas < 1:
            raise InputError(
                f"expected at least 1 part and 1 replica, got {self.parts} and {self.replicas}"
            )


class ScatteredGallery:
    """The parts of one gallery, kept by a thread. Close it when it is done."""

    def __init__(
        self, gallery: Gallery, state: GalleryState, make: ReplicaMaker, options: ScatterOptions
    ) -> None:
        """Open all replicas at once; ClusterError where not one can be opened."""
        options.check()
        self.gallery = gallery
        self._make = make
        self._options = options
        self._covered = live_ranges(state)
        self._forgotten = IdRanges.of(np.zeros(0, np.int64))
        self._scatter = ScatterSearch(
            self._opened(state), patience=options.patience, seconds=options.seconds
        )
        self._following = threading.Lock()
        self._outdated = False
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="parts", daemon=True)
        self._thread.start()

    @property
    def scatter(self) -> ScatterSearch:
        """What asks the parts."""
        return self._scatter

    @property
    def covered(self) -> IdRanges:
        """The faces that every replica has, forgotten ones apart."""
        return self._covered

    def newer_than_parts(self, live: IdRanges) -> IdRanges:
        """Those of some faces that parts may lack, but for those that were forgotten since."""
        return live.without(self._covered).without(self._forgotten)

    def search_of(self, state: GalleryState) -> GallerySearch:
        """What finds the live faces of ``state``; parts are brought up to date if that is due."""
        with self._following:
            self._hide_forgotten()
            coverage = IndexChanges.between(self._covered, live_ranges(state)).coverage
            if coverage.worth_rebuilding():
                self._outdated = True
                self._wanted.set()
        return GallerySearch(_ScatteredSearcher(self, state))

    def keep_up(self) -> None:
        """Replace dead replicas, and open parts again where many faces are new or gone."""
        if dead := self._scatter.drop_dead():
            logger.warning("%d replicas of parts of %s were lost", dead, self.gallery.folder)
        if self._outdated:
            self._rebuild()
        state: GalleryState | None = None

        def made(shards: ShardRange) -> PartReplica:
            nonlocal state
            state = state or self._state_to_open()
            return self._make(GalleryPart.of(self.gallery, state, shards))

        if opened := self._scatter.fill(self._options.replicas, made):
            logger.info("%d replicas of parts of %s were opened", opened, self.gallery.folder)

    def close(self) -> None:
        """End the thread, and close all replicas."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()
        self._scatter.close()

    def _opened(self, state: GalleryState) -> list[SearchPart]:
        ranges = cut_ranges(state.live, self._options.parts)
        wanted = [shards for shards in ranges for _ in range(self._options.replicas)]
        with ThreadPoolExecutor(len(wanted)) as pool:
            made = [
                (shards, pool.submit(self._make, GalleryPart.of(self.gallery, state, shards)))
                for shards in wanted
            ]
        problems = [problem for _, future in made if (problem := future.exception())]
        if len(problems) == len(made):
            raise ClusterError(
                f"no part of {self.gallery.folder} can be opened: {problems[0]}"
            ) from problems[0]
        for problem in problems:
            logger.warning("a part of %s is away: %s", self.gallery.folder, problem)
        return [
            SearchPart(
                shards,
                tuple(
                    future.result()
                    for of, future in made
                    if of is shards and future.exception() is None
                ),
            )
            for shards in ranges
        ]

    def _hide_forgotten(self) -> None:
        """Hide what was forgotten in all replicas; for who holds the lock of following."""
        forgotten = Tombstones.read(self.gallery.folder).ids
        self._forgotten = IdRanges.of(forgotten)
        held = forgotten[self._covered.find(forgotten) >= 0]
        if len(held):
            self._scatter.hide(held)
            self._covered = self._covered.without(IdRanges.of(held))

    def _state_to_open(self) -> GalleryState:
        """The present state, for new replicas: what is not live in it will not be in all."""
        state = self.gallery.state()
        with self._following:
            gone = self._covered.without(live_ranges(state))
            self._covered = self._covered.without(gone)
        return state

    def _rebuild(self) -> None:
        """Open each part again with the faces that are live now, one replica after the other."""
        self._outdated = False
        try:
            state = self._state_to_open()
            parts = [part.shards for part in self._scatter.parts]
            last = max([parts[-1].end, *(number + 1 for number in state.live)])
            ranges = [*parts[:-1], ShardRange(parts[-1].first, last)]
            self._scatter.rebuild(
                ranges, lambda shards: self._make(GalleryPart.of(self.gallery, state, shards))
            )
        except BaseException:
            self._outdated = True
            raise
        with self._following:
            self._covered = live_ranges(state)
            self._hide_forgotten()

    def _keep(self) -> None:
        while True:
            self._wanted.wait(self._options.check_seconds)
            if self._stopped.is_set():
                return
            self._wanted.clear()
            try:
                self.keep_up()
            except (FacesearchError, IndexerError, OSError) as error:
                logger.warning("parts of %s stay as they are: %s", self.gallery.folder, error)
                self._stopped.wait(self._options.check_seconds)


class _ScatteredSearcher:
    """The live faces of one state: those that the parts have, and newer ones, searched here."""

    def __init__(self, parts: ScatteredGallery, state: GalleryState) -> None:
        self._parts = parts
        self._state = state
        self._live = live_ranges(state)
        self._newer: tuple[IdRanges, IdRanges, Searcher | None] | None = None
        self._lock = threading.Lock()

    def search(self, queries: Vectors, k: int) -> Neighbours:
        return self.search_parts(queries, k).require_complete()

    def search_parts(self, queries: Vectors, k: int) -> PartialNeighbours:
        check_queries(queries, k)
        fresh, newer = self._searched_here()
        wanted = k
        while True:
            result = self._parts.scatter.search_parts(queries, wanted)
            found = result.neighbours
            known = self._live.find(found.ids.ravel()).reshape(found.ids.shape) >= 0
            # Where all that were asked for came, there may be more.
            short = (known.sum(axis=1) < k) & (found.ids[:, -1] >= 0)
            if not short.any() or wanted == MAX_NEIGHBOURS:
                break
            wanted = min(_MORE * wanted, MAX_NEIGHBOURS)
        # Parts that were opened again have some that are searched here too.
        known &= fresh.find(found.ids.ravel()).reshape(found.ids.shape) < 0
        answers = [
            Neighbours(
                np.where(known, found.ids, -1),
                np.where(known, found.distances, np.float32(np.inf)),
            )
        ]
        if newer is not None:
            answers.append(newer.search(queries, k))
        merged = merged_neighbours(answers, len(queries), k)
        return PartialNeighbours(merged, self._unsearched(result.missing, fresh))

    def _searched_here(self) -> tuple[IdRanges, Searcher | None]:
        """The faces that parts may lack, and what searches them."""
        with self._lock:
            covered = self._parts.covered
            if self._newer is None or self._newer[0] is not covered:
                fresh = self._parts.newer_than_parts(self._live)
                gallery, state = self._parts.gallery, self._state
                newer = search_among(gallery, state, fresh.all()) if fresh.count else None
                self._newer = covered, fresh, newer
            return self._newer[1:]

    def _unsearched(
        self, missing: tuple[ShardRange, ...], fresh: IdRanges
    ) -> tuple[UnsearchedFaces, ...]:
        """What was not searched, but for parts without a face."""
        found = []
        for shards in missing:
            faces = 0
            for number in range(shards.first, shards.end):
                if number in self._state.live:
                    faces += len(self._state.live[number])
            here = fresh.all() >> 32
            faces -= int(((here >= shards.first) & (here < shards.end)).sum())
            if faces:
                found.append(UnsearchedFaces(shards.first, shards.end - 1, faces))
        return tuple(found)
