"""Crops: where they are cut, that the cache holds, and that no photo can break the report."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facesearch.album.model import NO_STILL, AlbumFace
from facesearch.images import DecodedPhoto, sha256_of
from facesearch.report import crops
from facesearch.report.crop_images import CROP_SIDE, PREVIEW_SIDE, crop_name, crop_square, cut_crop
from facesearch.report.crops import Pictures, prepare_pictures
from support.albums import COLOURS, draw_photo, face

BOX = (100.0, 80.0, 180.0, 180.0)
edges = st.floats(-500, 4500)


def indexed(face_id: int, photo: Path, box: tuple[float, float, float, float] = BOX) -> AlbumFace:
    """A face as it comes from a gallery, with the digest of what the photo holds now."""
    return face(face_id, photo, box, sha256=sha256_of(photo))


def paint(photo: Path, colour: int) -> None:
    """A photo whose one face is of the given of COLOURS, all of them of one size."""
    draw_photo(photo, [(0, 0, 1, 1)] * colour + [BOX])


def colour_of(report: Path, pictures: Pictures, face_id: int) -> int:
    """Which of COLOURS the crop of the face shows."""
    shown = np.asarray(Image.open(report / pictures.crops[face_id]))[80, 80].astype(int)
    return int(np.abs(np.array(COLOURS) - shown).max(axis=1).argmin())


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


@pytest.mark.parametrize("known", [True, False])
def test_each_photo_is_read_once_and_never_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    photo, other = tmp_path / "a.jpg", tmp_path / "b.jpg"
    boxes = [(100, 80, 180, 180), (300, 80, 380, 180)]
    draw_photo(photo, boxes)
    draw_photo(other, boxes[:1])
    make = indexed if known else face
    faces = [make(1, photo, boxes[0]), make(2, photo, boxes[1]), make(3, other, boxes[0])]
    heard: list[tuple[int, int]] = []
    report = tmp_path / "report"
    first = prepare_pictures(
        faces, report, workers=0, progress=lambda done, total: heard.append((done, total))
    )
    assert set(first.crops) == {1, 2, 3}
    assert heard == [(1, 2), (2, 2)]
    assert [colour_of(report, first, number) for number in (1, 2, 3)] == [0, 1, 0]

    monkeypatch.setattr(crops, "decode_photos", None)  # calling it would raise
    again = prepare_pictures(faces, report, workers=0)
    assert again.crops == first.crops


def test_photos_that_swapped_names_never_lend_each_other_their_crops(tmp_path: Path) -> None:
    first, second, report = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "report"
    paint(first, 0)
    paint(second, 1)
    faces = [indexed(1, first), indexed(2, second)]
    swap(first, second)
    # Not yet indexed again: the faces are no longer where the gallery has them.
    pictures = prepare_pictures(faces, report, workers=0)
    assert not pictures.crops
    assert {problem.reason for problem in pictures.problems.values()} == {"changed"}
    detail = pictures.problems[first].detail
    assert detail == "the file's content differs from what was indexed; run facesearch index again"
    # Indexed again: the same faces, found by content in the other files.
    faces = [indexed(1, second), indexed(2, first)]
    pictures = prepare_pictures(faces, report, workers=0)
    assert not pictures.problems
    assert [colour_of(report, pictures, number) for number in (1, 2)] == [0, 1]


def test_crops_cut_before_names_were_swapped_stay_with_their_content(tmp_path: Path) -> None:
    first, second, report = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "report"
    paint(first, 0)
    paint(second, 1)
    before = prepare_pictures([indexed(1, first), indexed(2, second)], report, workers=0)
    swap(first, second)
    # Face ids say nothing: here the photos are new to a gallery that counts from 1 again.
    after = prepare_pictures([indexed(1, first), indexed(2, second)], report, workers=0)
    assert (after.crops[1], after.crops[2]) == (before.crops[2], before.crops[1])
    assert [colour_of(report, after, number) for number in (1, 2)] == [1, 0]


def swap(first: Path, second: Path) -> None:
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


@pytest.mark.parametrize("known", [True, False])
def test_two_galleries_that_report_to_one_folder_show_their_faces(
    tmp_path: Path, known: bool
) -> None:
    report, make = tmp_path / "report", indexed if known else face
    for colour in (0, 1, 0):
        photo = tmp_path / str(colour) / "a.png"
        paint(photo, colour)
        pictures = prepare_pictures([make(1, photo, BOX)], report, workers=0)
        assert colour_of(report, pictures, 1) == colour


def test_a_photo_of_unknown_content_is_read_again_once_it_was_written_again(tmp_path: Path) -> None:
    photo, report = tmp_path / "a.png", tmp_path / "report"
    for colour in (0, 1):
        paint(photo, colour)
        os.utime(photo, ns=(colour, colour))
        pictures = prepare_pictures([face(1, photo, BOX)], report, workers=0)
        assert colour_of(report, pictures, 1) == colour


def test_the_crop_of_a_photo_that_is_gone_is_kept_and_the_note_says_what_to_do(
    tmp_path: Path,
) -> None:
    photo, report = tmp_path / "a.png", tmp_path / "report"
    paint(photo, 2)
    shown = indexed(1, photo)
    prepare_pictures([shown], report, workers=0)
    photo.unlink()
    pictures = prepare_pictures([shown], report, workers=0)
    assert colour_of(report, pictures, 1) == 2
    assert pictures.problems[photo].reason == "missing"
    assert pictures.problems[photo].detail.endswith("run facesearch index again")


def test_worker_processes_give_the_same_crops(tmp_path: Path) -> None:
    draw_photo(tmp_path / "a.jpg", [(100, 80, 180, 180)])
    faces = [face(1, tmp_path / "a.jpg")]
    for workers in (0, 1):  # each in a folder of its own
        prepare_pictures(faces, tmp_path / str(workers), workers=workers)
    (one,), (other,) = (list((tmp_path / str(w) / "crops").iterdir()) for w in (0, 1))
    assert one.read_bytes() == other.read_bytes()


def test_crops_of_faces_no_longer_in_the_album_are_removed(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    report = tmp_path / "report"
    other = face(2, photo, (300, 80, 380, 180))
    prepare_pictures([face(1, photo), other], report, workers=0)
    assert len(list((report / "crops").iterdir())) == 2
    (report / "crops" / "2.jpg").write_bytes(b"named as they once were")
    pictures = prepare_pictures([other], report, workers=0)
    assert list((report / "crops").iterdir()) == [report / pictures.crops[2]]


def test_an_empty_crop_left_by_a_power_cut_is_cut_again(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    shown = indexed(1, photo)
    crop = tmp_path / "report" / crop_name(shown, "")
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"")
    prepare_pictures([shown], tmp_path / "report", workers=0)
    assert Image.open(crop).size == (CROP_SIDE, CROP_SIDE)


def test_photos_that_are_gone_damaged_or_changed_are_reported_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    good, cut, changed = tmp_path / "good.jpg", tmp_path / "cut.jpg", tmp_path / "changed.jpg"
    for photo in (good, cut):
        draw_photo(photo, [(100, 80, 180, 180)])
    cut.write_bytes(cut.read_bytes()[:400])
    draw_photo(changed, [], size=(300, 200))
    faces = [face(n, photo) for n, photo in enumerate((good, cut, changed, tmp_path / "gone.jpg"))]
    pictures = prepare_pictures(faces, tmp_path / "report", workers=0)
    assert set(pictures.crops) == {0}
    reasons = {photo.name: problem.reason for photo, problem in pictures.problems.items()}
    assert reasons["gone.jpg"] == "missing"
    assert reasons["changed.jpg"] == "changed"
    assert reasons["cut.jpg"] in ("truncated", "corrupt")
    assert "640 x 480 pixels when indexed, now 300 x 200" in pictures.problems[changed].detail


def test_a_photo_that_browsers_cannot_show_gets_a_preview(tmp_path: Path) -> None:
    photo = tmp_path / "scan.tif"
    size = (3000, 1500)
    draw_photo(photo, [(300, 300, 900, 900)], size)
    shown = face(7, photo, (300, 300, 900, 900), photo_size=size, sha256=sha256_of(photo))
    report = tmp_path / "report"
    pictures = prepare_pictures([shown], report, workers=0)
    (name,) = (report / "previews").iterdir()
    assert pictures.previews == {(photo, NO_STILL): f"previews/{name.name}"}
    preview = Image.open(name)
    assert (preview.format, preview.size) == ("JPEG", (PREVIEW_SIDE, PREVIEW_SIDE // 2))
    # Another photo in its place: neither its preview nor the former one stands for it.
    draw_photo(photo, [], size)
    (report / pictures.crops[7]).unlink()
    changed = prepare_pictures([shown], report, workers=0)
    assert not changed.previews and changed.problems[photo].reason == "changed"
    assert not list((report / "previews").iterdir())
