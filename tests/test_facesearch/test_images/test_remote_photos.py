"""Photos in a bucket, and a store that goes wrong: each is read, or fails with a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.errors import InputError, PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.images import find_photos
from facesearch.images.file_access import absolute
from facesearch.images.photo_reader import PhotoReader
from facesearch.images.remote import objects
from facesearch.images.remote.addresses import address_of, is_remote
from facesearch.images.remote.objects import read_object
from facesearch.images.walk.skipped import SkippedFiles
from support.cluster.object_store import (
    BUCKET,
    ERROR,
    HANGS,
    SHORT,
    TRUNCATED,
    FaultyStore,
    connected_store,
)
from support.fake_engine import FakeEngine, write_photo

ALWAYS = 10**6


@pytest.fixture(scope="module")
def running_store() -> Iterator[FaultyStore]:
    with connected_store() as store:
        yield store


@pytest.fixture
def store(running_store: FaultyStore) -> FaultyStore:
    running_store.forget()
    return running_store


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket/a b/c.jpg", "s3://bucket/a b/c.jpg"),
        ("gs://bucket", "gs://bucket"),
        ("/photos/s3:/x", None),
        ("photos", None),
        ("file:///photos", None),
        ("C:/photos", None),
    ],
)
def test_addresses_survive_as_paths(text: str, address: str | None) -> None:
    path = Path(text)
    assert is_remote(path) == is_remote(text) == (address is not None)
    if address is None:
        with pytest.raises(ValueError, match="address"):
            address_of(path)
    else:
        assert address_of(path) == address
        assert absolute(path) == path


def test_a_file_address_is_a_local_folder() -> None:
    assert absolute(Path("file:///photos/2020")) == Path("/photos/2020")


def test_photos_of_a_bucket_in_order(store: FaultyStore, tmp_path: Path) -> None:
    write_photo(tmp_path / "a.png", [1])
    data = (tmp_path / "a.png").read_bytes()
    names = ["b.png", "a/2.png", "a/1.JPG", "a-b.png", "notes.txt", ".hidden/x.png"]
    for name in [*names, "old.gallery/gallery.json", "old.gallery/x.png"]:
        store.put(f"order/{name}", data)
    root = Path(f"s3://{BUCKET}/order")
    found = list(find_photos([root, root]))
    assert [photo.name for photo in found] == ["a-b.png", "a/1.JPG", "a/2.png", "b.png"]
    assert {photo.size for photo in found} == {len(data)}
    assert min(photo.mtime_ns for photo in found) > 10**18
    assert found[0].location == root / "a-b.png"
    (one,) = find_photos([root / "notes.txt"])  # named, so it counts
    assert one.location == root / "notes.txt"
    with pytest.raises(InputError, match="found nothing"):
        find_photos([Path(f"s3://{BUCKET}/nowhere")])


def test_folders_that_are_left_out_on_a_disk_are_in_a_bucket(
    store: FaultyStore, tmp_path: Path
) -> None:
    data = write_photo(tmp_path / "a.png", [1]).read_bytes()
    expected = {
        "trip/@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg": "thumbnails",
        "#recycle/a.jpg": "trash",
        ".Trash-1000/files/a.jpg": "trash",
        ".thumbnails/normal/a.png": "thumbnails",
        "Catalog Previews.lrdata/1.jpg": "previews",
        "My.photoslibrary/resources/a.jpg": "previews",
        ".git/a.png": "hidden",
        "trip/.a.png": "hidden",
        "notes.txt": "document",
    }
    read = ["My.photoslibrary/originals/a.jpg", "resources/a.jpg", "trip/a.png"]
    for name in [*expected, *read]:
        path = tmp_path / "left-out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"notes" if name == "notes.txt" else data)
    store.put_folder(tmp_path / "left-out", "left-out")
    counts = Counter(expected.values())
    for root in (Path(f"s3://{BUCKET}/left-out"), tmp_path / "left-out"):
        skipped = SkippedFiles()
        assert [photo.name for photo in find_photos([root], skipped)] == read
        assert {kind: number for kind, number in skipped.counts.items() if number} == counts
    # One that is asked for is read, and counted once.
    root = Path(f"s3://{BUCKET}/left-out")
    skipped = SkippedFiles()
    found = [photo.location for photo in find_photos([root, root / "#recycle"], skipped)]
    assert root / "#recycle" / "a.jpg" in found and len(found) == len(read) + 1
    assert skipped.counts["trash"] == 1
    library = root / "My.photoslibrary"
    assert [photo.name for photo in find_photos([library])] == ["originals/a.jpg"]


def index(gallery: Gallery, root: Path) -> EmbedReport:
    options = EmbedOptions(decoders=0, threads=1, shard_photos=4)
    return embed_photos(gallery, FakeEngine(), [root], options)  # type: ignore[arg-type]


def test_a_job_over_a_bucket_that_goes_wrong(
    store: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "SECONDS", 4.0)  # the library tries for long
    for number in range(8):
        write_photo(tmp_path / "photos" / f"{number}.png", [1 + number], variant=number)
    (tmp_path / "photos" / "empty.png").touch()
    store.put_folder(tmp_path / "photos", "job")
    store.faults = {
        "job/1.png": (ERROR, 2),  # and well the third time
        "job/2.png": (ERROR, ALWAYS),
        "job/3.png": (TRUNCATED, 1),
        "job/4.png": (TRUNCATED, ALWAYS),
        "job/5.png": (SHORT, ALWAYS),
        "job/6.png": (HANGS, ALWAYS),
    }
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    root = Path(f"s3://{BUCKET}/job")
    report = index(gallery, root)
    reasons = {failure.photo.name: failure.reason for failure in report.failures}
    assert reasons == {
        "2.png": "unreadable",
        "4.png": "unreadable",
        "5.png": "unreadable",
        "6.png": "unreadable",
        "empty.png": "empty",
    }
    details = {failure.photo.name: failure.detail for failure in report.failures}
    assert "expected" in details["5.png"]
    assert (report.embedded, report.faces) == (4, 4)
    store.faults.clear()
    again = index(gallery, root)  # what the store refused is tried again, and nothing else
    assert (again.unchanged, again.embedded, again.failed) == (5, 4, 0)
    assert (index(gallery, root).unchanged) == 9
    state = gallery.state()
    assert state.face_count == 8
    (location, *_) = [record.location for record in state.photos.values()]
    assert address_of(location) == f"s3://{BUCKET}/job/0.png"


def test_one_photo_is_read_from_its_address(store: FaultyStore, tmp_path: Path) -> None:
    data = write_photo(tmp_path / "a.png", [1]).read_bytes()
    store.put("single/a.png", data)
    photo = Path(f"s3://{BUCKET}/single/a.png")
    assert PhotoReader(None).read(photo).width == 48
    with pytest.raises(PhotoError, match="too-large"):
        read_object(str(photo), max_bytes=10)
    with pytest.raises(PhotoError, match="unreadable"):
        PhotoReader(None).read(photo.with_name("b.png"))
