"""A gallery from somebody else damages nothing of who opens it, and never hangs or breaks them."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facesearch.api.clustering import gallery_album, write_report
from facesearch.check import check_gallery
from facesearch.cli.main import main
from facesearch.clustering.run_store import ClusterRun, read_run, run_at, run_paths
from facesearch.curation.editor import PeopleEditor
from facesearch.errors import ChangedDecisionsError, FacesearchError, GalleryError, PhotoError
from facesearch.gallery.gallery import Gallery
from facesearch.images.photo_reader import PhotoReader
from facesearch.people.store import PeopleStore
from facesearch.report.xmp import write_sidecars
from facesearch.search.knn_graph import open_graph, refresh_graph
from indexer.storage.sealed_arrays import SealedArrays, read_sealed, write_sealed
from support.failures.hostile import corner_picture, encoded
from support.failures.promises import promising_gallery
from support.people_galleries import cluster

FILES = (
    "gallery.json", "settings.json", "next-shard", "people.sqlite", "forgotten.json", "state.h5",
    "graph.h5", "calibration.json", "clusters/000000.h5", "clusters/000001.h5",
    "clusters/merges.h5", "shards/00000000.h5", "shards/00000000.h5.sha256", "index/index.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return promising_gallery(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def gallery(whole: Gallery, tmp_path: Path) -> Gallery:
    shutil.copytree(whole.folder.parent, tmp_path / "copy")
    return Gallery.open(tmp_path / "copy" / whole.folder.name)


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def as_deep(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def as_noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(7).bytes(5000))


def as_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("put", [as_pipe, as_endless, as_deep, as_noise, as_folder])
def test_whatever_lies_in_place_of_a_file_is_reported(
    gallery: Gallery, name: str, put: Callable[[Path], None]
) -> None:
    path = gallery.folder / name
    path.unlink(missing_ok=True)
    put(path)
    if name != "gallery.json":
        assert check_gallery(gallery)
    for command in ("check", "info", "people list"):
        words = command.split()
        assert main([*words, str(gallery.folder)]) in (0, 1, 2)


@pytest.mark.parametrize("name", ["lock", "presenting", ".next-shard.partial", "next-shard"])
def test_links_do_not_have_files_of_others_overwritten(
    gallery: Gallery, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (gallery.folder / name).unlink(missing_ok=True)
    (gallery.folder / name).symlink_to(victim)
    for command in (["graph", "-k", "2"], ["cluster"], ["report"], ["forget", "--face", "0"]):
        main([command[0], str(gallery.folder), *command[1:]])
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["clusters", "index", "report", "shards"])
def test_links_do_not_lead_writers_into_folders_of_others(
    gallery: Gallery, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    (victim / "crops").mkdir(parents=True)
    (victim / ".facesearch-report").touch()
    (victim / "crops" / "mine.jpg").write_bytes(b"precious")
    shutil.rmtree(gallery.folder / name, ignore_errors=True)
    (gallery.folder / name).symlink_to(victim)
    for command in (["cluster"], ["build"], ["report"], ["forget", "--face", "0"]):
        main([command[0], str(gallery.folder), *command[1:]])
    assert {path.name for path in victim.rglob("*")} == {"crops", "mine.jpg", ".facesearch-report"}


def test_partial_files_of_a_report_are_not_followed(gallery: Gallery, tmp_path: Path) -> None:
    album = gallery_album(gallery)
    page = write_report(album).parent
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    for name in ("album.csv", "album.json", "index.html", "plots.html"):
        (page / f".{name}.partial").symlink_to(victim)
    write_report(album)
    assert victim.read_bytes() == b"precious"


def test_paths_of_photos_do_not_lead_out_of_the_sidecars(gallery: Gallery, tmp_path: Path) -> None:
    album = gallery_album(gallery)
    photo = tmp_path / "copy" / "photos" / ".." / "photos" / ".." / "photos" / "1-0.png"
    people = [
        replace(
            person,
            faces=tuple(
                replace(face, photo=photo, name="../photos/../photos/1-0.png")
                for face in person.faces
            ),
        )
        for person in album.people
    ]
    album = replace(album, people=tuple(people))
    folder = tmp_path / "out" / "a" / "b"
    write_sidecars(album, folder)
    made = list((tmp_path / "out").rglob("*.xmp"))
    assert all(path.is_relative_to(folder) for path in made)


def test_a_pipe_in_place_of_a_photo_is_a_problem_and_no_wait(tmp_path: Path) -> None:
    album = gallery_album(promising_gallery(tmp_path))
    for face in album.faces:
        face.photo.unlink(missing_ok=True)
        os.mkfifo(face.photo)
    page = write_report(album)
    write_sidecars(album, None)
    assert page.exists()
    with pytest.raises(PhotoError, match="named pipe"):
        PhotoReader(None).read(next(iter(album.faces)).photo)


def test_a_probe_is_decoded_within_limits(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(encoded(corner_picture(), "PNG"))
    assert PhotoReader(None).read(photo).pixels.shape == (64, 96, 3)
    with pytest.raises(PhotoError, match="timeout"):
        PhotoReader(None, timeout=1e-4).read(photo)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON decision BEGIN DELETE FROM decided_face; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE other (x)",
        "DROP INDEX decided_face_of",
        "PRAGMA application_id = 5",
    ],
)
def test_a_database_of_other_making_is_not_used(gallery: Gallery, statement: str) -> None:
    with closing(sqlite3.connect(gallery.folder / "people.sqlite")) as database, database:
        database.execute(statement)
    with pytest.raises(GalleryError, match="the tables of a ledger of decisions and nothing else"):
        PeopleStore(gallery.folder).decisions()
    assert [each for each in check_gallery(gallery) if each.subject == "people.sqlite"]


def test_damaged_pages_of_the_database_are_found(gallery: Gallery) -> None:
    path = gallery.folder / "people.sqlite"
    whole = path.read_bytes()
    found = 0
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        found += any(each.severe for each in check_gallery(gallery))
    assert found == len(whole) // 4096 - 1


def made_run(gallery: Gallery, **changed: object) -> ClusterRun:
    """The last run, with other arrays or attributes under a right digest."""
    path = run_paths(gallery)[-1]
    content = read_sealed(path, "facesearch-clustering", 2)
    arrays = {**content.arrays, **{k: v for k, v in changed.items() if isinstance(v, np.ndarray)}}
    said = {**content.attributes, **{k: v for k, v in changed.items() if isinstance(v, str | int)}}
    write_sealed(path, "facesearch-clustering", 2, SealedArrays(said, arrays))
    return run_at(path)


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": np.full(9, 2**31 - 1, np.int32)},
        {"labels": np.full(9, -2, np.int32)},
        {"labels": np.zeros(8, np.int32)},
        {"labels": np.zeros(9, np.int64)},
        {"ids": np.zeros(9, np.int64)},
        {"confidence": np.full(9, np.nan, np.float32)},
        {"people": np.full(9, -7, np.int64)},
        {"story": np.frombuffer(b"[" * 100_000, np.uint8)},
        {"story": np.frombuffer(b'{"how": {"full": []}}', np.uint8)},
        {"story": np.frombuffer(b"{}", np.uint8)},
        {"threshold": "x"},
    ],
)
def test_a_run_of_wrong_numbers_is_refused(gallery: Gallery, changed: dict[str, object]) -> None:
    with pytest.raises(GalleryError, match="delete this file and run: facesearch cluster"):
        made_run(gallery, **changed)


def test_no_damage_of_a_run_gives_another(gallery: Gallery) -> None:
    path = run_paths(gallery)[-1]
    whole, before = path.read_bytes(), read_run(path)
    chooser = np.random.default_rng(3)
    for _ in range(150):
        data = bytearray(whole)
        at, size = int(chooser.integers(len(data))), int(chooser.choice([1, 8, 512]))
        data[at : at + size] = bytes(len(data[at : at + size]))
        path.write_bytes(data)
        try:
            found = run_at(path)
        except GalleryError:
            continue
        np.testing.assert_array_equal(found.clustering.labels, before.clustering.labels)
        assert found.changes == before.changes and found.how == before.how


def test_the_advice_for_a_damaged_graph_helps(gallery: Gallery) -> None:
    path = gallery.folder / "graph.h5"
    data = bytearray(path.read_bytes())
    place = data.find(open_graph(gallery, gallery.state()).rows(0, 9).distances.tobytes()[:16])
    data[place : place + 8] = b"\x7f" * 8
    path.write_bytes(data)
    assert [each for each in check_gallery(gallery) if each.subject == "graph.h5"]
    refresh_graph(gallery, 3)
    assert not [each for each in check_gallery(gallery) if each.subject == "graph.h5"]


def test_a_number_of_shards_out_of_range_is_reported_before_the_work(gallery: Gallery) -> None:
    (gallery.folder / "next-shard").write_text("9" * 30)
    with pytest.raises(GalleryError, match="next-shard"), gallery.writing():
        pytest.fail("the work began")


def test_two_hands_do_not_make_two_adas(gallery: Gallery) -> None:
    one, two = PeopleEditor(gallery), PeopleEditor(gallery)
    one.name(one.now.people[1], "Grace")
    with pytest.raises(ChangedDecisionsError, match="by another process"):
        two.name(two.now.people[2], "Grace")
    again = PeopleEditor(gallery)
    with pytest.raises(FacesearchError, match="Grace is"):
        again.name(again.now.people[2], "Grace")


def test_an_older_look_names_nobody_else(gallery: Gallery) -> None:
    old, new = PeopleEditor(gallery), PeopleEditor(gallery)
    first, second = new.now.people[:2]
    new.merge(first, [second])
    with pytest.raises(ChangedDecisionsError):
        old.name(old.now.people[1], "Somebody")
    with pytest.raises(FacesearchError, match="was merged into"):
        new.name(second, "Somebody")
    old = PeopleEditor(gallery)
    cluster(gallery)
    with pytest.raises(ChangedDecisionsError, match="was clustered"):
        old.name(old.now.people[0], "Somebody")
