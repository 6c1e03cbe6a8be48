"""Searches of several galleries on one Ray cluster, as a service opens them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from facesearch.distributed.ray_runtime import cluster_cores
from facesearch.distributed.search.parts import GalleryPart
from facesearch.distributed.search.replicas import PartReplica, RayReplica
from facesearch.distributed.search.scattered_gallery import ScatteredGallery, ScatterOptions
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import GallerySearch

START_SECONDS = 600.0  # in which an actor must be there, its part read
_CODES = 2  # times the vectors' bytes: searches make codes of them, and shards are read in blocks


class ClusterSearches:
    """The parts of each gallery in actors of a cluster; close it when it is done. Thread-safe."""

    def __init__(
        self, ray: Any, options: ScatterOptions, *, start_seconds: float = START_SECONDS
    ) -> None:
        options.check()
        self._ray = ray
        self._options = options
        self._start_seconds = start_seconds
        # All replicas, and one more that takes the place of another, share the cores.
        share = cluster_cores(ray) / (options.parts * options.replicas + 1)
        self._cores = min(1.0, round(share, 3))
        self._galleries: dict[Path, ScatteredGallery] = {}
        self._lock = threading.Lock()

    def open(self, gallery: Gallery, state: GalleryState) -> GallerySearch:
        """What finds the live faces of ``state``; the first time its parts are opened.

        Raises ClusterError where none can be opened.
        """
        folder = gallery.folder.resolve()
        with self._lock:
            there = self._galleries.get(folder)
            if there is not None and not _same_vectors(there.gallery, gallery):
                self._galleries.pop(folder).close()
                there = None
            if there is None:
                there = ScatteredGallery(gallery, state, self._replica, self._options)
                self._galleries[folder] = there
        return there.search_of(state)

    def close(self) -> None:
        """Close the parts of all galleries."""
        with self._lock:
            galleries = list(self._galleries.values())
            self._galleries.clear()
        for each in galleries:
            each.close()

    def _replica(self, part: GalleryPart) -> PartReplica:
        return RayReplica(
            self._ray,
            part.open,
            cores=self._cores,
            memory=_CODES * part.index_bytes(),
            seconds=self._start_seconds,
        )


def _same_vectors(one: Gallery, other: Gallery) -> bool:
    """Whether an upgrade has not given the folder vectors of another encoder."""
    return one.contract == other.contract and one.shards_folder == other.shards_folder


def cluster_machines(ray: Any) -> int:
    """How many machines are in the cluster now."""
    return sum(bool(node["Alive"]) for node in ray.nodes())
