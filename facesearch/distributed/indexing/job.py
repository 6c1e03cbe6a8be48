"""The batch job on a cluster: the stages of :mod:`facesearch.embed`, blocks of photos at a time."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from facesearch.distributed.indexing.block_writer import BlockWriter, EngineMaker
from facesearch.distributed.indexing.blocks import cut_blocks
from facesearch.distributed.indexing.dispatch import BlockDispatcher, BlockWorkers
from facesearch.distributed.indexing.ray_workers import RayWorkers
from facesearch.distributed.ray_runtime import RayOptions, cluster_cores, ray_cluster
from facesearch.embed import Progress
from facesearch.embed_stages import EmbedOptions, EmbedPlan, EmbedReport
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.builder import FilledRow, PhotoRow, ShardBuilder
from facesearch.gallery.shards.leases import end_leases
from facesearch.images import DecodeTask, FoundPhoto
from facesearch.images.file_access import absolute
from facesearch.images.remote.addresses import is_remote

logger = logging.getLogger(__name__)

_SHOWN = 256  # photos read to find copies between two calls of the progress


def check_gallery_place(folder: Path) -> None:
    """Raise InputError for an address, which has no links and no locks: a copy is needed."""
    if is_remote(folder):
        raise InputError(
            f"expected the folder of a gallery, got the address {folder}; use the folder that "
            "facesearch.bucket_gallery(address) gives, and that all workers share"
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
        plan = EmbedPlan(shared.state(), list(map(absolute, roots)), options)
        count = cluster.workers or max(1, cluster_cores(ray) // options.threads)
        cores = min(options.threads, max(1, cluster_cores(ray) // count))
        writer = BlockWriter(shared.folder, engine, options)
        room = cluster_cores(ray) // cores
        with RayWorkers(ray, writer, count, cores=cores, gpus=cluster.gpus, room=room) as workers:
            return run_job(shared, plan, options, workers, progress)


class DigestingWorkers(BlockWorkers, Protocol):
    """Workers that also tell which files are copies."""

    def digests(self, tasks: Sequence[DecodeTask]) -> Iterable[str]:
        """The SHA-256 of each photo, "" of one that cannot be read."""
        ...


def run_job(
    gallery: Gallery,
    plan: EmbedPlan,
    options: EmbedOptions,
    workers: DigestingWorkers,
    progress: Progress = lambda report, total: None,
) -> EmbedReport:
    """Have a plan's photos embedded by ``workers``, for the gallery's writer."""
    report = plan.report()
    job = _ClusterJob(gallery, plan, options, report, workers)
    try:
        job.read(plan.todo, progress)
        if second := plan.stand_ins(report.failures):
            job.read(second, progress)
    finally:
        end_leases(gallery.folder)
    report.found = plan.found_count
    _note_gone(gallery, plan, options, report)
    report.shards.sort()
    return report


class _ClusterJob:
    """The reading of photos by workers, for the gallery's writer."""

    def __init__(
        self,
        gallery: Gallery,
        plan: EmbedPlan,
        options: EmbedOptions,
        report: EmbedReport,
        workers: DigestingWorkers,
    ) -> None:
        self._plan = plan
        self._options = options
        self._report = report
        self._workers = workers
        self._dispatcher = BlockDispatcher(gallery, workers)

    def read(self, todo: Sequence[FoundPhoto], progress: Progress) -> None:
        """Have ``todo`` embedded, and count what was done."""
        total = self._report.done + len(todo)
        progress(self._report, total)
        before = self._plan.state.photos

        def digests(tasks: Sequence[DecodeTask]) -> Iterator[str]:
            logger.info("reading %d files of one size, to find copies", len(tasks))
            for number, digest in enumerate(self._workers.digests(tasks)):
                if number % _SHOWN == 0:  # no photo is done, but time goes by
                    progress(self._report, total)
                yield digest

        blocks = cut_blocks(
            list(self._plan.tasks(todo)),
            self._options.shard_photos,
            digests,
            lambda task: before.get(task.found.location_bytes),
        )
        for part in self._dispatcher.run(blocks):
            self._report.add(part)
            progress(self._report, total)


def _note_gone(
    gallery: Gallery, plan: EmbedPlan, options: EmbedOptions, report: EmbedReport
) -> None:
    """A row for each photo that is no longer there, after all others are sealed."""
    gallery.note_shard_numbers()

    def contents(found: Sequence[FoundPhoto]) -> list[str]:
        state = gallery.state()  # with what the workers have sealed
        rows = state.photos.rows(photo.location_bytes for photo in found).tolist()
        return [state.log.photos.hex_digest(row) if row >= 0 else "" for row in rows]

    last = ShardBuilder(gallery, options.shard_photos, report.shards.append)
    for record in plan.gone(report, contents):
        last.add(FilledRow(PhotoRow.gone(record)))
    last.seal()
