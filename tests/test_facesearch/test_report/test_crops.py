"""Crops: where they are cut, that the cache holds, and that no photo can break the report."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facesearch.images import DecodedPhoto
from facesearch.report import crops
from facesearch.report.crops import (
    CROP_SIDE,
    PREVIEW_SIDE,
    crop_path,
    crop_square,
    cut_crop,
    prepare_pictures,
)
from support.albums import COLOURS, draw_photo, face

edges = st.floats(-500, 4500)


@given(edges, edges, st.floats(0, 3000), st.floats(0, 3000), st.integers(1, 4000))
def test_a_crop_is_a_square_inside_the_photo(
    x: float, y: float, width: float, height: float, photo_height: int
) -> None:
    size = (4000, photo_height)
    left, top, right, bottom = crop_square((x, y, x + width, y + height), size)
    assert right - left == pytest.approx(bottom - top)
    assert left >= 0 and top >= 0
    assert right <= size[0] + 1e-6 and bottom <= size[1] + 1e-6


def test_a_crop_has_its_margin_around_the_face() -> None:
    assert crop_square((100, 100, 200, 200), (1000, 1000)) == (65, 65, 235, 235)
    assert crop_square((0, 0, 100, 100), (1000, 1000)) == (0, 0, 170, 170)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_crop_shows_the_face_also_from_a_reduced_photo(scale: int) -> None:
    pixels = np.full((480 // scale, 640 // scale, 3), 120, np.uint8)
    pixels[80 // scale : 180 // scale, 100 // scale : 200 // scale] = COLOURS[0]
    crop = Image.open(io.BytesIO(cut_crop(DecodedPhoto(pixels, 640, 480, ""), (100, 80, 200, 180))))
    assert crop.size == (CROP_SIDE, CROP_SIDE)
    shown = np.asarray(crop).astype(int)
    assert np.abs(shown[80, 80] - COLOURS[0]).max() < 12
    # 0.35 of 1.7 sides is margin: about 33 of 160 pixels on each side.
    assert np.abs(shown[80, 24] - 120).max() < 12
    assert np.abs(shown[80, 42] - COLOURS[0]).max() < 12


def test_each_photo_is_read_once_and_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    boxes = [(100, 80, 180, 180), (300, 80, 380, 180)]
    draw_photo(photo, boxes)
    draw_photo(other, boxes[:1])
    faces = [face(1, photo, boxes[0]), face(2, photo, boxes[1]), face(3, other, boxes[0])]
    heard: list[tuple[int, int]] = []
    report = tmp_path / "report"
    first = prepare_pictures(
        faces, report, workers=0, progress=lambda done, total: heard.append((done, total))
    )
    assert first.crops == {1, 2, 3}
    assert heard == [(1, 2), (2, 2)]
    colour = np.asarray(Image.open(crop_path(report, 2)))[80, 80].astype(int)
    assert np.abs(colour - COLOURS[1]).max() < 12

    monkeypatch.setattr(crops, "decode_photos", None)  # calling it would raise
    again = prepare_pictures(faces, report, workers=0)
    assert again.crops == {1, 2, 3}


def test_worker_processes_give_the_same_crops(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.jpg", [(100, 80, 180, 180)])
    faces = [face(1, tmp_path / "a.jpg")]
    for workers in (0, 1):
        prepare_pictures(faces, tmp_path / str(workers), workers=workers)
    one, other = (crop_path(tmp_path / str(w), 1).read_bytes() for w in (0, 1))
    assert one == other


def test_crops_of_faces_no_longer_in_the_album_are_removed(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    report = tmp_path / "report"
    prepare_pictures([face(1, photo), face(2, photo)], report, workers=0)
    prepare_pictures([face(2, photo)], report, workers=0)
    assert [path.name for path in (report / "crops").iterdir()] == ["2.jpg"]


def test_an_empty_crop_left_by_a_power_cut_is_cut_again(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    crop = crop_path(tmp_path / "report", 1)
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"")
    prepare_pictures([face(1, photo)], tmp_path / "report", workers=0)
    assert Image.open(crop).size == (CROP_SIDE, CROP_SIDE)


def test_photos_that_are_gone_damaged_or_changed_are_told_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    good, cut, changed = tmp_path / "good.jpg", tmp_path / "cut.jpg", tmp_path / "changed.jpg"
    for photo in (good, cut):
        draw_photo(photo, [(100, 80, 180, 180)])
    cut.write_bytes(cut.read_bytes()[:400])
    draw_photo(changed, [], size=(300, 200))
    faces = [face(n, photo) for n, photo in enumerate((good, cut, changed, tmp_path / "gone.jpg"))]
    pictures = prepare_pictures(faces, tmp_path / "report", workers=0)
    assert pictures.crops == {0}
    reasons = {photo.name: problem.reason for photo, problem in pictures.problems.items()}
    assert reasons["gone.jpg"] == "missing"
    assert reasons["changed.jpg"] == "changed"
    assert reasons["cut.jpg"] in ("truncated", "corrupt")
    assert "640 x 480 pixels when indexed, now 300 x 200" in pictures.problems[changed].detail


def test_a_photo_that_browsers_cannot_show_gets_a_preview(tmp_path: Path) -> None:
    photo = tmp_path / "scan.tif"
    size = (3000, 1500)
    draw_photo(photo, [(300, 300, 900, 900)], size)
    own = face(7, photo, (300, 300, 900, 900), photo_size=size)
    report = tmp_path / "report"
    pictures = prepare_pictures([own], report, workers=0)
    assert pictures.previews == {photo: "previews/7.jpg"}
    preview = Image.open(report / "previews/7.jpg")
    assert (preview.format, preview.size) == ("JPEG", (PREVIEW_SIDE, PREVIEW_SIDE // 2))
    prepare_pictures([], report, workers=0)
    assert not list((report / "previews").iterdir())
