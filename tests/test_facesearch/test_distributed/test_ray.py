"""On a real Ray cluster of two cores: killed workers and drivers, actors of parts, and tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cluster.graph.knn_graph import exact_knn_graph
from cluster.partitioned.knn_blocks import VectorSlice, knn_slices
from cluster.partitioned.linkage import partitioned_linkage
from facesearch.api.clustering import cluster_gallery
from facesearch.distributed.clustering.ray_runner import RayRunner
from facesearch.distributed.indexing.block_writer import BlockWriter
from facesearch.distributed.indexing.blocks import PhotoBlock
from facesearch.distributed.indexing.dispatch import BlockOrder
from facesearch.distributed.indexing.job import embed_photos_on
from facesearch.distributed.indexing.ray_workers import RayWorkers
from facesearch.distributed.ray_runtime import ClusterError, RayOptions
from facesearch.distributed.search.cluster_searches import ClusterSearches
from facesearch.distributed.search.parts import GalleryPart, ShardRange, cut_ranges
from facesearch.distributed.search.replicas import RayReplica
from facesearch.distributed.search.scatter import ScatterSearch, SearchPart
from facesearch.distributed.search.scattered_gallery import ScatterOptions
from facesearch.embed import embed_photos
from facesearch.errors import ContractError, GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.shards.leases import LEASES, ShardAttempt
from facesearch.images import DecodeTask, FoundPhoto
from indexer.exact.brute_force import exact_search
from support.cluster.fake_engine_maker import FakeEngineMaker
from support.cluster.gallery_rows import content_rows
from support.cluster.ray_cluster import running_cluster, two_machines
from support.cluster.ray_job import OPTIONS, SECONDS
from support.fake_engine import FakeEngine, write_photo
from support.galleries import small_gallery
from support.people_galleries import CLEAR, people_gallery

WAIT = 300.0
# Its processes load everything again. Quick tests run the same in threads and processes of tests:
# test_dispatch, test_scatter, test_scattered_gallery, and test_partitioned of clusterings.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """The ray module, connected to a cluster of this session."""
    with running_cluster() as ray:
        yield ray


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """24 photos, of which two are copies and one is damaged."""
    folder = tmp_path / "photos"
    for number in range(24):
        photo = number % 22
        write_photo(folder / f"{number:02d}.png", [1 + photo % 7, 9], variant=photo)
    (folder / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    return folder


@pytest.fixture
def expected(tmp_path: Path, photos: Path) -> Gallery:
    """What one process makes of the photos."""
    gallery = Gallery.create(tmp_path / "one.gallery", FakeEngine().contract)
    embed_photos(gallery, FakeEngine(), [photos], OPTIONS)  # type: ignore[arg-type]
    return gallery


def waited_for(what: Callable[[], Any]) -> Any:
    """What ``what`` gives once that is true."""
    end = time.monotonic() + WAIT
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def index(gallery: Gallery, photos: Path, engine: FakeEngineMaker) -> Any:
    return embed_photos_on(gallery, engine, [photos], OPTIONS, cluster=RayOptions("auto", 2))


def test_a_killed_worker_leaves_no_gap_and_no_duplicate(
    cluster: Any, tmp_path: Path, photos: Path, expected: Gallery
) -> None:
    gallery = Gallery.create(tmp_path / "many.gallery", FakeEngine().contract)
    pids = tmp_path / "pids"
    pids.mkdir()

    def kill_one() -> None:
        waited_for(gallery.shard_paths)
        os.kill(int(min(pids.iterdir()).name), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    report = index(gallery, photos, FakeEngineMaker(SECONDS, pids))
    killer.join()
    # Where the other one has done all the rest by then, none comes in the place of the killed.
    assert len(list(pids.iterdir())) >= 2
    assert content_rows(gallery) == content_rows(expected)
    assert (report.found, report.embedded, report.known, report.failed) == (25, 22, 2, 1)
    assert not (gallery.folder / LEASES).exists()
    again = index(gallery, photos, FakeEngineMaker())
    assert (again.unchanged, again.done, again.shards) == (25, 0, [])
    (photos / "00.png").unlink()
    assert index(gallery, photos, FakeEngineMaker()).gone == 1


def test_a_killed_driver_leaves_no_gap_and_no_duplicate(
    cluster: Any, tmp_path: Path, photos: Path, expected: Gallery
) -> None:
    gallery = Gallery.create(tmp_path / "many.gallery", FakeEngine().contract)
    pids = tmp_path / "pids"
    pids.mkdir()
    address = cluster.get_runtime_context().gcs_address
    command = [sys.executable, "-m", "support.cluster.ray_job", address]
    paths = map(str, (gallery.folder, photos, pids))
    driver = subprocess.Popen([*command, *paths], stderr=subprocess.DEVNULL)
    waited_for(gallery.shard_paths)
    driver.kill()
    driver.wait()
    sealed = len(gallery.shard_paths())
    # At once, while workers of the killed driver may still be at work.
    report = index(gallery, photos, FakeEngineMaker())
    assert report.done < 25
    assert len(gallery.shard_paths()) > sealed
    time.sleep(2 * SECONDS)
    assert content_rows(gallery) == content_rows(expected)


def test_more_workers_than_cores_finish(
    cluster: Any, tmp_path: Path, photos: Path, expected: Gallery
) -> None:
    gallery = Gallery.create(tmp_path / "many.gallery", FakeEngine().contract)
    options = replace(OPTIONS, shard_photos=1)
    four = RayOptions("auto", 4)
    report = embed_photos_on(gallery, FakeEngineMaker(), [photos], options, cluster=four)
    assert (report.embedded, report.known, report.failed) == (22, 2, 1)
    assert content_rows(gallery) == content_rows(expected)


@pytest.mark.slow
def test_a_lost_machine_leaves_no_gap_and_no_duplicate(
    tmp_path: Path, photos: Path, expected: Gallery
) -> None:
    gallery = Gallery.create(tmp_path / "many.gallery", FakeEngine().contract)
    pids = tmp_path / "pids"
    pids.mkdir()
    with two_machines() as (address, kill_one):
        command = [sys.executable, "-m", "support.cluster.ray_job", address]
        paths = map(str, (gallery.folder, photos, pids))
        driver = subprocess.Popen([*command, *paths], stderr=subprocess.DEVNULL)
        waited_for(lambda: len(list(pids.iterdir())) == 2 and gallery.shard_paths())
        kill_one()
        assert driver.wait(WAIT) == 0
    assert content_rows(gallery) == content_rows(expected)
    assert not (gallery.folder / LEASES).exists()


@pytest.mark.slow
def test_files_of_one_size_are_compared_while_workers_have_all_cores(
    cluster: Any, tmp_path: Path
) -> None:
    writer = BlockWriter(tmp_path, FakeEngineMaker(), OPTIONS)
    tasks = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        path.write_bytes(bytes([number % 3]))
        tasks.append(DecodeTask(FoundPhoto(tmp_path, path.name, 1, 0)))
    block = PhotoBlock((tasks[0],))
    with RayWorkers(cluster, writer, 2, cores=1, room=2) as workers:
        # No gallery is there, so both orders end with an error; but two actors have the cores.
        workers.start(BlockOrder(block, ShardAttempt(0, tmp_path, tmp_path)))
        workers.start(BlockOrder(block, ShardAttempt(1, tmp_path, tmp_path)))
        with pytest.raises(GalleryError):
            workers.wait()
        with pytest.raises(GalleryError):
            workers.wait()
        digests = list(workers.digests(tasks))
    assert digests[0] == digests[3]
    assert len({*digests}) == 3


def test_an_error_of_a_worker_ends_the_job(cluster: Any, tmp_path: Path, photos: Path) -> None:
    gallery = Gallery.create(tmp_path / "many.gallery", FakeEngine().contract)
    with pytest.raises(ContractError, match="other"):
        index(gallery, photos, FakeEngineMaker(name="other"))
    assert not (gallery.folder / LEASES).exists()
    assert gallery.shard_paths() == []


def test_parts_in_actors(cluster: Any, tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    state = gallery.state()
    ranges = cut_ranges(state.live, 2)
    replicas = [
        RayReplica(cluster, GalleryPart.of(gallery, state, each).open, cores=0.5) for each in ranges
    ]
    search = ScatterSearch(
        [SearchPart(shards, (each,)) for shards, each in zip(ranges, replicas, strict=True)],
        seconds=WAIT,
    )
    queries = gallery.vectors(state.live_ids()[:3])
    expected = exact_search(gallery.blocks(state), queries, 5)
    assert np.array_equal(search.search(queries, 5).ids, expected.ids)
    os.kill(replicas[1].pid, signal.SIGKILL)
    assert search.search_parts(queries, 5).missing == (ranges[1],)
    search.close()


def test_partitions_in_tasks(cluster: Any) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    runner = RayRunner(cluster, cores=0.5)
    slices = [runner.put(VectorSlice(start, vectors[start : start + 20])) for start in (0, 20, 40)]
    lines = knn_slices(slices, 6, runner)
    graph = exact_knn_graph(vectors, 6)
    found = runner.get(lines)
    assert np.array_equal(np.concatenate([line.neighbours for line in found]), graph.rows)
    there = partitioned_linkage(lines, 60, 0.8, most=25, runner=runner)
    here = partitioned_linkage(found, 60, 0.8, most=25)
    assert np.array_equal(there.linkage, here.linkage)


def test_a_gallery_is_searched_by_actors_that_are_replaced(cluster: Any, tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    state = gallery.state()
    options = ScatterOptions(parts=2, seconds=WAIT, check_seconds=0.1)
    searches = ClusterSearches(cluster, options)
    search = searches.open(gallery, state)
    queries = gallery.vectors(state.live_ids()[:3])
    expected = exact_search(gallery.blocks(state), queries, 5)
    assert np.array_equal(search.search(queries, 5).ids, expected.ids)
    (parts,) = searches._galleries.values()
    (replica,) = parts.scatter.parts[1].replicas
    os.kill(replica.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    lost = search.search_parts(queries, 5)
    if lost.unsearched:  # it may be back already
        assert lost.unsearched[0].first_shard == parts.scatter.parts[1].shards.first
    waited_for(lambda: not search.search_parts(queries, 5).unsearched)
    assert np.array_equal(search.search(queries, 5).ids, expected.ids)
    searches.close()


def test_an_actor_that_cannot_be_is_an_error(cluster: Any, tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    part = GalleryPart.of(gallery, gallery.state(), ShardRange(0, 1))
    with pytest.raises(ClusterError, match="has room"):
        RayReplica(cluster, part.open, cores=64, seconds=0.5)
    with pytest.raises(ClusterError, match="could not open its part"):
        RayReplica(cluster, replace(part, folder=tmp_path / "nowhere").open, cores=0.1)


def test_people_are_found_by_tasks(cluster: Any, tmp_path: Path) -> None:
    gallery = people_gallery(tmp_path, people=4, each=4)
    options = replace(CLEAR, partitions=3)
    here = cluster_gallery(gallery, options)
    there = cluster_gallery(gallery, options, cluster=RayOptions("auto"))
    for name in ("ids", "labels", "confidence"):
        ours, theirs = (getattr(each.clustering, name) for each in (here, there))
        assert np.array_equal(ours, theirs)
    assert np.array_equal(here.numbers, there.numbers)
