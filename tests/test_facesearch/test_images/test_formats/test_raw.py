"""Raw files: the developed picture is the rule, and a preview is used only if it shows the same."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.raw_files import dng
from facesearch.errors import PhotoError
from facesearch.images.decode import decode_stream
from facesearch.images.formats import extras
from facesearch.images.types import DecodedPhoto
from support.failures.hostile import CORNERS, corner_picture, encoded

rawpy = pytest.importorskip("rawpy", reason="the extra facesearch[raw] is not installed")

WIDTH, HEIGHT = 192, 128
SENSOR = corner_picture(WIDTH, HEIGHT)
ORIENTATIONS = (1, 3, 6, 8)


def decoded(data: bytes, max_side: int | None = None, suffix: str = ".dng") -> DecodedPhoto:
    return decode_stream(io.BytesIO(data), max_side=max_side, suffix=suffix)


def jpeg(picture: np.ndarray, orientation: int | None = None) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    return encoded(picture, "JPEG", quality=95, exif=exif.tobytes() if orientation else b"")


def developed(data: bytes) -> np.ndarray:
    """What LibRaw makes of the file by itself."""
    with rawpy.imread(io.BytesIO(data)) as raw:
        return np.asarray(raw.postprocess(use_camera_wb=True, output_bps=8))


def marked(picture: np.ndarray) -> np.ndarray:
    """The same with a grey patch, so that a preview is told from the developed picture."""
    shown = picture.copy()
    height, width = shown.shape[:2]
    shown[: height // 8, : width // 8] = 100
    return shown


def is_preview(photo: DecodedPhoto, orientation: int) -> bool:
    turned = np.rot90(photo.pixels, {1: 0, 3: 2, 6: 1, 8: 3}[orientation])
    return bool(np.abs(turned[1:5, 1:5].astype(int) - 100).max() < 40)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", [".dng", ".tif", ""])
def test_without_a_preview_the_file_is_developed(orientation: int, name: str) -> None:
    data = dng(SENSOR, orientation=orientation)
    photo = decoded(data, suffix=name)
    assert np.array_equal(photo.pixels, developed(data))
    assert (photo.height, photo.width) == photo.pixels.shape[:2]
    assert photo.taken_at == "2021-05-06T07:08:09"


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("stated", [None, "as the file", "turned already"])
def test_a_large_preview_is_turned_as_the_developed_picture(
    orientation: int, stated: str | None
) -> None:
    shown = marked(SENSOR)
    if stated == "turned already":
        if orientation == 3:
            pytest.skip("nothing tells a preview that is on its head from one that is not")
        shown = np.rot90(shown, {1: 0, 6: 3, 8: 1}[orientation]).copy()
    preview = jpeg(shown, orientation if stated == "as the file" else None)
    photo = decoded(dng(SENSOR, preview, orientation))
    truth = developed(dng(SENSOR, orientation=orientation))
    assert photo.pixels.shape == truth.shape
    assert (photo.height, photo.width) == truth.shape[:2]
    assert is_preview(photo, orientation)
    assert np.abs(photo.pixels.astype(int) - truth).mean() < 6


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("rows", [HEIGHT * 27 // 32, HEIGHT // 2])
def test_a_preview_of_another_shape_is_not_used(orientation: int, rows: int) -> None:
    data = dng(SENSOR, jpeg(marked(SENSOR)[:rows]), orientation)
    photo = decoded(data)
    assert not is_preview(photo, orientation)
    assert np.array_equal(photo.pixels, developed(data))


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_small_preview_is_used_where_no_more_is_asked_for(orientation: int) -> None:
    preview = jpeg(marked(corner_picture(WIDTH // 2, HEIGHT // 2)))
    data = dng(SENSOR, preview, orientation)
    assert not is_preview(decoded(data), orientation)
    assert not is_preview(decoded(data, WIDTH // 2 + 20), orientation)
    small = decoded(data, WIDTH // 2)
    assert is_preview(small, orientation)
    assert max(small.pixels.shape) == WIDTH // 2
    assert max(small.width, small.height) == WIDTH
    assert small.scale == pytest.approx(0.5)


def test_a_picture_is_developed_at_half_size_where_that_is_enough() -> None:
    photo = decoded(dng(SENSOR), 80)
    assert photo.pixels.shape == (53, 80, 3)
    assert (photo.width, photo.height) == (WIDTH, HEIGHT)
    quarter = photo.pixels[8:18, 10:30].reshape(-1, 3)
    assert np.abs(quarter.astype(int) - CORNERS[0]).max() < 20


def test_a_damaged_preview_is_no_reason_to_refuse() -> None:
    preview = bytearray(jpeg(SENSOR))
    preview[200:-2] = bytes(len(preview) - 202)
    data = dng(SENSOR, bytes(preview))
    assert np.array_equal(decoded(data).pixels, developed(data))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_cut_raw_file_is_refused(share: float) -> None:
    data = dng(SENSOR)
    with pytest.raises(PhotoError) as caught:
        decoded(data[: int(share * len(data))])
    assert caught.value.reason in ("truncated", "corrupt", "unsupported")


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_readable", lambda kind: False)
    with pytest.raises(PhotoError, match=r"facesearch\[raw\]") as caught:
        decoded(dng(SENSOR))
    assert caught.value.reason == "unsupported"
