"""Choose, build, save and open the index for a goal of recall and memory."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from indexer.errors import IndexGoalError, StaleIndexError
from indexer.id_lookup import contained
from indexer.id_ranges import IdRanges
from indexer.index.files import opened_index, replace_index
from indexer.index.flat import FlatIndex, read_ids
from indexer.index.manifest import IndexManifest
from indexer.ivf import faiss_ivf
from indexer.ivf.build import Blocks, build_ivf, learn
from indexer.ivf.index import SPARE, IvfRecipe, IvfSqIndex, TrainedQuantizer, ivf_available
from indexer.ivf.kmeans import SAMPLE_EACH
from indexer.ivf.recipes import EXACT, RecipeGoal, cell_bytes, cell_count, cell_recipes, flat_bytes
from indexer.ivf.tune import (
    ProbedIndex,
    TrueNeighbours,
    choose_coding,
    choose_probes,
    find_truth,
    measure,
    pick,
)
from indexer.protocols import Index
from indexer.storage.faiss_files import import_faiss
from indexer.storage.safetensors_file import ArrayFileError
from indexer.types import Ids, Vectors

logger = logging.getLogger(__name__)

QUERIES = 2000  # vectors of the gallery that are searched for, to tune and to measure
FEW = 2000  # vectors that are searched exactly whatever the goal
GROWN = 4  # times the vectors that were learnt from, before all is learnt again
_MOST_SAMPLED = 1_048_576
_SEED = 0

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class CoveredShards:
    """What an index is of: ``count`` vectors of ``dimension``, in ``shards`` and ``state``.

    ``shards`` maps each shard's name to its SHA-256, ``state`` is any digest of the vectors in.
    """

    count: int
    dimension: int
    shards: Mapping[str, str]
    state: str


def build_index(
    folder: Path,
    blocks: Blocks,
    covers: CoveredShards,
    goal: RecipeGoal,
    *,
    asked: Mapping[str, float] | None = None,
    before: IvfSqIndex | None = None,
    vectors: faiss_ivf.VectorsOf | None = None,
    progress: Progress = lambda stage, done: None,
) -> IndexManifest:
    """Replace the index in ``folder`` by one of all vectors of ``blocks`` that meets ``goal``.

    ``blocks`` gives the same blocks at each call, ids ascending. The index is exact where the
    goal's recall is 1 or there are few vectors; else codes and probes are chosen by what searches
    for the gallery's own vectors show. What ``before``, an index of fewer vectors like these, has
    learnt is used again while there are at most :data:`GROWN` times as many. Raises IndexGoalError
    where the memory does not allow what was asked for. ``asked`` is what of the goal is remembered
    (by default, all). ``vectors`` is what the caller's searches will rank by where the index holds
    none (:meth:`IvfIndex.rank_by`), so that it is chosen and measured with them.
    ``progress`` is called with the stage and how many vectors are done.
    """
    shards, remembered = dict(covers.shards), dict(asdict(goal) if asked is None else asked)
    about = IndexManifest(covers.count, covers.dimension, "", shards, covers.state, goal=remembered)
    exact = flat_bytes(covers.count, covers.dimension)
    few = covers.count <= FEW
    if exact <= goal.memory and (goal.recall == EXACT or few):
        index = FlatIndex.build(blocks(), covers.dimension)

        def write(path: Path) -> IndexManifest:
            index.write(path)
            return about

        return replace_index(folder, write)
    if goal.recall == EXACT or few:
        raise IndexGoalError(
            f"exact search of {covers.count} vectors takes {_size(exact)}, more than the "
            f"{_size(goal.memory)} given; allow more{'' if few else ', or name a recall below 1'}"
        )
    work = _Approximate(blocks, about, goal, vectors, progress)
    return replace_index(folder, lambda path: work.write(path, before))


@dataclass(frozen=True)
class _Approximate:
    blocks: Blocks
    about: IndexManifest
    goal: RecipeGoal
    vectors: faiss_ivf.VectorsOf | None
    progress: Progress

    def write(self, path: Path, before: IvfSqIndex | None) -> IndexManifest:
        """Build, tune, and tell what came of it."""
        count = self.about.count
        random = np.random.default_rng(_SEED)
        asked = pick(self.blocks(), _places(random, count, QUERIES))
        truth = find_truth(self.blocks, asked)
        self.progress("searched exactly", count)
        known = self._again(before) if before is not None else None
        if known is not None:
            described = self._cells(path, known, truth)
            if described.measured["recall_at_1_high"] >= self.goal.recall:
                return described
        sampled = min(_MOST_SAMPLED, SAMPLE_EACH * cell_count(count))
        sample = pick(self.blocks(), _places(random, count, sampled))
        learnt_from = sample.vectors[~contained(sample.ids, asked.ids)]  # these are to measure by
        recipe = self._recipe(learnt_from, truth)
        self.progress("chosen", count)
        if not ivf_available(self.about.dimension):
            return self._warned(self._ivf(path, learnt_from, recipe, truth))
        learnt = learn(learnt_from, recipe, count)
        self.progress("learnt", count)
        return self._warned(self._cells(path, learnt, truth))

    def _cells(self, path: Path, learnt: TrainedQuantizer, truth: TrueNeighbours) -> IndexManifest:
        build_ivf(path, self.blocks, learnt, progress=self.progress)
        bits, seen = learnt.coding.bits, learnt.seen
        return self._described(IvfSqIndex.open(path), truth, "Cells", bits, seen)

    def _warned(self, described: IndexManifest) -> IndexManifest:
        found = described.measured
        if found["recall_at_1_high"] < self.goal.recall:
            logger.warning(
                "the recall is %.4f, less than the %.4f asked for; allow more memory",
                found["recall_at_1"],
                self.goal.recall,
            )
        return described

    def _again(self, before: IvfSqIndex) -> TrainedQuantizer | None:
        fits = cell_bytes(self.about.count, before.recipe) <= self.goal.memory
        known = before.dimension == self.about.dimension
        grown = self.about.count > GROWN * before.learnt.seen
        return before.learnt if fits and known and not grown else None

    def _recipe(self, sample: Vectors, truth: TrueNeighbours) -> IvfRecipe:
        count, dimension = self.about.count, self.about.dimension
        cells = ivf_available(dimension)

        def recipes(memory: float) -> list[IvfRecipe]:
            return [
                each
                for each in cell_recipes(sample, count, memory)
                if cells or (each.bits == faiss_ivf.BITS and each.components <= dimension)
            ]

        fitting = recipes(self.goal.memory)
        if not fitting:
            least = cell_bytes(count, recipes(math.inf)[0])
            raise IndexGoalError(
                f"no index of {count} vectors fits {_size(self.goal.memory)}; allow at least "
                f"{_size(least)}"
            )
        spare = SPARE if cells else faiss_ivf.SPARE if self.vectors is not None else 0
        return choose_coding(sample, fitting, truth.half(0), self.goal.recall, spare)

    def _ivf(
        self, path: Path, sample: Vectors, recipe: IvfRecipe, truth: TrueNeighbours
    ) -> IndexManifest:
        index = faiss_ivf.FaissIvfIndex.build(
            self.blocks(), sample, recipe.cells, recipe.components
        )
        index.write(path)
        if self.vectors is not None:
            index.rank_by(self.vectors)
        return self._described(index, truth, "IVF", faiss_ivf.BITS, self.about.count)

    def _described(
        self, index: ProbedIndex, truth: TrueNeighbours, recipe: str, bits: int, seen: int
    ) -> IndexManifest:
        choose_probes(index, truth.half(0), self.goal.recall)
        found = measure(index, truth.half(1))
        low, high = found.interval
        return replace(
            self.about,
            recipe=recipe,
            parameters={
                "cells": index.cells,
                "probes": index.probes,
                "components": index.components,
                "bits": bits,
                "learnt_from": seen,
            },
            measured={
                "recall_at_1": found.recall,
                "recall_at_1_low": low,
                "recall_at_1_high": high,
                "queries": found.queries,
                "single_seconds": found.single_seconds,
                "queries_per_second": found.queries_per_second,
                "batch": found.batch,
                "bytes_each": index.bytes_each,
            },
        )


def open_index(
    folder: Path,
    shards: Mapping[str, str],
    description: IndexManifest | None = None,
    *,
    verify: bool = False,
) -> Index:
    """The index saved in ``folder``, if the shards that it covers are all among ``shards``.

    There may be others, and vectors of those covered may have been taken out or added: see
    :class:`~indexer.index.overlay.OverlayIndex`. ``description`` is that of the folder, where it
    was read already. Raises StaleIndexError, naming the shards, where one changed or was lost, and
    where there is no index or a damaged one: all that is to be done in each case is to build it. A
    file that was found whole and has not changed since is only checked again with ``verify``, or
    where FAISS, which trusts what it reads, reads it.
    """
    description = description or IndexManifest.read(folder)
    verify = verify or description.recipe != "Cells"
    with opened_index(folder, description, shards, verify=verify) as (file, path):
        if description.recipe == "Flat":
            return FlatIndex.read(file, path, description)
        index: ProbedIndex
        if description.recipe == "IVF":
            index = faiss_ivf.FaissIvfIndex.read(file, path, description)
        else:
            try:
                index = IvfSqIndex.open(path)
            except ArrayFileError as error:
                raise StaleIndexError(f"{error}; rebuild it") from error
            if (len(index), index.dimension) != (description.count, description.dimension):
                raise StaleIndexError(
                    f"{path}: expected {description.count} vectors of {description.dimension} "
                    f"components, got {len(index)} of {index.dimension}; rebuild it"
                )
        probes = int(description.parameters.get("probes", index.cells))
        index.probes = min(max(1, probes), index.cells)
        return index


def held_ids(folder: Path, shards: Mapping[str, str], description: IndexManifest) -> IdRanges:
    """Those of the vectors in the index in ``folder`` that ``description`` is of.

    An exact index is not loaded for that. Raises what :func:`open_index` does.
    """
    if description.recipe != "Flat":
        return open_index(folder, shards, description).ids
    import_faiss()  # without which nothing is found by it
    with opened_index(folder, description, shards) as (file, path):
        return read_ids(file, path, description)


def _places(random: np.random.Generator, count: int, most: int) -> Ids:
    """So many places among ``count``, ascending, or all of them."""
    chosen = random.choice(count, min(count, most), replace=False, shuffle=False)
    return np.sort(chosen)


def _size(size: float) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.3g} {unit}"
    return f"{size:.0f} bytes"
