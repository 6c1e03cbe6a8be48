"""Photos named as arguments or, after a "-", on standard input, one a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

STANDARD_INPUT = "-"
HELP = 'photos or folders of photos; "-" reads their paths from standard input, one a line'


def photo_paths(arguments: Sequence[str]) -> Iterator[Path]:
    """The paths that ``arguments`` name, in their order, each when it is needed."""
    for argument in arguments:
        if argument == STANDARD_INPUT:
            yield from _lines()
        else:
            yield Path(argument)


def are_many(arguments: Sequence[str]) -> bool:
    """Whether ``arguments`` may name more than one photo."""
    return len(arguments) > 1 or STANDARD_INPUT in arguments or any(map(os.path.isdir, arguments))


def _lines() -> Iterator[Path]:
    # Bytes, since names of files need not be text.
    for line in sys.stdin.buffer:
        if name := line.rstrip(b"\r\n"):
            yield Path(os.fsdecode(name))
