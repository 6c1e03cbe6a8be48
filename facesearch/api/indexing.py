"""Add photos to a gallery, and build its search index and neighbour graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    to_engine,
    to_gallery,
    to_options,
    to_path,
    to_photos,
)
from facesearch.argument_checks import choice, instance, whole_number
from facesearch.distributed.indexing.job import check_gallery_place, embed_photos_on
from facesearch.distributed.ray_runtime import RayOptions
from facesearch.embed import EmbedOptions, EmbedReport, Progress, embed_photos
from facesearch.engine_options import DEFAULT_ENGINE, EngineOptions
from facesearch.errors import InputError
from facesearch.gallery.gallery import DESCRIPTION, DType, Gallery
from facesearch.images import check_roots
from facesearch.images.file_access import absolute
from facesearch.images.remote.addresses import is_remote
from facesearch.search import gallery_index
from facesearch.search.gallery_index import IndexGoal, refresh_index
from facesearch.search.knn_graph import refresh_graph
from indexer.build import Progress as BuildProgress
from indexer.graph.build import GraphReport
from indexer.graph.build import Progress as GraphProgress
from indexer.index.manifest import IndexManifest
from indexer.runtime.devices import check_device


@dataclass(frozen=True)
class IndexReport:
    """What was done with each photo, and the number of live faces in the gallery."""

    gallery: Gallery
    photos: EmbedReport
    face_count: int


def index_photos(
    photos: AnyPath | Sequence[AnyPath],
    gallery: AnyGallery,
    *,
    engine: AnyEngine = DEFAULT_ENGINE,
    options: EmbedOptions | None = None,
    vectors: DType = "float16",
    cluster: RayOptions | None = None,
    progress: Progress = lambda report, total: None,
) -> IndexReport:
    """Bring a gallery, and its index, up to date with photos or folders of photos.

    A gallery that does not exist is created, and stores its vectors as ``vectors``. New and changed
    photos are embedded, moved and copied ones are recognised, and deleted ones are marked as gone.
    A photo that cannot be used is in the report with its reason. A job that was killed continues
    when it is started again. By default ``options`` use all cores. ``progress`` is called with the
    report so far and the number of photos to process.

    Photos may be in an object store (``s3://bucket/folder``). With a ``cluster`` the work is done
    by its workers, each of which makes the ``engine``, so that must be options; ``options`` are
    then those of one worker (:func:`facesearch.distributed.indexing.job.embed_photos_on`).

    Raises InputError for photos that are not there, a gallery that is their folder, or ``vectors``
    of another format, ContractError for a gallery of another engine, BusyGalleryError when another
    process writes.
    """
    choice(vectors, get_args(DType), "vectors")
    options = to_options(options)
    roots = to_photos(photos, "folder of photos")
    folder = gallery.folder if isinstance(gallery, Gallery) else to_path(gallery, "gallery")
    contract = None
    check_gallery_place(folder)
    if cluster is not None:
        instance(cluster, RayOptions, "RayOptions as cluster")
    if (folder / DESCRIPTION).exists():
        contract = Gallery.open(folder).contract
    else:
        _require_photos_elsewhere(roots, folder)
    ready = to_engine(engine, contract, callers=max(1, options.threads))
    opened = Gallery.open_or_create(folder, ready.contract, vectors)
    opened.note_settings(ready.settings)
    if cluster is None:
        report = embed_photos(opened, ready, roots, options, progress)
    elif isinstance(engine, EngineOptions):
        report = embed_photos_on(opened, engine, roots, options, cluster=cluster, progress=progress)
    else:
        raise InputError("expected the options of an engine for a cluster, got an engine")
    return IndexReport(opened, report, refresh_index(opened).face_count)


def build_index(
    gallery: AnyGallery,
    *,
    recall: float | None = None,
    memory: float | None = None,
    progress: BuildProgress = lambda stage, done: None,
) -> IndexManifest:
    """Rebuild the search index of a gallery, even if it is up to date.

    ``recall`` is the share of searches that must find the nearest face, in [0.5, 1], and ``memory``
    the limit of the index in bytes. Without either, those of the present index are kept.
    Raises InputError for values out of range, IndexGoalError where the goal cannot be met,
    BusyGalleryError when another process is writing.
    """
    goal = None if recall is None and memory is None else IndexGoal(recall, memory)
    return gallery_index.build_index(to_gallery(gallery), goal, progress)


def make_graph(
    gallery: AnyGallery,
    k: int = 32,
    *,
    device: str = "auto",
    progress: GraphProgress = lambda done, total: None,
) -> GraphReport:
    """Find and save the ``k`` nearest neighbours of every live face, which speeds up clustering.

    An existing graph is extended by the new faces only. Raises InputError for a gallery without
    faces or k out of range, BusyGalleryError when another process is writing.
    """
    k, device = whole_number(k, "how many neighbours as k"), check_device(device)
    return refresh_graph(to_gallery(gallery), k, progress, device)


def _require_photos_elsewhere(photos: Sequence[Path], gallery: Path) -> None:
    """Refuse mistakes before a gallery is made because of them."""
    roots = [absolute(root) for root in photos]
    check_roots(roots)
    if gallery.resolve() in {root.resolve() for root in roots if not is_remote(root)}:
        raise InputError(
            f"expected a separate folder for the gallery, got the folder of photos {gallery}; "
            f"name another, such as {gallery}.gallery"
        )
