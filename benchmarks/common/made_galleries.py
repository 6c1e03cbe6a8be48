"""Galleries of made faces, of any size, block by block: equal seeds give equal vectors.

Faces come in chunks of 16,384, each of people of its own and from random numbers of its own. So
any block can be made without those before it, and blocks may be of any size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import zeta

from benchmarks.common.face_model import LARGEST, FaceModel
from indexer.runtime.cores import available_cores
from indexer.types import Block, Ids, Vectors

CHUNK = 16_384
_PROBED_CHUNKS = 64
_STRANGERS = 2**40  # first chunk of people who are in no gallery

# What random numbers of a chunk are for: a stream each.
_PEOPLE, _FACES, _PROBES = range(3)


@dataclass(frozen=True)
class MadeFaces:
    """Vectors float32 (n, d) and whose they are, int64 (n,)."""

    vectors: Vectors
    people: Ids


class MadeGallery:
    """``count`` faces with ids from 0, drawn from ``model``."""

    def __init__(self, count: int, model: FaceModel, seed: int = 0) -> None:
        if count < 0:
            raise ValueError(f"expected a count of 0 or more, got {count}")
        self._count = count
        self._model = model
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        return self._model.dimension

    def blocks(self, rows: int = CHUNK, threads: int | None = None) -> Iterator[Block]:
        """All faces, ids ascending, ``rows`` a block; a few chunks are in memory at a time."""
        if rows < 1:
            raise ValueError(f"expected blocks of 1 or more rows, got {rows}")
        waiting: list[Vectors] = []
        held = start = 0
        for vectors in self._chunks(threads or available_cores()):
            waiting.append(vectors)
            held += len(vectors)
            if held >= rows or start + held == self._count:
                joined = np.concatenate(waiting)
                whole = held if start + held == self._count else held - held % rows
                for first in range(0, whole, rows):
                    part = joined[first : min(first + rows, whole)]
                    yield Block(np.arange(start + first, start + first + len(part)), part)
                waiting, held, start = [joined[whole:]], held - whole, start + whole

    def people(self, ids: Ids) -> Ids:
        """Whose the faces ``ids`` int64 (n,) are, int64 (n,); -1 where an id is -1."""
        people = np.full(len(ids), -1, np.int64)
        chunks = np.where(ids < 0, -1, ids // CHUNK)
        for chunk in np.unique(chunks[chunks >= 0]).tolist():
            picked = chunks == chunk
            people[picked] = self._people_of(chunk)[ids[picked] % CHUNK]
        return people

    def probes(self, count: int) -> MadeFaces:
        """Further faces of people who are in the gallery; none of them is in it."""
        chunks = -(-self._count // CHUNK)
        if not chunks:
            raise ValueError("expected a gallery with faces, got an empty one; nobody is in it")
        probed = np.linspace(0, chunks - 1, min(chunks, _PROBED_CHUNKS)).astype(np.int64)
        return self._further(probed, count)

    def strangers(self, count: int) -> MadeFaces:
        """Faces of people who are not in the gallery."""
        return self._further(_STRANGERS + np.arange(_PROBED_CHUNKS), count)

    def _further(self, chunks: NDArray[np.int64], count: int) -> MadeFaces:
        parts = []
        for number, chunk in enumerate(chunks.tolist()):
            share = count * (number + 1) // len(chunks) - count * number // len(chunks)
            random = self._random(chunk, _PROBES)
            faces = self._people_of(chunk)
            if chunk < _STRANGERS:
                faces = faces[: self._count - chunk * CHUNK]
            people = faces[random.integers(0, len(faces), share)]
            parts.append(
                MadeFaces(_draw(self._model, random, self._centres(chunk), people % CHUNK), people)
            )
        return MadeFaces(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.people for part in parts]),
        )

    def _chunks(self, threads: int) -> Iterator[Vectors]:
        waiting: deque[Future[Vectors]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for chunk in range(-(-self._count // CHUNK)):
                waiting.append(pool.submit(self._chunk, chunk))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _chunk(self, chunk: int) -> Vectors:
        people = self._people_of(chunk) % CHUNK
        vectors = _draw(self._model, self._random(chunk, _FACES), self._centres(chunk), people)
        return vectors[: self._count - chunk * CHUNK]

    def _random(self, chunk: int, stream: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64([self._seed, chunk, stream]))

    def _people_of(self, chunk: int) -> Ids:
        """Whose the faces of a whole chunk are, int64 (CHUNK,), ascending."""
        random = np.random.default_rng([self._seed, chunk])
        chances = _size_chances(self._model.size_exponent)
        sizes = 1 + np.searchsorted(chances, random.random(CHUNK))
        people = np.repeat(np.arange(CHUNK), sizes)[:CHUNK]
        return chunk * CHUNK + people

    def _centres(self, chunk: int) -> Centres:
        count = int(self._people_of(chunk)[-1] % CHUNK) + 1
        return _draw_centres(self._model, self._random(chunk, _PEOPLE), count)


@dataclass(frozen=True)
class Centres:
    """Of p people: where they are, float32 (p, r), and how far their faces spread (p,)."""

    points: Vectors
    spreads: Vectors


def draw_faces(model: FaceModel, people: Ids, seed: int) -> MadeFaces:
    """A face of each of ``people`` int64 (n,), who are counted from 0; all in memory."""
    random = np.random.default_rng(seed)
    centres = _draw_centres(model, random, int(people.max()) + 1)
    return MadeFaces(_draw(model, random, centres, people), people)


def _draw_centres(model: FaceModel, random: np.random.Generator, count: int) -> Centres:
    kinds = random.choice(len(model.weights), count, p=model.weights / model.weights.sum())
    points = random.standard_normal((count, model.rank), np.float32)
    points *= np.sqrt(model.kind_variances).astype(np.float32)[kinds]
    points += (model.mean + model.kinds).astype(np.float32)[kinds]
    return Centres(points, _draw_spreads(random, model.person_spread, count))


def _draw(model: FaceModel, random: np.random.Generator, centres: Centres, people: Ids) -> Vectors:
    """A face of each of ``people``, rows of ``centres``."""
    faces = random.standard_normal((len(people), model.rank), np.float32)
    faces *= np.sqrt(model.deviations).astype(np.float32)
    spreads = _draw_spreads(random, model.face_spread, len(people))
    faces *= (centres.spreads[people] * spreads)[:, None]
    faces += centres.points[people]
    faces /= np.sqrt(np.einsum("ij,ij->i", faces, faces))[:, None]
    return faces @ model.basis.T.astype(np.float32)


@lru_cache(maxsize=4)
def _size_chances(exponent: float) -> NDArray[np.float64]:
    """The chance of a person having 1, 2, ... faces or fewer; float64 (LARGEST,)."""
    chances = np.cumsum(np.arange(1, LARGEST + 1) ** -exponent / zeta(exponent))
    chances[-1] = 1
    return chances


def _draw_spreads(random: np.random.Generator, deviation: float, count: int) -> Vectors:
    """Log-normal factors float32 (count,) whose square is 1 on average."""
    exponents = deviation * random.standard_normal(count, np.float32) - deviation**2
    return np.exp(exponents, dtype=np.float32)
