# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""The inner loop of every layer: a small tile of a matrix product held in vector registers.

Numba's loops alone reach a tenth of a core's arithmetic on layers this narrow, because their
running sums go through memory. So the tile is emitted as explicit vector instructions: ``pixels``
outputs by ``8 * vectors`` channels, all of whose sums stay in registers until they are complete.
LLVM translates them for whatever vectors the machine has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from facesearch.detect.mtcnn_weights import Floats

LANES = 8  # float32 in one AVX register; the compiler splits it where registers are smaller
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_variable: Any = cgutils.alloca_once_value
_unpacked: Any = cgutils.unpack_tuple


def make_tile(pixels: int, vectors: int) -> Any:
    """A function for compiled code that computes ``pixels`` neighbouring outputs of a layer.

    ``tile(x, x_at, rows, step, length, packed, at, out, out_at, out_step)``: output p, channel c
    is ::

        total = bias[c] + sum(x[x_at + rows[r] + p * step + j] * kernel[r, j, c] for r, j)
        out[out_at + p * out_step + c] = total if total > 0 else total * slope[c]

    for 0 <= j < length and c < 8 * vectors. ``x``, ``packed`` and ``out`` are flat float32
    arrays, ``rows`` a tuple of offsets, ``packed[at:]`` one block made by :func:`pack`. Outputs
    are stored in order of p, so a later one may overwrite the padding channels of an earlier.
    Nothing is checked: the caller keeps every index inside its array.

    With AVX2's 16 registers, 3 x 4 and 4 x 2 are the fastest tiles (44 of a possible 56 billion
    multiplications a second on a Zen 3 core); 6 x 2 and 4 x 4 spill and halve the speed.
    """

    def tile(
        typing_context: Any, x: Any, x_at: Any, rows: Any, step: Any, length: Any,
        packed: Any, at: Any, out: Any, out_at: Any, out_step: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(x, x_at, rows, step, length, packed, at, out, out_at, out_step)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            code = _Code(context, builder, signature, arguments)
            _, x_at, rows, step, length, _, at, _, out_at, out_step = arguments
            block = code.pointer(5, at)
            parameters = [code.load(block, v) for v in range(2 * vectors)]
            biases, slopes = parameters[:vectors], parameters[vectors:]
            sums = [[_variable(builder, bias) for bias in biases] for _ in range(pixels)]
            kernel = code.vector_at(block, 2 * vectors)
            for number, row in enumerate(_unpacked(builder, rows)):
                first = code.pointer(0, x_at, row)
                inputs = [code.strided(first, step, p) for p in range(pixels)]
                lines = code.strided(kernel, length, number * vectors)
                code.add_products(sums, inputs, lines, length)
            target = code.pointer(7, out_at)
            for p in range(pixels):
                code.store_prelu(sums[p], slopes, code.strided(target, out_step, p))
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(tile)


def _largest(
    typing_context: Any, x: Any, x_at: Any, places: Any, vectors: Any, out: Any, out_at: Any
) -> Any:
    """For compiled code: ``out[out_at + c] = max(x[x_at + place + c] for place in places)``.

    For 0 <= c < 8 * ``vectors``; ``x`` and ``out`` flat float32, ``places`` a tuple of offsets.
    Nothing is checked.
    """
    signature = types.void(x, x_at, places, vectors, out, out_at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        code = _Code(context, builder, signature, arguments)
        _, x_at, places, vectors, _, out_at = arguments
        sources = [code.pointer(0, x_at, place) for place in _unpacked(builder, places)]
        target = code.pointer(4, out_at)
        with cgutils.for_range(builder, vectors) as loop:
            channel = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            best, *others = [code.load(builder.gep(s, [channel])) for s in sources]
            for value in others:
                best = builder.select(builder.fcmp_ordered(">", value, best), value, best)
            builder.store(best, code.vector_at(builder.gep(target, [channel])), align=4)
        return context.get_dummy_value()

    return signature, generate


largest: Any = intrinsic(_largest)


class _Code:
    """Emits instructions into the function being compiled, whose arguments it knows."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context = context
        self.builder = builder
        self.types = signature.args
        self.arguments = arguments

    def pointer(self, position: int, *offsets: Any) -> Any:
        """To the float at the sum of ``offsets`` in the array that is argument ``position``."""
        array = self.context.make_array(self.types[position])
        data = array(self.context, self.builder, self.arguments[position]).data
        for offset in offsets:
            data = self.builder.gep(data, [offset])
        return data

    def strided(self, pointer: Any, stride: Any, times: int) -> Any:
        """``pointer`` moved ``times`` strides on."""
        offset = self.builder.mul(stride, ir.Constant(stride.type, times))
        return self.builder.gep(pointer, [offset])

    def vector_at(self, pointer: Any, index: int = 0) -> Any:
        """To the ``index``-th vector after ``pointer`` to a float."""
        moved = self.builder.gep(pointer, [ir.Constant(ir.IntType(64), index * LANES)])
        return self.builder.bitcast(moved, _VECTOR.as_pointer())

    def load(self, pointer: Any, index: int = 0) -> Any:
        """The ``index``-th vector after ``pointer`` to a float, which need not be aligned."""
        return self.builder.load(self.vector_at(pointer, index), align=4)

    def spread(self, value: Any) -> Any:
        """The float ``value`` in every lane of a vector."""
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        one = self.builder.insert_element(undefined, value, ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        return self.builder.shuffle_vector(one, undefined, lanes)

    def add_products(
        self, sums: list[list[Any]], inputs: list[Any], lines: Any, length: Any
    ) -> None:
        """Add to ``sums[p][v]`` each of ``length`` inputs of p times vector v of its line."""
        builder = self.builder
        vectors = len(sums[0])
        with cgutils.for_range(builder, length) as loop:
            values = [
                self.spread(builder.load(builder.gep(place, [loop.index]))) for place in inputs
            ]
            line = self.strided(lines, loop.index, vectors)
            for v in range(vectors):
                weights = builder.load(builder.gep(line, [ir.IntType(64)(v)]), align=4)
                for own, value in zip(sums, values, strict=True):
                    # "contract" lets it become one fused instruction where the machine has it
                    product = builder.fmul(value, weights, flags=("contract",))
                    total = builder.fadd(builder.load(own[v]), product, flags=("contract",))
                    builder.store(total, own[v])

    def store_prelu(self, sums: list[Any], slopes: list[Any], target: Any) -> None:
        """Store each sum, times its slope unless it is positive, from ``target`` on."""
        builder = self.builder
        zero = ir.Constant(_VECTOR, None)
        for v, (place, slope) in enumerate(zip(sums, slopes, strict=True)):
            total = builder.load(place)
            positive = builder.fcmp_ordered(">", total, zero)
            result = builder.select(positive, total, builder.fmul(total, slope))
            builder.store(result, self.vector_at(target, v), align=4)


def pack(kernel: Floats, bias: Floats, slopes: Floats, vectors: int) -> Floats:
    """A layer as :func:`make_tile` reads it: kernel (inputs, outputs), bias, slopes (outputs,).

    Flat: for each block of ``8 * vectors`` outputs (the last padded with zeros) its biases, its
    slopes, then its kernel one input after the other.
    """
    width = LANES * vectors
    inputs, outputs = kernel.shape
    blocks = -(-outputs // width)
    together: NDArray[np.float32] = np.zeros((inputs + 2, blocks * width), np.float32)
    together[0, :outputs] = bias
    together[1, :outputs] = slopes
    together[2:, :outputs] = kernel
    return together.reshape(inputs + 2, blocks, width).transpose(1, 0, 2).reshape(-1).copy()
