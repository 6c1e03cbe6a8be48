"""Folders that hold copies, rubbish or a program's files, and are not walked through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from indexer.storage.plain_files import open_plain

GALLERY_MARKER = "gallery.json"
SEALED_MARKER = "gallery.sealed"  # of an encrypted one
# Says that the folder is a report's, whose crops may be replaced and removed.
REPORT_MARKER = ".facesearch-report"
# Other programs have files of these names too. Ours say what they are at their beginning, and have
# a folder beside them.
_SIGNED = {
    GALLERY_MARKER: (b'"facesearch-gallery"', "shards"),
    SEALED_MARKER: (b"facesearch-sealed", "sealed"),
}
_HEAD_BYTES = 4096

_NAMES = {
    # Synology, QNAP, the desktops of Linux
    "thumbnails": ("@eadir", ".@__thumb", "@__thumb", ".thumbnails", ".thumbs"),
    "trash": (
        "#recycle", "@recycle", "@recently-deleted", "$recycle.bin", "recycled", "recycler",
        ".trash", ".trashes",
    ),
    "snapshots": (
        "#snapshot", "@recently-snapshot", ".snapshot", ".snapshots", ".zfs", "~snapshot",
    ),
    "system": ("__macosx", "system volume information", "@tmp", "@sharebin", "@upload_cache"),
    "previews": ("captureone", ".picasaoriginals"),
}  # fmt: skip
_KIND_OF = {name: kind for kind, names in _NAMES.items() for name in names}
_TRASH_OF_USER = ".trash-"  # and the number of a user
_PREVIEW_ENDINGS = (".lrdata", ".lrcat-data")
# Apple's and Aperture's libraries are folders; of what is in them this is made from the photos.
_LIBRARIES = (".photoslibrary", ".migratedphotolibrary", ".photolibrary", ".aplibrary")
_LIBRARY_PREVIEWS = (
    "resources", "derivatives", "thumbnails", "previews", "scopes", "private", "database",
)  # fmt: skip


def kind_left_out(name: str, parent: str) -> str:
    """The kind of a folder called ``name`` in the folder ``parent`` that is left out, or ""."""
    lowered = name.lower()
    if kind := _KIND_OF.get(lowered):
        return kind
    if lowered.startswith(_TRASH_OF_USER):
        return "trash"
    if lowered.endswith(_PREVIEW_ENDINGS):
        return "previews"
    if lowered in _LIBRARY_PREVIEWS and parent.lower().endswith(_LIBRARIES):
        return "previews"
    return "hidden" if name.startswith(".") else ""


def marked_as(folder: Path, has: Callable[[str], bool]) -> str:
    """Whether ``folder`` is a "gallery" or a "report"; "" for neither. ``has`` knows its entries.

    A gallery whose description is damaged is one by the folder beside it, and one that cannot be
    read in any case.
    """
    for marker, (signature, beside) in _SIGNED.items():
        if has(marker) and (has(beside) or _begins_with(folder / marker, signature)):
            return "gallery"
    return "report" if has(REPORT_MARKER) else ""


def _begins_with(path: Path, signature: bytes) -> bool:
    try:
        with open_plain(path) as file:
            return signature in file.read(_HEAD_BYTES)
    except OSError:
        return True


def files_below(folder: str) -> int:
    """How many files are in a folder and all below it; links to folders are not followed."""
    return sum(len(names) for _, _, names in os.walk(folder))
