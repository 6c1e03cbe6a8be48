# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""Vectors in few bytes: along their principal axes, 8, 10 or 12 bits a component.

A vector x is kept as codes of its components along c axes, and the length r of what the axes leave
out. With a query q, whose components p stay as they are, the squared distance is taken to be ::

    |q - x|^2  ~  |p - x'|^2 + r_q^2 + r_x^2  =  a_q - 2 (t_x + p.x'),

x' being what the codes stand for, t_x = -(|x'|^2 + r_x^2) / 2 and a_q = |p|^2 + r_q^2: as if what
is left out of the two were at right angles, which is true on average. Axes are turned at random
within their span, so that all components spread alike and one step fits all (as in
:mod:`indexer.exact.int8_codes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.exact.int8_codes import GREATEST, LEAST_STEP, OFFSET, random_turn
from indexer.exact.int8_kernel import BATCH, BYTES, GREATEST_QUERY
from indexer.runtime.numba_jit import jit
from indexer.types import Vectors

ROWS = BATCH.rows  # of a tile
BITS = (8, 10, 12)
HIDDEN = np.int32(-(2**31) + 2**26)  # a term with which no sum reaches any limit

_FITTING = 0.9995  # of the sample have no component beyond the greatest code
_ROOM = 1.25  # queries may reach so much farther

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class ScalarQuantizer:
    """``centre`` float32 (d,), ``axes`` float32 (d, c), c a multiple of 4, and the step of codes.

    Component i is about ``step * codes[i]`` for vectors and ``query_step * codes[i]`` for queries,
    where these are compared as bytes. What ``bits`` there are beyond 8 divide a step further.
    """

    centre: Vectors
    axes: Vectors
    step: float
    bits: int

    @classmethod
    def fit(cls, sample: Vectors, components: int, bits: int) -> ScalarQuantizer:
        """The coding of what ``sample`` (n, d), n >= 1, is drawn from, along ``components`` axes.

        Raises ValueError unless components are a multiple of 4, and bits one of BITS.
        """
        if components < BYTES or components % BYTES or bits not in BITS:
            raise ValueError(
                f"expected a multiple of {BYTES} components and {BITS} bits, got {components} "
                f"components and {bits} bits"
            )
        centre = sample.mean(axis=0, dtype=np.float64)
        centred = sample - centre
        axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :components]
        kept = axes.shape[1]
        turned = np.zeros((len(centre), components), np.float32)
        turned[:, :kept] = axes @ random_turn(kept)
        step = _step(centred @ turned)
        return cls(centre.astype(np.float32), turned, step, bits)

    @classmethod
    def plain(cls, sample: Vectors) -> ScalarQuantizer:
        """The coding in 12 bits of what is components already, as ``sample`` (n, c) is."""
        components = sample.shape[1]
        axes = np.eye(components, dtype=np.float32)
        return cls(np.zeros(components, np.float32), axes, _step(sample), BITS[-1])

    @property
    def components(self) -> int:
        return int(self.axes.shape[1])

    @property
    def query_step(self) -> float:
        return self.step * _ROOM * GREATEST / GREATEST_QUERY

    @property
    def fine_bits(self) -> int:
        """Bits of the finer code of a component."""
        return self.bits - 8

    @property
    def unit(self) -> float:
        """What 1 is in terms and in sums of products of codes."""
        return self.step * self.query_step

    def project(self, vectors: Vectors) -> tuple[Vectors, Vectors]:
        """Components float32 (n, c) and squared lengths of the rest (n,), of ``vectors`` (n, d)."""
        centred: Vectors = vectors - self.centre
        components: Vectors = centred @ self.axes
        rest = np.einsum("ij,ij->i", centred, centred)
        rest -= np.einsum("ij,ij->i", components, components)
        return components, np.maximum(rest, np.float32(0))


def _step(sample: NDArray[Any]) -> float:
    """The step in which nearly all of ``sample`` (n, c) has codes."""
    reach = np.quantile(np.abs(sample).max(axis=1), _FITTING)
    return max(float(reach) / GREATEST, LEAST_STEP)


@jit
def encode(
    components: Vectors,
    rest: Vectors,
    places: NDArray[np.int64],
    step: float,
    unit: float,
    codes: Bytes,
    fine: Bytes,
    terms: NDArray[np.int32],
) -> None:
    """Write ``components`` (n, c) as the rows ``places`` (n,) of flat ``codes``, and their terms.

    ``codes`` lie by tiles of ROWS rows, in these by 4 components, in these by rows, as
    :func:`make_screen` reads them. ``fine`` (N, c b / 8) has b bits more of
    each component, the first in the lowest bits.
    """
    count, dimension = components.shape
    steps = dimension // BYTES
    bits = fine.shape[1] * 8 // dimension
    parts = 1 << bits  # of a step
    for i in range(count):
        tile, row = divmod(places[i], ROWS)
        fine[places[i]] = 0
        square = 0.0
        for c in range(dimension):
            value = components[i, c] / step
            code = min(max(np.rint(value), -GREATEST), GREATEST)
            at = ((tile * steps + c // BYTES) * ROWS + row) * BYTES + c % BYTES
            codes[at] = np.uint8(code + OFFSET)
            part = min(max(int(np.floor((value - code + 0.5) * parts)), 0), parts - 1)
            if bits:
                fine[places[i], c * bits // 8] |= part << (c * bits % 8)
            kept = code + (part + 0.5) / parts - 0.5
            square += kept * kept
        term = -(square * step * step + rest[i]) / (2 * unit)
        terms[places[i]] = np.int32(np.rint(term))


def decode(
    coding: ScalarQuantizer, codes: Bytes, fine: Bytes, first: int, end: int
) -> NDArray[np.float32]:
    """What the codes of the rows ``first`` up to ``end`` stand for: components float32 (n, c)."""
    steps = coding.components // BYTES
    tile, row = np.divmod(np.arange(first, end), ROWS)
    at = (tile[:, None] * steps + np.arange(steps)) * ROWS + row[:, None]
    whole = codes.reshape(-1, BYTES)[at].reshape(end - first, coding.components).astype(np.float32)
    whole -= OFFSET
    if bits := coding.fine_bits:
        components = np.arange(coding.components)
        parts = fine[first:end, components * bits // 8] >> (components * bits % 8).astype(np.uint8)
        whole += ((parts & ((1 << bits) - 1)) + np.float32(0.5)) / (1 << bits) - np.float32(0.5)
    result: NDArray[np.float32] = whole * np.float32(coding.step)
    return result


def query_codes(coding: ScalarQuantizer, components: Any) -> tuple[NDArray[np.int8], Vectors]:
    """Queries as bytes int8 (q, c), and the lengths of what these lack, float32 (q,)."""
    codes = np.clip(np.rint(components / coding.query_step), -GREATEST_QUERY, GREATEST_QUERY)
    lacks = np.linalg.norm(components - codes * coding.query_step, axis=1)
    return codes.astype(np.int8), lacks.astype(np.float32)
