"""The one way in: files of which nothing is believed before it was seen.

A gallery may come from somebody else. What is read of it must be a plain file in its place, not a
link, a pipe that never ends or a device, and no larger than such a file can be; JSON must be no
deeper than the reader can follow. All that is found out before anything is allocated.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from indexer.errors import UnsafeFileError

SMALL_FILE = 1 << 20  # bytes, of a file that says a few things
_MOST_DIGITS = 20  # of a number of 64 bits, with its sign
_NO_NUMBER = 1 << 64
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def require_plain(path: Path) -> os.stat_result:
    """What the file system says of the plain file ``path``.

    Raises FileNotFoundError where there is nothing, UnsafeFileError for anything else.
    """
    found = path.lstat()
    _require_plain(path, found.st_mode)
    return found


def open_plain(path: Path, most: int | None = None) -> BinaryIO:
    """The plain file ``path``, open for reading, of at most ``most`` bytes.

    Raises FileNotFoundError where there is nothing, UnsafeFileError for a link, a pipe, a device,
    or a larger file; it never waits.
    """
    require_plain(path)
    file = open(path, "rb", opener=_opened)  # noqa: SIM115 - closed by who opened it
    try:
        found = os.fstat(file.fileno())
        _require_plain(path, found.st_mode)
        if most is not None and found.st_size > most:
            raise UnsafeFileError(
                f"{path}: expected at most {most} bytes, got {found.st_size}; it is no such file"
            )
    except BaseException:
        file.close()
        raise
    return file


def read_plain(path: Path, most: int = SMALL_FILE) -> bytes:
    """The bytes of ``path``; raises as :func:`open_plain` does."""
    with open_plain(path, most) as file:
        return file.read(most + 1)


def read_json(path: Path, most: int = SMALL_FILE) -> Any:
    """What the JSON file ``path`` says.

    Raises as :func:`open_plain` does, and ValueError for what is no JSON, is nested too deep, or
    holds numbers that JSON has none of (NaN, infinities) or that no 64 bits hold.
    """
    return parse_json(read_plain(path, most))


def parse_json(text: bytes | str) -> Any:
    """What ``text`` says; ValueError as :func:`read_json` raises it."""
    try:
        return json.loads(
            text, parse_constant=_no_constant, parse_float=_finite, parse_int=_bounded
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"expected numbers, got {name}")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"expected numbers that a computer can hold, got {digits[:40]}")
    return number


def _bounded(digits: str) -> int:
    # Longer ones are no numbers of anything, and fit no array and no float.
    number = int(digits) if len(digits) <= _MOST_DIGITS else _NO_NUMBER
    if not -(1 << 63) <= number < 1 << 64:
        raise ValueError(f"expected numbers of 64 bits, got {digits[:40]}")
    return number


def _opened(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def _require_plain(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((words for test, words in _KINDS if test(mode)), "a device")
        raise UnsafeFileError(
            f"{path}: expected a file, found {kind}; put the file itself there, or remove it"
        )
