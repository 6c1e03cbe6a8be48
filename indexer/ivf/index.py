"""An inverted file with scalar quantiser: vectors in few bytes, of which a search scans some cells.

An inverted file (Jegou, Douze and Schmid 2011, "Product quantization for nearest neighbor search")
with scalar codes (:mod:`indexer.ivf.scalar_quantizer`), searched as certified search is: by
products of bytes, which leave few rows to be measured. Answers are approximate, in two ways: a
neighbour whose cell is not looked into is missed, and distances are those of the codes. How often
that gives another nearest neighbour is measured on the gallery's own vectors
(:mod:`indexer.ivf.tune`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.errors import DeviceError
from indexer.exact.distances import check_dimension, check_queries, nearest_first, pair_distances
from indexer.exact.int8_codes import LEAST_STEP
from indexer.exact.int8_kernel import BYTES, GREATEST_QUERY, LANES
from indexer.id_ranges import IdRanges
from indexer.ivf.scalar_quantizer import BITS, HIDDEN, ROWS, ScalarQuantizer
from indexer.ivf.scan import NO_ROW, InvertedLists, ScanResult, row_shapes
from indexer.ivf.scan_kernel import CellRows
from indexer.runtime.blas_threads import one_thread_each
from indexer.runtime.cores import available_cores
from indexer.runtime.devices import check_device
from indexer.storage.safetensors_file import ArrayFileError, Arrays, Shapes, read_arrays
from indexer.types import Ids, Neighbours, Vectors

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

SPARE = 32  # neighbours beyond k whose true distances are looked at
_MULTIPLE = 4  # of k: rows to look into at least
_QUERIES = 1024  # together: many enough to fill the panels of most cells
_FEW = 32  # a thread; fewer share their cells among the threads instead,
_ALONE = 300_000  # unless so few rows are looked into
_REACH = 16.0  # of numbers that unit vectors lead to; greater ones could overflow in a search
DTYPES = {
    "codes": "u1", "terms": "i4", "members": "i4", "fine": "u1", "starts": "i8", "run_rows": "i8",
    "run_ids": "i8", "centres": "f4", "centre": "f4", "axes": "f4", "vectors": "f2",
}  # fmt: skip


def ivf_available(dimension: int) -> bool:
    """Whether this processor multiplies bytes (AVX2), and there is something to code."""
    return LANES > 0 and dimension >= 1


@dataclass(frozen=True)
class IvfRecipe:
    """``cells`` of vectors coded by ``components``, a multiple of 4, of 8, 10 or 12 ``bits``."""

    cells: int
    components: int
    bits: int


@dataclass(frozen=True)
class TrainedQuantizer:
    """How vectors are coded and the ``centres`` float32 (cells, c) of their cells.

    ``seen`` is how many vectors there were when this was learnt from a sample of them.
    """

    coding: ScalarQuantizer
    centres: Vectors
    seen: int


class IvfSqIndex:
    """Searches look into ``probes`` cells; see the module. Open with :meth:`open`.

    What codes say is nearest is ranked by the vectors, which stay in the file until they are looked
    at; with ``rerank`` False the order is that of the codes.
    """

    def __init__(
        self,
        scan: InvertedLists,
        members: NDArray[np.int32],
        ids: IdRanges,
        vectors: NDArray[np.float16],
        *,
        seen: int,
        threads: int | None = None,
    ) -> None:
        self._scan = scan
        self._vectors = vectors
        self._seen = seen
        self.rerank = True
        self._members = members  # the place among ids, which ascend, of each row
        self._runs = ids
        self._threads = threads or available_cores()
        self._pool = ThreadPoolExecutor(self._threads)  # starts threads when there is work
        self._hidden = 0
        self.probes = len(scan.centres)

    exact = False

    def __len__(self) -> int:
        return self._runs.count - self._hidden

    @property
    def dimension(self) -> int:
        """Components of each vector."""
        return len(self._scan.coding.centre)

    @property
    def cells(self) -> int:
        """How many cells there are, and so the most probes."""
        return len(self._scan.centres)

    @property
    def coding(self) -> ScalarQuantizer:
        """How vectors are kept."""
        return self._scan.coding

    @property
    def components(self) -> int:
        """Components that are kept of each vector."""
        return self.coding.components

    @property
    def recipe(self) -> IvfRecipe:
        return IvfRecipe(self.cells, self.components, self.coding.bits)

    @property
    def learnt(self) -> TrainedQuantizer:
        """What an index of more vectors like these need not learn again."""
        return TrainedQuantizer(self.coding, self._scan.centres, self._seen)

    @property
    def bytes_each(self) -> float:
        """Memory for each vector: codes, term, place among ids, and its share of the rest.

        The vectors themselves, two bytes a component, are in the file alone.
        """
        rows = self._scan.rows
        held: list[NDArray[Any]] = [
            *rows,
            self._members,
            self._runs.rows,
            self._runs.ids,
            self._scan.centres,
        ]
        return sum(array.nbytes for array in held) / max(1, self._runs.count)

    @property
    def ids(self) -> IdRanges:
        """Of the vectors that searches can find."""
        if not self._hidden:
            return self._runs
        count = self._runs.count
        hidden = self._members[:count][self._scan.rows.terms[:count] == HIDDEN]
        return self._runs.without(IdRanges.of(self._runs.at(np.sort(hidden))))

    def place(self, device: str) -> None:
        """Searches run on the CPU; raises DeviceError for a GPU."""
        if check_device(device) not in ("auto", "cpu"):
            raise DeviceError(
                f"an index in few bytes is searched on the CPU, got {device!r}; for a GPU build "
                "the exact one (facesearch build --recall 1)"
            )

    def hide(self, ids: Ids) -> None:
        """Never find the vectors ``ids`` again; those that are not in the index are ignored."""
        places = self._runs.find(np.asarray(ids, np.int64))
        gone = np.zeros(self._runs.count, bool)
        gone[places[places >= 0]] = True
        rows = np.flatnonzero(gone[self._members[: self._runs.count]])
        self._hidden += int((self._scan.rows.terms[rows] != HIDDEN).sum())
        self._scan.rows.terms[rows] = HIDDEN

    def search(self, queries: Vectors, k: int) -> Neighbours:
        """About the ``k`` nearest of each of ``queries`` float32 (q, d), unit length.

        There are always k, if the index holds as many. Distances are those of the vectors as
        float16 (with :attr:`rerank`; ties by id), else within the codes' accuracy. Raises
        InvalidVectorsError for queries that cannot be compared, ValueError for k that is not in
        [1, MAX_NEIGHBOURS].
        """
        check_queries(queries, k)
        check_dimension(queries, self.dimension)
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.inf, np.float32)
        if self._runs.count and len(queries):
            wanted = min(k + (SPARE if self.rerank else 0), self._runs.count)
            found = self._found(queries, wanted, self._probes_for(wanted))
            short = np.flatnonzero(found.rows[:, min(k, len(self)) - 1] == NO_ROW)
            if len(short) and len(self):  # their cells hold too few: look everywhere
                rest = self._found(np.ascontiguousarray(queries[short]), wanted, self.cells)
                found.rows[short], found.distances[short] = rest.rows, rest.distances
            width = min(k, wanted)

            def tell(part: slice) -> None:
                neighbours = self._as_neighbours(
                    queries[part], ScanResult(found.rows[part], found.distances[part])
                )
                ids[part, :width] = neighbours.ids[:, :width]
                distances[part, :width] = neighbours.distances[:, :width]

            self._each(tell, _slices(len(queries), _FEW))
        return Neighbours(ids, distances)

    def _as_neighbours(self, queries: Vectors, found: ScanResult) -> Neighbours:
        """Ids for rows and, unless codes are to be trusted, true distances and their order."""
        there = found.rows != NO_ROW
        members = self._members[np.where(there, found.rows, 0)].astype(np.int64)
        ids = np.where(there, self._runs.at(members), -1)
        if not self.rerank:
            return Neighbours(ids, found.distances)
        query, place = np.nonzero(there)
        distances = found.distances.copy()
        distances[query, place] = pair_distances(
            queries, self._vectors, query, members[query, place]
        )
        return Neighbours(*nearest_first(ids, distances, ids.shape[1]))

    def _probes_for(self, k: int) -> int:
        """Cells to look into for ``k``: they must hold a multiple of that on average."""
        enough = -(-_MULTIPLE * k * self.cells // self._runs.count)
        return min(max(self.probes, enough), self.cells)

    def _found(self, queries: Vectors, k: int, probes: int) -> ScanResult:
        threads = self._threads
        if len(queries) < _FEW * threads:
            looked_into = len(queries) * self._runs.count * probes / self.cells
            shares = threads if looked_into > _ALONE else 1
            tasks = [(queries, (share, shares)) for share in range(shares)]
            found = self._mapped(tasks, k, probes)
            for other in found[1:]:
                found[0] = found[0].merged(other)
            return found[0]
        parts = -(-len(queries) // (_QUERIES * threads)) * threads
        tasks = [(part, (0, 1)) for part in np.array_split(queries, parts)]
        found = self._mapped(tasks, k, probes)
        return ScanResult(
            np.concatenate([each.rows for each in found]),
            np.concatenate([each.distances for each in found]),
        )

    def _mapped(
        self, tasks: list[tuple[Vectors, tuple[int, int]]], k: int, probes: int
    ) -> list[ScanResult]:
        def one(task: tuple[Vectors, tuple[int, int]]) -> ScanResult:
            components, rest = self.coding.project(task[0])
            return self._scan.nearest(components, rest, k, probes, task[1])

        # Each thread multiplies matrices on its own: BLAS threads that wait for more take cores.
        with one_thread_each():
            return self._each(one, tasks)

    def _each(self, work: Callable[[_Task], _Result], tasks: list[_Task]) -> list[_Result]:
        """What ``work`` makes of each of ``tasks``, on all threads where there are several."""
        return [work(tasks[0])] if len(tasks) == 1 else list(self._pool.map(work, tasks))

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> IvfSqIndex:
        """The index in a file of :func:`indexer.ivf.build.build_ivf`, mapped into memory.

        Raises ArrayFileError where it is not whole, or was made for other processors.
        """
        arrays, metadata = read_arrays(path, DTYPES, fixed=("vectors",))
        try:
            count, bits = int(metadata["count"]), int(metadata["bits"])
            seen = int(metadata["seen"])
            made_for = (int(metadata["tile_rows"]), int(metadata["greatest_query"]))
            step = float(metadata["step"])
        except (KeyError, ValueError) as error:
            raise ArrayFileError(f"{path}: expected numbers of what it holds") from error
        if made_for != (ROWS, GREATEST_QUERY):
            raise ArrayFileError(
                f"{path} was made for processors that read {made_for[0]} rows at a time and "
                f"multiply by bytes up to {made_for[1]}; this one: {ROWS} and {GREATEST_QUERY}"
            )
        coding = ScalarQuantizer(arrays["centre"], arrays["axes"], step, bits)
        ids = IdRanges(arrays["run_rows"], arrays["run_ids"], count)
        _check(path, arrays, coding, ids)
        rows = CellRows(*(arrays[name] for name in ("codes", "fine", "terms", "starts")))
        scan = InvertedLists(coding, arrays["centres"], rows)
        members, vectors = arrays["members"], arrays["vectors"]
        return cls(scan, members, ids, vectors, seen=seen, threads=threads)


def _slices(count: int, rows: int) -> list[slice]:
    return [slice(start, start + rows) for start in range(0, count, rows)]


def file_shapes(count: int, runs: int, cells: int, coding: ScalarQuantizer) -> Shapes:
    """Shapes and dtypes of all arrays of a file, in their order."""
    rows = row_shapes(count, coding)
    shapes = {
        **rows,
        "members": rows["terms"],
        "starts": ((cells + 1,), "i8"),
        "run_rows": ((runs,), "i8"),
        "run_ids": ((runs,), "i8"),
        "centres": ((cells, coding.components), "f4"),
        "centre": (coding.centre.shape, "f4"),
        "axes": (coding.axes.shape, "f4"),
        "vectors": ((count, len(coding.centre)), "f2"),
    }
    return {name: shapes[name] for name in DTYPES}


def _check(path: Path, arrays: Arrays, coding: ScalarQuantizer, ids: IdRanges) -> None:
    """Raise ArrayFileError unless no search can reach beyond an array."""
    axes, centres, starts = coding.axes, arrays["centres"], arrays["starts"]
    numbers: list[NDArray[Any]] = [coding.centre, axes, centres]
    well_formed = (
        coding.bits in BITS
        and LEAST_STEP <= coding.step < 1
        and (coding.centre.ndim, axes.ndim, centres.ndim) == (1, 2, 2)
        and len(axes) == len(coding.centre)
        and axes.shape[1] > 0
        and len(centres) > 0
        and axes.shape[1] % BYTES == 0
        and 0 <= ids.count < 2**31
    )
    if not well_formed:
        raise ArrayFileError(f"{path}: expected a coding of {BITS} bits and centres")
    expected = file_shapes(ids.count, len(ids.ids), len(centres), coding)
    wrong = {name for name, (shape, _) in expected.items() if arrays[name].shape != shape}
    members = arrays["members"][: ids.count]
    in_bounds = not wrong and (
        starts[0] == 0
        and starts[-1] == ids.count
        and (np.diff(starts) >= 0).all()
        and (not ids.count or (members.min() >= 0 and members.max() < ids.count))
        and all((np.abs(each) <= _REACH).all() for each in numbers)
    )
    if not in_bounds:
        raise ArrayFileError(f"{path}: expected arrays that fit each other; wrong: {sorted(wrong)}")
    try:
        ids.check()
    except ValueError as error:
        raise ArrayFileError(f"{path}: {error}") from error
