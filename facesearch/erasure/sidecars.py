"""Sidecars beside photos with the names of who is forgotten, and what was written elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from facesearch.gallery.gallery import Gallery
from facesearch.gallery.photo_table import PhotoTable
from facesearch.images.sidecars import is_facesearch_sidecar, sidecar_of
from facesearch.text import spellings
from indexer.storage.atomic_files import write_atomically
from indexer.storage.plain_files import SMALL_FILE, read_json, read_plain
from indexer.storage.shards import Shard

OUTPUTS = "outputs.json"
_FORMAT = "facesearch-outputs"
_VERSION = 1
_MOST_OUTPUTS = 1000


def sidecars(gallery: Gallery, contents: frozenset[str], names: tuple[str, ...]) -> list[Path]:
    """This program's sidecars beside photos of ``contents`` (SHA-256s), or with one of ``names``.

    They lie wherever a photo of the gallery was ever seen.
    """
    found = []
    wanted = [f">{escape(each)}<".encode() for name in names for each in spellings(name)]
    for location, content in _places(gallery):
        place = sidecar_of(location)
        if (content in contents or wanted) and is_facesearch_sidecar(place):
            text = read_plain(place) if place.lstat().st_size <= SMALL_FILE else b""
            if content in contents or any(name in text for name in wanted):
                found.append(place)
    return sorted(set(found))


def remove_sidecars(
    gallery: Gallery, contents: frozenset[str], names: tuple[str, ...]
) -> list[str]:
    """Remove them; others who are on the photos are written again by the next report."""
    found = sidecars(gallery, contents, names)
    for place in found:
        place.unlink(missing_ok=True)
    return [str(place) for place in found]


def note_output(gallery: Gallery, folder: Path) -> None:
    """Remember that names or faces were written to ``folder``, outside the gallery's folder."""
    known = noted_outputs(gallery)
    inside = folder.resolve().is_relative_to(gallery.folder.resolve())
    if inside or str(folder) in known:
        return
    folders = [*known, str(folder)][-_MOST_OUTPUTS:]
    document = {"format": _FORMAT, "version": _VERSION, "folders": folders}
    # Through JSON's escapes, since a folder's name need not be UTF-8.
    write_atomically(gallery.folder / OUTPUTS, json.dumps(document, indent=1).encode())


def noted_outputs(gallery: Gallery) -> list[str]:
    """Folders that reports and sidecars were written to and that are still there."""
    try:
        found = read_json(gallery.folder / OUTPUTS)
    except (OSError, ValueError):
        return []  # a help to its owner, and nothing else
    folders = found.get("folders") if isinstance(found, dict) else None
    if not isinstance(folders, list):
        return []
    return [each for each in folders if isinstance(each, str) and Path(each).exists()]


def _places(gallery: Gallery) -> Iterator[tuple[Path, str]]:
    """Where a photo of each content was ever seen."""
    for path in gallery.shard_paths():
        with Shard.open(path) as shard:
            table = PhotoTable.read(shard)
        for row, location in enumerate(table.locations()):
            yield Path(os.fsdecode(location)), table.hex_digest(row)
