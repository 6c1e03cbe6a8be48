"""Where a shared library has its data, by name: ELF, Mach-O or PE, read without loading it.

Only 64-bit little-endian libraries, and only symbols that are exported. Formats: the System V ABI
(ELF-64), Apple's <mach-o/loader.h> and <mach-o/nlist.h>, Microsoft's "PE Format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_ELF_DYNAMIC_SYMBOLS, _ELF_NO_BITS = 11, 8
_MACH_SEGMENT, _MACH_SYMBOLS = 0x19, 0x2
_PE_HEADER_AT, _PE_PLUS = 0x3C, 0x20B


def symbol_offsets(data: bytes) -> dict[str, int]:
    """Offsets into the file of what each exported name stands for.

    Raises ValueError where ``data`` is of none of the formats, or cut or damaged.
    """
    try:
        if data[:4] == b"\x7fELF":
            return dict(_elf(data))
        if data[:4] == b"\xcf\xfa\xed\xfe":
            return dict(_mach(data))
        if data[:2] == b"MZ":
            return dict(_pe(data))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"it is cut or damaged ({error})") from error
    raise ValueError("it is no ELF, Mach-O or PE library")


def _text(data: bytes, at: int) -> str:
    end = data.find(b"\0", at)
    if not 0 <= at <= end:
        raise IndexError("a name lies beyond its end")
    return data[at:end].decode("ascii", "replace")


def _elf(data: bytes) -> Iterator[tuple[str, int]]:
    (at,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    # name, type, flags, address, offset, size, link, ...
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, at + i * size) for i in range(count)]
    for section in sections:
        if section[1] != _ELF_DYNAMIC_SYMBOLS:
            continue
        names = sections[section[6]][4]
        for entry in range(section[4], section[4] + section[5], 24):
            name, _, _, place, address, _ = struct.unpack_from("<IBBHQQ", data, entry)
            if 0 < place < len(sections) and sections[place][1] != _ELF_NO_BITS:
                home = sections[place]
                yield _text(data, names + name), address - home[3] + home[4]


def _mach(data: bytes) -> Iterator[tuple[str, int]]:
    (commands,) = struct.unpack_from("<I", data, 16)
    at, segments, tables = 32, [], []
    for _ in range(commands):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == _MACH_SEGMENT:
            # address, size, offset, size in the file
            segments.append(struct.unpack_from("<QQQQ", data, at + 24))
        elif kind == _MACH_SYMBOLS:
            tables.append(struct.unpack_from("<IIII", data, at + 8))  # symbols, count, names, size
        at += size
    for symbols, count, names, _ in tables:
        for entry in range(symbols, symbols + 16 * count, 16):
            name, kind, _, _, address = struct.unpack_from("<IBBHQ", data, entry)
            for start, length, offset, _ in segments:
                if kind & 0x0E == 0x0E and start <= address < start + length:  # in a section
                    yield _text(data, names + name).removeprefix("_"), address - start + offset


def _pe(data: bytes) -> Iterator[tuple[str, int]]:
    (header,) = struct.unpack_from("<I", data, _PE_HEADER_AT)
    count, optional = struct.unpack_from("<H12xH", data, header + 6)
    if struct.unpack_from("<H", data, header + 24) != (_PE_PLUS,):
        raise IndexError("it is not for 64-bit processors")
    sections = [
        struct.unpack_from("<IIII", data, header + 24 + optional + 40 * i + 8) for i in range(count)
    ]

    def offset(address: int) -> int:
        """In the file; beyond its end for what is not in it, as data that starts as zeros."""
        for _, start, length, place in sections:
            if start <= address < start + length:
                return int(address - start + place)
        return len(data)

    (exports,) = struct.unpack_from("<I", data, header + 24 + 112)
    directory = offset(exports)
    (named,) = struct.unpack_from("<I", data, directory + 24)
    functions, names, ordinals = struct.unpack_from("<III", data, directory + 28)
    for i in range(named):
        (name,) = struct.unpack_from("<I", data, offset(names) + 4 * i)
        (ordinal,) = struct.unpack_from("<H", data, offset(ordinals) + 2 * i)
        (address,) = struct.unpack_from("<I", data, offset(functions) + 4 * ordinal)
        # Microsoft's compiler decorates the names of C++ variables: ?name@@...
        yield _text(data, offset(name)).removeprefix("?").partition("@")[0], offset(address)
