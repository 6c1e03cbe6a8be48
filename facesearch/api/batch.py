"""Very many probes: who they are, and their nearest faces, written to a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    to_engine,
    to_gallery,
    to_neighbours,
    to_path,
    to_photo,
)
from facesearch.api.session import GallerySession
from facesearch.argument_checks import several
from facesearch.embed import EmbedOptions
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.recognition.batch_search import BatchReport, Progress, search_batch
from facesearch.recognition.identify import PhotoIdentification
from facesearch.recognition.match_writers import match_format
from facesearch.recognition.probes import open_probes
from indexer.runtime.devices import check_device


def identify_photos(
    gallery: AnyGallery,
    photos: AnyPath | Iterable[AnyPath],
    *,
    threshold: float | None = None,
    engine: AnyEngine = DEFAULT_ENGINE,
    device: str = "auto",
) -> Iterator[PhotoIdentification]:
    """Who is in each of ``photos``, which may be videos and folders, one after another.

    The engine is loaded once, and photos are decoded beside the work. A photo that cannot be read
    is reported with its reason, and the others go on. Raises InputError for a threshold out of
    [0, 4], and where no one is enrolled.
    """
    if isinstance(photos, str | os.PathLike):
        photos = [photos]
    several(photos, "photos or folders of photos")
    session, options = open_batch_session(gallery, engine=engine, device=device)
    paths = (to_photo(photo) for photo in photos)
    yield from session.identify_many(paths, threshold=threshold, options=options)


def open_batch_session(
    gallery: AnyGallery, *, engine: AnyEngine = DEFAULT_ENGINE, device: str = "auto"
) -> tuple[GallerySession, EmbedOptions]:
    """A session whose engine is made for as many photos at once as the options say."""
    opened, device = to_gallery(gallery), check_device(device)
    options = EmbedOptions.for_cores()
    ready = to_engine(engine, opened.contract, callers=options.threads)
    return GallerySession(opened, ready, device=device), options


def search_many(
    gallery: AnyGallery,
    probes: AnyPath,
    out: AnyPath,
    k: int = 10,
    *,
    engine: AnyEngine = DEFAULT_ENGINE,
    device: str = "auto",
    progress: Progress = lambda done, total: None,
) -> BatchReport:
    """Write the ``k`` nearest gallery faces of every face of ``probes`` to the new file ``out``.

    ``probes`` is a folder of photos and videos, another gallery, or a folder of shards; ``out`` is
    ``*.jsonl`` or ``*.csv``. A job that was killed continues when it is started again. The
    ``engine`` is only used for photos and videos. ``progress`` is called with the probes done and
    their total.

    Raises InputError where ``out`` exists or has another ending, ContractError for vectors that
    cannot be compared, BusyGalleryError while another process writes the same output.
    """
    place = to_path(out, "file for the matches")
    match_format(place)  # mistakes show before the models are loaded
    k, device = to_neighbours(k), check_device(device)
    opened = to_gallery(gallery)
    options = EmbedOptions.for_cores()
    asked = open_probes(
        to_photo(probes, "folder of probes"),
        opened,
        lambda: to_engine(engine, opened.contract, callers=options.threads),
        options,
    )
    return search_batch(opened, asked, place, k, progress, device=device)
