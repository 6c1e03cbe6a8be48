"""The batch job on a cluster: the stages of :mod:`facesearch.embed`, blocks of photos at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facesearch.distributed.indexing.block_writer import BlockWriter, EngineMaker
from facesearch.distributed.indexing.blocks import cut_blocks
from facesearch.distributed.indexing.dispatch import BlockDispatcher
from facesearch.distributed.indexing.ray_workers import RayWorkers
from facesearch.distributed.ray_runtime import RayOptions, cluster_cores, ray_cluster
from facesearch.embed import Progress, mark_gone
from facesearch.embed_stages import EmbedOptions, EmbedPlan, EmbedReport
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.shard_builder import ShardBuilder
from facesearch.gallery.shard_leases import end_leases
from facesearch.images import DecodeTask
from facesearch.images.file_access import absolute
from facesearch.images.remote.addresses import is_remote


def check_gallery_place(folder: Path) -> None:
    """Raise InputError for a gallery in an object store, which has no links and no locks."""
    if is_remote(folder):
        raise InputError(
            f"expected the gallery in a folder that the driver and all workers share, got the "
            f"address {folder}; photos may be in an object store, the gallery may not"
        )


def embed_photos_on(
    gallery: Gallery,
    engine: EngineMaker,
    roots: Sequence[Path],
    options: EmbedOptions,
    *,
    cluster: RayOptions,
    progress: Progress = lambda report, total: None,
) -> EmbedReport:
    """As :func:`facesearch.embed.embed_photos`, by workers of a Ray cluster.

    The gallery must be on a file system that all of them share, and so must photos that are no
    objects of a store. Each worker makes its engine, with ``options.threads`` threads. The rows are
    those of a job in one process, though in other shards and another order where files have equal
    sizes. A worker that dies is replaced and its photos are tried again; if this process is killed,
    the next job does the missing work. ``progress`` is called after each block.

    Raises as :func:`facesearch.embed.embed_photos`, InputError for options out of range, and
    ClusterError where the cluster cannot be reached, or loses one worker after the other.
    """
    shared = Gallery.open(gallery.folder.resolve())
    with ray_cluster(cluster) as ray, shared.writing():
        state = shared.state()
        plan = EmbedPlan(state, list(map(absolute, roots)), retry_failed=options.retry_failed)
        report, total = plan.report(), len(plan.todo)
        progress(report, total)
        count = cluster.workers or max(1, cluster_cores(ray) // options.threads)
        cores = min(options.threads, max(1, cluster_cores(ray) // count))
        writer = BlockWriter(shared.folder, engine, options)

        def before(task: DecodeTask) -> PhotoRecord | None:
            record = state.photos.get(task.found.location_bytes)
            return record if record is not None and record.status == "failed" else None

        try:
            with RayWorkers(ray, writer, count, cores=cores, gpus=cluster.gpus) as workers:
                tasks = list(plan.tasks())
                blocks = cut_blocks(tasks, options.shard_photos, workers.digests, before)
                for part in BlockDispatcher(shared, workers).run(blocks):
                    report.add(part)
                    progress(report, total)
        finally:
            end_leases(shared.folder)
        shared.note_shard_numbers()
        last = ShardBuilder(shared, options.shard_photos, report.shards.append)
        mark_gone(plan, last, report)
        last.seal()
        report.shards.sort()
        return report
