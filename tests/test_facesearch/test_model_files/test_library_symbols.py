"""Symbols of libraries of all three formats, written here byte by byte as their documents say."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.model_files.library_symbols import symbol_offsets

NAMES = ("first", "second_array", "x")
VALUES = b"payload of the arrays"


def elf() -> tuple[bytes, dict[str, int]]:
    """An ELF-64 library: header, data, names, symbols, section headers."""
    address, data_at = 0x5000, 0x40
    names = b"\0" + b"".join(name.encode() + b"\0" for name in NAMES)
    names_at = data_at + len(VALUES)
    symbols_at = names_at + len(names)
    symbols = bytes(24)
    for number, name in enumerate(NAMES):
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        symbols += struct.pack("<IBBHQQ", at, 0x11, 0, 1, address + number, 4)
    sections_at = symbols_at + len(symbols)
    sections = [
        struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        struct.pack("<IIQQQQIIQQ", 0, 1, 0, address, data_at, len(VALUES), 0, 0, 0, 0),
        struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, names_at, len(names), 0, 0, 0, 0),
        struct.pack("<IIQQQQIIQQ", 0, 11, 0, 0, symbols_at, len(symbols), 2, 0, 0, 24),
    ]
    header = bytearray(0x40)
    header[:4] = b"\x7fELF"
    struct.pack_into("<Q", header, 0x28, sections_at)
    struct.pack_into("<HH", header, 0x3A, 64, len(sections))
    file = bytes(header) + VALUES + names + symbols + b"".join(sections)
    return file, {name: data_at + number for number, name in enumerate(NAMES)}


def mach() -> tuple[bytes, dict[str, int]]:
    """A Mach-O library: header, a segment and a symbol table, data, symbols, names."""
    address, commands_size = 0x4000, 72 + 24
    data_at = 32 + commands_size
    names = b"\0" + b"".join(b"_" + name.encode() + b"\0" for name in NAMES)
    symbols_at = data_at + len(VALUES)
    symbols = b"".join(
        struct.pack(
            "<IBBHQ", names.index(b"\0_" + name.encode() + b"\0") + 1, 0x0F, 1, 0, address + number
        )
        for number, name in enumerate(NAMES)
    )
    names_at = symbols_at + len(symbols)
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, 0, 0, 6, 2, commands_size, 0, 0)
    segment = struct.pack("<II16s", 0x19, 72, b"__DATA")
    segment += struct.pack("<QQQQIIII", address, len(VALUES), data_at, len(VALUES), 0, 0, 0, 0)
    table = struct.pack("<IIIIII", 2, 24, symbols_at, len(NAMES), names_at, len(names))
    file = header + segment + table + VALUES + symbols + names
    return file, {name: data_at + number for number, name in enumerate(NAMES)}


def pe() -> tuple[bytes, dict[str, int]]:
    """A PE32+ library with one section that holds data, export directory and names."""
    header_at, optional, address = 0x40, 240, 0x1000
    section_at = header_at + 24 + optional + 40
    directory = len(VALUES)
    functions = directory + 40
    pointers = functions + 4 * len(NAMES)
    ordinals = pointers + 4 * len(NAMES)
    texts = ordinals + 2 * len(NAMES)
    decorated = [f"?{name}@@3PAMA".encode() + b"\0" for name in NAMES]
    starts = [texts + sum(map(len, decorated[:number])) for number in range(len(NAMES))]
    body = VALUES + struct.pack(
        "<IIHHIIIIIII", 0, 0, 0, 0, 0, 1, len(NAMES), len(NAMES),
        address + functions, address + pointers, address + ordinals,
    )  # fmt: skip
    body += b"".join(struct.pack("<I", address + number) for number in range(len(NAMES)))
    body += b"".join(struct.pack("<I", address + start) for start in starts)
    body += b"".join(struct.pack("<H", number) for number in range(len(NAMES)))
    body += b"".join(decorated)
    file = bytearray(b"MZ" + bytes(header_at - 2))
    struct.pack_into("<I", file, 0x3C, header_at)
    file += struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, optional, 0)
    extra = bytearray(optional)
    struct.pack_into("<H", extra, 0, 0x20B)
    struct.pack_into("<I", extra, 112, address + directory)
    file += extra
    file += struct.pack("<8sIIII16x", b".data", len(body), address, len(body), section_at)
    return bytes(file) + body, {name: section_at + number for number, name in enumerate(NAMES)}


FORMATS = {"elf": elf, "mach": mach, "pe": pe}


@pytest.mark.parametrize("name", FORMATS)
def test_names_lead_to_their_data(name: str) -> None:
    data, offsets = FORMATS[name]()
    found = symbol_offsets(data)
    assert {each: found[each] for each in NAMES} == offsets
    assert data[found["first"] :].startswith(VALUES)


@given(st.sampled_from(sorted(FORMATS)), st.data())
def test_damage_is_an_error_or_other_offsets_never_another_exception(
    name: str, draw: st.DataObject
) -> None:
    data = bytearray(FORMATS[name]()[0])
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    cut = bytes(data[: draw.draw(st.integers(0, len(data)))])
    for damaged in (bytes(data), cut):
        with contextlib.suppress(ValueError):
            symbol_offsets(damaged)


def test_what_is_no_library_is_refused() -> None:
    for data in (b"", b"#!/bin/sh", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"MZ"):
        with pytest.raises(ValueError, match="it is"):
            symbol_offsets(data)
