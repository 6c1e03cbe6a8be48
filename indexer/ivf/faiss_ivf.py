"""An approximate index by FAISS alone, for processors that :mod:`indexer.ivf.index` cannot use.

Principal components, an inverted file and one byte a component (``PCAc,IVFn,SQ8``). FAISS's file
holds no vectors, so what is found is ranked by those of the caller (:meth:`FaissIvfIndex.rank_by`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from indexer.errors import StaleIndexError
from indexer.exact.distances import (
    check_block,
    check_dimension,
    check_queries,
    nearest_first,
    pair_distances,
)
from indexer.id_ranges import IdRanges
from indexer.index.manifest import IndexManifest
from indexer.runtime.devices import to_device
from indexer.storage.faiss_files import import_faiss, read_faiss, write_faiss
from indexer.types import Block, Ids, Neighbours, Vectors

BITS = 8
SPARE = 8  # neighbours beyond k whose true distances are looked at

VectorsOf = Callable[[Ids], Vectors]


class FaissIvfIndex:
    """Searches look into ``probes`` lists. Distances are those of the codes, which leave out what
    the components do not hold, until there are vectors to rank by."""

    def __init__(self, index: Any, faiss: Any) -> None:
        self._faiss = faiss
        self._index = index  # IndexPreTransform
        self._lists = faiss.downcast_index(index.index)
        self._vectors: VectorsOf | None = None
        self.probes = self.cells

    exact = False

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        return int(self._index.d)

    @property
    def cells(self) -> int:
        """How many lists there are, and so the most probes."""
        return int(self._lists.nlist)

    @property
    def components(self) -> int:
        """Components that are kept of each vector."""
        return int(self._lists.d)

    @property
    def bytes_each(self) -> float:
        """Memory for each vector: codes, id, and its share of the lists' centres."""
        centres = self.cells * self.components * 4
        return float(self._lists.code_size + 8 + centres / max(1, len(self)))

    @classmethod
    def build(
        cls, blocks: Iterable[Block], sample: Vectors, cells: int, components: int
    ) -> FaissIvfIndex:
        """Index all vectors of ``blocks``; learn ``cells`` and components from ``sample`` (n, d).

        Raises InvalidVectorsError for vectors of another dimension than the sample's.
        """
        faiss = import_faiss()
        dimension = sample.shape[1]
        recipe = f"PCA{components},IVF{cells},SQ{BITS}"
        index = faiss.index_factory(dimension, recipe, faiss.METRIC_L2)
        index.train(np.ascontiguousarray(sample))
        for block in blocks:
            check_block(block, dimension)
            index.add_with_ids(np.ascontiguousarray(block.vectors), block.ids)
        return cls(index, faiss)

    @property
    def ids(self) -> IdRanges:
        """Of the vectors that searches can find."""
        lists = self._lists.invlists
        parts = [
            self._faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy()
            for cell in range(self.cells)
            if lists.list_size(cell)
        ]
        return IdRanges.of(np.sort(np.concatenate([*parts, np.zeros(0, np.int64)])))

    def place(self, device: str) -> None:
        """Search on ``device``; DeviceError for one that is not there. Nothing can be hidden then.

        Not to be called twice with a GPU.
        """
        self._index = to_device(self._index, device)
        self._lists = self._faiss.extract_index_ivf(self._index)

    def rank_by(self, vectors: VectorsOf) -> None:
        """Tell true distances from now on; more is found than is asked for, and ranked by them.

        ``vectors`` gives those of ids int64 (n,), distinct and ascending, float32 (n, d).
        """
        self._vectors = vectors

    def hide(self, ids: Ids) -> None:
        """Take the vectors of ``ids`` out; unknown ids are ignored."""
        self._index.remove_ids(np.ascontiguousarray(ids, np.int64))

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """About the ``k`` nearest of each of ``queries`` float32 (q, d), unit length.

        Raises InvalidVectorsError for queries that cannot be compared, ValueError for k that is
        not in [1, MAX_NEIGHBOURS].
        """
        check_queries(queries, k)
        check_dimension(queries, self.dimension)
        self._lists.nprobe = self.probes
        wanted = k if self._vectors is None else k + SPARE
        distances, ids = self._index.search(np.ascontiguousarray(queries), wanted)
        there = ids >= 0
        distances = np.where(there, np.maximum(distances, 0), np.float32(np.inf))
        if self._vectors is not None:
            query, place = np.nonzero(there)
            distinct, rows = np.unique(ids[there], return_inverse=True)
            vectors = self._vectors(distinct)
            distances[query, place] = pair_distances(queries, vectors, query, rows)
        return Neighbours(*nearest_first(ids, distances, k))

    def write(self, path: Path) -> None:
        """Write FAISS's own file."""
        write_faiss(self._index, path, self._faiss)

    @classmethod
    def read(cls, file: BinaryIO, path: Path, description: IndexManifest) -> FaissIvfIndex:
        """The index in a file whose digest is right; StaleIndexError where it is no such index."""
        faiss = import_faiss()
        index = read_faiss(file, path, faiss)
        inner = faiss.downcast_index(index.index) if hasattr(index, "index") else None
        if not (
            isinstance(index, faiss.IndexPreTransform)
            and isinstance(inner, faiss.IndexIVFScalarQuantizer)
            and (index.ntotal, inner.ntotal, index.d)
            == (*[description.count] * 2, description.dimension)
        ):
            raise StaleIndexError(
                f"{path}: expected an IVF index of {description.count} vectors of "
                f"{description.dimension} components, got {type(index).__name__}; rebuild it"
            )
        loaded = cls(index, faiss)
        try:
            loaded.ids.check()
        except ValueError as error:
            raise StaleIndexError(f"{path}: {error}; rebuild it") from error
        return loaded
