"""A gallery in parts that is followed: answers are those of exact search, or say what they lack."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facesearch.distributed.ray_runtime import ClusterError
from facesearch.distributed.search.parts import GalleryPart
from facesearch.distributed.search.replicas import PartReplica
from facesearch.distributed.search.scattered_gallery import ScatteredGallery, ScatterOptions
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery, GalleryState
from facesearch.search.gallery_index import GallerySearch, open_search
from facesearch.search.partial import PartialSearchError
from indexer.exact.brute_force import exact_search
from support.cluster.mortal_replicas import Machines
from support.fake_engine import write_photo
from support.galleries import small_gallery
from support.people_galleries import index

OPTIONS = ScatterOptions(parts=2, replicas=2, patience=0.05, seconds=2.0)


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return small_gallery(tmp_path)


@pytest.fixture
def machines() -> Machines:
    return Machines()


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are kept when a test says so, and not by their thread."""
    monkeypatch.setattr(ScatteredGallery, "_keep", lambda parts: None)


@pytest.fixture
def parts(gallery: Gallery, machines: Machines, by_hand: None) -> Iterator[ScatteredGallery]:
    parts = ScatteredGallery(gallery, gallery.state(), machines.make, OPTIONS)
    yield parts
    parts.close()
    assert not machines.alive()


def assert_exact(search: GallerySearch, gallery: Gallery, state: GalleryState, k: int = 7) -> None:
    queries = gallery.vectors(state.live_ids()[::2])
    found, expected = search.search(queries, k), exact_search(gallery.blocks(state), queries, k)
    assert np.array_equal(found.ids, expected.ids)
    assert np.array_equal(found.distances, expected.distances)


def add_photos(gallery: Gallery, folder: Path, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        write_photo(folder / f"late-{number}.png", [40 + number, 90 + number], number)
    index(gallery, folder)


def test_it_follows_what_changes_in_the_gallery(
    gallery: Gallery, parts: ScatteredGallery, machines: Machines, tmp_path: Path
) -> None:
    first = gallery.state()
    before = parts.search_of(first)
    for k in (1, 7, first.face_count + 3):
        assert_exact(before, gallery, first, k)
    add_photos(gallery, tmp_path / "late", 3)
    state = gallery.state()
    grown = parts.search_of(state)
    assert_exact(grown, gallery, state)  # new faces are searched here
    assert_exact(before, gallery, first)
    opened = list(machines.opened)
    parts.keep_up()  # then in the parts
    assert len(machines.opened) == 2 * len(opened)
    assert all(each.is_closed for each in opened)
    assert parts.covered.count == state.face_count
    for search, of in ((before, first), (grown, state), (parts.search_of(state), state)):
        assert_exact(search, gallery, of)


def test_between_two_replicas_there_is_no_gap(
    gallery: Gallery,
    parts: ScatteredGallery,
    machines: Machines,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each moment of a rolling rebuild, views of before and after it are answered exactly."""
    first = gallery.state()
    before = parts.search_of(first)
    add_photos(gallery, tmp_path / "late", 4)
    state = gallery.state()
    after = parts.search_of(state)
    make, moments = machines.make, []

    def watched(part: GalleryPart) -> PartReplica:
        for _ in range(2):  # both replicas have their turn
            assert_exact(before, gallery, first)
            assert_exact(after, gallery, state)
        moments.append(part.shards)
        return make(part)

    monkeypatch.setattr(parts, "_make", watched)
    parts.keep_up()
    assert len(moments) == 4
    assert_exact(before, gallery, first)


def test_photos_that_are_gone_are_not_found_and_may_come_back(
    gallery: Gallery, parts: ScatteredGallery, tmp_path: Path
) -> None:
    photos = sorted((tmp_path / "photos").glob("*.png"))
    kept = [(path, path.read_bytes()) for path in photos[:5]]
    for path, _ in kept:
        path.unlink()
    index(gallery, tmp_path / "photos")
    state = gallery.state()
    assert state.face_count < parts.covered.count
    search = parts.search_of(state)
    for k in (1, 3, state.face_count):
        assert_exact(search, gallery, state, k)
    for path, data in kept:
        path.write_bytes(data)
    index(gallery, tmp_path / "photos")
    again = gallery.state()
    assert_exact(parts.search_of(again), gallery, again)
    assert_exact(search, gallery, state)


def test_forgotten_faces_are_hidden_in_every_replica(
    gallery: Gallery, parts: ScatteredGallery, machines: Machines
) -> None:
    state = gallery.state()
    gone = state.live_ids()[:2]
    queries = gallery.vectors(gone)
    before = parts.search_of(state)
    forget(gallery, Selection(ids=tuple(gone.tolist())))
    left = gallery.state()
    assert_exact(parts.search_of(left), gallery, left)
    for each in machines.alive():
        found = each.search(queries, 50).result()
        assert not np.isin(found.ids, gone).any()
    assert not np.isin(before.search(queries, 5).ids, gone).any()  # also for who looked before
    parts.keep_up()
    assert_exact(parts.search_of(left), gallery, left)


def test_a_lost_part_is_said_to_be_and_opened_again(
    gallery: Gallery, parts: ScatteredGallery, machines: Machines, tmp_path: Path
) -> None:
    add_photos(gallery, tmp_path / "late", 1)
    state = gallery.state()
    search = parts.search_of(state)
    lost = [each for each in machines.opened if each.part.shards.first == 0]
    lost[0].is_dead = True
    assert_exact(search, gallery, state)
    lost[1].is_dead = True
    queries = gallery.vectors(state.live_ids()[:3])
    result = search.search_parts(queries, 5)
    (missing,) = result.unsearched
    assert (missing.first_shard, missing.faces) == (0, lost[0].part.faces.count)
    reached = [number for number in state.live if number > missing.last_shard]
    rest = state.only(
        np.array([each for each in state.live_ids().tolist() if each >> 32 in reached], np.int64)
    )
    expected = exact_search(gallery.blocks(rest), queries, 5)
    assert np.array_equal(result.neighbours.ids, expected.ids)
    with pytest.raises(PartialSearchError, match=rf"shards 0 to \d+ with {missing.faces} faces"):
        search.search(queries, 5)
    machines.full = True
    with pytest.raises(ClusterError, match="room"):
        parts.keep_up()
    assert search.search_parts(queries, 5).unsearched == (missing,)
    machines.full = False
    parts.keep_up()
    assert_exact(search, gallery, state)
    assert len(machines.alive()) == 4


def test_the_thread_keeps_the_parts(gallery: Gallery, machines: Machines) -> None:
    options = ScatterOptions(parts=2, patience=0.05, seconds=2.0, check_seconds=0.02)
    parts = ScatteredGallery(gallery, gallery.state(), machines.make, options)
    try:
        search = parts.search_of(gallery.state())
        machines.full = True
        machines.opened[0].is_dead = True
        pause = threading.Event()
        queries = gallery.vectors(gallery.state().live_ids()[:1])
        assert search.search_parts(queries, 3).unsearched
        machines.full = False
        for _ in range(1000):
            if not search.search_parts(queries, 3).unsearched:
                break
            pause.wait(0.01)
        assert_exact(search, gallery, gallery.state())
    finally:
        parts.close()


def test_without_any_part_there_is_no_search(gallery: Gallery, machines: Machines) -> None:
    machines.full = True
    with pytest.raises(ClusterError, match=r"no part of .* room"):
        ScatteredGallery(gallery, gallery.state(), machines.make, OPTIONS)


def test_a_gallery_without_faces(
    tmp_path: Path, gallery: Gallery, machines: Machines, by_hand: None
) -> None:
    empty = Gallery.create(tmp_path / "empty.gallery", gallery.contract)
    parts = ScatteredGallery(empty, empty.state(), machines.make, OPTIONS)
    try:
        search = parts.search_of(empty.state())
        queries = gallery.vectors(gallery.state().live_ids()[:2])
        assert (search.search(queries, 3).ids == -1).all()
        add_photos(empty, tmp_path / "late", 2)
        state = empty.state()
        assert_exact(parts.search_of(state), empty, state)
        parts.keep_up()
        assert_exact(parts.search_of(state), empty, state)
    finally:
        parts.close()


@pytest.mark.parametrize("options", [ScatterOptions(parts=0), ScatterOptions(replicas=0)])
def test_options_out_of_range(
    gallery: Gallery, machines: Machines, options: ScatterOptions
) -> None:
    with pytest.raises(InputError, match="expected at least 1 part"):
        ScatteredGallery(gallery, gallery.state(), machines.make, options)


def test_a_search_in_one_memory_has_searched_all(gallery: Gallery) -> None:
    state = gallery.state()
    queries = gallery.vectors(state.live_ids()[:2])
    result = open_search(gallery, state).search_parts(queries, 3)
    assert result.unsearched == ()
    expected = exact_search(gallery.blocks(state), queries, 3)
    assert np.array_equal(result.require_complete().ids, expected.ids)


def test_what_a_new_replica_lacks_is_searched_here(
    gallery: Gallery, parts: ScatteredGallery, machines: Machines, tmp_path: Path
) -> None:
    """Opened while photos were away, which come back."""
    photo = tmp_path / "photos" / "03.png"
    data = photo.read_bytes()
    photo.unlink()
    index(gallery, tmp_path / "photos")
    for each in machines.opened[::2]:
        each.is_dead = True
    parts.keep_up()
    photo.write_bytes(data)
    index(gallery, tmp_path / "photos")
    state = gallery.state()
    search = parts.search_of(state)
    for _ in range(4):  # each replica has its turn
        assert_exact(search, gallery, state)
