"""A reader of dlib's serialization format, the primitives that every dlib model file is made of.

The format, as dlib's ``serialize.h``, ``float_details.h``, ``matrix.h`` and ``tensor.h`` define it:

- integer: a control byte, then 1 to 8 bytes of magnitude, least significant first. The low four
  bits of the control byte count those bytes, its top bit is the sign, the rest are zero;
- floating point: two integers, mantissa and exponent, the value being mantissa * 2**exponent;
  the exponents 32000, 32001 and 32002 stand for +inf, -inf and NaN;
- bool: the character ``0`` or ``1``; string: its length as an integer, then its bytes;
- vector: its length as an integer, then its items;
- matrix: the negated numbers of rows and of columns, then its items row by row;
- tensor: version 2, four sizes, then raw little-endian 32-bit floats.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from facesearch.errors import WeightsError

_SPECIAL = {32000: math.inf, 32001: -math.inf, 32002: math.nan}  # values by their exponents
_BEYOND_DOUBLE = 5000  # an exponent with which every number is zero or infinite
_SMALLEST_INT = 2  # bytes: the control byte and one of magnitude
_TENSOR_VERSION = 2


class DlibReader:
    """Reads values one after another from the bytes of a dlib file.

    Every method raises :class:`WeightsError` naming ``name`` and the byte position when the data
    end early or are not what the method reads. No array is allocated before the data were found
    long enough to fill it, so a forged length costs nothing.
    """

    def __init__(self, data: bytes, name: str = "dlib file") -> None:
        self.position = 0
        self._data = data
        self._name = name

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self.position

    def error(self, message: str, position: int | None = None) -> WeightsError:
        """An error that says where in the file ``message`` holds; for the caller to raise."""
        where = self.position if position is None else position
        return WeightsError(
            f"{self._name} is damaged or of another kind: at byte {where} of "
            f"{len(self._data)}, {message}"
        )

    def read_bytes(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.remaining:
            raise self.error(f"expected {count} more bytes, but {self.remaining} are left")
        start, self.position = self.position, self.position + count
        return self._data[start : self.position]

    def read_int(self) -> int:
        """One packed integer, signed or not."""
        start = self.position
        control = self.read_bytes(1)[0]
        size = control & 0x0F
        if control & 0x70 or not 1 <= size <= 8:
            raise self.error(f"expected a packed integer, found control byte {control:#04x}", start)
        value = int.from_bytes(self.read_bytes(size), "little")
        return -value if control & 0x80 else value

    def read_count(self, smallest_item: int = 1) -> int:
        """A length, of items that take at least ``smallest_item`` bytes each."""
        start = self.position
        count = self.read_int()
        if not 0 <= count * smallest_item <= self.remaining:
            raise self.error(f"expected a length that fits in the file, found {count}", start)
        return count

    def read_float(self) -> float:
        """One packed floating-point number."""
        start = self.position
        mantissa, exponent = self.read_int(), self.read_int()
        if exponent in _SPECIAL:
            return _SPECIAL[exponent]
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            message = f"expected a number, found {mantissa} * 2**{exponent}"
            raise self.error(message, start) from None

    def read_bool(self) -> bool:
        """One truth value."""
        start = self.position
        character = self.read_bytes(1)
        if character not in (b"0", b"1"):
            raise self.error(f"expected a bool, '0' or '1', found {character!r}", start)
        return character == b"1"

    def read_string(self) -> str:
        """One string; its bytes that are not ASCII come back escaped."""
        return self.read_bytes(self.read_count()).decode("ascii", "backslashreplace")

    def read_ints(self, count: int) -> NDArray[np.int64]:
        """``count`` packed integers, int64 (count,), decoded by compiled code."""
        # Imported here because numba takes a third of a second and most files need no long runs.
        from facesearch.encoders.dlib.packed_integers import unpack_ints  # noqa: PLC0415

        if not 0 <= count * _SMALLEST_INT <= self.remaining:
            raise self.error(f"expected {count} integers, but {self.remaining} bytes are left")
        values = np.empty(count, np.int64)
        data = np.frombuffer(self._data, np.uint8)
        position, whole = unpack_ints(data, self.position, values)
        if not whole:
            raise self.error(f"expected {count} packed integers, found something else", position)
        self.position = int(position)
        return values

    def read_floats(self, count: int) -> NDArray[np.float64]:
        """``count`` packed floating-point numbers, float64 (count,), decoded by compiled code."""
        start = self.position
        return self._as_floats(self.read_ints(2 * count).reshape(count, 2), start)

    def _as_floats(self, pairs: NDArray[np.int64], start: int) -> NDArray[np.float64]:
        mantissas, exponents = pairs[:, 0].astype(np.float64), pairs[:, 1]
        limited = np.clip(exponents, -_BEYOND_DOUBLE, _BEYOND_DOUBLE).astype(np.int32)
        limited[np.isin(exponents, list(_SPECIAL))] = 0
        with np.errstate(over="ignore"):
            values: NDArray[np.float64] = np.ldexp(mantissas, limited)
        if np.isinf(values).any():
            raise self.error(f"expected {len(pairs)} numbers, found an exponent too large", start)
        for exponent, value in _SPECIAL.items():
            values[exponents == exponent] = value
        return values

    def read_matrix(self) -> NDArray[np.float64]:
        """One matrix of floating-point numbers, float64 (rows, columns)."""
        start = self.position
        rows, columns = -self.read_int(), -self.read_int()
        if rows < 0 or columns < 0 or rows * columns * 2 * _SMALLEST_INT > self.remaining:
            raise self.error(f"expected a matrix, found size {rows} x {columns}", start)
        return self.read_floats(rows * columns).reshape(rows, columns)

    def read_tensor(self) -> NDArray[np.float32]:
        """One tensor, float32 (samples, channels, rows, columns), read-only."""
        self.expect_int(_TENSOR_VERSION, "the version of a tensor")
        start = self.position
        shape = tuple(self.read_int() for _ in range(4))
        count = math.prod(shape)
        if min(shape) < 0 or count * 4 > self.remaining:
            raise self.error(f"expected a tensor that fits in the file, found {shape}", start)
        return np.frombuffer(self.read_bytes(count * 4), "<f4").reshape(shape)

    def expect_int(self, expected: int, what: str) -> None:
        """Read one integer, which must be ``expected``; ``what`` it is goes in the error."""
        start = self.position
        found = self.read_int()
        if found != expected:
            raise self.error(f"expected {what} to be {expected}, found {found}", start)

    def expect_string(self, expected: str) -> None:
        """Read one string, which must be ``expected``."""
        start = self.position
        found = self.read_string()
        if found != expected:
            raise self.error(f"expected {expected!r}, found {found!r}", start)

    def expect_end(self) -> None:
        """Raise unless every byte was read."""
        if self.remaining:
            raise self.error(f"expected the end, but {self.remaining} bytes are left")
