"""JPEG XL, JPEG 2000, PBM, PGM and PPM, and photos with a video in the same file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facesearch.errors import PhotoError
from facesearch.images.decode import DecodeLimits, decode_stream
from facesearch.images.formats import extras
from facesearch.images.formats.jpeg_xl import declared_size
from facesearch.images.sniff import sniff
from support.failures.hostile import CORNERS, corner_picture, encoded, noisy_picture

PICTURE = corner_picture()


def decoded(data: bytes, max_side: int | None = None):
    return decode_stream(io.BytesIO(data), max_side=max_side)


def jpeg_xl(picture: np.ndarray, **options: object) -> bytes:
    pytest.importorskip("pillow_jxl", reason="the extra facesearch[jxl] is not installed")
    return encoded(picture, "JXL", lossless=True, **options)


def orientation_of(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = value, "2021:05:06 07:08:09"
    return exif.tobytes()


@pytest.mark.parametrize("lossless", [True, False])
def test_jpeg_2000(lossless: bool) -> None:
    for options in ({"no_jp2": True}, {}):
        data = encoded(PICTURE, "JPEG2000", irreversible=not lossless, **options)
        assert sniff(data[:64]) == "JPEG2000"
        photo = decoded(data)
        assert np.abs(photo.pixels.astype(int) - PICTURE).max() <= (0 if lossless else 60)


def test_a_cut_jpeg_2000_is_truncated() -> None:
    for options in ({"no_jp2": True}, {}):
        data = encoded(noisy_picture(), "JPEG2000", **options)
        for part in (0.3, 0.6, 0.9):
            with pytest.raises(PhotoError) as caught:
                decoded(data[: int(part * len(data))])
            assert caught.value.reason == "truncated"


def test_jpeg_xl_is_read_as_it_was_written() -> None:
    photo = decoded(jpeg_xl(PICTURE, exif=orientation_of(1)))
    assert np.array_equal(photo.pixels, PICTURE)
    assert photo.taken_at == "2021-05-06T07:08:09"


def test_a_cut_jpeg_xl_is_refused() -> None:
    data = jpeg_xl(noisy_picture(), exif=orientation_of(1))  # EXIF makes boxes of it
    assert data.startswith(b"\0\0\0\x0cJXL ")
    for part in (0.3, 0.6, 0.9):
        with pytest.raises(PhotoError) as caught:
            decoded(data[: int(part * len(data))])
        assert caught.value.reason in ("truncated", "corrupt")


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_a_jpeg_xl_made_of_a_jpeg_is_turned_once(tmp_path: Path, orientation: int) -> None:
    pytest.importorskip("pillow_jxl", reason="the extra facesearch[jxl] is not installed")
    jpeg = encoded(PICTURE, "JPEG", quality=95, exif=orientation_of(orientation))
    (tmp_path / "a.jpg").write_bytes(jpeg)
    with Image.open(tmp_path / "a.jpg") as image:
        image.save(tmp_path / "a.jxl", lossless_jpeg=True)
    photo = decoded((tmp_path / "a.jxl").read_bytes())
    assert np.abs(photo.pixels.astype(int) - decoded(jpeg).pixels).max() <= 4


@settings(deadline=None, max_examples=25)
@given(width=st.integers(1, 700), height=st.integers(1, 700))
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(width: int, height: int) -> None:
    data = jpeg_xl(np.zeros((height, width, 3), np.uint8))
    assert declared_size(data) == (width, height)
    with pytest.raises(PhotoError) as caught:
        decode_stream(io.BytesIO(data), limits=DecodeLimits(pixels=width * height - 1))
    assert caught.value.reason == "too-large"


@settings(deadline=None, max_examples=30)
@given(cut=st.floats(0, 1), change=st.binary(max_size=4), place=st.floats(0, 1, exclude_max=True))
def test_broken_jpeg_xl_raises_photo_errors_only(cut: float, change: bytes, place: float) -> None:
    data = bytearray(jpeg_xl(noisy_picture(40, 30)))
    at = int(place * len(data))
    data[at : at + len(change)] = change
    try:
        decode_stream(
            io.BytesIO(bytes(data[: int(cut * len(data))])), limits=DecodeLimits(pixels=10**6)
        )
    except PhotoError as error:
        assert error.detail


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_readable", lambda kind: False)
    with pytest.raises(PhotoError, match=r"facesearch\[jxl\]"):
        decoded(b"\xff\x0a" + bytes(60))


@pytest.mark.parametrize("comment", [b"", b"# a comment of the writer\n"])
@pytest.mark.parametrize("plain", [False, True])
def test_portable_maps(comment: bytes, plain: bool) -> None:
    grey = np.linspace(0, 255, 96 * 64).astype(np.uint8).reshape(64, 96)
    deep = grey.astype(int) * 257
    for number, values, white in ((2, grey, 255), (3, PICTURE, 255), (2, deep, 65535)):
        stored = values.astype(">u2" if white > 255 else "u1").tobytes()
        text = " ".join(map(str, values.astype(int).ravel())).encode()
        head = b"P%d\n%s96 64\n%d\n" % (number if plain else number + 3, comment, white)
        data = head + (text if plain else stored)
        assert sniff(data[:64]) == "PPM"
        expected = PICTURE if number == 3 else np.repeat(grey[..., None], 3, axis=2)
        assert np.abs(decoded(data).pixels - expected.astype(float)).max() <= 1


@pytest.mark.parametrize(
    "text", [b"P5 is a hormone", b"P1\nof the list", b"P3: 3 4", b"P6", b"P2 7th of May, 12"]
)
def test_text_that_begins_like_a_portable_map_is_none(text: bytes) -> None:
    assert sniff(text.ljust(64)) is None


def test_a_photo_with_a_video_behind_it_is_a_photo() -> None:
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(5000)
    for kind in ("JPEG", "HEIF"):
        data = encoded(PICTURE, kind, quality=95)
        photo = decoded(data + video)
        assert photo.partial == ""
        corners = photo.pixels[[16, 16, 48, 48], [24, 72, 24, 72]].astype(int)
        assert np.abs(corners - CORNERS).max() < 30
