# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""Vectors as bytes, and how far from the truth distances between them can be.

A map phi that brings no two vectors farther apart, |phi(q) - phi(x)| <= |q - x|, and steps to
which its components are rounded: then by the triangle inequality distances between codes are

    |code(q) - code(x)| <= |q - x| + residual(q) + residual(x),

the residuals being |phi(v) - code(v)|, known for each vector. So whatever lies beyond the k-th
distance by more than the two residuals is certainly none of the k nearest.

phi subtracts a centre, turns, and keeps the first components; the length of those left out becomes
one more component, which is again no expansion (the reverse triangle inequality). Vectors of faces
fill few directions, so this halves the work. Within those kept the axes are turned at random, so
that all components spread alike and one step fits them all.
"""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_kernel import BYTES, GREATEST_QUERY
from indexer.runtime.numba_jit import jit

# Sums of products of bytes, and what is added to them, must fit 32 bits.
MOST_COMPONENTS = 16_384
OFFSET = 128  # codes of rows are stored unsigned, as the instruction wants one side
GREATEST = 127  # of codes, in absolute value

_SAMPLE = 16_384
_LEFT_OUT = 0.05  # of the variance at most: more leaves more candidates, less takes more work
_FITTING = 0.999  # of the rows have no component beyond the greatest code, and the usual residual
LEAST_STEP = 2.0**-14
_ROWS = 8192
_FARTHEST = 2.1  # two unit vectors, to within their tolerance and the slack of a k-th distance

Doubles = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Stored = NDArray[np.floating[Any]]  # float32 or float16


@dataclass(frozen=True)
class Projection:
    """phi: what ``centre`` (d,) leaves, along ``axes`` (d, h), orthonormal, both float64.

    Where axes were left out (h < d), the length along these, less ``left_out``, is the last of the
    h + 1 components.
    """

    centre: Doubles
    axes: Doubles
    left_out: float

    @classmethod
    def fit(cls, sample: Stored) -> Projection:
        """The principal axes of ``sample`` (n, d), n >= 1, that hold nearly all its variance."""
        centre = sample.mean(axis=0, dtype=np.float64)
        centred = sample - centre
        variances, axes = np.linalg.eigh(centred.T @ centred / len(sample))
        kept = _kept(variances[::-1])
        turned = axes[:, ::-1][:, :kept] @ random_turn(kept)
        bare = cls(centre, turned, 0.0)
        lengths = bare(sample)[:, kept:]
        return cls(centre, turned, float(lengths.mean()) if lengths.size else 0.0)

    def __call__(self, vectors: Stored) -> Doubles:
        """phi of each of ``vectors`` (n, d), float32 or float16: float64 (n, c)."""
        centred = vectors - self.centre
        kept: Doubles = centred @ self.axes
        if self.axes.shape[0] == self.axes.shape[1]:
            return kept
        squares = np.einsum("ij,ij->i", centred, centred) - np.einsum("ij,ij->i", kept, kept)
        return np.column_stack([kept, np.sqrt(np.maximum(squares, 0.0)) - self.left_out])

    @property
    def rounding(self) -> float:
        """A bound on the error of each result, as a vector, for unit vectors.

        Sums of d products err by d u |a||b|, u = 2^-53 (Higham, section 3.1), so the components by
        d^1.5 u |v| together, the difference of squares by less than 32 d^1.5 u at |v|^2 <= 4.1,
        and its root by no more than the root of that.
        """
        return float(np.sqrt(32 * len(self.centre) ** 1.5 * 2.0**-53))


def _kept(variances: Doubles) -> int:
    """How many axes to keep, of all whose ``variances`` descend; with one more, whole steps."""
    dimension = len(variances)
    beyond = variances.sum() - np.cumsum(variances)
    enough = int(np.argmax(beyond <= _LEFT_OUT * variances.sum())) + 1
    components = -(-(enough + 1) // BYTES) * BYTES
    return min(components - 1, dimension) if components <= dimension else dimension


def random_turn(dimension: int) -> Doubles:
    """The same rotation for each ``dimension``, float64 (d, d): it spreads axes evenly."""
    random = np.random.default_rng(0)
    turn: Doubles = np.linalg.qr(random.standard_normal((dimension, dimension)))[0]
    return turn


@dataclass(frozen=True)
class QueryCodes:
    """Queries as bytes: component c of query i is about ``step * codes[i, c]``.

    ``codes`` int8 (q, c); ``residuals`` float64 (q,) bound what they lack.
    """

    step: float
    codes: NDArray[np.int8]
    residuals: Doubles

    def packed(self, width: int) -> NDArray[np.int8]:
        """Flat, ``width`` queries at a time, as the kernel reads them; zeros fill the last."""
        count, components = self.codes.shape
        panels, steps = -(-count // width), -(-components // BYTES)
        padded = np.zeros((panels * width, steps * BYTES), np.int8)
        padded[:count, :components] = self.codes
        order = padded.reshape(panels, width, steps, BYTES).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(order).reshape(-1)


@dataclass(frozen=True)
class GalleryCodes:
    """The vectors of a gallery as bytes.

    Component c of a row is about ``step * (code - OFFSET)``. ``packed`` uint8 holds the codes as
    the kernel reads them: by tiles of ``tile_rows`` rows, in these by ``BYTES`` components, in
    these by rows. ``residual`` is what the codes of a usual row lack. ``terms`` float32, one a row,
    are -|code|^2 / 2 and, for rows with a larger residual, what makes up for it, in units of
    ``step`` squared, never rounded down.
    """

    projection: Projection
    step: float
    residual: float
    packed: Bytes
    terms: NDArray[np.float32]
    tile_rows: int

    @classmethod
    def build(cls, vectors: Stored, tile_rows: int, pool: Executor) -> GalleryCodes:
        """Codes of ``vectors`` (n, d), n >= 1, unit length, d <= MOST_COMPONENTS."""
        count = len(vectors)
        sample = vectors[:: -(-count // _SAMPLE)].astype(np.float32)
        projection = Projection.fit(sample)
        projected = projection(sample)
        farthest = np.quantile(np.abs(projected).max(axis=1), _FITTING)
        step = max(float(farthest) / GREATEST, LEAST_STEP)
        steps = -(-projected.shape[1] // BYTES)
        padded = -(-count // tile_rows) * tile_rows
        packed = _aligned_zeros(padded * steps * BYTES)
        squares, residuals = np.zeros(padded), np.zeros(padded)

        def encode(first: int) -> None:
            part = slice(first, first + _ROWS)
            components = projection(vectors[part])
            _encode(components, step, first, tile_rows, packed, squares[part], residuals[part])

        list(pool.map(encode, range(0, count, _ROWS)))
        residuals += projection.rounding
        usual = float(np.quantile(residuals[:count], _FITTING))
        reach = _FARTHEST + np.sqrt(steps * BYTES) * _FARTHEST / GREATEST
        excess = 2 * reach * (residuals - usual) + residuals**2 - usual**2
        terms = (np.maximum(excess, 0.0) / step**2 - squares) / 2
        above = np.nextafter(terms.astype(np.float32), np.float32(np.inf))
        return cls(projection, step, usual, packed, above, tile_rows)

    @property
    def steps(self) -> int:
        """Groups of ``BYTES`` components in a row."""
        return len(self.packed) // (len(self.terms) * BYTES)

    @property
    def tiles(self) -> int:
        return len(self.terms) // self.tile_rows

    @property
    def bytes_each(self) -> int:
        """Memory for each vector."""
        return self.steps * BYTES + self.terms.itemsize

    def encode_queries(self, components: Doubles) -> QueryCodes:
        """Codes of queries that :attr:`projection` mapped to ``components`` (q, c), q >= 1."""
        step = max(float(np.abs(components).max()) / GREATEST_QUERY, self.step / 4, LEAST_STEP)
        codes = np.rint(components / step)
        residuals = np.linalg.norm(components - step * codes, axis=1) + self.projection.rounding
        return QueryCodes(step, codes.astype(np.int8), residuals)


def _aligned_zeros(size: int) -> Bytes:
    """Zeros that start where a cache line does."""
    line = 64
    memory = np.zeros(size + line, np.uint8)
    start = -memory.ctypes.data % line
    return memory[start : start + size]


@jit
def _encode(
    components: Doubles,
    step: float,
    first: int,
    tile_rows: int,
    packed: Bytes,
    squares: Doubles,
    residuals: Doubles,
) -> None:
    """Write codes of ``components`` (n, c) as rows from ``first`` on, their |code|^2 and lacks."""
    count, dimension = components.shape
    steps = (dimension + BYTES - 1) // BYTES
    for i in range(count):
        tile, row = divmod(first + i, tile_rows)
        square, lack = 0.0, 0.0
        for c in range(dimension):
            code = min(max(np.rint(components[i, c] / step), -GREATEST), GREATEST)
            at = ((tile * steps + c // BYTES) * tile_rows + row) * BYTES + c % BYTES
            packed[at] = np.uint8(code + OFFSET)
            square += code * code
            lack += (components[i, c] - step * code) ** 2
        squares[i] = square
        residuals[i] = np.sqrt(lack)
