"""The FAISS index of a gallery: exact, in memory, saved with the digests of what it covers."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from indexer.certified import CertifiedSearch, is_available
from indexer.devices import check_device, torch_device
from indexer.distances import check_dimension, check_queries, pair_distances, slack
from indexer.errors import InvalidVectorsError, MissingFaissError, StaleIndexError
from indexer.exact import Best
from indexer.files import partial_path, sha256_of_stream, sync_file, sync_folder
from indexer.index_description import IndexDescription
from indexer.types import Block, Ids, Neighbours, Searcher, Vectors

# Codes take as long to make as FAISS takes for some hundred queries, and one that comes alone costs
# it as much as some that come together. Where there are few vectors, FAISS is as quick.
_WORTH_CODES = 512
_ALONE = 16
_MANY_VECTORS = 50_000
_SPARE = 8  # neighbours asked for beyond k, which mostly prove that none was overlooked


def import_faiss() -> Any:
    """The ``faiss`` module; MissingFaissError names the command that installs it."""
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MissingFaissError(
            f"FAISS cannot be imported ({error}); install it with: pip install 'facesearch[cpu]' "
            "(or 'facesearch[gpu]', never both)"
        ) from error


class FlatIndex:
    """All vectors in memory, searched exhaustively by FAISS or, once it pays, by something faster.

    Answers are those of :func:`indexer.exact.exact_search`, to the last bit and tie. What is faster
    is a GPU (:class:`indexer.torch_search.TorchSearch`) or, without one, codes of the vectors
    (:class:`indexer.certified.CertifiedSearch`), which take about a byte a component more. Either
    is made by the search that it will have paid for.
    """

    def __init__(self, index: Any, faiss: Any) -> None:
        self._faiss = faiss
        self._index = index  # IndexIDMap; owns the memory of the views below
        self._flat = faiss.downcast_index(index.index)
        self._ids: Ids = faiss.vector_to_array(index.id_map)
        size = len(self) * self.dimension
        flat = faiss.rev_swig_ptr(self._flat.get_xb(), size) if size else np.zeros(0, np.float32)
        self._vectors: Vectors = flat.reshape(len(self), self.dimension)
        self._asked = 0
        self._device = "auto"
        self._faster: Searcher | None = None

    def __len__(self) -> int:
        return int(self._index.ntotal)

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
            if block.vectors.shape[1] != dimension:
                raise InvalidVectorsError(
                    f"expected vectors of {dimension} components, got {block.vectors.shape[1]}; "
                    "an index holds the vectors of one encoder"
                )
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
        """Search on ``device`` from now on, as :mod:`indexer.devices` names it.

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
                # Takes seconds, and nobody without a GPU needs it.
                from indexer.torch_search import TorchSearch  # noqa: PLC0415

                return TorchSearch(self._ids, self._vectors, where)
        if pays and is_available(self.dimension):
            return CertifiedSearch(self._ids, self._vectors)
        return None

    def _search_faiss(self, queries: Vectors, k: int) -> Neighbours:
        best = Best.none(len(queries), k)
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

    def _add_nearest(self, queries: Vectors, k: int, best: Best) -> NDArray[np.float32]:
        count = min(k + _SPARE, len(self))
        quick, rows = self._flat.search(queries, count)
        query = np.repeat(np.arange(len(queries)), count)
        self._add(queries, query, rows.ravel(), best)
        farthest: NDArray[np.float32] = quick[:, -1]
        return farthest

    def _add_within(self, queries: Vectors, query: int, radius: float, best: Best) -> None:
        _, _, rows = self._flat.range_search(queries[query : query + 1], radius)
        best.clear(query)
        self._add(queries, np.full(len(rows), query), rows, best)

    def _add(self, queries: Vectors, query: Ids, rows: Ids, best: Best) -> None:
        best.add(query, self._ids[rows], pair_distances(queries, self._vectors, query, rows))

    def save(self, folder: Path, shards: Mapping[str, str], state: str = "") -> None:
        """Replace the index in ``folder`` by this one; a crash leaves the old or the new one.

        ``shards`` maps the name of each shard covered to its SHA-256, ``state`` is any digest of
        what else decides which vectors are in. A folder must have one writer at a time.
        """
        folder.mkdir(parents=True, exist_ok=True)
        partial = partial_path(folder / "flat.faiss")
        with partial.open("wb") as file:
            digest = self._write(file)
        description = IndexDescription(len(self), self.dimension, digest, dict(shards), state)
        sync_file(partial)
        partial.replace(folder / description.file_name)
        sync_folder(folder)
        description.write(folder)
        for old in folder.glob("flat-*.faiss"):
            if old.name != description.file_name:
                old.unlink()

    def _write(self, file: BinaryIO) -> str:
        # By callback: FAISS cannot open names that are not UTF-8.
        digest = hashlib.sha256()

        def write(piece: bytes) -> int:
            digest.update(piece)
            return file.write(piece)

        writer = self._faiss.BufferedIOWriter(self._faiss.PyCallbackIOWriter(write))
        self._faiss.write_index(self._index, writer)
        del writer  # flushes
        return digest.hexdigest()

    @classmethod
    def load(cls, folder: Path, shards: Mapping[str, str], state: str = "") -> FlatIndex:
        """The index saved in ``folder``, if it covers exactly ``shards`` in this ``state``.

        Raises StaleIndexError, naming the shards, where it does not, and where there is no index
        or a damaged one: all that is to be done in each case is to build it.
        """
        faiss = import_faiss()
        with _opened(folder, shards, state) as (file, path, description):
            return cls(_read(file, path, description, faiss), faiss)


def check_index(folder: Path, shards: Mapping[str, str], state: str = "") -> None:
    """Raises StaleIndexError where :meth:`FlatIndex.load` would, for a file whose digest is right.

    Loads neither the index nor FAISS.
    """
    with _opened(folder, shards, state):
        pass


@contextmanager
def _opened(
    folder: Path, shards: Mapping[str, str], state: str
) -> Iterator[tuple[BinaryIO, Path, IndexDescription]]:
    """The index file at its start, once its description and digest were found right."""
    description = IndexDescription.read(folder)
    description.require_covers(shards, state)
    path = folder / description.file_name
    try:
        with path.open("rb") as file:
            # FAISS believes what it reads, so it reads nothing that was not written by save().
            digest = sha256_of_stream(file)
            if digest != description.sha256:
                raise StaleIndexError(
                    f"{path}: expected SHA-256 {description.sha256}, got {digest}; the file is "
                    "damaged: build it anew"
                )
            file.seek(0)
            yield file, path, description
    except OSError as error:
        raise StaleIndexError(f"{path} cannot be read: {error}; build it anew") from error


def _read(file: BinaryIO, path: Path, description: IndexDescription, faiss: Any) -> Any:
    try:
        index = faiss.read_index(faiss.PyCallbackIOReader(file.read))
    except RuntimeError as error:
        raise StaleIndexError(f"{path} is not an index: {error}; build it anew") from error
    flat = isinstance(index, faiss.IndexIDMap) and isinstance(
        faiss.downcast_index(index.index), faiss.IndexFlatL2
    )
    if not flat or (index.ntotal, index.d) != (description.count, description.dimension):
        raise StaleIndexError(
            f"{path}: expected a flat index of {description.count} vectors of "
            f"{description.dimension} components, got {type(index).__name__} of {index.ntotal} of "
            f"{index.d}; build it anew"
        )
    return index
