"""The batch job: photos to sealed shards, resumable at any moment.

Photos are taken in a fixed order and a shard is sealed after a fixed number of them, so a job
that was killed and started again writes the rows an uninterrupted one would have written: the very
same while shards hold whole batches, the same but for the encoder's rounding otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from facesearch.embed_stages import (
    DEFAULT_OPTIONS,
    EmbedOptions,
    EmbedPlan,
    EmbedReport,
    Failure,
    RowMaker,
    processed_photos,
)
from facesearch.engine import FaceEngine
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shard_builder import PhotoRow, ShardBuilder
from facesearch.gallery.tombstones import Tombstones
from facesearch.images.file_access import absolute

__all__ = [
    "EmbedOptions",
    "EmbedReport",
    "Failure",
    "Progress",
    "embed_photos",
    "mark_gone",
    "processed_photos",
]

Progress = Callable[[EmbedReport, int], None]


def embed_photos(
    gallery: Gallery,
    engine: FaceEngine,
    roots: Sequence[Path],
    options: EmbedOptions = DEFAULT_OPTIONS,
    progress: Progress = lambda report, total: None,
) -> EmbedReport:
    """Bring ``gallery`` up to date with the photos under ``roots``.

    New and changed photos are embedded; photos with known content (moved, copied) are only
    noted; photos no longer found under ``roots`` are marked gone, and so are all of a root that
    is no longer there. A photo that fails is a row with its reason. ``progress`` is called with
    the report so far and the total of photos to do.

    Raises ContractError when the gallery holds another encoder's vectors, InputError when a root
    neither exists nor had photos in the gallery, BusyGalleryError when another process is writing.
    """
    gallery.require(engine.contract)
    with gallery.writing():
        state = gallery.state()
        plan = EmbedPlan(state, list(map(absolute, roots)), retry_failed=options.retry_failed)
        report = plan.report()
        rows = RowMaker(report, state.contents, state.photos, Tombstones.read(gallery.folder))
        shard = ShardBuilder(gallery, options.shard_photos, report.shards.append)
        progress(report, len(plan.todo))
        try:
            for outcome, faces in processed_photos(engine, plan.tasks(), options):
                if (row := rows.row(outcome, faces)) is not None:
                    shard.add(*row)
                progress(report, len(plan.todo))
            mark_gone(plan, shard, report)
        finally:
            # Also on an interruption or an error: what is done is kept.
            shard.seal()
        return report


def mark_gone(plan: EmbedPlan, shard: ShardBuilder, report: EmbedReport) -> None:
    """A row for each photo that is no longer there."""
    for record in plan.gone():
        report.gone += 1
        shard.add(PhotoRow.gone(record))
