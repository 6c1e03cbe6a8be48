"""How many products of bytes this machine's cores can add up: the ceiling of certified search."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from indexer.exact.int8_kernel import BATCH, BYTES, LANES, multiply_add
from indexer.runtime.numba_jit import jit

SUMS = 12  # apart from each other, so that no instruction waits for the one before
TIMES = 20_000_000


def _multiply(typing_context: Any, times: Any, bits: Any) -> Any:
    """For compiled code: ``times`` instructions for each of SUMS registers; the sum of one lane."""
    signature = types.int32(times, bits)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.IntType(32), LANES)
        factor = ir.Constant(vector, None)
        four = builder.trunc(arguments[1], ir.IntType(32))
        for lane in range(LANES):
            factor = builder.insert_element(factor, four, ir.IntType(32)(lane))
        sums = [cgutils.alloca_once_value(builder, factor) for _ in range(SUMS)]
        with cgutils.for_range(builder, arguments[0]):
            for variable in sums:
                product = multiply_add(builder, builder.load(variable), factor, factor, BATCH)
                builder.store(product, variable)
        total = builder.load(sums[0])
        for variable in sums[1:]:
            total = builder.add(total, builder.load(variable))
        return builder.extract_element(total, ir.IntType(32)(0))

    return signature, generate


multiply: Any = intrinsic(_multiply)


@jit
def _run(times: int, bits: int) -> int:
    return multiply(times, bits)


def byte_peak(threads: int, repeats: int = 5) -> float:
    """Billions of operations (a product and its addition are two) a second, of the best repeat."""
    if not LANES:
        return 0.0
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats + 1):
            started = time.perf_counter()
            list(pool.map(_run, [TIMES] * threads, [0x01020304] * threads))
            seconds.append(time.perf_counter() - started)
    return 2.0 * threads * TIMES * SUMS * LANES * BYTES / min(seconds[1:]) / 1e9
