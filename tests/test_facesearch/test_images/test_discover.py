"""The walk: order, what is a photo, and everything a folder can hold besides."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facesearch.errors import InputError
from facesearch.images import check_roots, discover, find_photos
from facesearch.images.walk import file_kinds
from facesearch.images.walk.skipped import SkippedFiles
from facesearch.report import write_report
from support.albums import album_of, draw_photo, face
from support.failures.hostile import encoded_corners

GOOD = encoded_corners("PNG")
GALLERY = b'{"format": "facesearch-gallery"}'


def put(folder: Path, *names: str, data: bytes = GOOD) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def paths(*roots: Path) -> list[str]:
    return [str(photo.path) for photo in find_photos(roots)]


def test_order_is_bytewise_by_whole_path(tmp_path: Path) -> None:
    names = ["a.jpg", "a/b.jpg", "a-b.jpg", "a0/b.jpg", "B.jpg", "é.jpg", "a/c/d.jpg", "a/c.jpg"]
    put(tmp_path, *names)
    assert paths(tmp_path) == sorted(names, key=os.fsencode)


def test_size_time_and_location(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    os.utime(tmp_path / "a.png", ns=(1, 1_234_567_890_123_456_789))
    (photo,) = find_photos([tmp_path])
    assert (photo.size, photo.mtime_ns, photo.error) == (len(GOOD), 1_234_567_890_123_456_789, "")
    assert photo.location == tmp_path / "a.png"


def test_hidden_files_and_galleries_are_skipped(tmp_path: Path) -> None:
    put(tmp_path, "seen.jpg", ".hidden.jpg", ".thumbnails/a.jpg", "my.gallery/report/crops/1.jpg")
    put(tmp_path, "my.gallery/gallery.json", data=GALLERY)
    assert paths(tmp_path) == ["seen.jpg"]


@pytest.mark.parametrize("name", ["gallery.json", "gallery.sealed"])
def test_a_file_of_a_gallerys_name_hides_no_photos(tmp_path: Path, name: str) -> None:
    """Programs for web pages call their files so too."""
    put(tmp_path, "page/a.jpg", "page/sub/b.jpg")
    put(tmp_path, f"page/{name}", data=b'{"images": ["a.jpg"]}')
    assert paths(tmp_path) == ["page/a.jpg", "page/sub/b.jpg"]
    check_roots([tmp_path / "page"])
    (tmp_path / "page" / ("shards" if name == "gallery.json" else "sealed")).mkdir()
    assert paths(tmp_path) == []  # a gallery whose description is damaged
    with pytest.raises(InputError, match="is a gallery"):
        check_roots([tmp_path / "page"])


def test_a_report_among_the_photos_is_skipped(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "album/crops.png", "z.png")
    draw_photo(tmp_path / "scan.tif", [(100, 80, 180, 180)])
    album = album_of([face(0, tmp_path / "scan.tif")], [0])
    write_report(album, tmp_path / "report", workers=0)
    assert list((tmp_path / "report").glob("*/*.jpg"))
    assert paths(tmp_path) == ["a.png", "album/crops.png", "scan.tif", "z.png"]


@pytest.mark.parametrize("check", [find_photos, check_roots])
@pytest.mark.parametrize(
    ("marker", "kind"), [("gallery.json", "a gallery"), (".facesearch-report", "a report")]
)
def test_a_gallery_or_report_as_root_is_refused(
    tmp_path: Path, marker: str, kind: str, check: Callable[[list[Path]], object]
) -> None:
    put(tmp_path, marker, data=GALLERY)
    with pytest.raises(InputError, match=f"is {kind}; give the folder with the photos"):
        check([tmp_path])


@pytest.mark.parametrize("check", [find_photos, check_roots])
def test_a_missing_root_is_named_at_once(
    tmp_path: Path, check: Callable[[list[Path]], object]
) -> None:
    with pytest.raises(InputError, match="not-there"):
        check([tmp_path, tmp_path / "not-there"])


def test_roots_that_can_be_walked_pass_the_check(tmp_path: Path) -> None:
    put(tmp_path, "a.png")
    (tmp_path / "broken").symlink_to("nothing")  # the walk reports it
    check_roots([tmp_path, tmp_path / "a.png", tmp_path / "broken"])


def test_contents_decide_for_other_names(tmp_path: Path) -> None:
    put(tmp_path, "IMG_1", "photo.bak", "video.THM")
    put(tmp_path, "notes.txt", "README", data=b"text")
    put(tmp_path, "text.JPG", data=b"text")
    assert paths(tmp_path) == ["IMG_1", "photo.bak", "text.JPG"]


@pytest.mark.parametrize("installed", [True, False])
def test_files_that_need_an_extra_are_found_if_it_is_there(
    tmp_path: Path, installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (discover, file_kinds):
        monkeypatch.setattr(module, "is_readable", lambda kind: installed)
    put(tmp_path, "raw.NEF", "a.jxl")
    put(tmp_path, "unnamed", data=b"\xff\x0a" + bytes(80))
    skipped = SkippedFiles()
    found = [photo.name for photo in find_photos([tmp_path], skipped)]
    assert found == (["a.jxl", "raw.NEF", "unnamed"] if installed else [])
    expected = {} if installed else {"raw": 1, "jpeg-xl": 1, "other": 1}
    assert dict(skipped.counts) == expected


def test_a_file_as_root(tmp_path: Path) -> None:
    put(tmp_path, "one.png", "two.png", ".hidden.png")
    put(tmp_path, "notes.txt", data=b"text")
    roots = [tmp_path / name for name in ("two.png", "notes.txt", ".hidden.png")]
    found = list(find_photos(roots))
    assert [photo.location for photo in found] == roots
    assert {photo.root for photo in found} == {tmp_path}


def test_overlapping_roots_give_each_file_once(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png", "a/b/2.png", "3.png")
    roots = [tmp_path / "a" / "b", tmp_path / "3.png", tmp_path, tmp_path / "a", tmp_path]
    found = [photo.location.relative_to(tmp_path) for photo in find_photos(roots)]
    assert [str(path) for path in found] == ["a/b/2.png", "3.png", "a/1.png"]


def test_links_are_followed_and_loops_cut(tmp_path: Path) -> None:
    put(tmp_path, "photos/a/1.png", "elsewhere/2.png")
    (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "a" / "up").symlink_to("..")
    (tmp_path / "photos" / "z-second.png").symlink_to("a/1.png")
    os.link(tmp_path / "photos" / "a" / "1.png", tmp_path / "photos" / "hard.png")
    assert paths(tmp_path / "photos") == ["a/1.png", "link/2.png"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    names = [os.fsdecode(name) for name in (b"\xe9t\xe9.jpg", b"\xff/\xfe.jpg")]
    try:
        put(tmp_path, *names)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    assert paths(tmp_path) == names


DEEP_SCRIPT = """
import sys
from pathlib import Path
from facesearch.images import find_photos
sys.setrecursionlimit(150)
(found,) = find_photos([Path(sys.argv[1])])
print(found.path.parts.count("d"), found.error)
"""


def test_a_deep_tree_needs_no_recursion(tmp_path: Path) -> None:
    # Shallow enough for pytest to delete it, deep for a process with a lowered limit.
    put(tmp_path, "d/" * 300 + "x.jpg")
    command = [sys.executable, "-c", DEEP_SCRIPT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["300"]


def test_broken_links_and_pipes_are_reported(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to("nothing")
    (tmp_path / "gone.txt").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.fifo")
    found = {str(photo.path): photo for photo in find_photos([tmp_path])}
    assert found.keys() == {"gone.jpg", "pipe.jpg"}
    assert "No such file" in found["gone.jpg"].error
    assert "a named pipe" in found["pipe.jpg"].error
    assert {(photo.size, photo.mtime_ns) for photo in found.values()} == {(0, 0)}


def test_what_cannot_be_read_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a.png", "locked/b.png", "IMG_1", "c.png")
    scandir, opened = os.scandir, os.open

    def refuse(path: object, *arguments: object, **options: object) -> object:
        # Stands in for the mode bits, which do not bind root.
        if Path(str(path)).name in ("locked", "IMG_1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path) if not arguments else opened(path, *arguments, **options)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(os, "open", refuse)
    found = {str(photo.path): photo.error for photo in find_photos([tmp_path])}
    denied = "Permission denied"
    assert found == {"IMG_1": denied, "a.png": "", "c.png": "", "locked": denied}


def test_a_photo_that_vanishes_meanwhile_is_reported(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    walk = find_photos([tmp_path])
    next(walk)
    (tmp_path / "b.png").unlink()
    (rest,) = walk
    assert (str(rest.path), rest.size) == ("b.png", 0)
    assert "No such file" in rest.error


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("clip.ts", (b"\x47" + bytes(187)) * 4),
        ("clip.m2t", (b"\x47" + bytes(187)) * 4),
        ("recording", b"OggS\0\2" + bytes(22) + b"\1\x2a\x80theora" + bytes(400)),
        ("stream.bin", b"FLV\1\5" + bytes(400)),
        ("camera.dat", b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01" + bytes(400)),
    ],
)
def test_videos_are_found_by_what_they_hold(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "program.ts").write_text("export const answer = 42;\n" * 40)
    (tmp_path / "song.ogx").write_bytes(b"OggS\0\2" + bytes(22) + b"\1\x1e\1vorbis" + bytes(400))
    assert [(each.name, each.video) for each in find_photos([tmp_path], videos=True)] == [
        (name, True)
    ]
