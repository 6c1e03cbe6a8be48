"""Who is forgotten is nowhere any more: faces that clusterings gave, names, sidecars, reports."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.api.clustering import gallery_album, write_report, write_sidecars
from facesearch.api.maintenance import check_erased, check_gallery, forget_faces
from facesearch.cli.main import main
from facesearch.clustering.run_store import run_paths
from facesearch.curation.editor import PeopleEditor
from facesearch.erasure.receipt import rolling_hashes
from facesearch.errors import BusyGalleryError, ChangedGalleryError, InputError
from facesearch.gallery import locks
from facesearch.gallery.gallery import Gallery
from facesearch.people.ledger import FaceDecision, NewDecision
from facesearch.people.store import PeopleStore
from support.failures.promises import promising_gallery
from support.made_folders import MadeFolder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(tmp_path_factory.mktemp("promising"), promising_gallery)


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    """Ada is decided to be in photo 1-0; clustering gives her 1-1 and 1-2."""
    return Gallery.open(made.fresh() / "my.gallery")


def test_faces_that_clustering_gave_are_forgotten_too(gallery: Gallery) -> None:
    planned = forget_faces(gallery, people="Ada", dry_run=True)
    assert (planned.faces, planned.decided, planned.clustered) == (3, 1, 2)
    assert gallery.state().face_count == 9 and planned.receipt is None
    report = forget_faces(gallery, people="Ada")
    assert (report.faces, report.decided, report.clustered) == (3, 1, 2)
    assert gallery.state().live_ids().tolist() == [3, 4, 5, 6, 7, 8]


def test_a_name_of_overruled_and_undone_decisions_goes(gallery: Gallery) -> None:
    store = PeopleStore(gallery.folder)
    store.enroll("Eva", [6])
    store.enroll("Zoe", [6])
    store.enroll("Una", [7])
    store.undo()
    content = (gallery.folder / "people.sqlite").read_bytes()
    assert b"Eva" in content and b"Una" in content
    for name in ("Eva", "Una"):
        report = forget_faces(gallery, people=name)
        assert report.faces == 0 and report.receipt
        assert name.encode() not in (gallery.folder / "people.sqlite").read_bytes()
        with pytest.raises(InputError, match="no person"):
            forget_faces(gallery, people=name)
    assert store.memberships().by_id()[6] == "Zoe"
    names = [path.name for path in gallery.folder.iterdir()]
    assert not [name for name in names if "sqlite-" in name]


def test_a_number_that_no_face_can_have_is_refused(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (10**30, -1, 9, 1 << 32):
        assert main(["forget", str(gallery.folder), "--face", str(number)]) == 2
        assert str(number) in capsys.readouterr().err


def test_the_command_after_a_clustering_says_what_it_did(
    gallery: Gallery, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["forget", str(gallery.folder), "--person", "Ada"]
    assert main([*words, "--dry-run"]) == 0
    assert "1 by decision, 2 only by clustering" in capsys.readouterr().out
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "merges.h5 removed" in out and "receipt: " in out and err == ""


def test_a_link_in_place_of_the_report_goes_and_nothing_it_leads_to(
    gallery: Gallery, tmp_path: Path
) -> None:
    other = tmp_path / "elsewhere"
    write_report(gallery_album(gallery), other)
    kept = sorted(path.name for path in other.rglob("*"))
    (gallery.folder / "report").symlink_to(other)
    report = forget_faces(gallery, people="Ada")
    assert not (gallery.folder / "report").is_symlink() and "report" in report.removed
    assert report.elsewhere == [str(other)]
    assert sorted(path.name for path in other.rglob("*")) == kept


def test_sidecars_beside_photos_go(gallery: Gallery) -> None:
    photos = gallery.folder.parent / "photos"
    write_sidecars(gallery_album(gallery))
    foreign = photos / "1-1.png.xmp"
    foreign.write_text("<x>Ada</x>")
    theirs, hers = (photos / f"{name}.png.xmp" for name in ("2-0", "1-0"))
    assert "Ada" in hers.read_text()
    planned = forget_faces(gallery, people="Ada", dry_run=True)
    report = forget_faces(gallery, people="Ada")
    assert report.sidecars == planned.sidecars and len(report.sidecars) == 2
    assert not hers.exists() and theirs.exists() and foreign.exists()


def test_a_damaged_old_run_does_not_stop_it(gallery: Gallery) -> None:
    old = run_paths(gallery)[0]
    old.write_bytes(old.read_bytes()[:700] + bytes(512))
    assert forget_faces(gallery, ids=[0]).faces == 1
    assert not old.exists() and len(run_paths(gallery)) == 1
    assert not [each for each in check_gallery(gallery) if each.severe]


def test_a_report_being_written_is_waited_for(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()

    def report() -> None:
        with Gallery.open(gallery.folder).presenting():
            started.set()
            time.sleep(0.3)
            done.set()

    started = threading.Event()
    writer = threading.Thread(target=report)
    writer.start()
    started.wait()
    forget_faces(gallery, ids=[0])
    assert done.is_set()
    writer.join()
    monkeypatch.setattr(locks, "_ATTEMPTS", 2)
    with Gallery.open(gallery.folder).presenting(), pytest.raises(BusyGalleryError, match="report"):
        forget_faces(gallery, ids=[3])
    assert 3 not in gallery.state().live_ids()  # found by nobody from then on
    forget_faces(gallery)
    assert not [each for each in check_gallery(gallery) if each.severe]


def test_an_album_from_before_is_not_written(gallery: Gallery) -> None:
    album = gallery_album(gallery)
    forget_faces(gallery, people="Ada")
    for write in (write_report, write_sidecars):
        with pytest.raises(ChangedGalleryError, match="3 faces of the album were forgotten"):
            write(album)
    assert not (gallery.folder / "report").exists()


def test_decisions_made_across_it_bring_nothing_back(gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    forget_faces(gallery, people="Ada")
    with pytest.raises(ChangedGalleryError, match="forgotten meanwhile"):
        PeopleStore(gallery.folder).decide(
            [NewDecision("name", 9, name="Ada", faces=(FaceDecision(0, 9),))]
        )
    with pytest.raises(Exception, match="meanwhile"):
        editor.name(editor.now.people[0], "Ada B")
    assert b"Ada" not in (gallery.folder / "people.sqlite").read_bytes()


def test_the_receipt_finds_each_vector_before_and_none_after(
    gallery: Gallery, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path(shutil.copytree(gallery.folder, tmp_path / "before.gallery"))
    receipt = tmp_path / "receipt.json"
    forget_faces(gallery, people="Ada", receipt=receipt)
    assert "Ada" not in receipt.read_text()
    assert check_erased(gallery, receipt, names="Ada") == []
    assert main(["check", str(gallery.folder), "--erased", str(receipt)]) == 0
    found = " ".join(check_erased(before, receipt, names="Ada"))
    for place in ("00000000.h5 holds bytes", "flat-", "people.sqlite holds a name", "clusterings"):
        assert place in found
    assert main(["check", str(before), "--erased", str(receipt)]) == 1
    assert "FOUND: " in capsys.readouterr().out
    with pytest.raises(InputError, match="cannot read the receipt"):
        check_erased(gallery, gallery.folder / "gallery.json")


@pytest.mark.parametrize("encoding", ["<f2", "<f4", "<f8"])
def test_a_vector_left_anywhere_is_found(gallery: Gallery, tmp_path: Path, encoding: str) -> None:
    vector = gallery.vectors(np.array([1], np.int64))[0]
    receipt = tmp_path / "receipt.json"
    forget_faces(gallery, ids=[1], receipt=receipt)
    assert check_erased(gallery, receipt) == []
    stray = gallery.folder / "clusters" / ".left.partial"
    for at in (0, 1, 13, 4096, (1 << 24) - 5):
        stray.write_bytes(bytes(at) + vector.astype(encoding).tobytes() + b"tail")
        assert check_erased(gallery, receipt) == [f"{stray} holds bytes of a vector"]


@given(st.binary(max_size=300), st.integers(1, 40))
def test_rolling_hashes_are_those_of_each_window(data: bytes, width: int) -> None:
    array = np.frombuffer(data, np.uint8)
    found = rolling_hashes(array, width)
    base, wanted = 0x9E3779B97F4A7C15, []
    for start in range(max(0, len(data) - width + 1)):
        window = data[start : start + width]
        wanted.append(sum((b + 1) * pow(base, j, 2**64) for j, b in enumerate(window)) % 2**64)
    assert found.tolist() == wanted


def test_confirmation_is_asked_on_a_terminal(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    words = ["forget", str(gallery.folder), "--face", "0"]
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    assert main(words) == 2
    assert "Delete? [y/N]" in capsys.readouterr().err and gallery.state().face_count == 9
    monkeypatch.setattr("sys.stdin.readline", lambda: "y\n", raising=False)
    assert main(words) == 0 and gallery.state().face_count == 8


def test_a_receipt_names_ids_and_digests_only(gallery: Gallery, tmp_path: Path) -> None:
    receipt = tmp_path / "receipt.json"
    forget_faces(gallery, people="Ada", receipt=receipt)
    document = json.loads(receipt.read_text())
    assert document["faces"] == [0, 1, 2] and document["found"] == []
    assert str(gallery.folder.parent / "photos") not in receipt.read_text()
    with closing(sqlite3.connect(gallery.folder / "people.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
