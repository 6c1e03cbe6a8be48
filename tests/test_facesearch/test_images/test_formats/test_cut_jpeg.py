"""JPEGs without an end: whole where only the marker is missing, else as far as they go."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facesearch.errors import PhotoError
from facesearch.images.decode import decode_stream
from facesearch.images.types import DecodedPhoto
from support.failures.hostile import noisy_picture

HEIGHT, WIDTH = 120, 160
KINDS = {
    "baseline": {"quality": 90},
    "progressive": {"quality": 90, "progressive": True},
    "subsampled": {"quality": 80, "subsampling": 2},
    "restarts": {"quality": 90, "restart_marker_rows": 1},
}


def smooth_picture() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def jpeg(kind: str, picture: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", **KINDS[kind], **options)
    return buffer.getvalue()


def decoded(data: bytes, max_side: int | None = None) -> DecodedPhoto:
    return decode_stream(io.BytesIO(data), max_side=max_side)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("max_side", [None, 80])
@pytest.mark.parametrize("end", [b"", b"\xff"])
def test_without_its_end_marker_a_jpeg_is_whole(
    kind: str, max_side: int | None, end: bytes
) -> None:
    data = jpeg(kind, noisy_picture(WIDTH, HEIGHT))
    assert data.endswith(b"\xff\xd9")
    photo = decoded(data[:-2] + end, max_side)
    assert photo.partial == ""
    assert np.array_equal(photo.pixels, decoded(data, max_side).pixels)


@pytest.mark.parametrize("kind", ["baseline", "subsampled", "restarts"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_half_a_baseline_jpeg_shows_its_upper_rows(kind: str, share: float) -> None:
    data = jpeg(kind, noisy_picture(WIDTH, HEIGHT))
    whole = decoded(data).pixels
    photo = decoded(data[: int(share * len(data))])
    assert (photo.width, photo.height, photo.pixels.shape) == (WIDTH, HEIGHT, whole.shape)
    percent = int(photo.partial.split("upper ")[1].split("%")[0])
    rows = percent * HEIGHT // 100
    # Noise takes as many bytes in each row. The last rows lean on those below them.
    assert abs(rows / HEIGHT - share) < 0.2
    assert np.array_equal(photo.pixels[: rows - 2], whole[: rows - 2])
    missing = photo.pixels[-8:, -8:].reshape(-1, 3)
    assert (missing == missing[0]).all()


def test_half_a_progressive_jpeg_shows_all_of_it_coarsely() -> None:
    picture = smooth_picture()
    data = jpeg("progressive", picture)
    photo = decoded(data[: len(data) * 3 // 5])
    assert "ends early" in photo.partial
    assert np.abs(photo.pixels.astype(int) - picture).mean() < 12


def test_a_cut_photo_keeps_its_turn_and_time() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2021:05:06 07:08:09"
    data = jpeg("baseline", noisy_picture(WIDTH, HEIGHT), exif=exif.tobytes())
    photo = decoded(data[: len(data) * 3 // 4], 80)
    assert (photo.width, photo.height) == (HEIGHT, WIDTH)
    assert photo.pixels.shape == (80, 60, 3)
    assert photo.taken_at == "2021-05-06T07:08:09"
    assert photo.partial


@pytest.mark.parametrize("kind", KINDS)
def test_without_pixels_a_jpeg_is_refused(kind: str) -> None:
    data = jpeg(kind, noisy_picture(WIDTH, HEIGHT))
    start = data.index(b"\xff\xda")
    for length in (4, start // 2, start, start + 4):
        with pytest.raises(PhotoError) as caught:
            decoded(data[:length])
        assert caught.value.reason == "truncated", length


@settings(deadline=None, max_examples=60)
@given(kind=st.sampled_from(sorted(KINDS)), cut=st.floats(0, 1))
def test_any_cut_is_refused_or_marked(kind: str, cut: float) -> None:
    data = jpeg(kind, noisy_picture(48, 40))
    kept = data[: int(cut * len(data))]
    try:
        photo = decoded(kept)
    except PhotoError as error:
        assert error.reason in ("truncated", "empty", "not-an-image", "corrupt")
        return
    whole = decoded(data).pixels
    assert photo.partial or np.array_equal(photo.pixels, whole)
