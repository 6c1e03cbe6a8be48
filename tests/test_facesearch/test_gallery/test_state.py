"""What a gallery holds now: as folded by columns, kept and extended, the same as row by row."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.common.vector_gallery import seal_shard
from facesearch.errors import GalleryError
from facesearch.gallery.gallery import Gallery
from facesearch.gallery.records import PhotoRecord
from facesearch.gallery.state_cache import FILE, read_state
from facesearch.gallery.tombstones import Tombstone, Tombstones
from indexer.storage.shards import digest_path
from support.examples import examples
from support.fake_engine import DIMENSION, FakeEngine
from support.galleries import rewrite_shard, set_value, small_gallery
from support.oracles.plain_state import plain_state, require_equal_states

# Two roots of which one is in the other, so that one location has two ways to be written.
PLACES = [
    (b"/p", b"a/1"),
    (b"/p/a", b"1"),
    (b"/p", b"a/2\xff"),
    (b"/", b"p/3"),
    (b"/p", b"3"),
    (b"/p", b"."),
]
CONTENTS = [hashlib.sha256(bytes([number])).hexdigest() for number in range(4)]
ROWS = st.builds(
    lambda place, content, status, faces, size: (
        PhotoRecord(
            photo_id=-1,
            root=place[0],
            path=place[1],
            size=size,
            mtime_ns=size,
            sha256="" if status == "gone" else content,
            width=3 if status == "ok" else 0,
            height=4 if status == "ok" else 0,
            taken_at="",
            status=status,
            reason="corrupt" if status == "failed" else "",
            detail="Überall kaputt" if status == "failed" else "",
        ),
        faces if status == "ok" else 0,
    ),
    st.sampled_from(PLACES),
    st.sampled_from(CONTENTS),
    st.sampled_from(["ok", "ok", "known", "failed", "gone"]),
    st.integers(0, 2),
    st.integers(1, 2),
)
# Seal a shard; write as the gallery's writer does; lose a shard, bring it back; forget faces.
STEPS = st.one_of(
    st.tuples(st.just("seal"), st.lists(ROWS, min_size=1, max_size=6)),
    st.tuples(st.just("keep"), st.none()),
    st.tuples(st.sampled_from(["lose", "restore", "forget", "blank"]), st.integers(0, 5)),
)

PHOTO = PhotoRecord(-1, b"/p", b"3", 1, 1, CONTENTS[0], 3, 4, "", "ok", "", "")


@given(st.lists(STEPS, min_size=4, max_size=9))  # each begins with shorter ones
@example([("seal", [(PHOTO, 1)]), ("forget", 0), ("lose", 0)])  # no shard is left
@example([("seal", [(PHOTO, 1)]), ("keep", None), ("lose", 0), ("keep", None)])
@examples(7, 20)
def test_every_history_folds_as_row_by_row(steps: list[tuple[str, Any]]) -> None:
    with TemporaryDirectory() as scratch:
        gallery = Gallery.create(Path(scratch) / "my.gallery", FakeEngine().contract)
        gallery.shards_folder.mkdir()
        for action, value in steps:
            take(gallery, action, value)
            require_equal_states(gallery)
            assert gallery.state().log.equals(gallery.state(ignore_cache=True).log)


def take(gallery: Gallery, action: str, value: Any) -> None:
    lost = gallery.folder / "lost"
    lost.mkdir(exist_ok=True)
    there = gallery.shard_paths()
    if action == "seal":
        seal(gallery, value)
    elif action == "keep":
        with gallery.writing():
            state = gallery.state()
        kept = read_state(gallery.folder, gallery.contract)
        assert (kept.shards if kept else {}) == gallery.shard_digests()
        assert state.digest() == gallery.state().digest()
    elif action == "restore":
        for path in sorted(lost.iterdir())[:value]:
            path.rename(gallery.shards_folder / path.name)
            if not digest_path(gallery.shards_folder / path.name).exists():
                digest_path(gallery.shards_folder / path.name).write_text("of another time")
    elif value >= len(there):
        return
    elif action == "lose":
        there[value].rename(lost / there[value].name)
    elif action == "forget":
        face = Tombstone(int(there[value].stem) << 32 | value, CONTENTS[0], (0, 0, 1, 1))
        Tombstones.read(gallery.folder).joined([face]).write(gallery.folder)
    else:
        rewrite_shard(there[value], blank)


def seal(gallery: Gallery, rows: list[tuple[PhotoRecord, int]]) -> None:
    photo = np.repeat(np.arange(len(rows)), [faces for _, faces in rows]).astype(np.int32)
    vectors = np.eye(1, DIMENSION, dtype=np.float32).repeat(len(photo), axis=0)
    with gallery.writing():
        seal_shard(gallery, [record for record, _ in rows], photo, vectors)
        gallery.note_shard_numbers()


def blank(tables: dict[str, dict[str, Any]]) -> None:
    """The first face is forgotten and the photo of the last comes to be gone."""
    photo = tables["faces"]["photo"]
    if len(photo):
        last = photo[-1] if photo[-1] >= 0 else ~photo[-1]
        photo[:] = np.where((photo >= 0) & ((photo == last) | (photo == photo[0])), ~photo, photo)
        tables["photos"]["status"][last] = b"gone"
        tables["photos"]["sha256"][last] = b""


def test_only_the_writer_keeps_what_it_read(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    gallery.state()
    assert not (gallery.folder / FILE).exists()
    with gallery.writing():
        gallery.state()
    first = (gallery.folder / FILE).read_bytes()
    with gallery.writing():
        gallery.state()
    assert (gallery.folder / FILE).read_bytes() == first
    require_equal_states(gallery)


def test_shards_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = small_gallery(tmp_path)
    with gallery.writing():
        gallery.state()
    expected = plain_state(gallery)
    read: list[Path] = []
    part = Gallery._photo_part
    monkeypatch.setattr(Gallery, "_photo_part", lambda self, p: [read.append(p), part(self, p)][1])
    assert set(gallery.state().live_ids().tolist()) == expected.live and read == []
    rewrite_shard(gallery.shard_paths()[1], set_value("photos", "size", 1, 77))
    require_equal_states(gallery)
    assert read == gallery.shard_paths()


def damaged_files(path: Path) -> Iterator[bytes]:
    """Many a byte turned over, and ends missing."""
    content = path.read_bytes()
    for place in range(0, len(content), 700):
        yield content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
    for length in range(0, len(content), len(content) // 20):
        yield content[:length]


def test_a_damaged_file_is_never_believed(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    with gallery.writing():
        gallery.state()
    expected = plain_state(gallery)
    unused = 0
    for content in damaged_files(gallery.folder / FILE):
        (gallery.folder / FILE).write_bytes(content)
        unused += read_state(gallery.folder, gallery.contract) is None
        state = gallery.state()
        assert dict(state.photos) == expected.photos
        assert set(state.live_ids().tolist()) == expected.live
    assert unused > 20


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("photos/status", 4),
        ("photos/ids", 0),
        ("holder", 99),
        ("counts", 1),
        ("shards", 0),
        ("photos/detail/bytes", 0xE9),
        ("photos/path/offsets", 1 << 40),
    ],
)
def test_parts_that_do_not_fit_each_other_are_not_used(
    tmp_path: Path, key: str, value: int
) -> None:
    gallery = small_gallery(tmp_path)
    with gallery.writing():
        gallery.state()
    with h5py.File(gallery.folder / FILE, "r+") as file:
        file[key][-1] = value
    assert read_state(gallery.folder, gallery.contract) is None
    require_equal_states(gallery)


def test_a_shard_of_another_gallery_is_refused_all_the_same(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    with gallery.writing():
        gallery.state()
    other = FakeEngine("other").contract
    assert read_state(gallery.folder, other) is None
    with pytest.raises(GalleryError, match="it belongs to another gallery"):
        Gallery(gallery.folder, other, gallery.dtype).state()


# Opens a gallery as its writer while no file may become larger than so many bytes.
FULL_DISK = """
import logging, resource, sys
from pathlib import Path
from facesearch.gallery.gallery import Gallery

logging.basicConfig(format="%(message)s")
gallery = Gallery.open(Path(sys.argv[1]))
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
for room in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, most))
    with gallery.writing():
        written = gallery.state()
    assert gallery.state().digest() == written.digest()
    print(len(written.photos))
"""


def test_a_disk_that_is_full_is_no_reason_to_fail(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    rooms = range(500, 7501, 500)
    command = [sys.executable, "-c", FULL_DISK, gallery.folder, *map(str, rooms)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(gallery.state().photos))] * len(rooms)
    warning = (
        f"the state of {gallery.folder} was not kept: cannot write {gallery.folder / FILE}: File "
        "too large; the file system or a limit allows no file so large"
    )
    assert done.stderr.splitlines() == [warning] * len(rooms)
    assert [path.name for path in gallery.folder.glob("*state*")] == []


def test_a_record_is_found_by_its_content(tmp_path: Path) -> None:
    gallery = small_gallery(tmp_path)
    state = gallery.state()
    for record in state.photos.values():
        if record.sha256:
            found = state.photos.of_content(record.sha256)
            assert found is not None and found.sha256 == record.sha256
    assert state.photos.of_content("f" * 64) is None
    assert "f" * 64 not in state.contents and "" not in state.contents
