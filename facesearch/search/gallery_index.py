"""Search in a gallery: by its index where that is up to date, else over the shards."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from facesearch.argument_checks import number
from facesearch.errors import BusyGalleryError, InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.partial import PartedSearcher, PartialNeighbours
from indexer import build
from indexer.build import CoveredShards, Progress
from indexer.errors import IndexGoalError, MissingFaissError, StaleIndexError
from indexer.exact.brute_force import exact_search
from indexer.id_ranges import IdRanges
from indexer.index.flat import FlatIndex
from indexer.index.manifest import IndexManifest
from indexer.index.overlay import KEPT_FRESH, Coverage, IndexChanges, OverlayIndex
from indexer.ivf.faiss_ivf import FaissIvfIndex
from indexer.ivf.index import IvfSqIndex
from indexer.ivf.recipes import DEFAULT_RECALL, EXACT, LEAST_RECALL, RecipeGoal, flat_bytes
from indexer.protocols import Index, Searcher
from indexer.runtime.devices import torch_device
from indexer.runtime.memory import available_memory
from indexer.types import Block, Ids, Neighbours, Vectors, make_ids

logger = logging.getLogger(__name__)

_Read = TypeVar("_Read")

_RACES = 100  # with a writer that replaces the index again and again


def index_folder(gallery: Gallery) -> Path:
    """Where a gallery's index lies."""
    return gallery.folder / "index"


@dataclass(frozen=True)
class IndexGoal:
    """What an index is asked for: a recall, bytes of memory, either or neither.

    What was not asked for is chosen again whenever an index is built.
    """

    recall: float | None = None
    memory: float | None = None

    def __post_init__(self) -> None:
        if self.recall is not None:
            number(self.recall, "a recall", LEAST_RECALL, EXACT)
        if self.memory is not None:
            number(self.memory, "bytes of memory", 0, math.inf)

    def goal(self, count: int, dimension: int) -> RecipeGoal:
        """For ``count`` vectors; by default half of the machine's memory, and exact search where
        that suffices for it. Raises InputError for values out of range.
        """
        memory, recall = self.memory, self.recall
        if memory is None:
            memory = available_memory() / 2
        if recall is None:
            recall = EXACT if flat_bytes(count, dimension) <= memory else DEFAULT_RECALL
        try:
            return RecipeGoal(recall, memory)
        except ValueError as error:
            raise InputError(str(error)) from error

    @classmethod
    def of(cls, gallery: Gallery) -> IndexGoal:
        """What the present index was asked to be."""
        try:
            goal = IndexManifest.read(index_folder(gallery)).goal
        except StaleIndexError:
            return cls()
        return cls(goal.get("recall"), goal.get("memory"))


def build_index(
    gallery: Gallery, wish: IndexGoal | None = None, progress: Progress = lambda stage, done: None
) -> IndexManifest:
    """Build and save the index of all live faces; returns what it came to be.

    Without a ``wish`` it is that which the index there was followed. Raises
    BusyGalleryError when another process is writing, MissingFaissError without FAISS,
    IndexGoalError where the goal cannot be met.
    """
    with gallery.writing():
        return rebuild(gallery, gallery.state(), wish, progress, retrain=True)


def refresh_index(gallery: Gallery) -> GalleryState:
    """Like :func:`build_index`, unless there is an index that still serves nearly all.

    :meth:`Coverage.worth_rebuilding` is the rule. An index that was found damaged
    serves none; one that was found whole and has not changed since is not read again. What stands
    in the way is only logged: searches do without.
    """
    try:
        with gallery.writing():
            state = gallery.state()
            if not _serves(gallery, state):
                rebuild(gallery, state)
            return state
    except (MissingFaissError, BusyGalleryError, IndexGoalError) as error:
        logger.warning("the search index was not renewed: %s", error)
        return gallery.state()


def rebuild(
    gallery: Gallery,
    state: GalleryState,
    wish: IndexGoal | None = None,
    progress: Progress = lambda stage, done: None,
    *,
    retrain: bool = False,
) -> IndexManifest:
    """As :func:`build_index` does, for a caller that is the gallery's writer already.

    What the present index has learnt is used again where it serves, unless ``retrain``. Searches
    continue with the index that they opened, and find the new one once it is complete.
    """
    dimension, folder = gallery.contract.dimension, index_folder(gallery)
    wish = IndexGoal.of(gallery) if wish is None else wish
    covers = CoveredShards(state.face_count, dimension, gallery.shard_digests(), state.digest())
    return build.build_index(
        folder,
        lambda: gallery.blocks(state),
        covers,
        wish.goal(state.face_count, dimension),
        asked={name: value for name, value in asdict(wish).items() if value is not None},
        before=None if retrain else _learnt_before(gallery),
        vectors=gallery.vectors,
        progress=progress,
    )


def _learnt_before(gallery: Gallery) -> IvfSqIndex | None:
    """The present index, where what it has learnt can be used again."""
    folder, shards = index_folder(gallery), gallery.shard_digests()
    try:
        description = IndexManifest.read(folder)
        if description.recipe != "Cells":
            return None  # without reading all of it
        index = build.open_index(folder, shards, description)
    except StaleIndexError:
        return None
    return index if isinstance(index, IvfSqIndex) else None


def _serves(gallery: Gallery, state: GalleryState) -> bool:
    coverage = index_facts(gallery, state).coverage
    return coverage is not None and not coverage.worth_rebuilding()


def load_index(gallery: Gallery, state: GalleryState, *, verify: bool = False) -> OverlayIndex:
    """The saved index, brought up to the live faces of ``state``.

    With ``verify`` the digest of its file is checked again. Raises StaleIndexError where there is
    none, where it is damaged, and where a shard that it covers changed or was lost.
    """
    return _loaded(gallery, state, verify)[0]


def _loaded(
    gallery: Gallery, state: GalleryState, verify: bool = False
) -> tuple[OverlayIndex, IndexManifest]:
    folder = index_folder(gallery)

    def load(description: IndexManifest) -> tuple[Index, IndexManifest]:
        shards = gallery.shard_digests()
        return build.open_index(folder, shards, description, verify=verify), description

    base, description = _saved(gallery, load)
    if isinstance(base, FaissIvfIndex):
        base.rank_by(gallery.vectors)
    index = OverlayIndex(base, live_ranges(state), lambda ids: search_among(gallery, state, ids))
    return index, description


def live_ranges(state: GalleryState) -> IdRanges:
    """Ids of all live faces, made shard by shard."""
    return IdRanges.joined(
        [IdRanges.of(make_ids(number, rows)) for number, rows in sorted(state.live.items())]
    )


@dataclass(frozen=True)
class IndexFacts:
    """What the saved index is and how much of a search it does, or None and the ``problem``."""

    coverage: Coverage | None
    description: IndexManifest | None = None
    problem: str = ""


def index_facts(gallery: Gallery, state: GalleryState) -> IndexFacts:
    """What can be said of the saved index by what it holds, without loading an exact one."""

    def facts(description: IndexManifest) -> IndexFacts:
        held = build.held_ids(index_folder(gallery), gallery.shard_digests(), description)
        return IndexFacts(IndexChanges.between(held, live_ranges(state)).coverage, description)

    try:
        return _saved(gallery, facts)
    except (StaleIndexError, MissingFaissError) as error:
        return IndexFacts(None, problem=str(error))


def _saved(gallery: Gallery, read: Callable[[IndexManifest], _Read]) -> _Read:
    """What ``read`` makes of the saved index, whatever a writer does meanwhile.

    It is to look at the shards itself, so that those are there which the index covers.
    """
    folder = index_folder(gallery)
    for _ in range(_RACES):
        description = IndexManifest.read(folder)
        try:
            _require_dimension(description, gallery)
            return read(description)
        except StaleIndexError as error:
            stale = error
            # One that was replaced while it was being opened is no damage.
            if IndexManifest.read(folder) == description:
                break
    raise stale


def _require_dimension(description: IndexManifest, gallery: Gallery) -> None:
    if description.dimension != gallery.contract.dimension:
        raise StaleIndexError(
            f"the index in {index_folder(gallery)} is of vectors of {description.dimension} "
            f"components, the gallery's have {gallery.contract.dimension}; rebuild it"
        )


def search_among(gallery: Gallery, state: GalleryState, ids: Ids, device: str = "auto") -> Searcher:
    """An exact searcher of the live faces ``ids``: in memory while they are few."""
    part = state.only(ids)
    blocks = StreamSearcher(lambda: gallery.blocks(part), device)
    if len(ids) > KEPT_FRESH:
        return blocks
    try:
        index = FlatIndex.build(gallery.blocks(part), gallery.contract.dimension)
    except MissingFaissError:
        return blocks
    index.place(device)
    return index


@dataclass(frozen=True)
class StreamSearcher:
    """Exact search over blocks that ``blocks`` reads again for every search.

    Blocks are moved to a ``device`` that is a GPU; with "auto" they stay, for reading them takes
    longer than what a GPU would save.
    """

    blocks: Callable[[], Iterable[Block]]
    device: str = "auto"

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.brute_force.exact_search` does."""
        where = "cpu" if self.device == "auto" else torch_device(self.device)
        if where == "cpu":
            return exact_search(self.blocks(), queries, k)
        from indexer.exact.torch_search import search_blocks  # noqa: PLC0415 - torch takes seconds

        return search_blocks(self.blocks(), queries, k, where)


@dataclass(frozen=True)
class GallerySearch:
    """Searches the live faces; exactly, but where an ``approximate`` index looks them up."""

    searcher: Searcher
    approximate: IndexManifest | None = None

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :meth:`indexer.protocols.Searcher.search` does.

        Raises PartialSearchError where faces are on a cluster, and some are away.
        """
        return self.searcher.search(queries, k)

    def search_parts(self, queries: Vectors, k: int) -> PartialNeighbours:
        """The same of the faces that are there, and which are away."""
        if isinstance(self.searcher, PartedSearcher):
            return self.searcher.search_parts(queries, k)
        return PartialNeighbours(self.searcher.search(queries, k))


# Finds the live faces of a gallery at one moment.
SearchOpener = Callable[[Gallery, GalleryState], GallerySearch]


def open_search(gallery: Gallery, state: GalleryState, device: str = "auto") -> GallerySearch:
    """The live faces to be searched any number of times: the index, or the shards without one.

    ``device`` as :mod:`indexer.runtime.devices` names it; DeviceError is raised for
    a GPU that is not there, or that the index cannot be searched on.
    """
    if device != "auto":
        torch_device(device)
    try:
        index, description = _loaded(gallery, state)
    except (StaleIndexError, MissingFaissError) as error:
        logger.warning("searching the shards instead of the index: %s", error)
        return GallerySearch(StreamSearcher(lambda: gallery.blocks(state), device))
    index.place(device)
    return GallerySearch(index, None if index.exact else description)
