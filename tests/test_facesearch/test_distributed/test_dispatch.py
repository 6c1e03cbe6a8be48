"""Blocks on workers that die, hang and come back: each photo has one row, whatever happens."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.distributed.indexing.block_writer import BlockWriter, sealed_report
from facesearch.distributed.indexing.blocks import PhotoBlock, cut_blocks
from facesearch.distributed.indexing.dispatch import (
    TRIES,
    BlockDispatcher,
    BlockOrder,
)
from facesearch.distributed.indexing.job import run_job
from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.embed_stages import EmbedPlan
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.leases import LEASES
from indexer.storage.shards import Shard
from support.cluster.fake_engine_maker import FakeEngineMaker
from support.cluster.flaky_workers import AFTER, BEFORE, DONE, ZOMBIE, FlakyWorkers
from support.cluster.gallery_rows import content_rows
from support.examples import examples
from support.fake_engine import FakeEngine, write_photo

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=3)


def made_photos(folder: Path, count: int, seed: int) -> Path:
    """Photos of which some are copies, some damaged and one is empty."""
    chosen = random.Random(seed)
    for number in range(count):
        path = folder / f"{number:02d}.png"
        write_photo(path, [1 + number % 5, 6], variant=chosen.randrange(max(1, 2 * count // 3)))
        if chosen.random() < 0.15:
            path.write_bytes(path.read_bytes()[: chosen.choice([0, 40])])
    return folder


def run(
    gallery: Gallery, photos: Path, fates: list[str], killers: frozenset[str] = frozenset()
) -> tuple[EmbedReport, FlakyWorkers]:
    writer = BlockWriter(gallery.folder, FakeEngineMaker(), OPTIONS)
    workers = FlakyWorkers(writer, fates, killers)
    with gallery.writing():
        plan = EmbedPlan(gallery.state(), [photos], OPTIONS)
        return run_job(gallery, plan, OPTIONS, workers), workers


@examples(8, 15)
@given(
    st.lists(st.sampled_from([DONE, BEFORE, AFTER, ZOMBIE]), max_size=12),
    st.integers(0, 12),
    st.integers(0, 5),
)
def test_the_rows_are_those_of_one_process(
    tmp_path_factory: pytest.TempPathFactory, fates: list[str], count: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("job")
    (folder / "photos").mkdir()
    photos = made_photos(folder / "photos", count, seed)
    one = Gallery.create(folder / "one", FakeEngine().contract)
    expected = embed_photos(one, FakeEngine(), [photos], OPTIONS)  # type: ignore[arg-type]
    many = Gallery.create(folder / "many", FakeEngine().contract)
    report, _ = run(many, photos, fates)
    assert content_rows(many) == content_rows(one)
    figures = ("found", "embedded", "known", "failed", "faces")
    assert [getattr(report, name) for name in figures] == [
        getattr(expected, name) for name in figures
    ]
    assert sorted(map(str, report.failures)) == sorted(map(str, expected.failures))
    assert {*report.shards} == {*many.shard_paths()}
    assert not (many.folder / LEASES).exists()
    again, _ = run(many, photos, [])
    assert (again.done, again.shards) == (0, [])
    for path in sorted(photos.iterdir())[::3]:
        path.rename(path.with_suffix(".moved.png")) if path.stat().st_size % 2 else path.unlink()
    gone = embed_photos(one, FakeEngine(), [photos], OPTIONS)  # type: ignore[arg-type]
    moved, _ = run(many, photos, fates)
    assert (moved.gone, moved.known, moved.embedded) == (gone.gone, gone.known, gone.embedded)
    assert content_rows(many) == content_rows(one)


def test_a_worker_thought_lost_seals_nothing(tmp_path: Path) -> None:
    for number in range(6):
        write_photo(tmp_path / "photos" / f"{number}.png", [1], variant=number)
    gallery = Gallery.create(tmp_path / "gallery", FakeEngine().contract)
    _, workers = run(gallery, tmp_path / "photos", [ZOMBIE, ZOMBIE, DONE])
    assert workers.stopped_zombies == 2
    names = Counter(row["path"] for row, _ in content_rows(gallery))
    assert set(names.values()) == {1}


def test_a_photo_that_kills_workers_is_a_failure_and_takes_no_other_along(tmp_path: Path) -> None:
    for number in range(7):
        write_photo(tmp_path / "photos" / f"{number}.png", [1], variant=number, side=40 + number)
    gallery = Gallery.create(tmp_path / "gallery", FakeEngine().contract)
    report, workers = run(gallery, tmp_path / "photos", [], frozenset({"4.png"}))
    assert workers.released
    assert (report.embedded, report.failed) == (6, 1)
    (failure,) = report.failures
    assert failure.photo.name == "4.png"
    assert failure.reason == "internal"
    assert str(TRIES) in failure.detail
    # The reason is one that is tried again, as the next worker may have more memory.
    again, _ = run(gallery, tmp_path / "photos", [])
    assert (again.unchanged, again.embedded) == (6, 1)


def test_a_sealed_shard_tells_what_was_done(tmp_path: Path) -> None:
    photos = made_photos(tmp_path / "photos", 10, seed=1)
    gallery = Gallery.create(tmp_path / "gallery", FakeEngine().contract)
    writer = BlockWriter(gallery.folder, FakeEngineMaker(), OPTIONS)
    orders = []

    class Recorder(FlakyWorkers):
        def start(self, order: BlockOrder) -> None:
            orders.append(order)
            super().start(order)

    workers = Recorder(writer, [], frozenset())
    with gallery.writing():
        plan = EmbedPlan(gallery.state(), [photos], OPTIONS)
        blocks = cut_blocks(list(plan.tasks(plan.todo)), 3, writer.digests)
        reports = list(BlockDispatcher(gallery, workers).run(blocks))
    for order, report in zip(orders, reports, strict=True):
        assert sealed_report(order.block, order.attempt.path) == report


def test_bytes_of_photos_at_work_are_bounded(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for number in range(5):
        write_photo(photos / f"{number}.png", [1], variant=number)
    gallery = Gallery.create(tmp_path / "gallery", FakeEngine().contract)
    writer = BlockWriter(gallery.folder, FakeEngineMaker(), OPTIONS)
    most = []

    class Watched(FlakyWorkers):
        def start(self, order: BlockOrder) -> None:
            super().start(order)
            most.append(len(self.orders))

    with gallery.writing():
        plan = EmbedPlan(gallery.state(), [photos], OPTIONS)
        blocks = [PhotoBlock((task,)) for task in plan.tasks(plan.todo)]
        workers = Watched(writer, [], frozenset())
        list(BlockDispatcher(gallery, workers, ahead_bytes=1).run(iter(blocks)))
    assert most == [1] * 5
    with Shard.open(gallery.shard_paths()[0]) as shard:
        assert len(shard.table("photos")["path"]) == 1
