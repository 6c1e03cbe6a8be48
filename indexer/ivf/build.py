"""Building an index by cells from blocks that never are in memory together.

The blocks are read twice: to see which cell each vector goes to, and to put it there. In memory are
the sample that is learnt from, four bytes a vector, and some blocks; the index itself is written to
its file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.errors import InvalidVectorsError
from indexer.exact.distances import check_block
from indexer.exact.int8_kernel import GREATEST_QUERY
from indexer.id_ranges import IdRanges
from indexer.ivf.index import IvfRecipe, TrainedQuantizer, file_shapes
from indexer.ivf.kmeans import CentroidFinder, learn_centroids
from indexer.ivf.scalar_quantizer import HIDDEN, ROWS, ScalarQuantizer, encode
from indexer.runtime.blas_threads import one_thread_each
from indexer.runtime.cores import available_cores
from indexer.runtime.numba_jit import jit
from indexer.storage.safetensors_file import Arrays, write_arrays
from indexer.types import Block, Ids, Vectors

_FITTED = 65_536  # vectors of the sample that the axes are fitted to
_ENCODED = 8192

Blocks = Callable[[], Iterable[Block]]
_Given = TypeVar("_Given")
_Done = TypeVar("_Done")


def learn(
    sample: Vectors, recipe: IvfRecipe, seen: int, threads: int | None = None
) -> TrainedQuantizer:
    """What :func:`build_ivf` needs to know, from a ``sample`` (n, d) of ``seen`` vectors.

    Raises InvalidVectorsError for an empty sample.
    """
    if not len(sample):
        raise InvalidVectorsError("expected a sample to learn from, got no vectors")
    with one_thread_each():
        coding = ScalarQuantizer.fit(
            sample[:: -(-len(sample) // _FITTED)], recipe.components, recipe.bits
        )
        return TrainedQuantizer(
            coding, learn_centroids(_components(coding, sample), recipe.cells, threads), seen
        )


def build_ivf(
    path: Path,
    blocks: Blocks,
    learnt: TrainedQuantizer,
    threads: int | None = None,
    progress: Callable[[str, int], None] = lambda stage, done: None,
) -> None:
    """Write the index of all vectors of ``blocks`` to ``path``.

    ``blocks`` gives the same blocks at each call, their ids ascending. ``progress`` is called with
    the stage ("assigned" or "written") and how many vectors are done. Raises InvalidVectorsError
    for blocks of another dimension or of ids that do not ascend.
    """
    threads = threads or available_cores()
    coding, centres = learnt.coding, learnt.centres
    with one_thread_each(), ThreadPoolExecutor(threads) as pool:
        work = _Build(coding, centres, CentroidFinder(centres, threads), pool, threads)
        cells, ids = work.assign(blocks(), progress)
        shapes = file_shapes(ids.count, len(ids.ids), len(centres), coding)
        metadata = {
            "count": ids.count,
            "bits": coding.bits,
            "step": coding.step,
            "tile_rows": ROWS,
            "greatest_query": GREATEST_QUERY,
            "seen": learnt.seen,
        }
        with write_arrays(path, shapes, {key: str(each) for key, each in metadata.items()}) as file:
            file["run_rows"][:], file["run_ids"][:] = ids.rows, ids.ids
            file["centres"][:] = centres
            file["centre"][:], file["axes"][:] = coding.centre, coding.axes
            work.write(file, blocks(), cells, progress)


@dataclass(frozen=True)
class _Build:
    coding: ScalarQuantizer
    centres: Vectors
    finder: CentroidFinder
    pool: ThreadPoolExecutor
    threads: int

    def assign(
        self, blocks: Iterable[Block], progress: Callable[[str, int], None]
    ) -> tuple[list[NDArray[np.int32]], IdRanges]:
        """The cells of the vectors of each block, and all ids."""
        cells: list[NDArray[np.int32]] = []
        runs, done = [], 0
        for block in self._checked(blocks):
            components = _components(self.coding, block.vectors)
            cells.append(self.finder.nearest(components).astype(np.int32))
            try:
                runs.append(IdRanges.of(block.ids))
            except ValueError as error:
                raise InvalidVectorsError(str(error)) from error
            progress("assigned", done := done + len(block))
        try:
            return cells, IdRanges.joined(runs)
        except ValueError as error:
            raise InvalidVectorsError(str(error)) from error

    def _checked(self, blocks: Iterable[Block]) -> Iterator[Block]:
        dimension = len(self.coding.centre)
        for block in _ahead(blocks):
            check_block(block, dimension)
            if len(block):
                yield block

    def write(
        self,
        file: Arrays,
        blocks: Iterable[Block],
        cells: list[NDArray[np.int32]],
        progress: Callable[[str, int], None],
    ) -> None:
        """Put every vector in its cell."""
        count = np.zeros(len(self.centres) + 1, np.int64)
        for each in cells:
            count[1:] += np.bincount(each, minlength=len(self.centres))
        starts = np.cumsum(count)
        file["starts"][:] = starts
        file["terms"][starts[-1] :] = HIDDEN
        free, done = starts[:-1].copy(), 0

        def tasks() -> Iterator[tuple[Vectors, Ids, int]]:
            first = 0
            for block, cell in zip(self._checked(blocks), cells, strict=True):
                if len(block) != len(cell):
                    raise InvalidVectorsError(
                        f"expected the blocks of the first time, {len(cell)} vectors, got "
                        f"{len(block)}; they must not change while an index is built"
                    )
                for start in range(0, len(block), _ENCODED):
                    part = slice(start, start + _ENCODED)
                    yield block.vectors[part], take_places(cell[part], free), first + start
                first += len(block)

        def one(task: tuple[Vectors, Ids, int]) -> int:
            vectors, places, first = task
            components, rest = self.coding.project(vectors)
            file["members"][places] = np.arange(first, first + len(places), dtype=np.int32)
            file["vectors"][first : first + len(places)] = vectors
            encode(
                components, rest, places, self.coding.step, self.coding.unit,
                file["codes"], file["fine"], file["terms"],
            )  # fmt: skip
            return len(places)

        for written in _mapped(self.pool, one, tasks(), 2 * self.threads):
            progress("written", done := done + written)


@jit
def take_places(cells: NDArray[np.int32], free: Ids) -> Ids:
    """The next free place of each of ``cells`` (n,), int64 (n,); ``free`` (cells,) moves on."""
    places = np.empty(len(cells), np.int64)
    for row in range(len(cells)):
        places[row] = free[cells[row]]
        free[cells[row]] += 1
    return places


def _components(coding: ScalarQuantizer, vectors: Vectors) -> Vectors:
    parts = [
        coding.project(vectors[start : start + _ENCODED])[0]
        for start in range(0, len(vectors), _ENCODED)
    ]
    return np.concatenate(parts)


def _ahead(blocks: Iterable[Block]) -> Iterator[Block]:
    """The same blocks, the next being read while one is used."""
    iterator = iter(blocks)
    with ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, iterator, None)
        while (block := following.result()) is not None:
            following = reader.submit(next, iterator, None)
            yield block


def _mapped(
    pool: ThreadPoolExecutor,
    function: Callable[[_Given], _Done],
    given: Iterable[_Given],
    most: int,
) -> Iterator[_Done]:
    """``function`` of each in order, by the pool, at most ``most`` of them waiting."""
    waiting: deque[Future[_Done]] = deque()
    for each in given:
        waiting.append(pool.submit(function, each))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
