"""Links to photos, whatever their names, and which photos need a preview."""

from __future__ import annotations

import io
import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facesearch.report.links import needs_preview, photo_href

names = st.binary(min_size=1, max_size=12).filter(
    lambda b: b"/" not in b and b"\0" not in b and b not in (b".", b"..")
)


@given(st.lists(names, min_size=1, max_size=3))
def test_a_link_leads_to_exactly_the_bytes_of_the_path(parts: list[bytes]) -> None:
    photo = Path(os.fsdecode(b"/home/me/" + b"/".join(parts)))
    href = photo_href(photo, Path("/home/me/my.gallery/report"))
    url = urljoin("file:///home/me/my.gallery/report/index.html", href)
    assert unquote_to_bytes(url.removeprefix("file://")) == os.fsencode(photo)


def test_links_are_relative_where_photos_and_report_can_move_together() -> None:
    report = Path("/home/me/my.gallery/report")
    assert photo_href(Path("/home/me/Pictures/a b.jpg"), report) == "../../Pictures/a%20b.jpg"
    assert photo_href(Path("/media/card/a.jpg"), report) == "file:///media/card/a.jpg"


def save(path: Path, kind: str, **options: object) -> Path:
    Image.new("RGB", (8, 6)).save(path, kind, **options)
    return path


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a.jpg", "JPEG", False),
        ("a.PNG", "PNG", False),
        ("a.webp", "WEBP", False),
        ("a.gif", "GIF", False),
        ("a.bmp", "BMP", False),
        ("a.tif", "TIFF", True),
        ("tiff-inside.jpg", "TIFF", True),
        ("jpeg-inside.dat", "JPEG", True),
    ],
)
def test_which_photos_browsers_show(tmp_path: Path, name: str, kind: str, expected: bool) -> None:
    assert needs_preview(save(tmp_path / name, kind)) is expected


def test_heic_needs_a_preview(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert needs_preview(tmp_path / "a.heic")


def test_turned_photos_need_one_only_where_browsers_do_not_turn_them(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert not needs_preview(save(tmp_path / "a.jpg", "JPEG", exif=exif))
    assert needs_preview(save(tmp_path / "a.png", "PNG", exif=exif))


def test_damage_is_left_to_the_browser_and_absence_is_an_error(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (8, 6)).save(data, "PNG")
    (tmp_path / "cut.png").write_bytes(data.getvalue()[:20])
    assert not needs_preview(tmp_path / "cut.png")
    with pytest.raises(FileNotFoundError):
        needs_preview(tmp_path / "gone.jpg")
