"""Files that are one picture are read once: a JPEG and its raw file or HEIC, live photos."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.raw_files import dng
from facesearch.embed import EmbedOptions, EmbedReport, embed_photos
from facesearch.gallery.gallery import Gallery
from facesearch.images import find_photos
from facesearch.images.walk.one_picture import live_photo_parts, second_files
from facesearch.images.walk.skipped import SkippedFiles
from support.failures.hostile import corner_picture, encoded
from support.fake_engine import FakeEngine

NOON, LATER = "2021:05:06 12:00:00", "2021:05:06 12:00:07"
LIVE = b"\0\0\0\x14ftypqt  " + bytes(400) + b"com.apple.quicktime.content.identifier" + bytes(90)


def still(time: str, kind: str = "JPEG", seed: int = 0) -> bytes:
    exif = Image.Exif()
    if time:
        exif[0x0132] = time
    picture = np.zeros((64, 96, 3), np.uint8)  # in which the fake engine sees nobody
    picture[40:] = 30 * seed
    return encoded(picture, kind, exif=exif.tobytes())


def put(folder: Path, **files: bytes) -> list[str]:
    names = [name.replace("__", ".") for name in files]
    for name, data in zip(names, files.values(), strict=True):
        (folder / name).write_bytes(data)
    return sorted(names)


def seconds(folder: Path, **files: bytes) -> dict[str, str]:
    return second_files(str(folder), put(folder, **files))


def test_a_raw_file_is_the_second_file_of_its_jpeg(tmp_path: Path) -> None:
    raw = dng(corner_picture())
    found = seconds(tmp_path, IMG_1__JPG=still("2021:05:06 07:08:09"), img_1__dng=raw)
    assert found == {"img_1.dng": "IMG_1.JPG"}


def test_a_raw_file_of_another_moment_is_another_picture(tmp_path: Path) -> None:
    names = put(tmp_path, a__jpg=still(NOON), a__dng=dng(corner_picture()))
    os.utime(tmp_path / "a.jpg", (1000, 1000))
    assert second_files(str(tmp_path), names) == {}
    os.utime(tmp_path / "a.dng", (1004, 1004))  # a camera writes both at once
    assert second_files(str(tmp_path), names) == {"a.dng": "a.jpg"}


def test_a_raw_file_without_a_time_belongs_to_its_name(tmp_path: Path) -> None:
    assert seconds(tmp_path, a__jpg=still(NOON), a__nef=b"II*\0") == {"a.nef": "a.jpg"}


def test_a_heic_and_its_jpeg_are_one_if_they_state_one_time(tmp_path: Path) -> None:
    assert seconds(tmp_path, a__jpg=still(NOON), a__heic=still(NOON, "HEIF")) == {"a.heic": "a.jpg"}
    assert seconds(tmp_path, b__jpg=still(NOON), b__heic=still(LATER, "HEIF")) == {}
    assert seconds(tmp_path, c__jpg=still(NOON), c__heic=still("", "HEIF")) == {}


def test_three_files_of_one_picture(tmp_path: Path) -> None:
    files = {"a__heic": still(NOON, "HEIF"), "a__jpeg": still(NOON), "a__cr2": b"no time"}
    assert seconds(tmp_path, **files) == {"a.heic": "a.jpeg", "a.cr2": "a.jpeg"}


def test_files_of_one_rank_are_several_pictures(tmp_path: Path) -> None:
    assert seconds(tmp_path, a__jpg=still(NOON), a__jpeg=still(NOON), a__png=still(NOON)) == {}


def test_a_live_photos_video_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    names = put(
        tmp_path,
        a__heic=still(NOON, "HEIF"), A__MOV=LIVE,
        b__jpg=still(NOON), b__mov=b"another video",
        c__mov=LIVE,
        d__mov=LIVE, d__mp4=LIVE,
    )  # fmt: skip
    assert live_photo_parts(str(tmp_path), names) == {"A.MOV"}
    skipped = SkippedFiles()
    found = [photo.name for photo in find_photos([tmp_path], skipped)]
    assert found == ["a.heic", "b.jpg"]
    assert dict(skipped.counts) == {"live-photo": 1, "video": 4}


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)


def run(gallery: Gallery, folder: Path, **changes: object) -> EmbedReport:
    engine: Any = FakeEngine()
    options: Any = {"decoders": 0, "threads": 1, **changes}
    return embed_photos(gallery, engine, [folder], EmbedOptions(**options))


def test_one_picture_with_two_files_has_its_faces_once(gallery: Gallery, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    put(photos, a__jpg=still(NOON), a__heic=still(NOON, "HEIF"), b__heic=still(NOON, "HEIF", 7))
    report = run(gallery, photos)
    assert (report.found, report.embedded, report.skipped.counts["second-file"]) == (2, 2, 1)
    names = [record.name for record in gallery.state().photos.values()]
    assert names == ["a.jpg", "b.heic"]
    (photos / "a.jpg").unlink()
    report = run(gallery, photos)
    assert (report.embedded, report.gone) == (1, 1)


def test_a_second_file_stands_in_for_a_first_that_cannot_be_read(
    gallery: Gallery, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    good = still(NOON)
    put(photos, a__jpg=good[: good.index(b"\xff\xda")], a__heic=still(NOON, "HEIF"))
    report = run(gallery, photos)
    assert (report.found, report.failed, report.embedded) == (2, 1, 1)
    assert report.skipped.total == 0
    report = run(gallery, photos)
    assert (report.found, report.unchanged, report.gone) == (2, 2, 0)
    put(photos, a__jpg=good)
    run(gallery, photos)
    report = run(gallery, photos)
    assert (report.found, report.unchanged, report.skipped.counts["second-file"]) == (1, 1, 1)
    assert [each.name for each in gallery.state().having("ok", "known")] == ["a.jpg"]
