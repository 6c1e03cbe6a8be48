"""Cluster a gallery into people, and write its album."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from facesearch.album import build
from facesearch.album.model import Album
from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_path
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, latest_run, save_run
from facesearch.report import write, xmp
from facesearch.report.crops import Progress
from facesearch.report.xmp import Sidecars
from indexer.runtime.cores import available_cores


def cluster_gallery(gallery: AnyGallery, options: ClusterOptions | None = None) -> ClusterRun:
    """Group all live faces of a gallery into people, and keep the result.

    ``options`` are by default those of :meth:`ClusterOptions.for_gallery`. What people decided is
    followed, and whoever was there before keeps their number. Raises InputError for options that do
    not go together, ChangedGalleryError where faces were forgotten meanwhile, BusyGalleryError when
    another process is writing.
    """
    opened = to_gallery(gallery)
    options = ClusterOptions.for_gallery(opened) if options is None else options
    run = run_clustering(opened, opened.state(), options)
    return replace(run, path=save_run(opened, run))


def gallery_album(gallery: AnyGallery, *, title: str | None = None) -> Album:
    """The people of the last clustering with their faces, names and photos, and what to look at.

    ``title`` is by default the gallery's name. Raises GalleryError where nothing was clustered yet.
    """
    opened = to_gallery(gallery)
    name = title or opened.folder.resolve().name.removesuffix(".gallery")
    return build.gallery_album(opened, opened.state(), latest_run(opened), name)


def write_report(
    album: Album,
    folder: AnyPath | None = None,
    *,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Write an album as web pages, ``album.json`` and ``album.csv``; returns its ``index.html``.

    ``folder`` is by default ``report`` in the album's gallery. ``workers`` processes decode photos,
    by default one a core. Raises InputError for a folder that holds anything but a report.
    """
    if folder is None and album.about.gallery is not None:
        folder = album.about.gallery / "report"
    place = to_path(folder, "folder for the report")  # type: ignore[arg-type]
    return write.write_report(
        album, place, workers=available_cores() if workers is None else workers, progress=progress
    )


def write_sidecars(album: Album, folder: AnyPath | None = None) -> Sidecars:
    """Write who is on each photo as XMP files, to ``folder``, or beside the photos without one.

    Photos are never changed, and files of other programs are left alone and reported.
    """
    return xmp.write_sidecars(album, None if folder is None else to_path(folder, "folder"))
