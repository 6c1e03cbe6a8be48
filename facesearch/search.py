"""Nearest gallery faces, through the index where it is fresh and over the shards where not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import BusyGalleryError
from facesearch.gallery import Gallery, GalleryState
from indexer.errors import MissingFaissError, StaleIndexError
from indexer.exact import exact_search
from indexer.index import FlatIndex, check_index
from indexer.index_description import IndexDescription
from indexer.living import KEPT_FRESH, Coverage, LivingIndex
from indexer.types import MAX_NEIGHBOURS, Block, Ids, Index, Neighbours, Searcher, Vectors

logger = logging.getLogger(__name__)

_RACES = 100  # with a writer that replaces the index again and again


def index_folder(gallery: Gallery) -> Path:
    """Where a gallery's index lies."""
    return gallery.folder / "index"


def build_index(gallery: Gallery) -> GalleryState:
    """Build and save the index of all live faces; returns the state it is of.

    Raises BusyGalleryError when another process is writing, MissingFaissError without FAISS.
    """
    with gallery.writing():
        return rebuild(gallery, gallery.state())


def refresh_index(gallery: Gallery) -> GalleryState:
    """Like :func:`build_index`, unless there is an undamaged index that still serves nearly all.

    :meth:`indexer.living.Coverage.worth_rebuilding` is the rule. What stands in the way is only
    logged: searches do without.
    """
    try:
        with gallery.writing():
            state = gallery.state()
            return state if _serves(gallery, state) else rebuild(gallery, state)
    except (MissingFaissError, BusyGalleryError) as error:
        logger.warning("the search index was not renewed: %s", error)
        return gallery.state()


def rebuild(gallery: Gallery, state: GalleryState) -> GalleryState:
    """As :func:`build_index` does, for a caller that is the gallery's writer already.

    Searches go on meanwhile with what they opened, and find the new index once it is whole.
    """
    index = FlatIndex.build(gallery.blocks(state), gallery.contract.dimension)
    index.save(index_folder(gallery), gallery.shard_digests(), state=state.digest())
    return state


def _serves(gallery: Gallery, state: GalleryState) -> bool:
    try:
        if check_index(index_folder(gallery), gallery.shard_digests()).state == state.digest():
            return True
        return not load_index(gallery, state).coverage.worth_rebuilding()
    except StaleIndexError:
        return False


def load_index(gallery: Gallery, state: GalleryState) -> LivingIndex:
    """The saved index, brought up to the live faces of ``state``.

    Raises StaleIndexError where there is none, where it is damaged, and where a shard that it
    covers changed or was lost.
    """
    base = _load_base(gallery)
    return LivingIndex(base, state.live_ids(), lambda ids: search_among(gallery, state, ids))


@dataclass(frozen=True)
class IndexFacts:
    """How much of a search the index does: ``coverage``, or None and the ``problem``."""

    coverage: Coverage | None
    problem: str = ""


def index_facts(gallery: Gallery, state: GalleryState) -> IndexFacts:
    """What can be said of the saved index."""
    try:
        return IndexFacts(load_index(gallery, state).coverage)
    except (StaleIndexError, MissingFaissError) as error:
        return IndexFacts(None, str(error))


def _load_base(gallery: Gallery) -> Index:
    """The saved index as it is, whatever a writer does meanwhile."""
    for _ in range(_RACES):
        description = IndexDescription.read(index_folder(gallery))
        try:
            # The digests after the description, so that shards it covers are there.
            return _of_dimension(
                FlatIndex.load(index_folder(gallery), gallery.shard_digests()), gallery
            )
        except StaleIndexError as error:
            stale = error
            # One that was replaced while it was being opened is no damage.
            if IndexDescription.read(index_folder(gallery)) == description:
                break
    raise stale


def _of_dimension(index: FlatIndex, gallery: Gallery) -> Index:
    if index.dimension != gallery.contract.dimension:
        raise StaleIndexError(
            f"the index in {index_folder(gallery)} is of vectors of {index.dimension} components, "
            f"the gallery's have {gallery.contract.dimension}; build it anew"
        )
    return index


def search_among(gallery: Gallery, state: GalleryState, ids: Ids) -> Searcher:
    """An exact searcher of the live faces ``ids``: in memory while they are few."""
    part = state.only(ids)
    blocks = StreamSearcher(lambda: gallery.blocks(part))
    if len(ids) > KEPT_FRESH:
        return blocks
    try:
        return FlatIndex.build(gallery.blocks(part), gallery.contract.dimension)
    except MissingFaissError:
        return blocks


@dataclass(frozen=True)
class StreamSearcher:
    """Exact search over blocks that ``blocks`` reads anew for every search."""

    blocks: Callable[[], Iterable[Block]]

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.exact_search` does."""
        return exact_search(self.blocks(), queries, k)


def open_search(gallery: Gallery, state: GalleryState) -> Searcher:
    """The live faces to be searched any number of times: the index, or the shards without one."""
    try:
        return load_index(gallery, state)
    except (StaleIndexError, MissingFaissError) as error:
        logger.warning("searching the shards instead of the index: %s", error)
        return StreamSearcher(lambda: gallery.blocks(state))


def search_gallery(gallery: Gallery, state: GalleryState, queries: Vectors, k: int) -> Neighbours:
    """The ``k`` nearest live faces of ``queries`` float32 (q, d), at most MAX_NEIGHBOURS or all."""
    k = max(1, min(k, state.face_count, MAX_NEIGHBOURS))
    return open_search(gallery, state).search(queries, k)
