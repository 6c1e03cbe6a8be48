# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""The inner loops of every layer: small tiles of a matrix product held in vector registers.

Numba's loops alone reach a tenth of a core's arithmetic on layers this narrow, because their
running sums go through memory. So the tile is emitted as explicit vector instructions: ``pixels``
outputs by ``LANES * vectors`` channels, all of whose sums stay in registers until they are
complete. LLVM translates them for whatever vectors the machine has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from facesearch.detect.mtcnn_weights import Floats
from indexer.runtime.simd_codegen import INDEX, VectorCode, processor_features

# float32 in one register: AVX-512's, else AVX's, which the compiler splits where they are smaller.
LANES = 16 if processor_features().get("avx512f") else 8
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_variable: Any = cgutils.alloca_once_value
_unpacked: Any = cgutils.unpack_tuple

# Outputs that a tile of so many vectors may have before its sums no longer fit the registers: 32
# of AVX-512, 16 of AVX2. Measured, on a layer of each kind: AVX-512 (Emerald Rapids) 70 to 86
# billion multiplications a second of a possible 107, with AVX2's tiles there 43; AVX2 (Zen 3) 44
# of a possible 56, where 6 x 2 and 4 x 4 spill and halve the speed.
_MOST_PIXELS = {1: 16, 2: 14, 3: 9, 4: 7} if LANES == 16 else {2: 4, 4: 3}


@dataclass(frozen=True)
class ConvolutionTile:
    """``pixels`` neighbouring outputs by ``LANES * vectors`` channels."""

    pixels: int
    vectors: int

    @property
    def channels(self) -> int:
        return LANES * self.vectors


def fitting_tile(channels: int, row: int | None = None) -> ConvolutionTile:
    """The tile for a layer of ``channels`` whose rows have ``row`` outputs (None: any number).

    Of those that fit the registers, one that wastes the fewest channels and outputs.
    """
    vectors = min(_MOST_PIXELS, key=lambda count: (-channels % (LANES * count), -count))
    most = _MOST_PIXELS[vectors]
    if row is None:
        return ConvolutionTile(most, vectors)
    pixels = min(range(1, most + 1), key=lambda count: (-(-row // count), count))
    return ConvolutionTile(pixels, vectors)


def make_convolution(tile: ConvolutionTile) -> Any:
    """A function for compiled code that computes a layer, or as much of it as is asked for.

    ``convolve(x, rows, step, length, packed, channels, out, out_at, count, lines, line_step)``:
    output (line, p), channel c is ::

        first = line * line_step + p * step
        total = bias[c] + sum(x[first + rows[r] + j] * kernel[r, j, c] for r, j)
        out[out_at + (line * count + p) * channels + c] = total if total > 0 else total * slope[c]

    for 0 <= line < lines, 0 <= p < count, 0 <= j < length, 0 <= c < channels. ``x``, ``packed``
    (made by :func:`pack`) and ``out`` are flat float32 arrays, ``rows`` a tuple of offsets.
    ``channels`` is a multiple of the tile's or fewer than these. Outputs are computed by whole
    tiles: a line's last tile may also read and write what lies beyond, which a later line or the
    caller's slack must bear. Nothing is checked: the caller keeps every index inside its array.
    """

    def convolve(
        typing_context: Any, x: Any, rows: Any, step: Any, length: Any, packed: Any,
        channels: Any, out: Any, out_at: Any, count: Any, lines: Any, line_step: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(
            x, rows, step, length, packed, channels, out, out_at, count, lines, line_step
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _ConvolutionCode((context, builder, signature, arguments)).convolve(tile)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(convolve)


def _largest(
    typing_context: Any, x: Any, x_at: Any, places: Any, vectors: Any, out: Any, out_at: Any
) -> Any:
    """For compiled code: ``out[out_at + c] = max(x[x_at + place + c] for place in places)``.

    For 0 <= c < LANES * ``vectors``; ``x`` and ``out`` flat float32, ``places`` a tuple of offsets.
    Nothing is checked.
    """
    signature = types.void(x, x_at, places, vectors, out, out_at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _ConvolutionCode((context, builder, signature, arguments))
        _, x_at, places, vectors, _, out_at = arguments
        sources = [code.pointer(0, x_at, place) for place in _unpacked(builder, places)]
        target = code.pointer(4, out_at)
        with cgutils.for_range(builder, vectors) as loop:
            channel = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            best, *others = [code.load(builder.gep(s, [channel])) for s in sources]
            for value in others:
                best = builder.select(builder.fcmp_ordered(">", value, best), value, best)
            code.store(best, builder.gep(target, [channel]))
        return context.get_dummy_value()

    return signature, generate


largest: Any = intrinsic(_largest)


class _ConvolutionCode(VectorCode):
    """Emits the instructions of a tile, on vectors of float32."""

    def __init__(self, emitting: tuple[Any, Any, Any, Any]) -> None:
        super().__init__(emitting, _VECTOR, align=4)

    def convolve(self, tile: ConvolutionTile) -> None:
        """The body of a function of :func:`make_convolution`."""
        builder = self.builder
        _, rows, step, length, _, channels, _, out_at, count, lines, line_step = self.arguments
        offsets = _unpacked(builder, rows)
        block_size = builder.mul(
            builder.add(builder.mul(length, INDEX(len(offsets))), INDEX(2)),
            INDEX(tile.channels),
        )
        x, packed, out = self.pointer(0), self.pointer(4), self.pointer(6, out_at)
        with _steps(builder, channels, tile.channels) as (channel, number):
            block = builder.gep(packed, [builder.mul(number, block_size)])
            with _steps(builder, lines, 1) as (line, _):
                start = builder.gep(x, [builder.mul(line, line_step)])
                written = builder.add(builder.mul(builder.mul(line, count), channels), channel)
                target = builder.gep(out, [written])
                with _steps(builder, count, tile.pixels) as (pixel, _):
                    source = builder.gep(start, [builder.mul(pixel, step)])
                    sums = self.products(tile, source, offsets, block)
                    place = builder.gep(target, [builder.mul(pixel, channels)])
                    self.store_prelu(sums, block, place, channels)

    def products(
        self, tile: ConvolutionTile, source: Any, offsets: Any, block: Any
    ) -> list[list[Any]]:
        """Variables ``[pixel][vector]`` with the biases of ``block`` and all products added."""
        step, length = self.arguments[2:4]
        biases = [self.load(block, v * LANES) for v in range(tile.vectors)]
        sums = [[_variable(self.builder, bias) for bias in biases] for _ in range(tile.pixels)]
        kernel = self.builder.gep(block, [INDEX(2 * tile.channels)])
        for number, row in enumerate(offsets):
            first = self.builder.gep(source, [row])
            inputs = [self.strided(first, step, p) for p in range(tile.pixels)]
            lines = self.strided(kernel, length, number * tile.channels)
            self.add_products(sums, inputs, lines, length)
        return sums

    def add_products(
        self, sums: list[list[Any]], inputs: list[Any], lines: Any, length: Any
    ) -> None:
        """Add to ``sums[p][v]`` each of ``length`` inputs of p times vector v of its line."""
        builder = self.builder
        vectors = len(sums[0])
        with cgutils.for_range(builder, length) as loop:
            line = self.strided(lines, loop.index, vectors * LANES)
            weights = [self.load(line, v * LANES) for v in range(vectors)]
            for of_output, place in zip(sums, inputs, strict=True):
                value = self.spread(builder.load(builder.gep(place, [loop.index])))
                for variable, weight in zip(of_output, weights, strict=True):
                    # "contract" lets it become one fused instruction where the machine has it
                    product = builder.fmul(value, weight, flags=("contract",))
                    total = builder.fadd(builder.load(variable), product, flags=("contract",))
                    builder.store(total, variable)

    def store_prelu(self, sums: list[list[Any]], block: Any, target: Any, channels: Any) -> None:
        """Store ``sums``, times their slopes unless positive, ``channels`` apart from ``target``.

        In order of pixels, so that a later one overwrites the padding channels of an earlier.
        """
        builder = self.builder
        zero = ir.Constant(_VECTOR, None)
        vectors = len(sums[0])
        slopes = [self.load(block, (vectors + v) * LANES) for v in range(vectors)]
        for p, of_output in enumerate(sums):
            place = self.strided(target, channels, p)
            for v, (variable, slope) in enumerate(zip(of_output, slopes, strict=True)):
                total = builder.load(variable)
                positive = builder.fcmp_ordered(">", total, zero)
                result = builder.select(positive, total, builder.fmul(total, slope))
                self.store(result, place, v * LANES)


def _steps(builder: Any, stop: Any, step: int) -> Any:
    """A loop over 0, ``step``, ... below ``stop``: a context manager of (index, number)."""
    return cgutils.for_range_slice(builder, INDEX(0), stop, INDEX(step))


def pack(kernel: Floats, bias: Floats, slopes: Floats, tile: ConvolutionTile) -> Floats:
    """A layer as :func:`make_convolution` of ``tile`` reads it.

    ``kernel`` (inputs, outputs), ``bias`` and ``slopes`` (outputs,). Flat: for each block of the
    tile's channels (the last padded with zeros) its biases, its slopes, then its kernel one input
    after the other.
    """
    width = tile.channels
    inputs, outputs = kernel.shape
    blocks = -(-outputs // width)
    together: NDArray[np.float32] = np.zeros((inputs + 2, blocks * width), np.float32)
    together[0, :outputs] = bias
    together[1, :outputs] = slopes
    together[2:, :outputs] = kernel
    return together.reshape(inputs + 2, blocks, width).transpose(1, 0, 2).reshape(-1).copy()
