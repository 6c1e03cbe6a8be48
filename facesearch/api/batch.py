"""The nearest faces of very many probes, written to a file."""

from __future__ import annotations

from facesearch.api.arguments import (
    AnyEngine,
    AnyGallery,
    AnyPath,
    to_engine,
    to_gallery,
    to_path,
    to_photo,
)
from facesearch.embed import EmbedOptions
from facesearch.engine_options import DEFAULT_ENGINE
from facesearch.recognition.batch_search import BatchReport, Progress, search_batch
from facesearch.recognition.match_writers import match_format
from facesearch.recognition.probes import open_probes


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

    ``probes`` is a folder of photos, another gallery, or a folder of shards; ``out`` is ``*.jsonl``
    or ``*.csv``. A job that was killed continues when it is started again. The ``engine`` is only
    used for photos. ``progress`` is called with the probes done and their total.

    Raises InputError where ``out`` exists or has another ending, ContractError for vectors that
    cannot be compared, BusyGalleryError while another process writes the same output.
    """
    place = to_path(out, "file for the matches")
    match_format(place)  # a mistake in it shows before the models are loaded
    opened = to_gallery(gallery)
    options = EmbedOptions.for_cores()
    asked = open_probes(
        to_photo(probes, "folder of probes"),
        opened,
        lambda: to_engine(engine, opened.contract, callers=options.threads),
        options,
    )
    return search_batch(opened, asked, place, k, progress, device=device)
