"""Which photos are read again, which are gone, and folders that are away or have another name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.errors import InputError
from facesearch.gallery.changes import need_work
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.photo_log import PhotoLog, ShardLog
from facesearch.gallery.photo_table import PhotoTable
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.state import GalleryState
from facesearch.images import FoundPhoto
from indexer.storage.byte_strings import ByteStrings
from support.fake_engine import FakeEngine, write_photo
from support.galleries import drop_column, rewrite_shard

OPTIONS = EmbedOptions(decoders=0, threads=1, shard_photos=4)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(4):
        write_photo(tmp_path / "photos" / f"{number}.png", [number + 1], variant=number)
    return tmp_path / "photos"


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)


def run(gallery: Gallery, *roots: Path, **changes: Any) -> EmbedReport:
    engine: Any = FakeEngine()
    return embed_photos(gallery, engine, roots, EmbedOptions(**{**vars(OPTIONS), **changes}))


def rewrite_keeping_size_and_time(photo: Path) -> None:
    """Another person in a photo, as ``exiftool -P`` changes a file: size and time stay."""
    before = photo.stat()
    other = write_photo(photo.with_name("other.png"), [200], variant=77).read_bytes()
    photo.with_name("other.png").unlink()
    photo.write_bytes(other[: before.st_size].ljust(before.st_size, b"\0"))
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = photo.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def forget_stamps(gallery: Gallery) -> None:
    """Make a gallery as one of an earlier version, or of a file system that keeps no such times."""
    for path in gallery.shard_paths():
        for column in ("ctime_ns", "inode"):
            rewrite_shard(path, drop_column("photos", column))


def test_content_that_changed_behind_size_and_time_is_noticed(
    gallery: Gallery, photos: Path
) -> None:
    run(gallery, photos)
    rewrite_keeping_size_and_time(photos / "1.png")
    report = run(gallery, photos)
    assert (report.unchanged, report.embedded + report.failed) == (3, 1)


def test_without_times_of_change_only_verify_notices(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    forget_stamps(gallery)
    rewrite_keeping_size_and_time(photos / "1.png")
    assert run(gallery, photos).unchanged == 4
    report = run(gallery, photos, verify=True)
    assert (report.unchanged, report.checked, report.embedded + report.failed) == (0, 3, 1)
    # Now the times are known, and the next change is noticed.
    rewrite_keeping_size_and_time(photos / "2.png")
    assert run(gallery, photos).unchanged == 3


def test_verify_of_unchanged_photos_writes_nothing(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    shards = gallery.shard_paths()
    before = gallery.state().live_ids()
    report = run(gallery, photos, verify=True)
    assert (report.checked, report.known, report.embedded, report.shards) == (4, 0, 0, [])
    assert gallery.shard_paths() == shards
    assert np.array_equal(gallery.state().live_ids(), before)


def test_new_times_of_the_same_content_cost_one_look(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    before = gallery.state().live_ids()
    (photos / "2.png").chmod(0o600)  # changes the time of change alone
    report = run(gallery, photos)
    assert (report.checked, report.unchanged) == (1, 3)
    assert run(gallery, photos).unchanged == 4
    assert np.array_equal(gallery.state().live_ids(), before)


@pytest.mark.parametrize(
    "time", [-1, -(10**9), -(10**18), 2**63 + 10**12], ids=["-1 ns", "-1 s", "1938", "2262"]
)
def test_times_of_any_century_end_no_job(gallery: Gallery, photos: Path, time: int) -> None:
    os.utime(photos / "0.png", ns=(time, time))
    if (photos / "0.png").stat().st_mtime_ns != time:
        pytest.skip("this file system keeps no such times")
    assert run(gallery, photos).embedded == 4
    assert run(gallery, photos).unchanged == 4
    assert run(gallery, photos, verify=True).checked == 4
    (record,) = (each for each in gallery.state().photos.values() if each.name == "0.png")
    assert record.mtime_ns == min(time, 2**63 - 1)
    os.utime(photos / "0.png", ns=(5, 5))  # a change is still noticed, and costs one look
    assert run(gallery, photos).checked == 1


@pytest.mark.parametrize(("time", "kept"), [(2**63, 2**63 - 1), (-(2**70), 1 - 2**63), (5, 5)])
def test_times_are_bound(time: int, kept: int) -> None:
    class Status:
        st_size, st_ino, st_mtime_ns, st_ctime_ns = 7, 2**64 - 1, time, time

    status: Any = Status()
    found = FoundPhoto.of(Path("/p"), "a.jpg", status)
    assert (found.mtime_ns, found.ctime_ns) == (kept, kept)
    assert 0 <= found.inode < 2**63


def test_a_folder_that_is_away_stops_no_other(gallery: Gallery, photos: Path) -> None:
    stick = photos.with_name("stick")
    write_photo(stick / "a.png", [9], variant=50)
    run(gallery, photos, stick)
    away = stick.rename(stick.with_name("away"))
    for gone in (1, 0):  # the first run and all later ones
        report = run(gallery, photos, stick)
        assert (report.found, report.unchanged, report.gone) == (4, 4, gone)
        assert report.absent == [stick]
    away.rename(stick)
    report = run(gallery, photos, stick)
    assert (report.known, report.embedded, report.absent) == (1, 0, [])
    with pytest.raises(InputError, match="nowhere"):
        run(gallery, photos, photos.with_name("nowhere"))


@pytest.mark.parametrize("old_gallery", [False, True])
def test_after_a_root_was_renamed_a_deleted_photo_is_gone(
    gallery: Gallery, photos: Path, old_gallery: bool
) -> None:
    run(gallery, photos)
    if old_gallery:
        forget_stamps(gallery)
    renamed = photos.rename(photos.with_name("pictures"))
    (renamed / "1.png").unlink()
    report = run(gallery, renamed)
    assert (report.known, report.gone, report.renamed) == (3, 4, [photos])
    state = gallery.state()
    assert state.face_count == 3
    assert {record.root for record in state.having("ok", "known")} == {os.fsencode(renamed)}
    assert run(gallery, renamed).renamed == []


def test_a_renamed_root_is_known_by_one_file(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    renamed = photos.rename(photos.with_name("pictures"))
    for name in ("0.png", "1.png", "2.png"):
        (renamed / name).unlink()
    assert run(gallery, renamed).renamed == [photos]
    assert gallery.state().face_count == 1


def test_the_copy_of_a_drive_does_not_delete_it(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    copy = photos.with_name("copy")
    shutil.copytree(photos, copy)  # keeps the files' times
    (copy / "1.png").unlink()
    photos.rename(photos.with_name("unplugged"))
    report = run(gallery, copy)
    assert (report.known, report.gone, report.renamed) == (3, 0, [])
    assert gallery.state().face_count == 4


STAMPS = st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(0, 2), st.integers(0, 2))
STATUS = st.sampled_from(["ok", "failed", "gone"])


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(STATUS, st.sampled_from(["corrupt", "timeout"]), STAMPS), max_size=6),
    found=st.lists(st.tuples(st.integers(-1, 5), STAMPS), max_size=8),
    retry=st.booleans(),
    verify=st.booleans(),
)
def test_what_is_read_is_what_plain_rules_say(
    rows: list[tuple[str, str, tuple[int, int, int, int]]],
    found: list[tuple[int, tuple[int, int, int, int]]],
    retry: bool,
    verify: bool,
) -> None:
    state = state_of(rows)
    asked = [(row if row < len(rows) else -1, stamps) for row, stamps in found]
    photos = [
        FoundPhoto(Path("/p"), "x", stamps[0], stamps[1], ctime_ns=stamps[2], inode=stamps[3])
        for _, stamps in asked
    ]
    numbers = np.array([row for row, _ in asked], np.int64)
    need = need_work(state, photos, numbers, retry_failed=retry, verify=verify)
    assert need.tolist() == [plain_need(rows, *each, retry, verify) for each in asked]


def state_of(rows: list[tuple[str, str, tuple[int, int, int, int]]]) -> GalleryState:
    texts = [b""] * len(rows)
    table = PhotoTable(
        ids=np.arange(len(rows)),
        root=ByteStrings.of([b"/p"] * len(rows)),
        path=ByteStrings.of([b"%d" % number for number in range(len(rows))]),
        size=np.array([stamps[0] for *_, stamps in rows], np.int64),
        mtime_ns=np.array([stamps[1] for *_, stamps in rows], np.int64),
        sha256=np.arange(32 * len(rows), dtype=np.uint8).reshape(-1, 32),
        width=np.zeros(len(rows), np.int32),
        height=np.zeros(len(rows), np.int32),
        taken_at=ByteStrings.of(texts),
        status=np.array([("ok", "known", "failed", "gone").index(each[0]) for each in rows], "i1"),
        reason=ByteStrings.of([each[1].encode() for each in rows]),
        detail=ByteStrings.of(texts),
        ctime_ns=np.array([stamps[2] for *_, stamps in rows], np.int64),
        inode=np.array([stamps[3] for *_, stamps in rows], np.int64),
    )
    part = ShardLog(0, table, np.zeros(0, np.int32))
    return GalleryState.of(PhotoLog.empty().extended([part]), np.zeros(0, np.int64))


def plain_need(
    rows: list[tuple[str, str, tuple[int, int, int, int]]],
    row: int,
    now: tuple[int, int, int, int],
    retry: bool,
    verify: bool,
) -> bool:
    if row < 0:
        return True
    status, reason, before = rows[row]
    if now[:2] != before[:2]:
        return True
    if any(a and b and a != b for a, b in zip(now[2:], before[2:], strict=True)):
        return True
    if status == "failed":
        return retry or reason == "timeout"
    return verify if status == "ok" else True


def test_records_keep_times_of_change(gallery: Gallery, photos: Path) -> None:
    run(gallery, photos)
    records: list[PhotoRecord] = list(gallery.state().photos.values())
    for record in records:
        status = record.location.stat()
        assert record.ctime_ns == status.st_ctime_ns
        assert record.inode in (0, status.st_ino)
