"""A gallery's faces embedded again with another encoder."""

from __future__ import annotations

from dataclasses import replace

from facesearch.api.arguments import AnyGallery, to_engine_options, to_gallery, to_options
from facesearch.argument_checks import instance
from facesearch.detect import DEFAULT_DETECTOR, detector_of
from facesearch.embed import EmbedOptions
from facesearch.encoders import default_encoder
from facesearch.engine_options import DEFAULT_ENGINE, EngineOptions
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.upgrade import gallery as upgrading
from facesearch.upgrade import mixed
from facesearch.upgrade.report import Progress, UpgradeReport


def upgrade_gallery(
    gallery: AnyGallery,
    encoder: str | None = None,
    *,
    engine: EngineOptions = DEFAULT_ENGINE,
    options: EmbedOptions | None = None,
    drop_unreadable: bool = False,
    in_place: bool = False,
    progress: Progress = lambda done, total: None,
) -> UpgradeReport:
    """Embed all faces of a gallery again with ``encoder``, by default the best that is here.

    Photos are read again; the boxes of the faces, names and decisions stay. Open a ``Gallery``
    again afterwards. Searches use the old vectors until all is done, and a job that was killed
    continues when it is started again. If photos cannot be read, the gallery stays as it was,
    unless ``drop_unreadable`` leaves out their faces.

    With ``in_place`` shards are replaced one by one, and the gallery holds vectors of both encoders
    meanwhile: for encoders that were trained to be comparable, which is measured before anything is
    changed. Searches then use the new vectors as far as there are any. Raises InputError where they
    are not comparable, where the gallery has that
    encoder's vectors already, BusyGalleryError when another process is writing.
    """
    opened = to_gallery(gallery)
    options = to_options(options)
    instance(encoder, str | None, "the name of an encoder")
    asked = replace(
        to_engine_options(engine),
        encoder=encoder or engine.encoder or default_encoder(),
        detector=_detector(opened),
        turned=False,  # nothing is looked for
    )
    ready = asked.create(callers=max(1, options.threads))
    upgrade = mixed.upgrade_in_place if in_place else upgrading.upgrade_gallery
    return upgrade(opened, ready, options, drop_unreadable=drop_unreadable, progress=progress)


def _detector(gallery: Gallery) -> str:
    """The gallery's detector, by whose scores qualities go; the default where a file was that."""
    try:
        return detector_of(gallery.contract.detector)
    except InputError:
        return DEFAULT_DETECTOR
