"""Nearest gallery faces, through the index where it is fresh and over the shards where not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import BusyGalleryError
from facesearch.gallery import Gallery, GalleryState
from indexer.devices import torch_device
from indexer.errors import MissingFaissError, StaleIndexError
from indexer.exact import exact_search
from indexer.index import FlatIndex, check_index
from indexer.types import MAX_NEIGHBOURS, Block, Neighbours, Searcher, Vectors

logger = logging.getLogger(__name__)


def index_folder(gallery: Gallery) -> Path:
    """Where a gallery's index lies."""
    return gallery.folder / "index"


def build_index(gallery: Gallery) -> GalleryState:
    """Build and save the index of all live faces; returns the state it is of.

    Raises BusyGalleryError when another process is writing, MissingFaissError without FAISS.
    """
    with gallery.writing():
        return _build(gallery, gallery.state())


def refresh_index(gallery: Gallery) -> GalleryState:
    """Like :func:`build_index` unless the index is up to date and undamaged.

    What stands in the way is only logged: searches do without.
    """
    try:
        with gallery.writing():
            state = gallery.state()
            return state if _is_fresh(gallery, state) else _build(gallery, state)
    except (MissingFaissError, BusyGalleryError) as error:
        logger.warning("the search index was not renewed: %s", error)
        return gallery.state()


def _build(gallery: Gallery, state: GalleryState) -> GalleryState:
    index = FlatIndex.build(gallery.blocks(state), gallery.contract.dimension)
    index.save(index_folder(gallery), gallery.shard_digests(), state=state.digest())
    return state


def _is_fresh(gallery: Gallery, state: GalleryState) -> bool:
    try:
        check_index(index_folder(gallery), gallery.shard_digests(), state=state.digest())
    except StaleIndexError:
        return False
    return True


def load_index(gallery: Gallery, state: GalleryState) -> FlatIndex:
    """The saved index; raises StaleIndexError unless it holds exactly the live faces."""
    return FlatIndex.load(index_folder(gallery), gallery.shard_digests(), state=state.digest())


@dataclass(frozen=True)
class StreamSearcher:
    """Exact search over blocks that ``blocks`` reads anew for every search.

    Blocks are moved to a ``device`` that is a GPU; with "auto" they stay, for reading them takes
    longer than what a GPU would save.
    """

    blocks: Callable[[], Iterable[Block]]
    device: str = "auto"

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.exact_search` does."""
        where = "cpu" if self.device == "auto" else torch_device(self.device)
        if where == "cpu":
            return exact_search(self.blocks(), queries, k)
        from indexer.torch_search import search_blocks  # noqa: PLC0415 - torch takes seconds

        return search_blocks(self.blocks(), queries, k, where)


def open_search(gallery: Gallery, state: GalleryState, device: str = "auto") -> Searcher:
    """The live faces to be searched any number of times: the index, or the shards without one.

    ``device`` as :mod:`indexer.devices` names it; DeviceError is raised for a GPU that is not
    there. Answers do not depend on it.
    """
    if device != "auto":
        torch_device(device)
    try:
        index = load_index(gallery, state)
    except (StaleIndexError, MissingFaissError) as error:
        logger.warning("searching the shards instead of the index: %s", error)
        return StreamSearcher(lambda: gallery.blocks(state), device)
    index.place(device)
    return index


def search_gallery(
    gallery: Gallery, state: GalleryState, queries: Vectors, k: int, device: str = "auto"
) -> Neighbours:
    """The ``k`` nearest live faces of ``queries`` float32 (q, d), at most MAX_NEIGHBOURS or all."""
    k = max(1, min(k, state.face_count, MAX_NEIGHBOURS))
    return open_search(gallery, state, device).search(queries, k)
