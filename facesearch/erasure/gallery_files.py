"""Every file below a folder, and its bytes in pieces that overlap, for searches of all of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from indexer.storage.plain_files import open_plain

RECEIPTS = "erasures"  # the folder of a gallery with what is looked for: not searched itself
_PIECE = 1 << 24


def all_files(folder: Path) -> list[Path]:
    """All plain files below ``folder`` but receipts; links are not followed."""
    found = []
    for parent, _, names in os.walk(folder):
        if Path(parent).name != RECEIPTS:
            found += [Path(parent) / name for name in names]
    return sorted(each for each in found if not each.is_symlink() and each.is_file())


def pieces(path: Path, reach: int) -> Iterator[tuple[bytes, int, int]]:
    """A file in pieces: bytes, and from where to where in them to look; each place comes once.

    Around every place there are ``reach`` bytes of the file, or the file's end. Nothing of a file
    that is gone.
    """
    try:
        with open_plain(path) as file:
            data, start = file.read(_PIECE), 0
            while following := file.read(_PIECE):
                stop = max(start, len(data) - reach)
                if stop > start:
                    yield data, start, stop
                first = max(0, stop - reach)
                data, start = data[first:] + following, stop - first
            yield data, start, len(data)
    except FileNotFoundError:
        return
