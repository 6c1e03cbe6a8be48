# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""The inner loop of every layer: a small tile of a matrix product held in vector registers.

Numba's loops alone reach a tenth of a core's arithmetic on layers this narrow, because their
running sums go through memory. So the tile is emitted as explicit vector instructions: ``pixels``
outputs by ``8 * vectors`` channels, all of whose sums stay in registers until they are complete.
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
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)


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
    """

    @intrinsic
    def tile(
        typing_context: Any, x: Any, x_at: Any, rows: Any, step: Any, length: Any,
        packed: Any, at: Any, out: Any, out_at: Any, out_step: Any,
    ) -> Any:  # fmt: skip
        signature = types.void(x, x_at, rows, step, length, packed, at, out, out_at, out_step)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _, x_at, rows, step, length, _, at, _, out_at, out_step = arguments

            def start(position: int, offset: Any) -> Any:
                array = context.make_array(signature.args[position])
                data = array(context, builder, arguments[position]).data
                return builder.gep(data, [offset])

            def vector_at(pointer: Any, index: int) -> Any:
                moved = builder.gep(pointer, [ir.Constant(ir.IntType(64), index * LANES)])
                return builder.bitcast(moved, _VECTOR.as_pointer())

            block = start(5, at)
            biases = [builder.load(vector_at(block, v), align=4) for v in range(vectors)]
            slopes = [builder.load(vector_at(block, vectors + v), align=4) for v in range(vectors)]
            kernel = vector_at(block, 2 * vectors)
            sums = [[_variable(builder, biases[v]) for v in range(vectors)] for _ in range(pixels)]
            for number, row in enumerate(_unpacked(builder, rows)):
                first = start(0, builder.add(x_at, row))
                inputs = [
                    builder.gep(first, [builder.mul(step, ir.Constant(step.type, p))])
                    for p in range(pixels)
                ]
                base = builder.mul(length, ir.Constant(length.type, number))
                with cgutils.for_range(builder, length) as loop:
                    values = [
                        _spread(builder, builder.load(builder.gep(pointer, [loop.index])))
                        for pointer in inputs
                    ]
                    index = builder.mul(
                        builder.add(base, loop.index), ir.Constant(length.type, vectors)
                    )
                    line = builder.gep(kernel, [index])
                    for v in range(vectors):
                        here = builder.gep(line, [ir.Constant(ir.IntType(64), v)])
                        weights = builder.load(here, align=4)
                        for p in range(pixels):
                            product = builder.fmul(values[p], weights, flags=("contract",))
                            total = builder.load(sums[p][v])
                            total = builder.fadd(total, product, flags=("contract",))
                            builder.store(total, sums[p][v])
            target = start(7, out_at)
            zero = ir.Constant(_VECTOR, None)
            for p in range(pixels):
                place = builder.gep(target, [builder.mul(out_step, ir.Constant(out_step.type, p))])
                for v in range(vectors):
                    total = builder.load(sums[p][v])
                    scaled = builder.fmul(total, slopes[v])
                    positive = builder.fcmp_ordered(">", total, zero)
                    result = builder.select(positive, total, scaled)
                    builder.store(result, vector_at(place, v), align=4)
            return context.get_dummy_value()

        return signature, generate

    return tile


def _largest(
    typing_context: Any, x: Any, x_at: Any, places: Any, vectors: Any, out: Any, out_at: Any
) -> Any:  # fmt: skip
    """For compiled code: ``out[out_at + c] = max(x[x_at + place + c] for place in places)``.

    For 0 <= c < 8 * ``vectors``; ``x`` and ``out`` flat float32, ``places`` a tuple of offsets.
    Nothing is checked.
    """
    signature = types.void(x, x_at, places, vectors, out, out_at)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, x_at, places, vectors, _, out_at = arguments
        source = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        target = context.make_array(signature.args[4])(context, builder, arguments[4]).data

        def vector_at(data: Any, *offsets: Any) -> Any:
            for offset in offsets:
                data = builder.gep(data, [offset])
            return builder.bitcast(data, _VECTOR.as_pointer())

        with cgutils.for_range(builder, vectors) as loop:
            channel = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            best = None
            for place in _unpacked(builder, places):
                value = builder.load(vector_at(source, x_at, place, channel), align=4)
                if best is not None:
                    value = builder.select(builder.fcmp_ordered(">", value, best), value, best)
                best = value
            builder.store(best, vector_at(target, out_at, channel), align=4)
        return context.get_dummy_value()

    return signature, generate


largest: Any = intrinsic(_largest)
_variable: Any = cgutils.alloca_once_value
_unpacked: Any = cgutils.unpack_tuple


def _spread(builder: Any, value: Any) -> Any:
    """``value`` in every lane of a vector."""
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), lanes)


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
