"""Cluster a gallery into people, and write its album."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from cluster.partitioned.runner import LocalRunner, PartitionRunner
from facesearch.album import build
from facesearch.album.model import Album
from facesearch.api.arguments import AnyGallery, AnyPath, to_gallery, to_path
from facesearch.argument_checks import instance, whole_number
from facesearch.clustering import run_store
from facesearch.clustering.options import ClusterOptions
from facesearch.clustering.run import run_clustering
from facesearch.clustering.run_store import ClusterRun, save_run
from facesearch.distributed.clustering.ray_runner import RayRunner
from facesearch.distributed.ray_runtime import RayOptions, ray_cluster
from facesearch.erasure.sidecars import note_output
from facesearch.errors import ChangedGalleryError, InputError
from facesearch.gallery.tombstones import Tombstones
from facesearch.report import write, xmp
from facesearch.report.crops import Progress
from facesearch.report.xmp import Sidecars
from indexer.runtime.cores import available_cores


def cluster_gallery(
    gallery: AnyGallery,
    options: ClusterOptions | None = None,
    *,
    cluster: RayOptions | None = None,
) -> ClusterRun:
    """Group all live faces of a gallery into people, and save the result.

    ``options`` are by default those of :meth:`ClusterOptions.for_gallery`. Decisions are followed,
    and people keep their numbers. The partitions that ``options`` ask for are the work of a
    ``cluster``, or of this process where none is given. Raises InputError for options that do not
    go together, ChangedGalleryError where faces were forgotten meanwhile, BusyGalleryError when
    another process is writing, ClusterError where the cluster cannot be reached.
    """
    opened = to_gallery(gallery)
    options = ClusterOptions.for_gallery(opened) if options is None else options
    instance(
        options,
        ClusterOptions,
        "ClusterOptions as options",
        "make them with ClusterOptions.for_gallery(gallery, method=...)",
    )
    if cluster is not None:
        instance(cluster, RayOptions, "RayOptions as cluster")
        if not options.partitions:
            raise InputError("expected partitions for a cluster to work on, got none; ask for some")
    with ExitStack() as stack:
        stack.enter_context(opened.writing())  # lest the work is done and cannot be kept
        runner: PartitionRunner = LocalRunner()
        if cluster is not None:
            runner = RayRunner(stack.enter_context(ray_cluster(cluster)))
        run = run_clustering(opened, opened.state(), options, runner)
        return replace(run, path=save_run(opened, run))


def latest_run(gallery: AnyGallery) -> ClusterRun:
    """The last clustering of a gallery; raises GalleryError where there is none to be read."""
    return run_store.latest_run(to_gallery(gallery))


def gallery_album(gallery: AnyGallery, *, title: str | None = None) -> Album:
    """The people of the last clustering with their faces, names and photos, and what to look at.

    ``title`` is by default the gallery's name. Raises GalleryError where nothing was clustered yet.
    """
    opened = to_gallery(gallery)
    instance(title, str | None, "text as title")
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
    by default one a core. Raises InputError for a folder that holds anything but a report,
    ChangedGalleryError where faces of the album were forgotten meanwhile.
    """
    _require_album(album)
    if folder is None and album.about.gallery is not None:
        folder = album.about.gallery / "report"
    place = to_path(folder, "folder for the report")  # type: ignore[arg-type]
    cores = available_cores() if workers is None else whole_number(workers, "workers")
    with _presenting(album, place):
        return write.write_report(album, place, workers=cores, progress=progress)


def write_sidecars(album: Album, folder: AnyPath | None = None) -> Sidecars:
    """Write who is on each photo as XMP files, to ``folder``, or beside the photos without one.

    Photos are never changed, and files of other programs are left alone and reported. Raises
    ChangedGalleryError where faces of the album were forgotten meanwhile.
    """
    _require_album(album)
    place = None if folder is None else to_path(folder, "folder")
    with _presenting(album, place):
        return xmp.write_sidecars(album, place)


def _require_album(album: Album) -> None:
    instance(album, Album, "an Album", "make it with gallery_album(gallery)")


@contextmanager
def _presenting(album: Album, folder: Path | None) -> Iterator[None]:
    """Hold off who forgets faces; none of the album's may be forgotten already."""
    if album.about.gallery is None:
        yield
        return
    gallery = to_gallery(album.about.gallery)
    with gallery.presenting():
        ids = np.array([face.face_id for face in album.faces], np.int64)
        forgotten = int(Tombstones.read(gallery.folder).among(ids).sum())
        if forgotten:
            raise ChangedGalleryError(
                f"{forgotten} faces of the album were forgotten meanwhile; make it again: "
                f"facesearch report {gallery.folder}"
            )
        if folder is not None:
            note_output(gallery, folder)
        yield
