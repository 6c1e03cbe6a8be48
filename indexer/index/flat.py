"""The FAISS index of a gallery: exact, in memory, saved with the digests of what it covers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError, StaleIndexError
from indexer.exact.brute_force import TopK
from indexer.exact.distances import (
    check_block,
    check_dimension,
    check_queries,
    pair_distances,
    slack,
)
from indexer.exact.int8_search import CertifiedSearch, is_available
from indexer.id_lookup import contained
from indexer.id_ranges import IdRanges
from indexer.index.files import opened_index, replace_index
from indexer.index.manifest import IndexManifest
from indexer.protocols import Searcher
from indexer.runtime.devices import check_device, torch_device
from indexer.storage.faiss_files import import_faiss, read_faiss, write_faiss
from indexer.types import Block, Ids, Neighbours, Vectors, check_unit_vectors

# Codes take as long to make as FAISS takes for some hundred queries, and one that comes alone costs
# it as much as some that come together. Where there are few vectors, FAISS is as quick.
_WORTH_CODES = 512
_ALONE = 16
_MANY_VECTORS = 50_000
_CHECKED = 8192
_HEADERS = 4096  # bytes of an index file beside vectors and ids, at most
_SPARE = 8  # neighbours asked for beyond k, which mostly prove that none was overlooked


class FlatIndex:
    """All vectors in memory, searched exhaustively by FAISS or, once it pays, by something faster.

    Answers are those of :func:`exact_search`, to the last bit and tie. What is faster
    is a GPU (:class:`indexer.exact.torch_search.TorchSearch`) or, without one, codes of the vectors
    (:class:`CertifiedSearch`), which take about a byte a component more. Either
    is made by the search that it will have paid for.
    """

    exact = True

    def __init__(self, index: Any, faiss: Any) -> None:
        self._faiss = faiss
        self._index = index  # IndexIDMap; owns the memory of the views below
        self._flat = faiss.downcast_index(index.index)
        self._ids: Ids
        self._vectors: Vectors
        self._asked = 0
        self._device = "auto"
        self._faster: Searcher | None = None
        self._view()

    def _view(self) -> None:
        self._ids = self._faiss.vector_to_array(self._index.id_map)
        size = len(self) * self.dimension
        pointer = self._flat.get_xb()
        flat = self._faiss.rev_swig_ptr(pointer, size) if size else np.zeros(0, np.float32)
        self._vectors = flat.reshape(len(self), self.dimension)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def ids(self) -> IdRanges:
        """Of all vectors."""
        return IdRanges.of(np.sort(self._ids))

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        return int(self._index.d)

    @classmethod
    def build(cls, blocks: Iterable[Block], dimension: int) -> FlatIndex:
        """Index all vectors of ``blocks``.

        Raises InvalidVectorsError for vectors of another dimension and for ids that come twice or
        are negative.
        """
        faiss = import_faiss()
        if dimension < 1:
            raise ValueError(f"expected a dimension of 1 or more, got {dimension}")
        index = faiss.IndexIDMap(faiss.IndexFlatL2(dimension))
        for block in blocks:
            check_block(block, dimension)
            index.add_with_ids(np.ascontiguousarray(block.vectors), block.ids)
        built = cls(index, faiss)
        built._require_distinct_ids()
        return built

    def _require_distinct_ids(self) -> None:
        if not len(self):
            return
        ids = np.sort(self._ids)
        twice = ids[1:][ids[1:] == ids[:-1]]
        if ids[0] < 0 or len(twice):
            wrong = ids[0] if ids[0] < 0 else twice[0]
            raise InvalidVectorsError(
                f"expected distinct ids of 0 or more, got id {wrong} "
                f"{'twice' if wrong >= 0 else ''}".rstrip()
            )

    def hide(self, ids: Ids) -> None:
        """Take the vectors of ``ids`` out, as if they had never been in; unknown ids are ignored.

        Not to be called while another thread searches. Codes are rebuilt once they pay again.
        """
        if contained(self._ids, ids).any():
            self._index.remove_ids(np.ascontiguousarray(ids, np.int64))
            self._faster = None
            self._view()

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """The ``k`` nearest vectors of each of ``queries`` float32 (q, d), unit length.

        Raises InvalidVectorsError for queries that cannot be compared, ValueError for k that is
        not in [1, MAX_NEIGHBOURS].
        """
        check_queries(queries, k)
        check_dimension(queries, self.dimension)
        self._asked += max(queries.shape[0], _ALONE)
        if self._faster is None:
            self._faster = self._made_faster()
        if self._faster is not None:
            return self._faster.search(queries, k)
        return self._search_faiss(queries, k)

    def place(self, device: str) -> None:
        """Search on ``device`` from now on, as :mod:`indexer.runtime.devices` names it.

        On a GPU that is named all searches run; "auto", which is how an index begins, goes there
        once it pays. Of several GPUs the first is used. Raises DeviceError for one that is not
        there.
        """
        if device != "auto":
            torch_device(device)
        self._device = check_device(device)
        self._faster = None

    def _made_faster(self) -> Searcher | None:
        """What answers faster than FAISS, if it would now have paid."""
        pays = len(self) >= _MANY_VECTORS and self._asked >= _WORTH_CODES
        if pays or self._device.startswith("cuda"):
            where = torch_device(self._device)
            if where != "cpu":
                # Takes seconds, and is not needed without a GPU.
                from indexer.exact.torch_search import TorchSearch  # noqa: PLC0415

                return TorchSearch(self._ids, self._vectors, where)
        if pays and is_available(self.dimension):
            return CertifiedSearch(self._ids, self._vectors)
        return None

    def _search_faiss(self, queries: Vectors, k: int) -> Neighbours:
        best = TopK.none(len(queries), k)
        if len(self) and len(queries):
            queries = np.ascontiguousarray(queries)
            farthest = self._add_nearest(queries, k, best)
            margin = slack(self.dimension)
            # FAISS may have overlooked a vector only where its quick distance is not clearly
            # beyond the k-th: many near-duplicates, in practice.
            doubtful = np.flatnonzero(best.worst + margin >= farthest).tolist()
            for query in doubtful if len(self) > k + _SPARE else ():
                self._add_within(queries, query, float(best.worst[query]) + 2 * margin, best)
        return best.neighbours()

    def _add_nearest(self, queries: Vectors, k: int, best: TopK) -> NDArray[np.float32]:
        count = min(k + _SPARE, len(self))
        quick, rows = self._flat.search(queries, count)
        query = np.repeat(np.arange(len(queries)), count)
        self._add(queries, query, rows.ravel(), best)
        farthest: NDArray[np.float32] = quick[:, -1]
        return farthest

    def _add_within(self, queries: Vectors, query: int, radius: float, best: TopK) -> None:
        _, _, rows = self._flat.range_search(queries[query : query + 1], radius)
        best.clear(query)
        self._add(queries, np.full(len(rows), query), rows, best)

    def _add(self, queries: Vectors, query: Ids, rows: Ids, best: TopK) -> None:
        best.add(query, self._ids[rows], pair_distances(queries, self._vectors, query, rows))

    def save(self, folder: Path, shards: Mapping[str, str], state: str = "") -> None:
        """Replace the index in ``folder`` by this one; a crash leaves the old or the new one.

        ``shards`` maps the name of each shard covered to its SHA-256, ``state`` is any digest of
        what else decides which vectors are in. A folder must have one writer at a time.
        """

        def write(path: Path) -> IndexManifest:
            self.write(path)
            return IndexManifest(len(self), self.dimension, "", dict(shards), state)

        replace_index(folder, write)

    def write(self, path: Path) -> None:
        """Write FAISS's own file."""
        write_faiss(self._index, path, self._faiss)

    @classmethod
    def load(cls, folder: Path, shards: Mapping[str, str]) -> FlatIndex:
        """The index saved in ``folder``, if the shards that it covers are all among ``shards``.

        There may be others, and vectors of those covered may have been taken out or added: see
        :class:`LivingIndex`. Raises StaleIndexError, naming the shards, where one
        changed or was lost, and where there is no index or a damaged one: all that is to be done
        in each case is to build it.
        """
        description = IndexManifest.read(folder)
        with opened_index(folder, description, shards, verify=True) as (file, path):
            return cls.read(file, path, description)

    @classmethod
    def read(cls, file: BinaryIO, path: Path, description: IndexManifest) -> FlatIndex:
        """The index in a file whose digest is right; StaleIndexError where it is no such index."""
        faiss = import_faiss()
        _require_size(file, path, description)
        loaded = cls(_read(file, path, description, faiss), faiss)
        try:
            loaded._require_sound()
        except InvalidVectorsError as error:
            raise StaleIndexError(f"{path}: {error}; rebuild it") from error
        return loaded

    def _require_sound(self) -> None:
        self._require_distinct_ids()
        for first in range(0, len(self), _CHECKED):
            check_unit_vectors(self._vectors[first : first + _CHECKED])


def read_ids(file: BinaryIO, path: Path, description: IndexManifest) -> IdRanges:
    """Those in a file of :meth:`FlatIndex.write` whose digest is right, without its vectors.

    FAISS writes them last, and before them how many they are. Raises StaleIndexError where that is
    not so.
    """
    _require_size(file, path, description)
    file.seek(-8 * (description.count + 1), os.SEEK_END)
    numbers = np.frombuffer(file.read(), "<i8").astype(np.int64)
    try:
        if numbers[0] != description.count:
            raise ValueError(f"expected {description.count} ids, got {numbers[0]}")
        return IdRanges.of(np.sort(numbers[1:]))
    except ValueError as error:
        raise StaleIndexError(f"{path}: {error}; rebuild it") from error


def _require_size(file: BinaryIO, path: Path, description: IndexManifest) -> None:
    """Refuse a file that is too small or large for what it is said to hold, before it is read."""
    size = os.fstat(file.fileno()).st_size
    least = description.count * (4 * description.dimension + 8)
    if not least <= size <= least + _HEADERS:
        raise StaleIndexError(
            f"{path}: expected {description.count} vectors of {description.dimension} components "
            f"in {least} bytes and headers, got {size} bytes; rebuild it"
        )


def _read(file: BinaryIO, path: Path, description: IndexManifest, faiss: Any) -> Any:
    index = read_faiss(file, path, faiss)
    if not _is_flat(index, faiss, description):
        raise StaleIndexError(
            f"{path}: expected a flat index of {description.count} vectors of "
            f"{description.dimension} components, got {type(index).__name__} of {index.ntotal} of "
            f"{index.d}; rebuild it"
        )
    return index


def _is_flat(index: Any, faiss: Any, description: IndexManifest) -> bool:
    """Whether all counts in the file, which FAISS believes, are those described."""
    if not isinstance(index, faiss.IndexIDMap):
        return False
    held = faiss.downcast_index(index.index)
    counts = {index.ntotal, held.ntotal, index.id_map.size()}
    return (
        isinstance(held, faiss.IndexFlatL2)
        and {index.metric_type, held.metric_type} == {faiss.METRIC_L2}
        and counts == {description.count}
        and {index.d, held.d} == {description.dimension}
    )
