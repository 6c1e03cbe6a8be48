"""Nearest gallery faces, through the index where it is fresh and over the shards where not."""

from __future__ import annotations

import logging
from pathlib import Path

from facesearch.gallery import Gallery, GalleryState
from indexer.errors import MissingFaissError, StaleIndexError
from indexer.exact import exact_search
from indexer.index import FlatIndex
from indexer.types import Neighbours, Vectors

logger = logging.getLogger(__name__)


def index_folder(gallery: Gallery) -> Path:
    """Where a gallery's index lies."""
    return gallery.folder / "index"


def build_index(gallery: Gallery, state: GalleryState) -> int:
    """Build and save the index of all live faces; returns how many there are."""
    index = FlatIndex.build(gallery.blocks(state), gallery.contract.dimension)
    index.save(index_folder(gallery), gallery.shard_digests(), state=state.digest())
    return len(index)


def load_index(gallery: Gallery, state: GalleryState) -> FlatIndex:
    """The saved index; raises StaleIndexError unless it holds exactly the live faces."""
    return FlatIndex.load(index_folder(gallery), gallery.shard_digests(), state=state.digest())


def search_gallery(gallery: Gallery, state: GalleryState, queries: Vectors, k: int) -> Neighbours:
    """The ``k`` nearest live faces of ``queries`` float32 (q, d); exact either way."""
    try:
        return load_index(gallery, state).search(queries, k)
    except (StaleIndexError, MissingFaissError) as error:
        logger.warning("searching the shards instead of the index: %s", error)
        return exact_search(gallery.blocks(state), queries, k)
