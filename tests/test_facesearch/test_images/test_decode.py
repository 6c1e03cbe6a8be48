"""Decoding: every hostile file has its reason, every odd mode its colours, every turn its way."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from facesearch.errors import PhotoError
from facesearch.images import REASONS, DecodedPhoto, DecodeLimits, decode_photo, find_photos
from facesearch.images import file_access as files_module
from facesearch.images.decode import decode_stream, longest_side
from support.failures.hostile import (
    CORNERS,
    Expected,
    corner_picture,
    encoded,
    encoded_corners,
    noisy_picture,
    oriented,
    remove_hostile_photos,
    write_hostile_photos,
)

# The package ignores these itself, but pytest sets its own filters for each test.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

KINDS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Expected]]:
    folder = tmp_path_factory.mktemp("hostile")
    yield folder, write_hostile_photos(folder)
    remove_hostile_photos(folder)


def decoded(data: bytes, max_side: int | None = None, **limits: int) -> DecodedPhoto:
    return decode_stream(io.BytesIO(data), max_side=max_side, limits=DecodeLimits(**limits))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def corners_of(pixels: np.ndarray) -> np.ndarray:
    """The mean colour around the middle of each quarter, in the order of ``CORNERS``."""
    height, width = pixels.shape[:2]
    quarters = (pixels[: height // 2], pixels[height // 2 :])
    halves = [half for rows in quarters for half in (rows[:, : width // 2], rows[:, width // 2 :])]
    means = []
    for half in halves:
        rows, columns = half.shape[0] // 4, half.shape[1] // 4
        means.append(half[rows : 3 * rows, columns : 3 * columns].mean(axis=(0, 1)))
    return np.array(means)


def outcome_of(decode: Callable[[], DecodedPhoto]) -> DecodedPhoto | PhotoError:
    try:
        return decode()
    except PhotoError as error:
        assert error.reason in REASONS
        assert error.detail.strip()
        return error


def test_every_hostile_file_has_its_reason(hostile: tuple[Path, Expected]) -> None:
    folder, expected = hostile
    assert len(expected) >= 40
    outcomes: Expected = {}
    for found in find_photos([folder]):
        outcome = outcome_of(partial(decode_photo, found.location, max_side=256))
        if isinstance(outcome, PhotoError):
            assert str(folder) not in outcome.detail  # the path stands beside it anyway
            outcomes[str(found.path)] = outcome.reason
        else:
            assert outcome.pixels.dtype == np.uint8
            assert outcome.pixels.shape[2] == 3
            limit = longest_side(outcome.width, outcome.height, 256)
            assert max(outcome.pixels.shape) <= limit <= 8 * 256
            outcomes[str(found.path)] = None
    assert outcomes == expected


SILENT_SCRIPT = """
import sys
from pathlib import Path
from facesearch.images import DecodeTask, decode_photos, find_photos
tasks = map(DecodeTask, find_photos([Path(sys.argv[1])]))
print(sum(1 for _ in decode_photos(tasks, workers=int(sys.argv[2]), max_side=64)))
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_nothing_leaks_to_the_terminal(hostile: tuple[Path, Expected], workers: str) -> None:
    folder, expected = hostile
    # In a process of its own, as pytest catches Python's warnings before they reach the terminal.
    command = [sys.executable, "-W", "default", "-c", SILENT_SCRIPT, str(folder), workers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{len(expected)}\n", "")


TRUE_COLOURS = [
    "really-a-jpeg.png",
    "really-a-heic.jpg",
    "cmyk.tif",
    "cmyk.jpg",
    "progressive.jpg",
    "rgb-16-bit.png",
    "rgb-16-bit.tif",
    "palette.gif",
    "ycbcr.tif",
    "lab.tif",
    "pages.tif",
    "animated.gif",
    "animated.webp",
    "animated.png",
    "several.mpo",
    "plain.avif",
    "plain.bmp",
    "damaged-exif.jpg",
    "damaged-icc.jpg",
    *(f"turned-{value}.jpg" for value in range(1, 9)),
]


@pytest.mark.parametrize("name", TRUE_COLOURS)
def test_colours_are_those_drawn(hostile: tuple[Path, Expected], name: str) -> None:
    photo = decode_photo(hostile[0] / name)
    assert photo.pixels.shape == (64, 96, 3)
    assert (photo.width, photo.height, photo.scale) == (96, 64, 1.0)
    assert np.abs(corners_of(photo.pixels) - CORNERS).max() < 25  # LAB at 8 bits: 22


@pytest.mark.parametrize("name", ["alpha.png", "alpha.webp", "key-colour.png"])
def test_transparency_becomes_white(hostile: tuple[Path, Expected], name: str) -> None:
    corners = corners_of(decode_photo(hostile[0] / name).pixels)
    assert np.array_equal(corners, [(255, 255, 255), *CORNERS[1:]])


def test_half_transparent_grey_is_blended() -> None:
    image = Image.new("LA", (4, 4), (100, 128))
    expected = round(100 * 128 / 255 + 255 * 127 / 255)
    assert np.abs(decoded(saved(image, "PNG")).pixels.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    "name", ["grey-16-bit.png", "grey-16-bit.tif", "grey-float.tif", "grey-32-bit.tif"]
)
def test_deep_grey_is_scaled_not_clipped(hostile: tuple[Path, Expected], name: str) -> None:
    pixels = decode_photo(hostile[0] / name).pixels
    expected = np.linspace(0, 255, 96 * 64).reshape(64, 96, 1)
    assert np.abs(pixels - expected).max() <= 1.0


def test_deep_colour_is_scaled_not_clipped() -> None:
    deep = np.linspace(0, 65535, 48 * 64 * 3).astype(np.uint16).reshape(48, 64, 3)
    for suffix in (".png", ".tif"):
        pixels = decoded(bytes(cv2.imencode(suffix, deep[:, :, ::-1])[1])).pixels
        assert np.abs(pixels - deep / 257).max() <= 1.0


def test_deep_grey_where_zero_is_white() -> None:
    values = np.linspace(0, 65535, 12).astype(np.uint16).reshape(3, 4)
    data = bytearray(saved(Image.fromarray(values), "TIFF"))
    entry = data.index((262).to_bytes(2, "little") + b"\x03\0\x01\0\0\0\x01\0")
    data[entry + 8] = 0
    assert np.abs(decoded(bytes(data)).pixels[..., 0] - (255 - values / 257)).max() <= 1.0


def test_floats_that_are_no_numbers_are_bound() -> None:
    values = np.array([[0.0, np.nan, np.inf, -np.inf, -3.0, 1.0]], np.float32)
    pixels = decoded(saved(Image.fromarray(values), "TIFF")).pixels
    assert pixels[0, :, 0].tolist() == [0, 0, 255, 0, 0, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("max_side", [None, 30])
def test_orientation_equals_pillows(orientation: int, max_side: int | None) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(noisy_picture(90, 60))
    for kind, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {})):
        data = saved(image, kind, exif=exif, **options)
        photo = decoded(data, max_side)
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        assert (photo.height, photo.width) == expected.shape[:2], kind
        if max_side is None:
            assert np.array_equal(photo.pixels, expected), kind
        else:
            assert max(photo.pixels.shape) == max_side
            assert photo.scale == pytest.approx(max_side / 90)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_reduced_photos_are_turned_too(orientation: int) -> None:
    pixels = decoded(oriented(orientation), 48).pixels
    assert pixels.shape == (32, 48, 3)
    assert np.abs(corners_of(pixels) - CORNERS).max() < 12


@pytest.mark.parametrize("header", [56, 108, 124])
@pytest.mark.parametrize(("alpha", "shown"), [(0, True), (255, True), (128, False)])
def test_alpha_of_a_bmp_that_is_zero_everywhere_is_none(
    header: int, alpha: int, shown: bool
) -> None:
    picture = corner_picture()
    photo = decoded(bmp_with_alpha(picture, header, alpha))
    assert np.array_equal(photo.pixels, picture) == shown


def test_a_bmp_of_which_some_is_clear_stays_so() -> None:
    picture = corner_picture()
    data = bytearray(bmp_with_alpha(picture, 124, 0))
    data[-1] = 255  # the last pixel stored is at the top right
    pixels = decoded(bytes(data)).pixels
    assert pixels[0, -1].tolist() == [0, 255, 0]
    assert (pixels[1:] == 255).all()


def bmp_with_alpha(picture: np.ndarray, header: int, alpha: int) -> bytes:
    """A BMP of 32 bits with masks for colours and alpha."""
    height, width = picture.shape[:2]
    opaque = np.full((height, width, 1), alpha, np.uint8)
    data = np.concatenate([picture[::-1, :, ::-1], opaque[::-1]], axis=2).tobytes()
    info = struct.pack("<IiiHHIIiiII", header, width, height, 1, 32, 3, len(data), 0, 0, 0, 0)
    info += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(header - 56)
    start = 14 + header
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + data


def test_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = decoded(encoded(corner_picture(), "HEIF", exif=exif.tobytes()))
    assert (photo.width, photo.height) == (64, 96)
    red, green, blue, white = CORNERS  # a quarter turn clockwise
    assert np.abs(corners_of(photo.pixels) - (blue, red, white, green)).max() < 12


@settings(deadline=None, max_examples=60)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    max_side=st.integers(1, 400),
    kind=st.sampled_from(["JPEG", "PNG"]),
)
def test_max_side_binds_and_never_enlarges(
    width: int, height: int, max_side: int, kind: str
) -> None:
    photo = decoded(encoded(np.zeros((height, width, 3), np.uint8), kind), max_side)
    rows, columns = photo.pixels.shape[:2]
    assert (photo.width, photo.height) == (width, height)
    long, short = max(width, height), min(width, height)
    limit = max_side if long <= 2 * short else min(8 * max_side, round(max_side * long / 2 / short))
    assert max(rows, columns) == min(max(1, limit), long)
    factor = min(1.0, limit / long)
    assert abs(rows - max(1, height * factor)) <= 1
    assert abs(columns - max(1, width * factor)) <= 1
    assert photo.pixels.flags.writeable


@pytest.mark.parametrize("max_side", [1000, 700, 500, 333, 250, 125, 100])
def test_reduced_decoding_looks_like_reducing_afterwards(max_side: int) -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (19, 25, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (1000, 750), interpolation=cv2.INTER_CUBIC)
    photo = decoded(encoded(picture, "JPEG", quality=95), max_side)
    size = (photo.pixels.shape[1], photo.pixels.shape[0])
    expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    assert np.abs(photo.pixels.astype(int) - expected).mean() < 3.0


def test_limits_are_checked_before_decoding() -> None:
    data = encoded_corners("PNG")
    with pytest.raises(PhotoError, match="96 x 64") as caught:
        decoded(data, pixels=96 * 64 - 1)
    assert caught.value.reason == "too-large"
    decoded(data, pixels=96 * 64)


def test_file_size_limit(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded_corners("PNG"))
    size = (tmp_path / "a.png").stat().st_size
    with pytest.raises(PhotoError) as caught:
        decode_photo(tmp_path / "a.png", limits=DecodeLimits(file_bytes=size - 1))
    assert caught.value.reason == "too-large"
    decode_photo(tmp_path / "a.png", limits=DecodeLimits(file_bytes=size))


@pytest.mark.parametrize("kind", KINDS)
def test_large_files_are_decoded_from_disk(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo").write_bytes(encoded_corners(kind))
    whole = decode_photo(tmp_path / "photo")
    monkeypatch.setattr(files_module, "WHOLE_FILE_BYTES", 10)
    assert np.array_equal(decode_photo(tmp_path / "photo").pixels, whole.pixels)


def test_not_there_and_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("not-there", "pipe", "."):
        with pytest.raises(PhotoError) as caught:
            decode_photo(tmp_path / name)
        assert caught.value.reason == "unreadable"


def test_max_side_must_be_positive() -> None:
    with pytest.raises(ValueError, match="max_side"):
        decoded(encoded_corners("PNG"), 0)


VALID = {kind: encoded(noisy_picture(40, 30), kind) for kind in KINDS}
VALID["JPEG progressive"] = encoded(noisy_picture(40, 30), "JPEG", progressive=True)
VALID["TIFF deflate"] = encoded(noisy_picture(40, 30), "TIFF", compression="tiff_deflate")


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    kind=st.sampled_from(sorted(VALID)),
    cut=st.floats(0, 1),
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=8))
    ),
    early=st.booleans(),
)
def test_broken_files_raise_nothing_but_photo_errors(
    kind: str, cut: float, changes: list[tuple[float, bytes]], early: bool
) -> None:
    data = bytearray(VALID[kind])
    reach = min(len(data), 200) if early else len(data)  # headers are where the parsing is
    for place, new in changes:
        at = int(place * reach)
        data[at : at + len(new)] = new
    if not changes:
        del data[int(cut * len(data)) :]
    outcome = outcome_of(partial(decoded, bytes(data), 64, pixels=4_000_000))
    assert isinstance(outcome, PhotoError) or outcome.pixels.ndim == 3


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"JPEG"}))  # of which the rest is shown
def test_a_cut_is_distinguished_from_damage(kind: str) -> None:
    data = encoded(noisy_picture(), kind)
    for part in np.linspace(0.05, 0.95, 19):
        outcome = outcome_of(partial(decoded, data[: int(part * len(data))]))
        assert isinstance(outcome, PhotoError)
        assert outcome.reason == "truncated", (part, outcome)
