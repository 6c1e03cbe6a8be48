"""Sidecar files beside photos: where one lies, and whether it is this program's."""

from __future__ import annotations

from pathlib import Path

from indexer.storage.plain_files import open_plain

SIDECAR_SUFFIX = ".xmp"  # after the photo's own, so that a.jpg and a.png have one each
SIDECAR_MARK = 'x:xmptk="facesearch"'
_HEAD_BYTES = 4096


def sidecar_of(photo: Path) -> Path:
    """Where the sidecar of a photo lies that lies beside it."""
    return photo.with_name(photo.name + SIDECAR_SUFFIX)


def is_facesearch_sidecar(path: Path) -> bool:
    """Whether ``path`` is a sidecar that this program wrote and no other has since."""
    try:
        with open_plain(path) as file:
            return SIDECAR_MARK.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False
