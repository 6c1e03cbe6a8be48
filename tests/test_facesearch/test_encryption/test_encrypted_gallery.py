"""An encrypted gallery says nothing, loses nothing, and is used like any other."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facesearch.api.clustering import gallery_album
from facesearch.api.encryption import (
    change_key,
    decrypt_gallery,
    encrypt_gallery,
    unlocked_gallery,
)
from facesearch.backup.snapshot import is_gallery_file
from facesearch.encryption import keys, memory_folder, unlocked
from facesearch.encryption.keys import Secret
from facesearch.encryption.sealed_files import CONTENTS
from facesearch.erasure.forget import Selection, forget
from facesearch.erasure.name_search import names_found
from facesearch.erasure.receipt import Traces
from facesearch.errors import BusyGalleryError, EncryptedGalleryError, GalleryError, InputError
from facesearch.gallery.gallery import Gallery
from facesearch.images.discover import find_photos
from facesearch.people.store import PeopleStore
from facesearch.report.write import write_report
from support.failures.promises import ADA, IDA, contents, promising_gallery, severe
from support.processes.fork_server import start

PHRASE = "correct horse battery"


@pytest.fixture(autouse=True, scope="module")
def quick_keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "SCRYPT_COST", 1 << 12)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    return promising_gallery(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def before(whole: Gallery) -> dict[str, Any]:
    return contents(whole)


@pytest.fixture
def folder(whole: Gallery, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole.folder, tmp_path / "copy" / "my.gallery"))


@pytest.fixture(scope="module")
def sealed_once(whole: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed") / "my.gallery"
    shutil.copytree(whole.folder, folder)
    encrypt_gallery(folder, passphrase=PHRASE)
    return folder


@pytest.fixture
def sealed(sealed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sealed_once, tmp_path / "sealed" / "my.gallery"))


def found_in(folder: Path, traces: Traces) -> set[str]:
    """Which of a known vector, names, and names and folders of photos are in any byte."""
    texts = {"Ada": ADA.encode(), "photo": b"1-0.png", "folder": b"/photos", "encoder": b"contract"}
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = {name for name, text in texts.items() for p in files if text in p.read_bytes()}
    found |= {"names"} if names_found(folder, [ADA, IDA]) else set()
    return found | ({"vector"} if traces.found(folder) else set())


def test_no_byte_says_anything(folder: Path, whole: Gallery) -> None:
    write_report(gallery_album(folder), folder / "report", workers=0)
    gallery = Gallery.open(folder)
    traces = Traces.of(gallery, gallery.state().live_ids())
    everything = {"Ada", "names", "photo", "folder", "encoder", "vector"}
    assert found_in(folder, traces) == everything  # so the search is known to work
    report = encrypt_gallery(folder, passphrase=PHRASE)
    assert report.files > 10 and report.removed_report and report.left == ()
    assert found_in(folder, traces) == set()
    names = {path.name for path in folder.iterdir()}
    assert names == {"gallery.sealed", CONTENTS, "lock", "presenting"}
    for path in [folder, *folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0
    # Not even equal content looks equal: two galleries of one key have nothing in common.
    blocks = [path.read_bytes() for path in (folder / CONTENTS).iterdir()]
    assert len({each[:32] for each in blocks}) == len(blocks)


def test_what_is_in_memory_and_what_comes_back_is_what_was_there(
    folder: Path, whole: Gallery, before: dict[str, Any]
) -> None:
    encrypt_gallery(folder, passphrase=PHRASE)
    with unlocked_gallery(folder, passphrase=PHRASE) as work:
        assert work.name == "my.gallery" and work.is_relative_to(memory_folder.PLACE)
        assert work.parent.stat().st_mode & 0o777 == 0o700
        assert contents(Gallery.open(work)) == before
        assert severe(Gallery.open(work)) == []
    assert not work.parent.exists()
    decrypt_gallery(folder, passphrase=PHRASE)
    assert contents(Gallery.open(folder)) == before
    files = [name for name in names_below(whole.folder) if is_gallery_file(name)]
    assert sorted(files) == sorted(name for name in names_below(folder) if is_gallery_file(name))
    for name in files:
        if name != "people.sqlite":
            assert (folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert not (folder / CONTENTS).exists() and not (folder / "gallery.sealed").exists()


def names_below(folder: Path) -> list[str]:
    return [each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file()]


def test_without_the_secret_nothing_opens(whole: Gallery, sealed: Path, tmp_path: Path) -> None:
    with pytest.raises(EncryptedGalleryError, match="is encrypted"):
        Gallery.open(sealed)
    with pytest.raises(EncryptedGalleryError, match="is encrypted"):
        Gallery.create(sealed, whole.contract)
    (tmp_path / "key").write_bytes(os.urandom(32))
    state = (sealed / "gallery.sealed").read_bytes()
    for given in ({"passphrase": PHRASE + "!"}, {"key_file": tmp_path / "key"}):
        for use in (
            decrypt_gallery,
            enter,
            lambda *a, **k: change_key(*a, **k, new_passphrase=PHRASE),
        ):
            with pytest.raises(EncryptedGalleryError, match=r"not the right one|opens with a"):
                use(sealed, **given)
    for given in ({}, {"passphrase": PHRASE, "key_file": tmp_path / "key"}):
        with pytest.raises(InputError, match="a passphrase or a key file"):
            decrypt_gallery(sealed, **given)
    assert (sealed / "gallery.sealed").read_bytes() == state
    assert list(find_photos([sealed.parent])) == []  # and it is not searched for photos


def enter(folder: Path, **secret: Any) -> None:
    with unlocked_gallery(folder, **secret):
        pytest.fail("it opened")


def test_no_damage_of_any_file_is_read(sealed: Path, before: dict[str, Any]) -> None:
    chooser = np.random.default_rng(5)
    paths = [path for path in sorted(sealed.rglob("*")) if path.stat().st_size and path.is_file()]
    refused = 0
    for trial in range(60):
        path = paths[trial % len(paths)]
        whole = path.read_bytes()
        data = bytearray(whole)
        at, size = int(chooser.integers(len(data))), int(chooser.choice([1, 16, 512]))
        if trial % 3 == 0:
            del data[at:]
        else:
            data[at : at + size] = bytes(each ^ 0x55 for each in data[at : at + size])
        path.write_bytes(data)
        with pytest.raises(EncryptedGalleryError, match=str(path)):
            enter(sealed, passphrase=PHRASE)
        refused += 1
        path.write_bytes(whole)
    assert refused == 60
    with unlocked_gallery(sealed, passphrase=PHRASE) as work:
        assert contents(Gallery.open(work)) == before


def swap_contents(folder: Path) -> None:
    """Two files of one size change places, or any two."""
    one, two = sorted((folder / CONTENTS).iterdir(), key=lambda path: path.stat().st_size)[:2]
    one_bytes = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(one_bytes)


def lose_one(folder: Path) -> None:
    next((folder / CONTENTS).iterdir()).unlink()


def link_one(folder: Path) -> None:
    path = next((folder / CONTENTS).iterdir())
    moved = path.rename(folder.parent / "moved")
    path.symlink_to(moved)


def older_header(folder: Path) -> None:
    """The readable lines of another gallery before the list of this one."""
    path = folder / "gallery.sealed"
    lines = path.read_bytes().split(b"\n", 2)
    lines[1] = lines[1].replace(b'"state": "', b'"state": "0')
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize("change", [swap_contents, lose_one, link_one, older_header])
def test_files_that_change_places_are_noticed(sealed: Path, change: Callable[[Path], None]) -> None:
    change(sealed)
    with pytest.raises((EncryptedGalleryError, OSError)) as raised:
        enter(sealed, passphrase=PHRASE)
    assert str(sealed) in str(raised.value)
    with pytest.raises((EncryptedGalleryError, OSError)) as raised:
        decrypt_gallery(sealed, passphrase=PHRASE)
    assert str(sealed) in str(raised.value)


def test_changes_are_kept_also_where_an_error_ends_it(sealed: Path) -> None:
    with unlocked_gallery(sealed, passphrase=PHRASE) as work:
        PeopleStore(work).enroll("Grace", [6])
        with pytest.raises(BusyGalleryError):
            enter(sealed, passphrase=PHRASE)
    contents_then = {path.name for path in (sealed / CONTENTS).iterdir()}
    with pytest.raises(RuntimeError), unlocked_gallery(sealed, passphrase=PHRASE) as work:
        assert "Grace" in PeopleStore(work).memberships().names
        forget(Gallery.open(work), Selection(people=(ADA,)))
        raise RuntimeError("stop")
    with unlocked_gallery(sealed, passphrase=PHRASE) as work:
        gallery = Gallery.open(work)
        assert gallery.state().face_count == 6 and severe(gallery) == []
        needed = len([name for name in names_below(work) if is_gallery_file(name)])
    now = {path.name for path in (sealed / CONTENTS).iterdir()}
    # What held the forgotten face is not there any more, encrypted or not.
    assert len(now) == needed and len(now - contents_then) > 3


def test_who_only_reads_waits_for_nobody_and_drops_no_change_of_others(sealed: Path) -> None:
    secret = Secret.of_passphrase(PHRASE)
    with unlocked_gallery(sealed, passphrase=PHRASE, reads_only=True) as work:
        PeopleStore(work).enroll("Kept", [6])
    with (
        unlocked_gallery(sealed, passphrase=PHRASE, reads_only=True) as reader,
        unlocked_gallery(sealed, passphrase=PHRASE) as writer,
    ):
        assert "Kept" in PeopleStore(writer).memberships().names
        PeopleStore(writer).enroll("Written", [7])
        PeopleStore(reader).enroll("Dropped", [8])
    with unlocked.unlocked_gallery(sealed, secret) as work:
        assert {"Kept", "Written"} < {*PeopleStore(work).memberships().names}
    with (
        unlocked_gallery(sealed, passphrase=PHRASE, reads_only=True) as reader,
    ):
        with unlocked_gallery(sealed, passphrase=PHRASE) as writer:
            PeopleStore(writer).enroll("Later", [8])
        PeopleStore(reader).enroll("Dropped", [8])
    with unlocked.unlocked_gallery(sealed, secret) as work:
        names = {*PeopleStore(work).memberships().names}
        assert "Later" in names and "Dropped" not in names


def _killed_at_work(folder: str, sign: str) -> None:
    with unlocked.unlocked_gallery(Path(folder), Secret.of_passphrase(PHRASE), every=0.05) as work:
        gallery = Gallery.open(work)
        PeopleStore(work).enroll("Kept", [6])
        state = (Path(folder) / "gallery.sealed").read_bytes()
        while (Path(folder) / "gallery.sealed").read_bytes() == state:
            time.sleep(0.01)
        assert gallery.state().face_count == 9
        Path(sign).write_text(str(work.parent))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_nothing_in_memory_and_what_was_sealed(
    sealed: Path, tmp_path: Path
) -> None:
    process = start(_killed_at_work, str(sealed), str(tmp_path / "sign"))
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    work = Path((tmp_path / "sign").read_text())
    deadline = time.monotonic() + 30
    while work.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not work.exists()
    with unlocked_gallery(sealed, passphrase=PHRASE) as again:
        assert "Kept" in PeopleStore(again).memberships().names
        assert severe(Gallery.open(again)) == []


class _KilledError(BaseException):
    """As if the process had been killed."""


@contextmanager
def crashing(at: int) -> Iterator[list[int]]:
    """Raise at the ``at``-th change of a file and at all after it; how many there were."""
    seen = [0]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "replace", "unlink", "rmdir"):
            real = getattr(os, name)

            def crash(*args: Any, real: Any = real, **named: Any) -> Any:
                seen[0] += 1
                if 0 <= at < seen[0]:
                    raise _KilledError
                return real(*args, **named)

            patch.setattr(os, name, crash)
        yield seen


NEW = "another passphrase"
STEPS: dict[str, Callable[[Path], object]] = {
    "encrypt": lambda folder: encrypt_gallery(folder, passphrase=PHRASE),
    "decrypt": lambda folder: decrypt_gallery(folder, passphrase=PHRASE),
    "change": lambda folder: change_key(folder, passphrase=PHRASE, new_passphrase=NEW),
}


@pytest.mark.parametrize("moments", [5, pytest.param(14, marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", STEPS)
def test_killed_anywhere_it_is_whole_and_is_done_again(
    whole: Gallery,
    sealed_once: Path,
    tmp_path: Path,
    before: dict[str, Any],
    *,
    step: str,
    moments: int,
) -> None:
    source = whole.folder if step == "encrypt" else sealed_once
    traces = Traces.of(whole, whole.state().live_ids())

    def copy(name: str) -> Path:
        return Path(shutil.copytree(source, tmp_path / name / "my.gallery"))

    with crashing(-1) as seen:
        STEPS[step](copy("whole"))
    assert seen[0] > 40
    for at in np.unique(np.linspace(0, seen[0] - 1, moments).astype(int)).tolist():
        folder = copy(str(at))
        with pytest.raises(_KilledError), crashing(at):
            STEPS[step](folder)
        assert read(folder) == before, at
        try:
            STEPS[step](folder)
        except (InputError, EncryptedGalleryError) as error:  # it was done
            assert "already" in str(error) or "no encrypted" in str(error) or "right" in str(error)
        assert read(folder) == before, at
        if step == "decrypt":
            assert not (folder / CONTENTS).exists()
        else:
            assert found_in(folder, traces) == set(), at
        if step == "change":
            with pytest.raises(EncryptedGalleryError):
                enter(folder, passphrase=PHRASE)
        shutil.rmtree(folder.parent)


def read(folder: Path) -> dict[str, Any]:
    """What the gallery says, in whichever state it is, under whichever passphrase."""
    if not (folder / "gallery.sealed").exists():
        return contents(Gallery.open(folder))
    for phrase in (PHRASE, NEW):
        try:
            with unlocked_gallery(folder, passphrase=phrase) as work:
                return contents(Gallery.open(work))
        except EncryptedGalleryError as error:
            assert "right one" in str(error)
    raise AssertionError("no passphrase opens it")


def test_files_of_others_stay_and_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("precious")
    (folder / "report").symlink_to(tmp_path / "outside")
    report = encrypt_gallery(folder, passphrase=PHRASE)
    assert report.left == ("notes.txt",) and not report.removed_report
    assert (tmp_path / "outside" / "precious").read_text() == "precious"
    assert (folder / "notes.txt").read_text() == "mine"
    with pytest.raises(InputError, match="encrypted already"):
        encrypt_gallery(folder, passphrase=PHRASE)


def test_where_there_is_no_memory_for_it(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(memory_folder.PLACE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    with pytest.raises(InputError, match="make it larger"):
        enter(sealed, passphrase=PHRASE)
    monkeypatch.setattr(memory_folder, "_MOUNTS", sealed / "nothing")
    with pytest.raises(InputError, match="in memory"):
        enter(sealed, passphrase=PHRASE)


def test_a_gallery_being_written_is_not_encrypted(folder: Path) -> None:
    gallery = Gallery.open(folder)
    with gallery.writing(), pytest.raises(BusyGalleryError):
        encrypt_gallery(folder, passphrase=PHRASE)
    with pytest.raises(GalleryError):
        encrypt_gallery(folder / "nothing", passphrase=PHRASE)
    with pytest.raises(InputError, match="no encrypted gallery"):
        decrypt_gallery(folder, passphrase=PHRASE)
