"""Exact search by torch alone, for GPUs above all: products in few bits, certain of its answer.

What the bound of the products (:mod:`indexer.exact.torch_products`) cannot exclude is measured in
float64 and ranked as :func:`exact_search` ranks it, so the answers are its, to the last bit
and tie. Vectors that do not fit into the device's memory are moved there by parts, every search.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from indexer.exact.brute_force import TopK
from indexer.exact.distances import check_dimension, check_queries, pair_distances
from indexer.exact.int8_search import check_gallery
from indexer.exact.torch_products import PRECISIONS, Rounded, full_sums, product_error, products
from indexer.types import Block, Ids, Neighbours, Vectors

logger = logging.getLogger(__name__)

# Products of so many queries and rows are in memory together: 1 GiB on a GPU, which is so large
# that starting its kernels costs little; within a cache on a CPU.
_TILES = {"cuda": (1024, 262_144), "cpu": (256, 8192)}
_WORKSPACE = 4 * 2**30  # bytes of a GPU's memory that are kept free for them
_PAIRS = 2**22  # candidates that are measured before they are ranked
_MEASURED = 2**18  # of them at a time
_CENTRED = 16_384  # vectors that the centre is the mean of
_UNIT = 2.0**-53  # of float64
_REPORTED = 1 + 1e-6  # distances are reported in float32, and equal ones count

Stored = NDArray[np.floating[Any]]


class TorchSearch:
    """All vectors of a gallery, searched on one device."""

    def __init__(
        self,
        ids: Ids,
        vectors: Stored,
        device: str = "cpu",
        precision: str | None = None,
        memory: int | None = None,
    ) -> None:
        """``ids`` int64 (n,), distinct and not negative; ``vectors`` (n, d), unit length.

        ``vectors`` are float32 or float16, and not copied on the host. ``device`` as torch names
        it; ``precision`` of products is "fp32", "bf16" or "fp16" (by default fp16 on a GPU: as
        fast as bf16 there, and its rounding excludes more). At most ``memory`` bytes of the
        device hold vectors, by default what is free; the rest is moved for every search. Raises
        InvalidVectorsError for other vectors, ValueError for an unknown precision.
        """
        check_gallery(ids, vectors)
        self._ids = ids
        self._vectors = vectors
        self._place = _Place.of(device, precision, _mean(vectors))
        self._held: list[_Part] = []
        self._hold(_free(self._place.device) if memory is None else memory)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def held(self) -> int:
        """How many vectors the device holds; the others are moved for every search."""
        return sum(len(part.ids) for part in self._held)

    def _hold(self, memory: int) -> None:
        for ids, vectors in self._pieces(0):
            memory -= vectors.nbytes + vectors.size * self._place.bytes_each + 4 * len(ids)
            if memory < 0:
                break
            try:
                with full_sums(self._place.device):
                    self._held.append(_Part.of(ids, vectors, self._place))
            except torch.OutOfMemoryError:
                break
        if self.held < len(self):
            logger.info("%d of %d vectors stay on the device", self.held, len(self))

    def _pieces(self, first: int) -> Iterator[tuple[Ids, Stored]]:
        rows = self._place.rows
        for start in range(first, len(self._ids), rows):
            yield self._ids[start : start + rows], self._vectors[start : start + rows]

    def _parts(self) -> Iterator[_Part]:
        yield from self._held
        for ids, vectors in self._pieces(self.held):
            yield _Part.of(ids, vectors, self._place)

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """As :func:`indexer.exact.brute_force.exact_search`, and equal to it.

        Raises InvalidVectorsError for queries that cannot be compared, ValueError for k that is
        not in [1, MAX_NEIGHBOURS].
        """
        check_queries(queries, k)
        check_dimension(queries, self._vectors.shape[1])
        return _search(self._parts(), queries, k, self._place)


def search_blocks(
    blocks: Iterable[Block],
    queries: Vectors,
    k: int,
    device: str = "cpu",
    precision: str | None = None,
) -> Neighbours:
    """:func:`exact_search` on ``device``, to which blocks are moved one by one."""
    check_queries(queries, k)
    place = _Place.of(device, precision, np.zeros(queries.shape[1], np.float32))

    def parts() -> Iterator[_Part]:
        for block in blocks:
            check_dimension(queries, block.vectors.shape[1])
            for first in range(0, len(block), place.rows):
                rows = slice(first, first + place.rows)
                yield _Part.of(block.ids[rows], block.vectors[rows], place)

    return _search(parts(), queries, k, place)


@dataclass(frozen=True)
class _Place:
    """Where and in which numbers products are taken, and the error of a squared distance."""

    device: torch.device
    precision: str
    centre: Tensor
    relative_error: float
    absolute_error: float

    @classmethod
    def of(cls, device: str, precision: str | None, centre: Vectors) -> _Place:
        where = torch.device(device)
        chosen = precision or ("fp16" if where.type == "cuda" else "fp32")
        if chosen not in PRECISIONS:
            raise ValueError(f"expected a precision of {', '.join(PRECISIONS)}, got {chosen!r}")
        errors = product_error(chosen, where, len(centre))
        return cls(where, chosen, torch.from_numpy(centre).to(where), *errors)

    @property
    def _tile(self) -> tuple[int, int]:
        return _TILES["cuda" if self.device.type == "cuda" else "cpu"]

    @property
    def queries(self) -> int:
        return self._tile[0]

    @property
    def rows(self) -> int:
        return self._tile[1]

    @property
    def bytes_each(self) -> int:
        """Of a rounded component."""
        return 4 if self.precision == "fp32" else 2

    def move(self, vectors: Stored) -> Tensor:
        """The vectors on the device."""
        with torch.inference_mode():
            return torch.tensor(np.ascontiguousarray(vectors), device=self.device)

    def rounded(self, vectors: Tensor) -> Rounded:
        return Rounded.of(vectors, self.centre, self.precision)


@dataclass(frozen=True)
class _Part:
    """Vectors of a gallery on the host and on the device, rounded too.

    ``halves`` float32 (n,) are half the squared lengths of ``numbers``, ``longest`` the greatest
    squared length.
    """

    ids: Ids
    stored: Stored
    vectors: Tensor
    numbers: Tensor
    halves: Tensor
    residual: float
    longest: float

    @classmethod
    def of(cls, ids: Ids, stored: Stored, place: _Place) -> _Part:
        vectors = place.move(stored)
        found = place.rounded(vectors)
        residual, longest = float(found.residuals.max()), float(found.squares.max())
        return cls(ids, stored, vectors, found.numbers, found.squares / 2, residual, longest)


@dataclass(frozen=True)
class _Asked:
    """Some queries on the host and on the device, rounded too; ``squares`` float64 (q,)."""

    stored: Vectors
    vectors: Tensor
    numbers: Tensor
    squares: Tensor
    residuals: Tensor

    @classmethod
    def of(cls, queries: Vectors, place: _Place) -> _Asked:
        vectors = place.move(queries)
        found = place.rounded(vectors)
        squares = found.numbers.double().square().sum(dim=1)
        return cls(queries, vectors, found.numbers, squares, found.residuals.double())


def _search(parts: Iterator[_Part], queries: Vectors, k: int, place: _Place) -> Neighbours:
    best = TopK.none(len(queries), k)
    if not len(queries):
        return best.neighbours()
    with full_sums(place.device):
        tiles = [
            slice(first, first + place.queries) for first in range(0, len(queries), place.queries)
        ]
        asked = [_Asked.of(queries[rows], place) for rows in tiles]
        for part in parts:
            for rows, some in zip(tiles, asked, strict=True):
                _search_part(part, some, best.part(rows), place)
    return best.neighbours()


def _search_part(part: _Part, asked: _Asked, best: TopK, place: _Place) -> None:
    # Half the quick distance, less half the query's square, which is the same for all vectors.
    near = products(asked.numbers, part.numbers)
    torch.sub(part.halves, near, out=near)
    bound = _Bound.of(part, asked, place)
    worst = torch.from_numpy(best.worst.astype(np.float64)).to(place.device)
    limits = bound.limits(worst)
    counts = (near <= limits[:, None]).sum(dim=1)
    if best.k < len(part.ids):
        # The part's own k-th bounds too; finding it costs more than the product, so only where
        # the best so far lets too many through.
        many = (counts > 2 * best.k).nonzero()[:, 0]
        if len(many):
            some = near if len(many) == len(near) else near[many]
            kth = some.topk(best.k, dim=1, largest=False).values[:, -1]
            worst[many] = torch.minimum(worst[many], bound.farthest(kth, many))
            limits = bound.limits(worst)
            counts = (near <= limits[:, None]).sum(dim=1)
    for first, last in _groups(counts.tolist()):
        query, row = (near[first:last] <= limits[first:last, None]).nonzero().T
        query += first
        distances = _distances(part, asked, query, row)
        best.add(query.cpu().numpy(), part.ids[row.cpu().numpy()], distances)


@dataclass(frozen=True)
class _Bound:
    """What quick distances say of true ones, by query: float64 (q,) each."""

    squares: Tensor
    reach: Tensor  # of both roundings
    error: Tensor  # of a quick squared distance

    @classmethod
    def of(cls, part: _Part, asked: _Asked, place: _Place) -> _Bound:
        longest = asked.squares.clamp_min(part.longest)
        error = place.relative_error * longest + place.absolute_error
        return cls(asked.squares, asked.residuals + part.residual, error)

    def farthest(self, near: Tensor, rows: Tensor) -> Tensor:
        """The greatest squared distance that ``near`` (r,) may stand for, of queries ``rows``."""
        quick = 2 * near.double() + self.squares[rows] + self.error[rows]
        return (quick.clamp_min(0).sqrt() + self.reach[rows]).square()

    def limits(self, worst: Tensor) -> Tensor:
        """Float32 (q,) that all are within whose reported distance may be ``worst`` or less."""
        quick = ((worst * _REPORTED).sqrt() + self.reach).square() + self.error
        limits = ((quick - self.squares) / 2).float()
        return torch.nextafter(limits, torch.full_like(limits, torch.inf))


def _groups(counts: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of queries whose candidates are measured together."""
    first = held = 0
    for row, count in enumerate(counts):
        if held and held + count > _PAIRS:
            yield first, row
            first, held = row, 0
        held += count
    if held:
        yield first, len(counts)


def _distances(part: _Part, asked: _Asked, query: Tensor, row: Tensor) -> NDArray[np.float32]:
    """What :func:`pair_distances` gives, float32 (p,): where the device cannot tell, by itself.

    Sums in float64 that are added up in another order differ in their last bits, and rarely do
    these decide how the sum is rounded to float32.
    """
    error = 4 * (asked.stored.shape[1] + 4) * _UNIT
    found = np.empty(len(query), np.float32)
    for start in range(0, len(query), _MEASURED):
        some = slice(start, start + _MEASURED)
        i, j = query[some], row[some]
        squares = (asked.vectors[i].double() - part.vectors[j].double()).square_().sum(dim=1)
        low, high = (squares * (1 - error)).float(), (squares * (1 + error)).float()
        found[some] = low.cpu().numpy()
        doubtful = (low != high).nonzero()[:, 0]
        if len(doubtful):
            pairs = (rows[doubtful].cpu().numpy() for rows in (i, j))
            exactly = pair_distances(asked.stored, part.stored, *pairs)
            found[start + doubtful.cpu().numpy()] = exactly
    return found


def _mean(vectors: Stored) -> Vectors:
    step = max(1, len(vectors) // _CENTRED)
    sample = vectors[::step][:_CENTRED]
    if not len(sample):
        return np.zeros(vectors.shape[1], np.float32)
    return np.asarray(sample.mean(axis=0, dtype=np.float64), np.float32)


def _free(device: torch.device) -> int:
    if device.type != "cuda":
        return 2**63
    free, _ = torch.cuda.mem_get_info(device)
    return max(0, free - _WORKSPACE)
