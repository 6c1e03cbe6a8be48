"""Vector instructions written into functions that numba compiles.

For the few inner loops that no compiler makes of plain loops: their sums must stay in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba.core import config

INDEX = ir.IntType(64)
INT32 = ir.IntType(32)
_settings: Any = config


def processor_features() -> dict[str, bool]:
    """Of the processor that numba compiles for, by LLVM's names, such as "avx2"."""
    if _settings.CPU_NAME or _settings.CPU_FEATURES:
        return {
            name[1:]: True for name in (_settings.CPU_FEATURES or "").split(",") if name[:1] == "+"
        }
    return dict(binding.get_host_cpu_features())


class VectorCode:
    """Emits instructions into the function being compiled, whose arguments it knows.

    ``vector`` is the kind of vector it works on; memory is read where addresses are multiples of
    ``align`` bytes.
    """

    def __init__(
        self, emitting: tuple[Any, Any, Any, Any], vector: ir.VectorType, align: int
    ) -> None:
        """``emitting``: what numba gives an intrinsic: context, builder, signature, arguments."""
        self.context, self.builder, signature, self.arguments = emitting
        self.types = signature.args
        self.vector = vector
        self.align = align

    def pointer(self, position: int, *offsets: Any) -> Any:
        """To the element at the sum of ``offsets`` in the array that is argument ``position``."""
        array = self.context.make_array(self.types[position])
        data = array(self.context, self.builder, self.arguments[position]).data
        for offset in offsets:
            data = self.builder.gep(data, [offset])
        return data

    def strided(self, pointer: Any, stride: Any, times: int) -> Any:
        """``pointer`` moved by ``times`` a ``stride`` of elements, which only the call knows."""
        distance = self.builder.mul(stride, ir.Constant(stride.type, times))
        return self.builder.gep(pointer, [distance])

    def place(self, pointer: Any, offset: int, kind: Any = None) -> Any:
        """To the value of that kind (a vector) ``offset`` elements after ``pointer``."""
        moved = self.builder.gep(pointer, [INDEX(offset)])
        return self.builder.bitcast(moved, (kind or self.vector).as_pointer())

    def load(self, pointer: Any, offset: int = 0, kind: Any = None) -> Any:
        """The value at :meth:`place`."""
        return self.builder.load(self.place(pointer, offset, kind), align=self.align)

    def store(self, value: Any, pointer: Any, offset: int = 0) -> None:
        """Write a vector to :meth:`place`."""
        self.builder.store(value, self.place(pointer, offset), align=self.align)

    def spread(self, value: Any) -> Any:
        """``value`` in every lane of a vector."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, value, INT32(0))
        lanes = ir.Constant(ir.VectorType(INT32, self.vector.count), None)
        return self.builder.shuffle_vector(one, undefined, lanes)
