"""The reader of dlib's serialization against a plain writer of it, and against damage."""

from __future__ import annotations

import contextlib
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.encoders.dlib.format import DlibReader
from facesearch.errors import WeightsError
from support.dlib_writer import pack_float, pack_int, pack_matrix, pack_string, pack_tensor

INTS = st.integers(-(2**63) + 1, 2**63 - 1)
ANY_INT = st.integers(-(2**64) + 1, 2**64 - 1)


@given(st.lists(ANY_INT))
def test_integers_round_trip(values: list[int]) -> None:
    reader = DlibReader(b"".join(map(pack_int, values)))
    assert [reader.read_int() for _ in values] == values
    reader.expect_end()


@settings(deadline=None)  # the first example compiles
@given(st.lists(INTS))
def test_compiled_integers_equal_those_read_one_by_one(values: list[int]) -> None:
    reader = DlibReader(b"x" + b"".join(map(pack_int, values)) + b"after")
    reader.read_bytes(1)
    assert reader.read_ints(len(values)).tolist() == values
    assert reader.read_bytes(5) == b"after"


@settings(deadline=None)
@given(st.lists(st.floats()))
def test_floats_round_trip_exactly(values: list[float]) -> None:
    data = b"".join(map(pack_float, values))
    one_by_one = DlibReader(data)
    np.testing.assert_array_equal([one_by_one.read_float() for _ in values], values)
    compiled = DlibReader(data)
    np.testing.assert_array_equal(compiled.read_floats(len(values)), np.array(values, float))
    compiled.expect_end()


def test_strings_bools_matrices_and_tensors() -> None:
    matrix = np.arange(6.0).reshape(3, 2) / 7
    tensor = np.random.default_rng(0).normal(size=(2, 3, 1, 4)).astype(np.float32)
    reader = DlibReader(
        pack_string("relu_") + b"10" + pack_matrix(matrix) + pack_tensor(tensor) + pack_int(7)
    )
    assert reader.read_string() == "relu_"
    assert (reader.read_bool(), reader.read_bool()) == (True, False)
    np.testing.assert_array_equal(reader.read_matrix(), matrix)
    np.testing.assert_array_equal(reader.read_tensor(), tensor)
    reader.expect_int(7, "the answer")
    reader.expect_end()


def _read_everything(data: bytes) -> None:
    reader = DlibReader(data, "model.dat")
    reader.expect_string("con_4")
    reader.read_bool()
    reader.read_float()
    reader.read_floats(2)
    reader.read_matrix()
    reader.read_tensor()
    reader.expect_end()


WHOLE = (
    pack_string("con_4")
    + b"1"
    + pack_float(1.5)
    + pack_float(math.pi)
    + pack_float(-1e-9)
    + pack_matrix(np.eye(2))
    + pack_tensor(np.ones((1, 2, 1, 1), np.float32))
)


def test_every_truncation_is_an_error_with_its_position() -> None:
    _read_everything(WHOLE)
    for length in range(len(WHOLE)):
        with pytest.raises(WeightsError, match=rf"model\.dat .* at byte \d+ of {length}, "):
            _read_everything(WHOLE[:length])


@settings(deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_a_changed_byte_reads_or_is_a_weights_error(position: int, value: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[position] = value
    with contextlib.suppress(WeightsError):
        _read_everything(bytes(damaged))


@pytest.mark.parametrize(
    "read", ["read_int", "read_float", "read_bool", "read_string", "read_matrix", "read_tensor"]
)
@settings(deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes_read_or_are_a_weights_error(read: str, data: bytes) -> None:
    with contextlib.suppress(WeightsError):
        getattr(DlibReader(data), read)()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",  # no magnitude
        b"\x09" + b"\x01" * 9,  # more than 64 bits
        b"\x51" + b"\x01",  # the digit that an old, textual float would begin with
    ],
)
def test_malformed_integers_are_refused(data: bytes) -> None:
    with pytest.raises(WeightsError, match=r"at byte 0 .*control byte"):
        DlibReader(data).read_int()


def test_compiled_integers_name_the_position_of_the_bad_one() -> None:
    with pytest.raises(WeightsError, match="at byte 2 "):
        DlibReader(pack_int(3) + b"\x40" + pack_int(1) + b"   ").read_ints(3)
    with pytest.raises(WeightsError, match="at byte 0 "):
        DlibReader(pack_int(2**63)).read_ints(1)  # dlib's unsigned 64 bits, beyond int64


@pytest.mark.parametrize(("mantissa", "exponent"), [(1, 5000), (-1, 2**60), (2**40, 1000)])
def test_exponents_beyond_a_double_are_refused(mantissa: int, exponent: int) -> None:
    data = pack_int(mantissa) + pack_int(exponent)
    with pytest.raises(WeightsError, match="at byte 0"):
        DlibReader(data).read_float()
    with pytest.raises(WeightsError, match="at byte 0"):
        DlibReader(data).read_floats(1)


@pytest.mark.parametrize(
    ("forged", "read"),
    [
        (pack_int(2) + pack_int(2**40) * 4, "read_tensor"),
        (pack_int(2) + pack_int(-1) * 2 + pack_int(1) * 2, "read_tensor"),
        (pack_int(-(2**31)) + pack_int(-(2**31)), "read_matrix"),
        (pack_int(3) + pack_int(3), "read_matrix"),  # sizes are stored negated
        (pack_int(2**62), "read_string"),
        (pack_int(-5), "read_string"),
    ],
)
def test_forged_sizes_are_refused_before_anything_is_allocated(forged: bytes, read: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError):
            getattr(DlibReader(forged), read)()
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
