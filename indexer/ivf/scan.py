"""Rows in cells around centres, of which a search looks into the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexer.exact.distances import nearest_first
from indexer.exact.int8_codes import OFFSET
from indexer.ivf.scalar_quantizer import HIDDEN, ROWS, ScalarQuantizer, encode, query_codes
from indexer.ivf.scan_kernel import CellQueries, CellRows, Visits, choose_cells, group_visits, scan
from indexer.types import Ids, Vectors

NO_ROW = 2**62
_MARGIN = 3.0  # standard deviations of a sum of bytes that are allowed for


@dataclass(frozen=True)
class ScanResult:
    """The nearest rows of each query, int64 (q, k), and squared distances float32; ties by row.

    Where there are none, the row is NO_ROW and the distance +inf.
    """

    rows: Ids
    distances: Vectors

    def merged(self, other: ScanResult) -> ScanResult:
        """The nearest of both, which have no row in common."""
        rows = np.concatenate([self.rows, other.rows], axis=1)
        distances = np.concatenate([self.distances, other.distances], axis=1)
        return ScanResult(*nearest_first(rows, distances, self.rows.shape[1]))


@dataclass(frozen=True)
class InvertedLists:
    """``rows`` in cells around ``centres`` float32 (cells, c), coded by ``coding``."""

    coding: ScalarQuantizer
    centres: Vectors
    rows: CellRows

    @classmethod
    def of(
        cls, coding: ScalarQuantizer, centres: Vectors, cells: Ids, components: Vectors
    ) -> InvertedLists:
        """In memory: rows with ``components`` (n, c) in ``cells`` (n,), which must not descend."""
        rows = empty_rows(len(components), coding)
        encode(
            components, np.zeros(len(components), np.float32), np.arange(len(components)),
            coding.step, coding.unit, rows.codes, rows.fine, rows.terms,
        )  # fmt: skip
        starts = np.searchsorted(cells, np.arange(len(centres) + 1)).astype(np.int64)
        return cls(coding, centres, rows._replace(starts=starts))

    def nearest(
        self,
        components: Vectors,
        rest: Vectors,
        k: int,
        probes: int,
        share: tuple[int, int] = (0, 1),
    ) -> ScanResult:
        """The ``k`` nearest rows in the ``probes`` nearest cells, for queries (q, c).

        ``rest`` (q,) are squared lengths of what components leave out. With ``share`` (i, n) only
        the i-th of n parts of the cells are looked into.
        """
        asked = self._asked(components, rest, k)
        chosen = self._probed(components, probes)
        # The nearest cell of each first: what is found there spares measuring elsewhere.
        for part in (chosen[:, :1], chosen[:, 1:]):
            visits = Visits(*group_visits(np.ascontiguousarray(part), len(self.centres)))
            groups = len(visits.cells)
            first, last = (groups * (share[0] + i) // share[1] for i in (0, 1))
            scan(self.rows, asked, visits, first, last)
        return ScanResult(*nearest_first(asked.rows, asked.nearest, k))

    @cached_property
    def _halves(self) -> Vectors:
        """Half the squared lengths of centres, float32 (cells,)."""
        halves: Vectors = np.einsum("ij,ij->i", self.centres, self.centres) / 2
        return halves

    def _probed(self, components: Vectors, probes: int) -> NDArray[np.int32]:
        """Numbers of the ``probes`` nearest cells of each query, the nearest first."""
        count = min(probes, len(self.centres))
        # Not np.empty: a cell is looked up by each number, and NaN distances choose none.
        chosen = np.zeros((len(components), count), np.int32)
        distances = self._halves - components @ self.centres.T
        farthest = np.partition(distances, count - 1, axis=1)[:, count - 1].copy()
        choose_cells(distances, distances.argmin(axis=1), farthest, chosen)
        return chosen

    def _asked(self, components: Vectors, rest: Vectors, k: int) -> CellQueries:
        coding, count = self.coding, len(components)
        codes, lacks = query_codes(coding, components)
        squares = np.einsum("ij,ij->i", components, components)
        # A sum of bytes lacks the query's rounding and, where there are finer codes, that of rows.
        lost = lacks**2 * squares
        if coding.fine_bits:
            lost += squares * coding.components * coding.step**2 / 12
        deviation = np.sqrt(lost / coding.components)
        return CellQueries(
            np.ascontiguousarray(components),
            codes,
            squares + rest,
            OFFSET * codes.astype(np.float32).sum(axis=1),
            (OFFSET + 0.5 - 0.5 / (1 << coding.fine_bits)) * components.sum(axis=1),
            (_MARGIN * deviation / coding.unit).astype(np.float32),
            np.full((count, k), np.inf, np.float32),
            np.full((count, k), NO_ROW, np.int64),
            coding.step,
            coding.unit,
        )


def row_shapes(count: int, coding: ScalarQuantizer) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shapes and dtypes of the arrays of ``count`` rows, by their names in Rows; no starts."""
    padded = -(-count // ROWS) * ROWS
    return {
        "codes": ((padded * coding.components,), "u1"),
        "terms": ((padded,), "i4"),
        "fine": ((padded, coding.components * coding.fine_bits // 8), "u1"),
    }


def empty_rows(count: int, coding: ScalarQuantizer) -> CellRows:
    """Room for ``count`` rows in memory; those that fill the last tile are never found."""
    shapes = row_shapes(count, coding)
    codes, fine = (np.zeros(*shapes[name]) for name in ("codes", "fine"))
    return CellRows(codes, fine, np.full(*shapes["terms"][:1], HIDDEN), np.zeros(1, np.int64))
