"""A gallery as one file, and back."""

from __future__ import annotations

from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_path
from facesearch.backup import archive
from facesearch.backup.archive import ArchiveReport


def export_gallery(gallery: AnyGallery, path: AnyPath) -> ArchiveReport:
    """Write all of a gallery but its report to the new file ``path``, a ZIP archive with digests.

    It is the gallery as it was at one moment; other processes may write meanwhile. Raises
    InputError where ``path`` exists, GalleryError where a file of the gallery is damaged,
    StorageError where the archive cannot be written; then nothing is there.
    """
    return archive.export_gallery(to_gallery(gallery), to_path(path, "file for the archive"))


def import_gallery(path: AnyPath, gallery: AnyPath) -> ArchiveReport:
    """Make the gallery in the archive ``path`` again, in the new or empty folder ``gallery``.

    Every file is compared with its digest before the folder is there. Raises InputError where
    ``gallery`` has something in it, or ``path`` is damaged or no such archive.
    """
    return archive.import_gallery(to_path(path, "archive"), to_path(gallery, "folder"))
