"""Galleries of a service that are searched in parts, as on a cluster, of which some can be lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from facesearch.distributed.search.scattered_gallery import ScatteredGallery, ScatterOptions
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import GallerySearch
from support.cluster.mortal_replicas import Machines

OPTIONS = ScatterOptions(parts=2, patience=0.05, seconds=2.0, check_seconds=3600.0)


class PartedSearches:
    """Opens galleries in parts, in threads of this process."""

    def __init__(self) -> None:
        self.machines = Machines()
        self.parts: ScatteredGallery | None = None

    def open(self, gallery: Gallery, state: GalleryState) -> GallerySearch:
        """What a service is given to open galleries with."""
        if self.parts is None:
            self.parts = ScatteredGallery(gallery, state, self.machines.make, OPTIONS)
        return self.parts.search_of(state)

    def lose(self, shard: int) -> None:
        """The part with that shard is away."""
        for each in self.machines.opened:
            each.is_dead |= each.part.shards.first <= shard < each.part.shards.end

    def find_again(self) -> None:
        """Open lost parts again, as the service would by and by."""
        assert self.parts is not None
        self.parts.keep_up()


@contextmanager
def parted_searches() -> Iterator[PartedSearches]:
    """Nothing that is lost comes back by itself."""
    searches = PartedSearches()
    with mock.patch.object(ScatteredGallery, "_keep", lambda parts: None):
        yield searches
    if searches.parts is not None:
        searches.parts.close()
