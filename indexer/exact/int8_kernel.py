# ruff: noqa: PLR0917  (numeric kernels take many positional arguments)
"""The inner loop of certified search: small tiles of a product of bytes held in vector registers.

Processors with VNNI multiply 64 (or 32) pairs of bytes and add them by fours in one instruction,
those with AVX2 alone 32 pairs in three, which no loop that numba compiles becomes. So the tile is
emitted as those instructions: some vectors of gallery rows by some queries, whose sums never leave
the registers. They are compared with each query's limit there; what is written is one bit a pair.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from indexer.runtime.simd_codegen import INDEX, INT32, VectorCode, processor_features

BYTES = 4  # components of a row that one instruction multiplies and adds up
_variable: Any = cgutils.alloca_once_value
_declared: Any = cgutils.get_or_insert_function


def _instructions() -> tuple[int, bool]:
    """Rows in one vector and whether there is VNNI; no rows where bytes cannot be multiplied."""
    features = processor_features()
    if features.get("avx512vnni") and features.get("avx512bw"):
        return 16, True
    if features.get("avxvnni"):
        return 8, True
    return (8, False) if features.get("avx2") else (0, False)


LANES, VNNI = _instructions()
# Codes of queries, in absolute value. AVX2 adds two products in 16 bits: 2 * 255 * 63 < 2^15.
GREATEST_QUERY = 127 if VNNI else 63


@dataclass(frozen=True)
class ScreenTile:
    """``vectors`` of ``lanes`` gallery rows each, by ``queries``, multiplied by VNNI or by AVX2."""

    vectors: int
    queries: int
    lanes: int = LANES
    vnni: bool = VNNI

    @property
    def rows(self) -> int:
        return self.lanes * self.vectors


# All sums, the rows of one step and one query's bytes fit the registers: 32 of AVX-512, 16 of AVX2,
# where without VNNI products and ones take two more.
BATCH = ScreenTile(4, 6) if LANES == 16 else ScreenTile(2, 6)
SINGLE = ScreenTile(BATCH.vectors, 1)


def make_screen(tile: ScreenTile) -> Any:
    """A function for compiled code that finds the pairs of a tile that reach their limits.

    ``screen(codes, at, queries, query_at, steps, terms, limits, limit_at, found)``: returns
    whether there is a pair of a row r < tile.rows and a query j < tile.queries with ::

        terms[r] + sum(codes[at + (s * tile.rows + r) * 4 + b]
                       * queries[query_at + (s * tile.queries + j) * 4 + b]
                       for s < steps for b < 4) >= limits[limit_at + j]

    ``codes`` is flat uint8, ``queries`` flat int8 of at most GREATEST_QUERY in absolute value,
    ``terms`` and ``limits`` flat int32. Where there is one, bit r % lanes of the int32
    ``found[j * tile.vectors + r // lanes]`` is set for each such pair and clear for others. Nothing
    is checked: sums must fit int32, every index its array.
    """

    def screen(
        typing_context: Any, codes: Any, at: Any, queries: Any, query_at: Any, steps: Any,
        terms: Any, limits: Any, limit_at: Any, found: Any,
    ) -> Any:  # fmt: skip
        signature = types.boolean(
            codes, at, queries, query_at, steps, terms, limits, limit_at, found
        )

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _ScreenCode((context, builder, signature, arguments), tile).screen()

        return signature, generate

    return intrinsic(screen)


def multiply_add(builder: Any, total: Any, rows: Any, query: Any, tile: ScreenTile) -> Any:
    """``total`` with each lane's four unsigned bytes of ``rows`` times four signed ones added.

    All are vectors of ``tile.lanes`` int32; where there is no VNNI, in two steps by AVX2.
    """
    vector = total.type
    if tile.vnni:
        kind = ir.FunctionType(vector, [vector] * 3)
        name = f"llvm.x86.avx512.vpdpbusd.{tile.lanes * 32}"
        return builder.call(_declared(builder.module, kind, name), [total, rows, query])
    pairs = ir.VectorType(ir.IntType(16), tile.lanes * 2)
    quads = ir.VectorType(ir.IntType(8), tile.lanes * BYTES)
    kinds = {
        "llvm.x86.avx2.pmadd.ub.sw": ir.FunctionType(pairs, [quads, quads]),
        "llvm.x86.avx2.pmadd.wd": ir.FunctionType(vector, [pairs, pairs]),
    }
    products, added = (_declared(builder.module, kind, name) for name, kind in kinds.items())
    both = builder.call(products, [builder.bitcast(each, quads) for each in (rows, query)])
    ones = ir.Constant(pairs, [1] * tile.lanes * 2)
    return builder.add(total, builder.call(added, [both, ones]))


class _ScreenCode(VectorCode):
    """Emits the instructions of a tile into the function being compiled."""

    def __init__(self, emitting: tuple[Any, Any, Any, Any], tile: ScreenTile) -> None:
        super().__init__(emitting, ir.VectorType(INT32, tile.lanes), align=1)
        self.tile = tile

    def screen(self) -> Any:
        """The body of a function of :func:`make_screen`."""
        masks = self.compare(self.products())
        builder = self.builder
        together = masks[0]
        for mask in masks[1:]:
            together = builder.or_(together, mask)
        bits = ir.IntType(self.tile.lanes)
        some = builder.icmp_unsigned("!=", builder.bitcast(together, bits), bits(0))
        with builder.if_then(some, likely=False):
            found = self.pointer(8)
            for number, mask in enumerate(masks):
                value = builder.zext(builder.bitcast(mask, bits), INT32)
                builder.store(value, builder.gep(found, [INDEX(number)]))
        return some

    def products(self) -> list[list[Any]]:
        """Variables ``[query][vector]`` that hold the terms and all products added."""
        builder, tile = self.builder, self.tile
        terms = self.pointer(5)
        starts = [self.load(terms, v * tile.lanes) for v in range(tile.vectors)]
        sums = [[_variable(builder, start) for start in starts] for _ in range(tile.queries)]
        codes = self.pointer(0, self.arguments[1])
        queries = self.pointer(2, self.arguments[3])
        with cgutils.for_range(builder, self.arguments[4]) as loop:
            step = self.strided(codes, loop.index, tile.rows * BYTES)
            asked = self.strided(queries, loop.index, tile.queries * BYTES)
            rows = [self.load(step, v * tile.lanes * BYTES) for v in range(tile.vectors)]
            for j, of_query in enumerate(sums):
                query = self.spread(self.load(asked, j * BYTES, INT32))
                for variable, row in zip(of_query, rows, strict=True):
                    total = multiply_add(builder, builder.load(variable), row, query, tile)
                    builder.store(total, variable)
        return sums

    def compare(self, sums: list[list[Any]]) -> list[Any]:
        """Masks, vector after vector of each query, of the sums that reach the query's limit."""
        builder = self.builder
        limits = self.pointer(6, self.arguments[7])
        masks = []
        for j, of_query in enumerate(sums):
            limit = self.spread(builder.load(builder.gep(limits, [INDEX(j)])))
            masks += [builder.icmp_signed(">=", builder.load(total), limit) for total in of_query]
        return masks
