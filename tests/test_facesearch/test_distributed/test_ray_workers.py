"""Actors that have no room, are lost, or cannot use a file: the job goes on, and says so."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.distributed.indexing import ray_workers
from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.blocks import BLOCK_BYTES, PhotoBlock
from facesearch.distributed.indexing.dispatch import BlockDispatcher, BlockOrder
from facesearch.distributed.indexing.job import run_job
from facesearch.distributed.indexing.ray_workers import LOST_STARTS, ORDERS, RayWorkers
from facesearch.distributed.ray_runtime import ClusterError
from facesearch.embed import EmbedOptions, EmbedReport
from facesearch.embed_stages import EmbedPlan
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.leases import ShardAttempt
from facesearch.images import DecodeTask, FoundPhoto
from support.cluster.fake_engine_maker import FakeEngineMaker
from support.cluster.fake_ray import FakeActor, FakeRay
from support.cluster.gallery_rows import content_rows
from support.fake_engine import FakeEngine, write_photo

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Eight photos of different sizes."""
    for number in range(8):
        path = tmp_path / "photos" / f"{number:02d}.png"
        write_photo(path, [1], variant=number, side=40 + number)
    return tmp_path / "photos"


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "gallery", FakeEngine().contract)


def index(
    gallery: Gallery,
    photos: Path,
    ray: FakeRay,
    count: int,
    *,
    room: int = 1,
    options: EmbedOptions = OPTIONS,
) -> EmbedReport:
    writer = BlockWriter(gallery.folder, FakeEngineMaker(), options)
    with gallery.writing(), RayWorkers(ray, writer, count, cores=1, room=room) as workers:
        plan = EmbedPlan(gallery.state(), [photos], options)
        report = run_job(gallery, plan, options, workers)
    assert not ray.living()
    assert not ray.pending()
    return report


@pytest.mark.parametrize(("count", "room"), [(1, 1), (4, 1), (4, 2), (9, 4)])
def test_workers_without_room_hold_up_nothing(
    gallery: Gallery, photos: Path, count: int, room: int
) -> None:
    ray = FakeRay(room)
    report = index(gallery, photos, ray, count, room=count)
    assert (report.embedded, report.failed) == (8, 0)
    assert ray.most_living == room


def test_that_workers_wait_for_room_is_said(
    gallery: Gallery,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(ray_workers, "NOTED_SECONDS", 0)
    ray = FakeRay(0)

    def machines_come() -> None:
        ray.room = 2 * (ray.empty_waits == 3)

    ray.before_wait = machines_come
    with caplog.at_level(logging.WARNING):
        assert index(gallery, photos, ray, 4, room=1).embedded == 8
    assert "0 workers work, 1 wait for room" in caplog.text


def test_a_lost_worker_whose_replacement_never_starts_holds_up_nothing(
    gallery: Gallery, photos: Path
) -> None:
    lost: list[FakeActor] = []

    def fate(actor: FakeActor, names: list[str]) -> None:
        if not lost and len(ray.living()) == 2 and names == ["03.png"]:
            lost.append(actor)
            actor.lose()
            ray.room = 1

    ray = FakeRay(2, fate)
    report = index(gallery, photos, ray, 2, room=2)
    assert lost
    assert (report.embedded, report.failed) == (8, 0)


class CountingWriter:
    """Says that it wrote blocks, and takes no time."""

    def write(self, block: PhotoBlock, attempt: ShardAttempt) -> EmbedReport:
        return EmbedReport(embedded=len(block))


def test_a_cluster_that_grows_is_asked_for_more_and_more(gallery: Gallery, tmp_path: Path) -> None:
    tasks = [DecodeTask(FoundPhoto(tmp_path, f"{number}.png", 9, 0)) for number in range(60)]
    ray = FakeRay(1)
    asked: list[tuple[int, int]] = []

    def grow() -> None:
        asked.append((len(ray.pending()), len(ray.living())))
        ray.room = len(ray.living()) + len(ray.pending())

    ray.before_wait = grow
    writer: Any = CountingWriter()
    with gallery.writing(), RayWorkers(ray, writer, 16, cores=1) as workers:
        blocks = (PhotoBlock((task,)) for task in tasks)
        assert len(list(BlockDispatcher(gallery, workers).run(blocks))) == 60
    assert ray.most_living == 16
    assert max(asked)[0] > 2
    assert all(pending <= max(1, living) for pending, living in asked)


def test_idle_workers_go_while_others_work(gallery: Gallery, photos: Path) -> None:
    living: list[int] = []

    def fate(actor: FakeActor, names: list[str]) -> None:
        living.append(len(ray.living()))

    ray = FakeRay(4, fate)
    index(gallery, photos, ray, 4, room=4)
    assert max(living) == 4
    assert living[-1] == 1


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_whatever_is_lost_each_photo_has_one_row(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int, room: int, shard: int
) -> None:
    folder = tmp_path_factory.mktemp("job")
    for number in range(6):
        write_photo(folder / "photos" / f"{number}.png", [1], variant=number, side=20 + number // 2)
    chosen = random.Random(seed)

    def fate(actor: FakeActor, names: list[str]) -> None:
        ray.room = chosen.randint(1, room)
        if chosen.random() < 0.2:
            chosen.choice(ray.living()).lose()
        elif chosen.random() < 0.05:
            raise OSError(5, "Input/output error")

    ray = FakeRay(room, fate)
    options = EmbedOptions(decoders=0, threads=1, shard_photos=shard)
    many = Gallery.create(folder / "many", FakeEngine().contract)
    try:
        report = index(many, folder / "photos", ray, count, room=room, options=options)
    except OSError:  # three times for one block
        return
    rows = [row["path"] for row, _ in content_rows(many)]
    assert len({*rows}) == len(rows) == 6
    assert report.embedded + report.failed == 6


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("shard_photos", [1, 3])
def test_photos_beside_one_that_kills_workers_are_no_failures(
    gallery: Gallery, photos: Path, count: int, shard_photos: int
) -> None:
    def fate(actor: FakeActor, names: list[str]) -> None:
        held.append(len([call for call in actor.held if call.names]))
        if "05.png" in names:
            actor.lose()
            killed.append(held[-1])

    held: list[int] = []
    killed: list[int] = []
    ray = FakeRay(count, fate)
    options = EmbedOptions(decoders=0, threads=1, shard_photos=shard_photos)
    report = index(gallery, photos, ray, count, room=count, options=options)
    assert max(held) == ORDERS
    assert set(killed[1:]) == {1}  # alone from the second try on
    assert report.embedded == 7
    assert [failure.photo.name for failure in report.failures] == ["05.png"]
    assert report.failures[0].reason == "internal"


def test_a_lost_worker_counts_once(gallery: Gallery, photos: Path) -> None:
    def fate(actor: FakeActor, names: list[str]) -> None:
        starts.append(names)
        actor.lose()

    starts: list[list[str]] = []
    # As many photos as there may be losses are not needed: each is tried again.
    options = EmbedOptions(decoders=0, threads=1, shard_photos=512)
    with pytest.raises(ClusterError, match=f"^{LOST_STARTS} workers were lost"):
        index(gallery, photos, FakeRay(1, fate), 1, options=options)
    assert len(starts) == LOST_STARTS


def failing(
    times: int, error: Callable[[], Exception], names: str = "03.png"
) -> tuple[FakeRay, list[FakeActor]]:
    met: list[FakeActor] = []

    def fate(actor: FakeActor, given: list[str]) -> None:
        if names in given and len(met) < times:
            met.append(actor)
            raise error()

    return FakeRay(2, fate), met


def test_an_error_in_files_is_tried_again_on_another_worker(gallery: Gallery, photos: Path) -> None:
    ray, met = failing(2, lambda: OSError(28, "No space left on device"))
    report = index(gallery, photos, ray, 2, room=2)
    assert (report.embedded, report.failed) == (8, 0)
    assert len(met) == 2
    assert met[0] is not met[1]


def test_an_error_in_files_that_stays_ends_the_job(gallery: Gallery, photos: Path) -> None:
    ray, met = failing(99, lambda: OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        index(gallery, photos, ray, 2, room=2)
    assert len(met) == 3


def test_any_other_error_ends_the_job_at_once(gallery: Gallery, photos: Path) -> None:
    ray, met = failing(99, lambda: ValueError("no encoder"))
    with pytest.raises(ValueError, match="no encoder"):
        index(gallery, photos, ray, 2, room=2)
    assert len(met) == 1


def test_all_workers_have_orders_however_many_there_are(gallery: Gallery, tmp_path: Path) -> None:
    count = 100
    writer = BlockWriter(gallery.folder, FakeEngineMaker(), OPTIONS)
    workers = RayWorkers(FakeRay(count), writer, count, cores=1, room=count)
    assert workers.most_orders == ORDERS * count
    task = DecodeTask(FoundPhoto(tmp_path, "large.png", BLOCK_BYTES, 0))
    for number in itertools.count():
        if not workers.has_room():
            break
        workers.start(BlockOrder(PhotoBlock((task,)), ShardAttempt(number, tmp_path, tmp_path)))
    assert number == ORDERS * count
