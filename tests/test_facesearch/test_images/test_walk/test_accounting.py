"""Every file in a folder is read or counted, once, whatever the folder holds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.images import find_photos
from facesearch.images.walk.left_out import kind_left_out
from facesearch.images.walk.skipped import KINDS, SkippedFiles
from support.failures.hostile import encoded_corners

GOOD = encoded_corners("JPEG")

FOLDERS = (
    "a", "2021", "@eaDir", "#recycle", ".thumbnails", ".git", "Previews.lrdata", "__MACOSX",
    ".Trash-1000", "Album.photoslibrary", "resources", "originals", "report", "my.gallery",
)  # fmt: skip
STEMS = ("IMG_1", "IMG_2", ".hidden", "notes", "é", "gallery")
ENDINGS = (
    ".jpg", ".JPG", ".heic", ".png", ".dng", ".NEF", ".jxl", ".mov", ".MP4", ".xmp", ".txt",
    ".pdf", ".zip", ".mp3", ".xyz", "", ".json", ".mp",
)  # fmt: skip
MARKERS = (".facesearch-report", "gallery.json")
CONTENTS = (GOOD, b"", b"text", b"com.apple.quicktime.content.identifier", b"II*\0" + bytes(60))
PATHS = st.builds(
    lambda folders, stem, ending: "/".join([*folders, stem + ending]),
    st.lists(st.sampled_from(FOLDERS), max_size=3),
    st.sampled_from(STEMS),
    st.sampled_from(ENDINGS),
)
LINKS = st.tuples(st.integers(0, 30), st.integers(0, 30), st.booleans())


def put(root: Path, name: str, data: bytes) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        path.write_bytes(data)


def account(*roots: Path) -> tuple[list[str], SkippedFiles]:
    skipped = SkippedFiles()
    found = [photo.name for photo in find_photos(roots, skipped)]
    return found, skipped


def files_in(root: Path) -> int:
    return sum(len(names) for _, _, names in os.walk(root))


@settings(deadline=None, max_examples=120)
@given(
    files=st.lists(st.tuples(PATHS, st.sampled_from(CONTENTS)), max_size=25),
    markers=st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(MARKERS)), max_size=1),
    links=st.lists(LINKS, max_size=4),
)
def test_read_and_skipped_files_are_all_files(
    files: list[tuple[str, bytes]],
    markers: list[tuple[str, str]],
    links: list[tuple[int, int, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, data in files:
            put(root, name, data)
        for place, marker in markers:
            put(root, f"{place}/{marker}", b"{}")
        plain = sorted(path for path in root.rglob("*") if path.is_file())
        for number, (of, into, hard) in enumerate(links):
            if plain:
                target, beside = plain[of % len(plain)], plain[into % len(plain)]
                link = beside.with_name(f"{beside.stem}-{number}.jpg")
                if number % 2:  # a raw file beside it that is taken for the same picture
                    link.with_suffix(".nef").write_bytes(b"II*\0")
                os.link(target, link) if hard else link.symlink_to(target)
        found, skipped = account(root)
        assert len(found) == len({*found})
        assert len(found) + skipped.total == files_in(root)
        assert {*skipped.counts} <= {*KINDS}
        assert skipped.endings.total() == skipped.counts["other"]
        assert all(number > 0 for number in skipped.counts.values() if number)


def test_kinds_are_counted_by_name_and_by_place(tmp_path: Path) -> None:
    names = (
        "a.jpg", "a.xmp", "b.mov", "c.m4a", "d.pdf", "e.zip", "f.xyz", "g", ".h.jpg",
        "@eaDir/a.jpg/SYNOPHOTO.jpg", "@eaDir/b.jpg", "#recycle/a.jpg", ".Trash-1000/files/x.jpg",
        "x.lrdata/1.lrprev", "__MACOSX/._a.jpg", "#snapshot/monday/a.jpg", ".git/config",
        "Mine.photoslibrary/originals/1.jpg", "Mine.photoslibrary/resources/derivatives/1.jpg",
        "derivatives/1.jpg", "album/.facesearch-report", "album/crops/1.jpg",
        "my.gallery/gallery.json", "my.gallery/shards/00000000.h5",
    )  # fmt: skip
    for number, name in enumerate(names):
        put(tmp_path, name, GOOD + bytes([number]) if name.endswith(".jpg") else b"text")
    (tmp_path / "nothing.txt").symlink_to("is-not-there")
    found, skipped = account(tmp_path)
    assert found == ["Mine.photoslibrary/originals/1.jpg", "a.jpg", "derivatives/1.jpg"]
    assert dict(skipped.counts) == {
        "sidecar": 1, "video": 1, "sound": 1, "document": 1, "archive": 1, "other": 2,
        "hidden": 2, "thumbnails": 2, "trash": 2, "previews": 2, "system": 1, "snapshots": 1,
        "report": 2, "gallery": 2, "special": 1,
    }  # fmt: skip
    assert dict(skipped.endings) == {".xyz": 1, "": 1}
    left_out = {(str(each.folder.relative_to(tmp_path)), each.kind) for each in skipped.folders}
    assert ("my.gallery", "gallery") in left_out and ("album", "report") in left_out


@pytest.mark.parametrize("name", ["@eaDir", ".hidden", "#recycle"])
def test_a_folder_that_is_asked_for_is_read(tmp_path: Path, name: str) -> None:
    put(tmp_path, f"{name}/a.jpg", GOOD)
    put(tmp_path, "b.jpg", GOOD + b"b")
    found, skipped = account(tmp_path, tmp_path / name)
    assert found == [f"{name}/a.jpg", "b.jpg"]
    assert skipped.total == 0


def test_a_left_out_folder_behind_a_link_is_counted_where_it_is(tmp_path: Path) -> None:
    put(tmp_path, "elsewhere/a.jpg", GOOD)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / ".link").symlink_to(tmp_path / "elsewhere")
    assert account(tmp_path / "photos")[1].total == 0


@pytest.mark.parametrize(
    ("name", "parent", "kind"),
    [
        ("@EADIR", "x", "thumbnails"),
        ("Trash", "x", ""),
        (".Trashes", "x", "trash"),
        ("resources", "x", ""),
        ("Thumbnails", "Old.PhotoLibrary", "previews"),
        ("Masters", "Old.PhotoLibrary", ""),
        ("lrdata", "x", ""),
        (".anything", "x", "hidden"),
    ],
)
def test_folders_to_leave_out(name: str, parent: str, kind: str) -> None:
    assert kind_left_out(name, parent) == kind
