"""An index over any vectors: build or open it in one line, search it in the next."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexer.argument_checks import instance, whole_number
from indexer.build import CoveredShards, build_index, open_index
from indexer.errors import InvalidVectorsError
from indexer.index.flat import FlatIndex
from indexer.ivf.recipes import EXACT, RecipeGoal
from indexer.protocols import Index
from indexer.types import MAX_NEIGHBOURS, Block, Ids, Neighbours, Vectors, check_unit_vectors

_BLOCK_ROWS = 65536


class VectorIndex:
    """Finds the nearest of some unit vectors, by squared Euclidean distance in [0, 4].

    Make one with :func:`create_index`, open a saved one with :func:`load_index`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def search(self, queries: ArrayLike, k: int = 10) -> Neighbours:
        """The ``k`` nearest vectors of each of ``queries`` (q, d), unit length, nearest first.

        Ids and distances have shape (q, k); where there are fewer vectors than ``k``, lines end
        with id -1 and distance +inf. Raises InvalidVectorsError for queries that cannot be
        compared, ValueError for k out of range.
        """
        k = whole_number(k, "how many neighbours as k", 1, MAX_NEIGHBOURS)
        return self._index.search(to_unit_vectors(queries, "queries"), k)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        return self._index.dimension

    @property
    def exact(self) -> bool:
        """Whether it always finds the nearest; else mostly, see ``recall`` of create_index."""
        return self._index.exact

    @property
    def ids(self) -> Ids:
        """The ids of the vectors, int64 (n,), ascending."""
        return self._index.ids.all()

    def place(self, device: str) -> None:
        """Search on "cpu", "cuda", "cuda:N", or "auto"; DeviceError where that is not to be had."""
        self._index.place(device)


def create_index(
    vectors: ArrayLike,
    ids: ArrayLike | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    recall: float = EXACT,
    memory: float | None = None,
) -> VectorIndex:
    """An index of ``vectors`` (n, d), unit length, in memory, or kept in ``folder``.

    ``ids`` (n,) are whole numbers of 0 or more, each once; by default the rows. With a ``folder``
    :func:`load_index` opens it again, and a ``recall`` below 1, the share of searches that must
    find the nearest vector, gives an index that takes far less memory and time: its codes and
    probes are chosen by what searches for some of the vectors show. ``memory`` is what it may take,
    in bytes; by default there is no limit.

    Raises InvalidVectorsError for vectors or ids that cannot be used, ValueError for a recall out
    of [0.5, 1], IndexGoalError where the memory does not allow the recall.
    """
    goal = RecipeGoal(recall, math.inf if memory is None else memory)
    place = None if folder is None else _folder(folder)
    block = _sorted_block(vectors, ids)
    dimension = block.vectors.shape[1]
    if place is None:
        if recall != EXACT:
            raise ValueError(
                f"expected a folder with recall {recall}: an approximate index lies in files; "
                "give folder=, or leave out recall for exact search in memory"
            )
        return VectorIndex(FlatIndex.build([block], dimension))
    covers = CoveredShards(len(block), dimension, {}, "")
    asked = {"recall": recall} if memory is None else {"recall": recall, "memory": memory}
    place.mkdir(parents=True, exist_ok=True)
    build_index(place, lambda: _blocks(block), covers, goal, asked=asked)
    return load_index(place)


def load_index(folder: str | os.PathLike[str]) -> VectorIndex:
    """The index that :func:`create_index` made in ``folder``.

    Raises StaleIndexError where there is none, or a damaged one.
    """
    return VectorIndex(open_index(_folder(folder), {}))


def _folder(folder: str | os.PathLike[str]) -> Path:
    instance(folder, str | os.PathLike, "the folder of an index")
    return Path(folder)


def to_unit_vectors(vectors: ArrayLike, what: str = "vectors") -> Vectors:
    """``vectors`` as float32 (n, d): of nested lists, or an array of any kind of numbers.

    Raises InvalidVectorsError where they are anything else, not of unit length, or not finite.
    """
    try:
        array: NDArray[Any] = np.asarray(vectors)
    except ValueError as error:
        raise InvalidVectorsError(f"expected {what} (n, d) of equal length: {error}") from error
    if array.dtype.kind not in "fiu":
        raise InvalidVectorsError(f"expected {what} of numbers, got dtype {array.dtype}")
    if array.ndim != 2 or not array.shape[1]:
        hint = "; for a single one give [vector]" if array.ndim == 1 and array.size else ""
        raise InvalidVectorsError(f"expected {what} of shape (n, d), got {array.shape}{hint}")
    result: Vectors = np.ascontiguousarray(array, np.float32)
    check_unit_vectors(result, what)
    return result


def _sorted_block(vectors: ArrayLike, ids: ArrayLike | None) -> Block:
    """Vectors by ascending id."""
    rows = to_unit_vectors(vectors)
    if ids is None:
        return Block(np.arange(len(rows)), rows)
    given = np.asarray(ids)
    if given.shape != (len(rows),) or given.dtype.kind not in "iu":
        raise InvalidVectorsError(
            f"expected a whole number as id for each of {len(rows)} vectors, got {given.dtype} "
            f"of shape {given.shape}"
        )
    order = np.argsort(given, kind="stable")
    ascending = given[order].astype(np.int64)
    if len(ascending) and ascending[0] < 0:
        raise InvalidVectorsError(f"expected ids of 0 or more, got {ascending[0]}")
    twice = np.flatnonzero(ascending[1:] == ascending[:-1])
    if len(twice):
        raise InvalidVectorsError(f"expected each id once, got {ascending[twice[0]]} twice")
    return Block(ascending, rows[order])


def _blocks(block: Block) -> list[Block]:
    starts = range(0, len(block), _BLOCK_ROWS)
    return [
        Block(block.ids[start : start + _BLOCK_ROWS], block.vectors[start : start + _BLOCK_ROWS])
        for start in starts
    ]
