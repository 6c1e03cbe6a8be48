"""Figures of files: what is read of every kind, and whose names are read from which."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from benchmarks.common.markdown import result, table


def kinds() -> str:
    """How far what is read is from what other programs read."""
    document = result("forty_kinds")
    files: dict[str, Any] = document["files"]
    shown = {name: each for name, each in files.items() if each["difference"] is not None}
    rows = []
    for reader in sorted({each["reader"] for each in shown.values()} - {""}):
        apart = {name: each["apart"] for name, each in shown.items() if each["reader"] == reader}
        most = max(apart, key=lambda name: apart[name])
        equal = sum(difference == 0 for difference in apart.values())
        rows.append([reader, f"{len(apart)}", f"{equal}", f"{apart[most]:.2f} (`{most}`)"])
    header = ("compared with", "files", "equal in every pixel", "largest mean difference, of 255")
    alone = [f"`{name}`" for name, each in shown.items() if not each["reader"]]
    wrong = len(document["wrong"])
    return (
        f"{table(header, rows)}\n\n"
        f"{document['kinds']} files, {len(shown)} of them pictures and videos that are read, the "
        f"others named with their reason or kind; {wrong or 'none'} otherwise than expected. No "
        f"other program here reads {', '.join(alone) or 'none'}."
    )


def xmp_matrix() -> str:
    """In how many orientations a region is where the face is, by format and reader."""
    document = result("xmp_matrix")
    formats: dict[str, dict[str, dict[str, float]]] = document["results"]
    readers = list(next(iter(formats.values())))
    rows = [
        [
            kind.upper(),
            *(_right(found[reader].values(), document["within_pixels"]) for reader in readers),
        ]
        for kind, found in formats.items()
    ]
    header = ("format", *(f"by {reader.replace(', ', ' in the ')}" for reader in readers))
    return f"{table(header, rows)}\n\nexiftool {document['packages']['exiftool']}."


def _right(distances: Collection[float], within: float) -> str:
    right = sum(distance <= within for distance in distances)
    return f"{right} of {len(distances)}"
