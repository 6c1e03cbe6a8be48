"""Open-set identification: half of the people are enrolled, and probes are of everybody.

NIST's evaluations of one-to-many recognition (FRVT 1:N, https://pages.nist.gov/frvt/html/frvt1N.html)
say: "FNIR is the proportion of mated searches failing to return the mate above threshold. FPIR is
the proportion of non-mated searches producing one or more candidates above threshold." Here a
search returns the nearest person alone (rank R = 1 in FNIR(N, R, T) of ISO/IEC 19795-1), as
``facesearch identify`` does, and "above threshold" means a squared distance at or below it. The
cumulative match characteristic (CMC) has no threshold: the share of mated searches whose mate is
among the nearest R people, 1 - FNIR(N, R).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import InputError
from facesearch.evaluate.curves import Floats
from facesearch.evaluate.datasets.embedded_photos import NEVER
from facesearch.evaluate.verification_metrics import resolves
from indexer.errors import MissingFaissError
from indexer.exact.brute_force import exact_search
from indexer.index.flat import FlatIndex
from indexer.types import MAX_NEIGHBOURS, Block, Neighbours

logger = logging.getLogger(__name__)

FPIRS = (1e-2, 1e-3)
RANKS = 50
FPIR_GRID = np.geomspace(1e-5, 1, 301)  # of DET curves

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class FnirAtFpir:
    """FNIR at the highest ``threshold`` whose FPIR is at most ``fpir``; ``resolved`` as for FAR."""

    fpir: float
    threshold: float
    fnir: float
    resolved: bool


@dataclass(frozen=True)
class Searches:
    """What one split gave: counts, FNIR at fixed FPIRs, and the CMC float64 (ranks,) from rank 1.

    ``not_enrolled`` are people of the gallery none of whose enrolled photos shows a face; their
    probes fail. ``fnir_by_fpir`` is FNIR at each of :data:`FPIR_GRID`.
    """

    people: int
    templates: int
    not_enrolled: int
    mated: int
    non_mated: int
    fnir: tuple[FnirAtFpir, ...]
    cmc: Floats
    fnir_by_fpir: Floats


@dataclass(frozen=True)
class IdentificationResult:
    """The searches of each split, with ``enrol`` photos a person enrolled."""

    enrol: int
    seed: int
    splits: tuple[Searches, ...]

    @property
    def cmc(self) -> Floats:
        """Mean over the splits, float64 (ranks,)."""
        return np.asarray(np.mean([split.cmc for split in self.splits], axis=0))

    def fnir(self, at: int) -> tuple[float, float]:
        """Mean and standard deviation over the splits of FNIR at FPIR number ``at``."""
        values = [split.fnir[at].fnir for split in self.splits]
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0

    def det(self) -> tuple[Floats, Floats]:
        """FPIR and the mean FNIR at it, each float64 (n,), where non-mated probes resolve FPIR."""
        least = 1 / min(split.non_mated for split in self.splits)
        fnir = np.mean([split.fnir_by_fpir for split in self.splits], axis=0)
        kept = least <= FPIR_GRID
        return FPIR_GRID[kept], np.asarray(fnir[kept])


@dataclass(frozen=True)
class Split:
    """Rows of the photos enrolled, of the mated probes, and of those of people not enrolled."""

    enrolled: Rows
    mated: Rows
    non_mated: Rows


def split_people(people: NDArray[np.integer], enrol: int, rng: np.random.Generator) -> Split:
    """A half of the people, drawn, with ``enrol`` photos each, drawn, for the gallery.

    Their other photos are mated probes (a person with no more photos than these has none, and is
    only there to be mistaken for), and all photos of the other half non-mated ones.
    """
    order = rng.permutation(len(people))
    # Photos of one person follow one another, in a drawn order.
    order = order[np.argsort(people[order], kind="stable")]
    starts = np.flatnonzero(np.diff(people[order], prepend=people[order[0]] - 1))
    sizes = np.diff(np.append(starts, len(order)))
    rank = np.arange(len(order)) - np.repeat(starts, sizes)
    drawn = np.zeros(len(starts), np.bool_)
    drawn[rng.permutation(len(starts))[: len(starts) // 2]] = True
    in_gallery = np.repeat(drawn, sizes)
    return Split(
        np.sort(order[in_gallery & (rank < enrol)]),
        np.sort(order[in_gallery & (rank >= enrol)]),
        np.sort(order[~in_gallery]),
    )


def identification(
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    usable: NDArray[np.bool_] | None = None,
    *,
    enrol: int = 1,
    repeats: int = 10,
    seed: int = 0,
    fpirs: Sequence[float] = FPIRS,
    ranks: int = RANKS,
) -> IdentificationResult:
    """Search the photos ``vectors`` float32 (n, d), unit length, of the people int (n,).

    A probe for which ``usable`` is False returns no one: a miss where it is mated, and no false
    positive where not. The splits share photos, so they vary less than new data would. Raises
    :class:`InputError` where there are no probes of either kind.
    """
    if enrol < 1 or repeats < 1 or ranks < 1:
        raise InputError(f"expected 1 or more of each, got {enrol=}, {repeats=}, {ranks=}")
    if not all(0 <= fpir < 1 for fpir in fpirs):
        raise InputError(f"expected false positive identification rates in [0, 1), got {fpirs}")
    sizes = np.unique(people, return_counts=True)[1]
    if len(sizes) < 2 or (sizes > enrol).sum() == 0:
        raise InputError(
            f"expected two people or more, one of them with more than {enrol} photos, got "
            f"{len(sizes)} people with at most {sizes.max(initial=0)}"
        )
    kept = np.ones(len(people), np.bool_) if usable is None else usable
    found = [
        _searches(vectors, people, kept, split, fpirs=tuple(fpirs), ranks=ranks)
        for split in (_draw(people, enrol, seed, repeat) for repeat in range(repeats))
    ]
    return IdentificationResult(enrol, seed, tuple(found))


def _draw(people: NDArray[np.integer], enrol: int, seed: int, repeat: int) -> Split:
    """The first split of this repeat with mated probes; small folders need another now and then."""
    rng = np.random.default_rng([seed, repeat])
    while not len((split := split_people(people, enrol, rng)).mated):
        pass
    return split


def _searches(
    vectors: NDArray[np.float32],
    people: NDArray[np.integer],
    usable: NDArray[np.bool_],
    split: Split,
    *,
    fpirs: tuple[float, ...],
    ranks: int,
) -> Searches:
    gallery = split.enrolled[usable[split.enrolled]]
    seeking = _Seeking(vectors, people, usable, gallery)
    neighbours = seeking.neighbours(split.mated, ranks)
    rank = seeking.mate_ranks(split.mated, neighbours)
    hits = np.sort(np.where(rank == 1, neighbours.distances[:, 0], np.float32(np.inf)))
    false = np.sort(seeking.neighbours(split.non_mated, 1).distances[:, 0])
    at = [_fnir(hits, false, fpir) for fpir in fpirs]
    return Searches(
        people=len(np.unique(people[split.enrolled])),
        templates=len(gallery),
        not_enrolled=len(np.setdiff1d(people[split.enrolled], people[gallery])),
        mated=len(split.mated),
        non_mated=len(split.non_mated),
        fnir=tuple(
            FnirAtFpir(fpir, threshold, fnir, resolves(len(false), fpir))
            for fpir, (threshold, fnir) in zip(fpirs, at, strict=True)
        ),
        cmc=np.array([(rank <= r).mean() for r in range(1, ranks + 1)]),
        fnir_by_fpir=np.array([_fnir(hits, false, fpir)[1] for fpir in FPIR_GRID.tolist()]),
    )


class _Seeking:
    """Searches among the photos in rows ``gallery``, for rows of the same arrays."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        people: NDArray[np.integer],
        usable: NDArray[np.bool_],
        gallery: Rows,
    ) -> None:
        self._vectors, self._people, self._usable = vectors, people, usable
        self._gallery = Block(gallery.astype(np.int64), np.ascontiguousarray(vectors[gallery]))
        sizes = np.unique(people[gallery], return_counts=True)[1]
        self._most_photos = int(sizes.max(initial=1))  # of one person

    def neighbours(self, probes: Rows, people: int) -> Neighbours:
        """Enough neighbours of each probe to tell its nearest ``people``; none if not usable."""
        k = max(1, min(people * self._most_photos, len(self._gallery), MAX_NEIGHBOURS))
        ids = np.full((len(probes), k), -1, np.int64)
        distances = np.full((len(probes), k), np.inf, np.float32)
        asked = self._usable[probes]
        found = self._search(np.ascontiguousarray(self._vectors[probes[asked]]), k)
        ids[asked], distances[asked] = found.ids, found.distances
        return Neighbours(ids, distances)

    def mate_ranks(self, probes: Rows, neighbours: Neighbours) -> Floats:
        """The rank of each probe's own person among the people found, inf where not among them."""
        ranks = np.full(len(probes), np.inf)
        found = np.where(neighbours.ids >= 0, self._people[neighbours.ids], -1)
        is_mate = (found == self._people[probes][:, None]) & (neighbours.ids >= 0)
        for row in np.flatnonzero(is_mate.any(axis=1)):
            nearer = found[row, : int(np.argmax(is_mate[row]))]
            ranks[row] = len(np.unique(nearer)) + 1
        return ranks

    def _search(self, queries: NDArray[np.float32], k: int) -> Neighbours:
        try:
            return FlatIndex.build([self._gallery], queries.shape[1]).search(queries, k)
        except MissingFaissError as error:
            logger.info("searching without an index: %s", error)
            return exact_search([self._gallery], queries, k)


def _fnir(
    hits: NDArray[np.float32], false: NDArray[np.float32], fpir: float
) -> tuple[float, float]:
    """The highest threshold of this FPIR and its FNIR.

    ``hits`` and ``false`` float32, ascending: the distance of each mated search's nearest person
    (inf where that is not the mate) and of each non-mated search's.
    """
    allowed = int(np.floor(fpir * len(false) + 1e-9))
    beyond = false[allowed] if allowed < len(false) else np.float32(np.inf)
    limit = np.nextafter(beyond, np.float32(-np.inf)) if np.isfinite(beyond) else np.float32(NEVER)
    return float(limit), float(1 - np.searchsorted(hits, limit, side="right") / len(hits))
