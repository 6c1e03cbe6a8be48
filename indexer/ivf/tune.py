"""How well an index finds the nearest vector, measured on the gallery's own vectors.

Some vectors of the gallery are searched for in the gallery without themselves, exactly: that is the
truth. One half of them chooses codes and the number of cells to look into, the other half tells
what recall that gives, so that what is reported was not chosen by.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_search import search_blocks
from indexer.id_lookup import distinct, drop_self
from indexer.ivf.build import Blocks
from indexer.ivf.index import IvfRecipe
from indexer.ivf.scalar_quantizer import ScalarQuantizer, decode, encode
from indexer.ivf.scan import empty_rows
from indexer.protocols import Index
from indexer.types import Block, Ids, Neighbours, Vectors

NEAR = 128  # true neighbours of each query that codes must keep apart
BATCH = 1000
NEARLY = 0.998  # of the recall of all cells: enough where codes do not allow what was asked for
_SECONDS = 0.5  # of searches whose speed is measured
_MOST_SINGLES = 200


class ProbedIndex(Index, Protocol):
    """An index whose searches look into ``probes`` of its ``cells``."""

    probes: int

    @property
    def cells(self) -> int: ...

    @property
    def components(self) -> int: ...

    @property
    def bytes_each(self) -> float: ...


@dataclass(frozen=True)
class TrueNeighbours:
    """Vectors of the gallery and their exact neighbours, themselves left out.

    ``queries`` float32 (q, d) with ids (q,); ``found`` (q, k); ``vectors`` float32 (m, d) are those
    of all neighbours, by ``ids`` (m,), which ascend.
    """

    query_ids: Ids
    queries: Vectors
    found: Neighbours
    ids: Ids
    vectors: Vectors

    def half(self, number: int) -> TrueNeighbours:
        """Every other query, from the one of that ``number``, 0 or 1, on."""
        part = slice(number, None, 2)
        found = Neighbours(self.found.ids[part], self.found.distances[part])
        return TrueNeighbours(
            self.query_ids[part], self.queries[part], found, self.ids, self.vectors
        )


@dataclass(frozen=True)
class MeasuredRecall:
    """``recall`` of the nearest over so many ``queries`` that nothing was chosen by.

    ``interval`` is that of 95% confidence (Wilson 1927). ``single_seconds`` is the median time of
    one search for one query, ``queries_per_second`` is in batches of ``batch``.
    """

    recall: float
    interval: tuple[float, float]
    queries: int
    single_seconds: float
    queries_per_second: float
    batch: int


def pick(blocks: Iterable[Block], chosen: NDArray[np.int64]) -> Block:
    """The vectors at the places ``chosen`` (n,), which ascend, in the stream of blocks."""
    ids, vectors, first = [np.zeros(0, np.int64)], [], 0
    for block in blocks:
        start, end = np.searchsorted(chosen, [first, first + len(block)])
        rows = chosen[start:end] - first
        ids.append(block.ids[rows])
        vectors.append(block.vectors[rows])
        first += len(block)
    width = vectors[0].shape[1] if vectors else 0
    return Block(np.concatenate(ids), np.concatenate([np.zeros((0, width), np.float32), *vectors]))


def find_truth(blocks: Blocks, queries: Block) -> TrueNeighbours:
    """The exact neighbours of ``queries``, which are vectors of the gallery; reads it twice."""
    found = drop_self(search_blocks(blocks(), queries.vectors, NEAR + 1), queries.ids)
    wanted = distinct(found.ids[found.ids >= 0])
    ids, vectors = [np.zeros(0, np.int64)], [np.zeros((0, queries.vectors.shape[1]), np.float32)]
    for block in blocks():
        kept = np.isin(block.ids, wanted, assume_unique=True)
        ids.append(block.ids[kept])
        vectors.append(block.vectors[kept])
    return TrueNeighbours(
        queries.ids, queries.vectors, found, np.concatenate(ids), np.concatenate(vectors)
    )


def coded_recall(coding: ScalarQuantizer, truth: TrueNeighbours, spare: int) -> float:
    """How often the nearest is among the ``spare`` + 1 nearest by distances from codes.

    Only the true neighbours are compared, so no search with these codes can find it more often.
    """
    components, rest = coding.project(truth.vectors)
    rows = empty_rows(len(components), coding)
    places = np.arange(len(components))
    encode(components, rest, places, coding.step, coding.unit, rows.codes, rows.fine, rows.terms)
    kept = decode(coding, rows.codes, rows.fine, 0, len(components))
    near = np.searchsorted(truth.ids, np.maximum(truth.found.ids, truth.ids[0]))
    asked, asked_rest = coding.project(truth.queries)
    differences = asked[:, None] - kept[near]
    distances = np.square(differences).sum(axis=2) + asked_rest[:, None] + rest[near]
    distances[truth.found.ids < 0] = np.inf
    nearest = truth.found.distances == truth.found.distances[:, :1]
    nearest_coded = np.where(nearest, distances, np.inf).min(axis=1)
    return float(((distances < nearest_coded[:, None]).sum(axis=1) <= spare).mean())


def choose_coding(
    sample: Vectors, recipes: list[IvfRecipe], truth: TrueNeighbours, recall: float, spare: int
) -> IvfRecipe:
    """The first of ``recipes`` whose codes leave room for ``recall``, or the best of all."""
    best, best_recall = recipes[0], -1.0
    enough = recall + (1 - recall) / 3  # what is not looked into costs the rest
    for recipe in recipes:
        reached = coded_recall(
            ScalarQuantizer.fit(sample, recipe.components, recipe.bits), truth, spare
        )
        if reached >= enough:
            return recipe
        if reached > best_recall:
            best, best_recall = recipe, reached
    return best


def recall_of(index: Index, truth: TrueNeighbours) -> float:
    """The share of queries whose nearest, or one as near, is found first."""
    found = drop_self(index.search(truth.queries, 2), truth.query_ids)
    return float(_agrees(found.ids[:, 0], truth).mean())


def _agrees(nearest: Ids, truth: TrueNeighbours) -> NDArray[np.bool_]:
    as_near = truth.found.distances == truth.found.distances[:, :1]
    agrees: NDArray[np.bool_] = ((truth.found.ids == nearest[:, None]) & as_near).any(axis=1)
    return agrees


def choose_probes(index: ProbedIndex, truth: TrueNeighbours, recall: float) -> None:
    """Set the fewest probes with which ``recall`` is reached, or nearly what all of them reach.

    It must be reached with a standard error to spare, for the least of many settings that seem to
    reach it would else be one that does not.
    """
    spare = np.sqrt(recall * (1 - recall) / max(1, len(truth.queries)))

    def enough(probes: int) -> bool:
        index.probes = probes
        return bool(recall_of(index, truth) >= wanted)

    index.probes = index.cells
    wanted = min(recall + spare, NEARLY * recall_of(index, truth))
    low, high = 0, 1  # low is too few
    while high < index.cells and not enough(high):
        low, high = high, min(2 * high, index.cells)
    while high - low > max(1, low // 16):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    index.probes = high


def measure(index: Index, truth: TrueNeighbours) -> MeasuredRecall:
    """Recall over the queries of ``truth``, and speed."""
    recall = recall_of(index, truth)
    batch = np.resize(truth.queries, (BATCH, truth.queries.shape[1]))
    whole = _median_seconds(lambda at: index.search(batch, 10), most=10)
    single = _median_seconds(
        lambda at: index.search(batch[at % BATCH][None], 10), most=_MOST_SINGLES
    )
    count = len(truth.queries)
    return MeasuredRecall(recall, wilson(recall, count), count, single, BATCH / whole, BATCH)


def wilson(share: float, count: int) -> tuple[float, float]:
    """The 95% interval of a share observed ``count`` times (Wilson 1927)."""
    from scipy.stats import binomtest  # noqa: PLC0415 - takes a second

    interval = binomtest(round(share * count), count).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def _median_seconds(run: Callable[[int], object], most: int) -> float:
    run(0)
    seconds: list[float] = []
    while len(seconds) < most and sum(seconds) < _SECONDS:
        started = time.perf_counter()
        run(len(seconds) + 1)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))
