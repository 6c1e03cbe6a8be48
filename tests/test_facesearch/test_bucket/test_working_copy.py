"""A gallery in a bucket, used through the copy of this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesearch import InputError, bucket_gallery, pull_gallery, push_gallery
from facesearch.bucket import store as store_module
from facesearch.bucket.working_copy import bucket_gallery as bucket_copy
from facesearch.bucket.working_copy import copy_folder
from facesearch.cli.main import main
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import ChangedGalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.search.gallery_index import index_facts
from support.cluster.gallery_rows import content_rows
from support.cluster.object_store import BUCKET, ERROR, FaultyStore, connected_store
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import index, people_gallery, photos_of_people


@pytest.fixture(scope="module")
def running_store() -> Iterator[FaultyStore]:
    with connected_store() as store:
        yield store


@pytest.fixture
def store(
    running_store: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FaultyStore:
    monkeypatch.setattr(store_module, "_PAUSE", 0.01)
    monkeypatch.setenv("FACESEARCH_CACHE", str(tmp_path / "cache"))
    running_store.forget()
    return running_store


@pytest.fixture
def address(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{request.node.name}/my.gallery"


def fetched(address: str, folder: Path) -> Gallery:
    pull_gallery(address, folder)
    return Gallery.open(folder)


def test_a_gallery_is_made_in_a_bucket_and_grows_there(
    store: FaultyStore, address: str, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    write_photo(photos / "1.png", [1, 2])
    with bucket_gallery(address) as folder:
        assert not folder.exists()
        index(Gallery.create(folder, FakeEngine().contract), photos)
    write_photo(photos / "2.png", [3], 5)
    with bucket_gallery(address) as folder:
        gallery = Gallery.open(folder)
        index(gallery, photos)
    assert fetched(address, tmp_path / "copy.gallery").state().face_count == 3
    assert content_rows(Gallery.open(tmp_path / "copy.gallery")) == content_rows(gallery)


def test_the_copy_has_an_index_of_what_was_fetched(
    store: FaultyStore, address: str, tmp_path: Path
) -> None:
    pytest.importorskip("faiss", reason="needs FAISS")
    push_gallery(people_gallery(tmp_path), address)
    with bucket_gallery(address, reads_only=True) as folder:
        gallery = Gallery.open(folder)
        coverage = index_facts(gallery, gallery.state()).coverage
        assert coverage is not None and coverage.base == 12


def test_who_only_reads_sends_nothing(store: FaultyStore, address: str, tmp_path: Path) -> None:
    push_gallery(people_gallery(tmp_path), address)
    store.forget()
    with bucket_gallery(address, reads_only=True) as folder:
        PeopleEditor(Gallery.open(folder))
        (folder / "calibration.json").write_text("{}")
    assert not store.puts
    with bucket_gallery(address, reads_only=True) as folder:
        assert not (folder / "calibration.json").exists()  # the copy is what lies there


def test_what_could_not_be_sent_is_sent_the_next_time(
    store: FaultyStore, address: str, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    push_gallery(people_gallery(tmp_path), address)
    write_photo(photos / "late.png", [2], 99)
    store.put_faults = {"*": (ERROR, 10**6)}
    with pytest.raises(store_module.BucketError), bucket_gallery(address) as folder:
        index(Gallery.open(folder), photos)
    store.forget()
    with bucket_gallery(address, reads_only=True) as folder:
        assert Gallery.open(folder).state().face_count == 13  # it is not lost
    assert not store.puts
    with bucket_gallery(address):
        pass
    assert fetched(address, tmp_path / "copy.gallery").state().face_count == 13


def test_changes_on_two_machines_are_not_mixed(
    store: FaultyStore, address: str, tmp_path: Path
) -> None:
    push_gallery(people_gallery(tmp_path), address)
    write_photo(tmp_path / "photos" / "late.png", [2], 99)
    with pytest.raises(ZeroDivisionError), bucket_gallery(address) as folder:
        index(Gallery.open(folder), tmp_path / "photos")
        raise ZeroDivisionError  # the command failed, so nothing is sent
    elsewhere = fetched(address, tmp_path / "elsewhere.gallery")
    write_photo(tmp_path / "more" / "x.png", [7], 3)
    index(elsewhere, tmp_path / "more")
    push_gallery(elsewhere, address)
    with pytest.raises(ChangedGalleryError, match="both"), bucket_gallery(address):
        pass
    pull_gallery(address, copy_folder(address), discard=True)
    with bucket_gallery(address) as folder:
        assert content_rows(Gallery.open(folder)) == content_rows(elsewhere)


def test_long_work_is_sent_meanwhile(store: FaultyStore, address: str, tmp_path: Path) -> None:
    push_gallery(people_gallery(tmp_path), address)
    write_photo(tmp_path / "photos" / "late.png", [2], 99)
    with bucket_copy(address, every=0.05) as folder:
        index(Gallery.open(folder), tmp_path / "photos")
        pause = threading.Event()
        for number in range(600):
            copy = tmp_path / f"copy-{number}.gallery"
            if fetched(address, copy).state().face_count == 13:
                break
            pause.wait(0.1)
        else:
            raise AssertionError("it was never sent")


def test_commands_take_an_address(
    store: FaultyStore, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = people_gallery(tmp_path)
    assert main(["push", str(gallery.folder), address]) == 0
    assert "sent now" in capsys.readouterr().out
    assert main(["info", address, "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out)["faces"] == 12
    assert str(tmp_path / "cache") not in out
    assert main(["cluster", address, "--threshold", "0.5"]) == 0
    assert main(["people", "name", address, "p1", "Ada"]) == 0
    copy = tmp_path / "copy.gallery"
    assert main(["pull", address, str(copy), "--json"]) == 0
    assert "Ada" in photos_of_people(Gallery.open(copy))
    capsys.readouterr()
    for command in (["encrypt", address], ["report", address]):
        assert main(command) == 2
        assert "expected a folder" in capsys.readouterr().err
    assert main(["info", f"s3://{BUCKET}/nowhere"]) == 2
    assert f"s3://{BUCKET}/nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["my.gallery", "/my.gallery", "file:///my.gallery"])
def test_an_address_is_needed(place: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected an address"):
        pull_gallery(place, tmp_path)
