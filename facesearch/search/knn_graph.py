"""The k-NN graph of a gallery's live faces, kept in ``graph.h5``."""

from __future__ import annotations

import logging
import math
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import GallerySearch, open_search, search_among
from indexer.errors import StaleIndexError
from indexer.graph.build import MAX_K, GraphReport, Growth, Progress, build_graph
from indexer.graph.knn_graph import EXACT, GraphAccuracy, GraphCoverage, KnnGraphFile
from indexer.id_lookup import contained

logger = logging.getLogger(__name__)


def graph_path(gallery: Gallery) -> Path:
    """Where a gallery's graph lies."""
    return gallery.folder / "graph.h5"


def open_graph(gallery: Gallery, state: GalleryState) -> KnnGraphFile:
    """The graph of exactly the live faces; StaleIndexError where there is none."""
    graph = KnnGraphFile.open(graph_path(gallery))
    try:
        graph.require_covers(gallery.shard_digests(), state.digest())
    except StaleIndexError:
        graph.close()
        raise
    return graph


@dataclass(frozen=True)
class GraphFacts:
    """What the graph that is kept is: ``k`` neighbours of so many ``faces``, or the ``problem``.

    ``exact`` and ``index_recall`` are those of :class:`GraphAccuracy`, the latter None
    where it is not known.
    """

    faces: int = 0
    k: int = 0
    exact: bool = False
    index_recall: float | None = None
    problem: str = ""

    @classmethod
    def of(cls, faces: int, k: int, accuracy: GraphAccuracy) -> GraphFacts:
        """What a graph of such an ``accuracy`` is."""
        recall = accuracy.recall
        return cls(faces, k, accuracy.exact, None if math.isnan(recall) else recall)


def graph_facts(gallery: Gallery, state: GalleryState) -> GraphFacts | None:
    """What can be said of the graph; None where none is kept."""
    if not graph_path(gallery).exists():
        return None
    try:
        with open_graph(gallery, state) as graph:
            return GraphFacts.of(len(graph), graph.k, graph.accuracy)
    except StaleIndexError as error:
        return GraphFacts(problem=str(error))


def refresh_graph(
    gallery: Gallery,
    k: int,
    progress: Progress = lambda done, total: None,
    device: str = "auto",
) -> GraphReport:
    """Bring the graph of the ``k`` nearest neighbours up to date with the live faces.

    One of the same k is extended, any other built. It says whether it is exact; one that was made
    through an approximate index stays so while it is extended. ``device`` is that of the searches,
    as :mod:`indexer.runtime.devices` names it. Raises InputError for a gallery without faces or k
    out of range, BusyGalleryError when another process is writing.
    """
    if not 1 <= k <= MAX_K:
        raise InputError(f"expected k of 1 to {MAX_K}, got {k}; ask for fewer neighbours")
    with gallery.writing():
        state = gallery.state()
        covered = GraphCoverage(state.live_ids(), gallery.shard_digests(), state.digest())
        if not len(covered.ids):
            raise InputError(f"the gallery {gallery.folder} has no faces to make a graph of")
        with ExitStack() as stack:
            growth = None
            if (known := _known(gallery, covered, k)) is not None:
                before = stack.enter_context(known)
                if before.covered.state == covered.state:
                    return GraphReport(len(before), k, 0, 0, before.accuracy)
                new = covered.ids[~contained(covered.ids, before.covered.ids)]
                growth = Growth(before, search_among(gallery, state, new, device))
            search = open_search(gallery, state, device)
            return build_graph(
                graph_path(gallery),
                covered,
                gallery.blocks(state),
                search,
                k=k,
                accuracy=_accuracy(search),
                growth=growth,
                progress=progress,
            )


def _accuracy(search: GallerySearch) -> GraphAccuracy:
    if search.approximate is None:
        return EXACT
    return GraphAccuracy(False, search.approximate.measured.get("recall_at_1", math.nan))


def _known(gallery: Gallery, covered: GraphCoverage, k: int) -> KnnGraphFile | None:
    """The graph there is, where a graph of k neighbours can be made from it."""
    try:
        graph = KnnGraphFile.open(graph_path(gallery))
    except StaleIndexError as error:
        logger.info("rebuilding the graph: %s", error)
        return None
    try:
        if graph.k == k and graph.same_vectors(covered.shards):
            for _ in graph.blocks():  # what is damaged is found here, and not taken for whole
                pass
            return graph
    except StaleIndexError as error:
        logger.warning("building the graph from the start: %s", error)
    graph.close()
    return None
