"""A gallery exported and imported is the same; damaged and hostile archives place nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facesearch.api.backup import export_gallery, import_gallery
from facesearch.api.maintenance import check_gallery, forget_faces
from facesearch.backup import snapshot as snapshot_module
from facesearch.backup.archive import MANIFEST
from facesearch.backup.snapshot import is_gallery_file, snapshot
from facesearch.cli.main import main
from facesearch.errors import BusyGalleryError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.search.gallery_index import build_index
from indexer.errors import StorageError
from support.failures.promises import contents, promising_gallery, severe
from support.people_galleries import cluster, index


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return promising_gallery(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def archive(whole: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "my.zip"
    export_gallery(whole, path)
    return path


@pytest.fixture
def gallery(whole: Gallery, tmp_path: Path) -> Gallery:
    shutil.copytree(whole.folder.parent, tmp_path / "copy")
    return Gallery.open(tmp_path / "copy" / whole.folder.name)


def names_below(folder: Path) -> set[str]:
    return {each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()}


def test_what_comes_back_is_what_was_there(
    whole: Gallery, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "again.gallery"
    assert main(["import", str(archive), str(folder)]) == 0
    assert "each as it was exported" in capsys.readouterr().out
    again = Gallery.open(folder)
    assert contents(again) == contents(whole)
    assert check_gallery(again) == check_gallery(whole)
    made = {name for name in names_below(whole.folder) if is_gallery_file(name)}
    assert {"people.sqlite", "graph.h5", "shards/00000000.h5", "clusters/merges.h5"} <= made
    made -= {"outputs.json"}  # that the archive was written is noted after its moment
    assert {name for name in names_below(folder) if is_gallery_file(name)} == made
    for name in made - {"people.sqlite"}:
        assert (folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    for path in [folder, *folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    index(again, whole.folder.parent / "more")  # it is written to as ever
    assert again.state().face_count == 11


def test_the_archive_is_for_its_owner_and_never_over_another_file(
    gallery: Gallery, tmp_path: Path
) -> None:
    path = tmp_path / "my.zip"
    export_gallery(gallery, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(InputError, match="name a new file"):
        export_gallery(gallery, path)
    (tmp_path / "link.zip").symlink_to(tmp_path / "nothing")
    with pytest.raises(InputError, match="name a new file"):
        export_gallery(gallery, tmp_path / "link.zip")
    assert path.read_bytes() == before and not (tmp_path / "nothing").exists()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["copy", "link.zip", "my.zip"]
    # Who forgets somebody learns of it.
    assert forget_faces(gallery, ids=[0]).elsewhere[-1] == str(path)


def test_nothing_is_placed_where_something_is(archive: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("precious")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(full)
    for name in ("full", "file", "link"):
        with pytest.raises(InputError, match="name a new or empty folder"):
            import_gallery(archive, tmp_path / name)
    assert names_below(full) == {"mine"}
    (tmp_path / "empty").mkdir()
    import_gallery(archive, tmp_path / "empty")
    assert Gallery.open(tmp_path / "empty").state().face_count == 9


def test_no_damage_of_an_archive_gives_a_gallery(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    chooser = np.random.default_rng(11)
    folder, path = tmp_path / "out", tmp_path / "damaged.zip"
    refused = 0
    for trial in range(120):
        data = bytearray(whole)
        at, size = int(chooser.integers(len(data))), int(chooser.choice([1, 8, 512]))
        if trial % 4 == 3:
            del data[at:]
        else:
            data[at : at + size] = chooser.bytes(len(data[at : at + size]))
        path.write_bytes(data)
        try:
            import_gallery(path, folder)
        except InputError as error:
            refused += 1
            assert str(path) in str(error)
            assert not folder.exists()
        else:  # bytes that say nothing, such as times
            assert severe(Gallery.open(folder)) == []
            shutil.rmtree(folder)
        assert {each.name for each in tmp_path.iterdir()} == {"damaged.zip"}
    assert refused > 100


def rebuilt(
    archive: Path, path: Path, change: Callable[[dict[str, bytes], dict[str, dict]], None]
) -> Path:
    """The archive with other files or another manifest."""
    with zipfile.ZipFile(archive) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    manifest = json.loads(files.pop(MANIFEST))
    change(files, manifest)
    with zipfile.ZipFile(path, "w") as made:
        for name, data in {**files, MANIFEST: json.dumps(manifest).encode()}.items():
            made.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "/etc/outside", "shards/../../outside", "report/index.html", "lock",
        "C:\\outside", "index/index.json/x", "shards/00000000.h5/", ".gallery.json.partial",
    ],
)  # fmt: skip
def test_files_that_no_gallery_has_are_refused(archive: Path, tmp_path: Path, name: str) -> None:
    def add(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
        files[name] = b"x"
        manifest["files"][name] = {
            "size": 1,
            "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        }

    path = rebuilt(archive, tmp_path / "made.zip", add)
    with pytest.raises(InputError, match="expected files of a gallery"):
        import_gallery(path, tmp_path / "deep" / "out")
    assert names_below(tmp_path) == {"made.zip"}


def swap_shard(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
    files["graph.h5"] = files["state.h5"]


def drop_file(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
    del files["forgotten.json" if "forgotten.json" in files else "next-shard"]


def drop_listed(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
    del manifest["files"]["people.sqlite"]


def no_gallery(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
    del files["gallery.json"], manifest["files"]["gallery.json"]


def odd_manifest(files: dict[str, bytes], manifest: dict[str, dict]) -> None:
    manifest["files"] = [1, 2]  # type: ignore[assignment]


@pytest.mark.parametrize("change", [swap_shard, drop_file, drop_listed, no_gallery, odd_manifest])
def test_an_archive_that_is_not_what_it_lists_is_refused(
    archive: Path, tmp_path: Path, change: Callable[..., None]
) -> None:
    with pytest.raises(InputError, match="use another copy"):
        import_gallery(rebuilt(archive, tmp_path / "made.zip", change), tmp_path / "out")
    assert names_below(tmp_path) == {"made.zip"}


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("gallery.json", bytes(50 << 20))
    with pytest.raises(InputError, match="is compressed"):
        import_gallery(path, tmp_path / "out")
    # Entries that lie over each other: the sizes together are more than the file's.
    stored = tmp_path / "stored.zip"
    with zipfile.ZipFile(stored, "w") as made:
        made.writestr("gallery.json", bytes(1 << 16))
    data = stored.read_bytes()
    entry = data[data.index(b"PK\x01\x02") : data.index(b"PK\x05\x06")]
    more = entry.replace(b"gallery.json", b"outputs.json")
    end = bytearray(data[data.index(b"PK\x05\x06") :])
    end[8:12] = (2).to_bytes(2, "little") * 2
    end[12:16] = (2 * len(entry)).to_bytes(4, "little")
    stored.write_bytes(data[: data.index(b"PK\x01\x02")] + entry + more + bytes(end))
    with pytest.raises(InputError, match="more than its size"):
        import_gallery(stored, tmp_path / "out")
    os.mkfifo(tmp_path / "pipe.zip")
    assert main(["import", str(tmp_path / "pipe.zip"), str(tmp_path / "out")]) == 2
    assert main(["import", str(tmp_path / "nothing.zip"), str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_damaged_shard_is_not_exported(gallery: Gallery, tmp_path: Path) -> None:
    shard = gallery.shard_paths()[0]
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(GalleryError, match="not what was sealed"):
        export_gallery(gallery, tmp_path / "my.zip")
    assert {each.name for each in tmp_path.iterdir()} == {"copy"}


def test_a_link_in_place_of_a_file_is_not_exported(gallery: Gallery, tmp_path: Path) -> None:
    (gallery.folder / "calibration.json").symlink_to("/etc/hostname")
    with pytest.raises(GalleryError, match="symbolic link"):
        export_gallery(gallery, tmp_path / "my.zip")


def test_exports_while_others_write_are_galleries_of_one_moment(
    gallery: Gallery, tmp_path: Path
) -> None:
    """A writer that goes round and round; every archive is whole, and one of its states."""
    stop = threading.Event()
    failed: list[Exception] = []

    def write() -> None:
        other = Gallery.open(gallery.folder)
        store = PeopleStore(gallery.folder)
        try:
            for number in range(1000):
                if stop.is_set():
                    return
                index(other, gallery.folder.parent / ("more" if number == 0 else "photos"))
                store.enroll(f"N{number}", [4 + number % 5])
                cluster(other)
                build_index(other)
        except Exception as error:
            failed.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(8):
            export_gallery(gallery, tmp_path / f"{number}.zip")
    finally:
        stop.set()
        writer.join()
    assert failed == []
    for number in range(8):
        folder = tmp_path / f"{number}.gallery"
        report = import_gallery(tmp_path / f"{number}.zip", folder)
        assert report.problems == ()
        assert Gallery.open(folder).state().face_count in (9, 11)


def test_files_that_never_rest_are_busy(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "_PAUSE", 0)
    monkeypatch.setattr(snapshot_module, "_ATTEMPTS", 5)
    listed = snapshot_module._listed

    def moved(folder: Path) -> dict:
        text = (folder / "next-shard").read_bytes()
        (folder / "next-shard").unlink()
        (folder / "other").write_bytes(b"")  # so that the number of the file is another
        (folder / "next-shard").write_bytes(text)
        return listed(folder)

    monkeypatch.setattr(snapshot_module, "_listed", moved)
    with pytest.raises(BusyGalleryError, match="keep changing"), snapshot(gallery):
        pytest.fail("a snapshot of no moment")


def test_between_a_shard_and_its_digest_is_no_moment(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot_module, "_PAUSE", 0)
    monkeypatch.setattr(snapshot_module, "_ATTEMPTS", 3)
    pending = gallery.shards_folder / ".00000000.h5.sha256.partial"
    pending.write_bytes(b"digest of what has just taken the shard's place")
    with pytest.raises(BusyGalleryError, match="facesearch forget"):
        export_gallery(gallery, tmp_path / "my.zip")
    forget_faces(gallery)
    export_gallery(gallery, tmp_path / "my.zip")


def test_an_import_that_was_killed_is_begun_again(archive: Path, tmp_path: Path) -> None:
    left = tmp_path / ".my.gallery.partial"
    (left / "shards").mkdir(parents=True)
    (left / "shards" / "00000009.h5").write_bytes(b"half")
    (left / "gallery.json").write_bytes(b"{")
    import_gallery(archive, tmp_path / "my.gallery")
    assert severe(Gallery.open(tmp_path / "my.gallery")) == []
    assert {each.name for each in tmp_path.iterdir()} == {"my.gallery"}
    other = tmp_path / "linked"
    (tmp_path / ".linked.partial").symlink_to(tmp_path / "my.gallery")
    with pytest.raises(StorageError, match="symbolic link"):
        import_gallery(archive, other)


@pytest.mark.parametrize("name", ["people.sqlite", "people.sqlite-journal", "lock", "a.h5", ""])
def test_names_of_files(name: str) -> None:
    assert is_gallery_file(name) == (name == "people.sqlite")
