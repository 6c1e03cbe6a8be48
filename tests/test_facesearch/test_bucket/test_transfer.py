"""A gallery in a bucket that goes wrong: sent once, fetched whole, and never half there."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch.backup.snapshot import is_gallery_file
from facesearch.bucket import store as store_module
from facesearch.bucket import transfer
from facesearch.bucket.manifest import is_bucket_file, newest_manifest, object_name
from facesearch.bucket.store import BucketError, BucketStore
from facesearch.bucket.sync_note import SyncNote
from facesearch.bucket.transfer import pull_gallery, push_gallery
from facesearch.check import check_gallery
from facesearch.clustering.run_store import latest_run
from facesearch.curation.editor import PeopleEditor
from facesearch.erasure.forget import Selection, forget
from facesearch.errors import (
    BusyGalleryError,
    ChangedGalleryError,
    GalleryError,
    InputError,
)
from facesearch.gallery.gallery import Gallery
from support.cluster.gallery_rows import content_rows
from support.cluster.object_store import (
    BUCKET,
    ERROR,
    HANGS,
    LOST,
    SHORT,
    TRUNCATED,
    FaultyStore,
    connected_store,
)
from support.fake_engine import write_photo
from support.people_galleries import cluster, index, people_gallery, photos_of_people

ALWAYS = 10**6


@pytest.fixture(scope="module")
def running_store() -> Iterator[FaultyStore]:
    with connected_store() as store:
        yield store


@pytest.fixture
def store(running_store: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> FaultyStore:
    monkeypatch.setattr(store_module, "_PAUSE", 0.01)
    running_store.forget()
    return running_store


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Four people, one of them with a name, clustered."""
    gallery = people_gallery(tmp_path)
    cluster(gallery)
    editor = PeopleEditor(gallery)
    editor.name(editor.now.people[0], "Ada")
    return gallery


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{request.node.name.partition('[')[0]}/my.gallery"


def key_of(address: str, name: str) -> str:
    return f"{address.removeprefix(f's3://{BUCKET}/')}/{name}"


def assert_same(one: Gallery, other: Gallery) -> None:
    """The same faces, people and clusters, and nothing damaged."""
    assert content_rows(one) == content_rows(other)
    assert photos_of_people(one) == photos_of_people(other)
    runs = [latest_run(each) for each in (one, other)]
    assert runs[0].clustering.ids.tolist() == runs[1].clustering.ids.tolist()
    assert runs[0].numbers.tolist() == runs[1].numbers.tolist()
    assert not [each for each in check_gallery(other) if each.severe]


def test_what_is_fetched_is_what_was_sent(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    sent = push_gallery(gallery, address)
    assert (sent.number, sent.moved) == (1, sent.files)
    assert {*store.stored.values()} == {1}  # each once
    copy = tmp_path / "copy.gallery"
    fetched = pull_gallery(address, copy)
    assert (fetched.files, fetched.moved_bytes) == (sent.files, sent.bytes)
    assert_same(gallery, Gallery.open(copy))
    assert copy.stat().st_mode & 0o077 == 0
    store.forget()
    assert push_gallery(gallery, address).moved == 0
    assert pull_gallery(address, copy).moved == 0
    assert not store.puts


def test_only_what_changed_is_moved(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    push_gallery(gallery, address)
    copy = tmp_path / "copy.gallery"
    pull_gallery(address, copy)
    write_photo(tmp_path / "photos" / "new.png", [2], 77)
    index(gallery, tmp_path / "photos")
    store.forget()
    report = push_gallery(gallery, address)
    sent = {key.rpartition("/my.gallery/")[2].split(".")[0] for key in store.puts}
    assert sent == {"shards/00000001", "manifests/00000002", "next-shard"}
    assert report.number == 2
    assert pull_gallery(address, copy).moved == report.moved
    assert_same(gallery, Gallery.open(copy))
    assert [*BucketStore(address).listed("manifests")] == ["00000002.json"]


def test_errors_timeouts_and_half_bodies_on_both_ways(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    store.put_faults = {
        key_of(address, "shards/*.h5.sha256.*"): (ERROR, 2),
        key_of(address, "shards/*.h5.*"): (TRUNCATED, 2),
        key_of(address, "people.sqlite.*"): (LOST, 1),
        key_of(address, "gallery.json.*"): (HANGS, 1),
        key_of(address, "manifests/*"): (TRUNCATED, 1),
    }
    store.faults = {
        key_of(address, "clusters/*"): (TRUNCATED, 1),  # when it is read back
        key_of(address, "settings.json.*"): (SHORT, 1),
    }
    push_gallery(gallery, address)
    assert max(store.puts.values()) >= 3
    store.forget()
    store.faults = {
        key_of(address, "shards/*.h5.sha256.*"): (ERROR, 3),
        key_of(address, "shards/*.h5.*"): (TRUNCATED, 2),
        key_of(address, "people.sqlite.*"): (SHORT, 2),
        key_of(address, "clusters/*"): (HANGS, 1),
        key_of(address, "manifests/*"): (TRUNCATED, 1),
    }
    copy = tmp_path / "copy.gallery"
    pull_gallery(address, copy)
    assert_same(gallery, Gallery.open(copy))


def test_a_store_that_refuses_has_no_half_gallery_and_is_sent_the_rest_later(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    store.put_faults = {key_of(address, "gallery.json.*"): (ERROR, ALWAYS)}
    with pytest.raises(BucketError, match=r"cannot write .*gallery\.json"):
        push_gallery(gallery, address)
    with pytest.raises(InputError, match="there is no gallery"):
        pull_gallery(address, tmp_path / "copy.gallery")
    assert not (tmp_path / "copy.gallery").exists()
    before = {*store.stored} - {key for key, count in store.stored.items() if not count}
    store.forget()
    push_gallery(gallery, address)
    assert before.isdisjoint(store.puts)  # found by listing, and read back
    assert before <= {*store.gets}
    pull_gallery(address, tmp_path / "copy.gallery")
    assert_same(gallery, Gallery.open(tmp_path / "copy.gallery"))


def test_of_two_machines_that_change_a_gallery_the_second_is_refused(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    push_gallery(gallery, address)
    other = tmp_path / "other.gallery"
    pull_gallery(address, other)
    PeopleEditor(Gallery.open(other)).name(PeopleEditor(Gallery.open(other)).now.people[1], "Eve")
    push_gallery(Gallery.open(other), address)
    editor = PeopleEditor(gallery)
    editor.name(editor.now.people[1], "Bob")
    with pytest.raises(ChangedGalleryError, match="nothing was sent"):
        push_gallery(gallery, address)
    with pytest.raises(ChangedGalleryError, match="both"):
        pull_gallery(address, gallery.folder)
    assert "Bob" in photos_of_people(gallery)
    pull_gallery(address, gallery.folder, discard=True)
    assert_same(Gallery.open(other), gallery)
    assert "Eve" in photos_of_people(gallery)


def test_of_two_that_send_at_one_moment_one_succeeds(
    store: FaultyStore,
    gallery: Gallery,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push_gallery(gallery, address)
    other = tmp_path / "other.gallery"
    pull_gallery(address, other)
    for folder, name in ((gallery.folder, "Bob"), (other, "Eve")):
        editor = PeopleEditor(Gallery.open(folder))
        editor.name(editor.now.people[1], name)
    check = transfer._require_objects

    def meanwhile(*args: object) -> None:
        check(*args)  # type: ignore[arg-type]
        monkeypatch.setattr(transfer, "_require_objects", check)
        push_gallery(Gallery.open(other), address)

    monkeypatch.setattr(transfer, "_require_objects", meanwhile)
    with pytest.raises(BusyGalleryError, match="another machine"):
        push_gallery(gallery, address)
    copy = tmp_path / "copy.gallery"
    pull_gallery(address, copy)
    assert_same(Gallery.open(other), Gallery.open(copy))


def test_forgotten_faces_leave_the_bucket_too(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    push_gallery(gallery, address)
    copy = tmp_path / "copy.gallery"
    pull_gallery(address, copy)
    before = {*BucketStore(address).listed()}
    forget(gallery, Selection(photos=(tmp_path / "photos" / "2-0.png",)))
    push_gallery(gallery, address)
    after = {*BucketStore(address).listed()}
    shards = {name for name in before if name.startswith("shards/")}
    assert shards.isdisjoint(after)
    manifest = newest_manifest(BucketStore(address))
    assert manifest is not None
    assert after == {*manifest.objects, "manifests/00000002.json"}
    pull_gallery(address, copy)
    assert content_rows(gallery) == content_rows(Gallery.open(copy))
    assert Gallery.open(copy).state().face_count == 11


def test_a_damaged_object_changes_no_copy(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    push_gallery(gallery, address)
    copy = tmp_path / "copy.gallery"
    pull_gallery(address, copy)
    rows = content_rows(Gallery.open(copy))
    write_photo(tmp_path / "photos" / "new.png", [2], 77)
    index(gallery, tmp_path / "photos")
    push_gallery(gallery, address)
    manifest = newest_manifest(BucketStore(address))
    assert manifest is not None
    name = "shards/00000001.h5"
    file = manifest.files[name]
    store.put(key_of(address, object_name(name, file)), b"\x00" * file.size)
    with pytest.raises(BucketError, match="is not what was sent"):
        pull_gallery(address, copy)
    assert content_rows(Gallery.open(copy)) == rows
    store.put(key_of(address, object_name(name, file)), (gallery.folder / name).read_bytes())
    pull_gallery(address, copy)
    assert_same(gallery, Gallery.open(copy))


@pytest.mark.parametrize("moment", range(4))
def test_a_fetch_that_is_killed_is_done_by_the_next(
    store: FaultyStore,
    gallery: Gallery,
    address: str,
    tmp_path: Path,
    moment: int,
) -> None:
    """Killed after so many files took their place, of a copy that is new or from before."""
    address = f"{address}-{moment}"
    push_gallery(gallery, address)
    copy = tmp_path / "copy.gallery"
    if moment % 2:
        pull_gallery(address, copy)
        write_photo(tmp_path / "photos" / "new.png", [2], 77)
        index(gallery, tmp_path / "photos")
        cluster(gallery)
        push_gallery(gallery, address)
    replace = Path.replace
    left = [moment]

    def killed(path: Path, target: Path) -> Path:
        if path.parent.name == transfer.STAGED != target.parent.name:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        return replace(path, target)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        pull_gallery(address, copy)
    pull_gallery(address, copy)
    assert_same(gallery, Gallery.open(copy))
    assert not (copy / transfer.STAGED).exists()


def test_what_is_something_else_is_left_alone(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path
) -> None:
    push_gallery(gallery, address)
    another = people_gallery(tmp_path / "another", people=2)
    with pytest.raises(InputError, match="another; send it to another address"):
        push_gallery(another, address)
    with pytest.raises(InputError, match="no copy of"):
        pull_gallery(address, another.folder)
    (gallery.folder / "bucket.json").write_text("{")
    with pytest.raises(GalleryError, match="cannot read"):
        push_gallery(gallery, address)
    shutil.copy(tmp_path / "photos" / "1-0.png", gallery.folder / "bucket.json")
    with pytest.raises(GalleryError, match="cannot read"):
        SyncNote.read(gallery.folder)


@pytest.mark.parametrize(
    "change",
    [
        ('"gallery.json"', '"../gallery.json"'),
        ('"next-shard"', '"lock"'),
        ('"size": ', '"size": -'),
        ('"version": 1', '"version": 2'),
        ('"number": 1', '"number": 3'),
        ("{", ""),
    ],
)
def test_a_list_that_is_none_is_refused(
    store: FaultyStore, gallery: Gallery, address: str, tmp_path: Path, change: tuple[str, str]
) -> None:
    address = f"{address}-{zlib.crc32(repr(change).encode())}"
    push_gallery(gallery, address)
    bucket = BucketStore(address)
    (each,) = bucket.listed("manifests").values()
    text = bucket.read(f"manifests/{each.name}", each.size).decode()
    assert change[0] in text
    store.put(key_of(address, f"manifests/{each.name}"), text.replace(*change, 1).encode())
    with pytest.raises(BucketError, match="is damaged"):
        pull_gallery(address, tmp_path / "copy.gallery")


def test_which_files_are_kept_in_buckets() -> None:
    kept = ["gallery.json", "people.sqlite", "forgotten.json", "shards/00000001.h5.sha256"]
    kept += ["clusters/000004.h5", "shards-0123456789ab/00000001.h5", "calibration.json"]
    derived = ["state.h5", "graph.h5", "index/index.json", "clusters/merges.h5", "outputs.json"]
    assert all(map(is_bucket_file, kept))
    assert all(map(is_gallery_file, derived)) and not any(map(is_bucket_file, derived))
    assert not is_bucket_file("../gallery.json") and not is_bucket_file("lock")
