"""Writing the report: the pages, ``album.json``, ``album.csv``, crops and previews, and what
the search of several pages needs."""

from __future__ import annotations

import json
import os
from pathlib import Path

from facesearch.album.model import Album
from facesearch.album.to_json import album_json
from facesearch.errors import InputError
from facesearch.images.file_access import absolute
from facesearch.images.walk.left_out import REPORT_MARKER
from facesearch.report.album_csv import album_csv
from facesearch.report.crops import Progress, prepare_pictures
from facesearch.report.page import Page, render
from facesearch.report.pagination import volume_file
from facesearch.report.search_index import FILE, search_index
from indexer.storage.atomic_files import (
    buffered,
    make_folder,
    replacing_file,
    sync_folder,
    write_atomically,
)


def write_report(
    album: Album,
    folder: Path,
    *,
    workers: int,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Write the report of ``album`` to ``folder`` (made if absent) and return ``index.html``.

    Crops that an earlier report left in the folder are used again. Each file is whole or absent:
    a report that is interrupted leaves the former page in place. ``workers`` processes decode
    photos; ``progress`` hears of photos read and to be read.

    Raises InputError for a folder that holds anything but an earlier report.
    """
    folder = absolute(folder)
    _claim(folder)
    pictures = prepare_pictures(album.faces, folder, workers=workers, progress=progress)
    page = Page(album, pictures, folder)
    # The album last: what it links to is there when it is.
    _write_page(page, folder / "plots.html", "plots")
    text = json.dumps(album_json(album), indent=1, ensure_ascii=False)
    write_atomically(folder / "album.json", text.encode("utf-8"))
    write_atomically(folder / "album.csv", album_csv(album).encode("utf-8"))
    if page.index is not None:
        index = search_index(page.volumes, pictures.crops)
        write_atomically(folder / page.index, index.encode("utf-8"))
    for volume in reversed(page.volumes):
        page.turn_to(volume)
        _write_page(page, folder / volume.file, "album")
    _remove_others(folder, {page.index, *(volume.file for volume in page.volumes)})
    sync_folder(folder)
    return folder / volume_file(1)


def _remove_others(folder: Path, keep: set[str | None]) -> None:
    """Remove what an earlier report had of more pages."""
    for path in (*folder.glob("people-*.html"), *folder.glob(FILE)):
        if path.name not in keep:
            path.unlink()


def _write_page(page: Page, path: Path, name: str) -> None:
    with replacing_file(path) as file, buffered(file) as out:
        render(page, out, name)


def _claim(folder: Path) -> None:
    """Make the folder, or see that it is ours: crops of deleted faces will be removed from it."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"expected a folder for the report, but {folder} is a file")
    make_folder(folder)
    if not os.path.lexists(folder / REPORT_MARKER):
        if any(folder.iterdir()):
            raise InputError(
                f"expected an empty folder or an earlier report, but {folder} holds other files; "
                "give a new folder"
            )
        write_atomically(folder / REPORT_MARKER, b"")
