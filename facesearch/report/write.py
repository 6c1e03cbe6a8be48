"""Writing the report: the page, ``album.json``, crops and previews."""

from __future__ import annotations

import json
import os
from pathlib import Path

from facesearch.album import Album, album_json
from facesearch.files import sync_folder, write_atomically
from facesearch.report.crops import Progress, prepare_pictures
from facesearch.report.links import absolute
from facesearch.report.page import Page, render


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
    """
    folder = absolute(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = prepare_pictures(album.faces, folder, workers=workers, progress=progress)
    index = folder / "index.html"
    partial = folder / ".index.html.partial"
    with partial.open("wb") as file:
        render(Page(album, pictures, folder), file)
        file.flush()
        os.fsync(file.fileno())
    text = json.dumps(album_json(album), indent=1, ensure_ascii=False)
    write_atomically(folder / "album.json", text.encode("utf-8"))
    partial.replace(index)
    sync_folder(folder)
    return index
