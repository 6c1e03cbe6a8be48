"""TIFFs of every depth, against tifffile; which page of a TIFF is the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from facesearch.errors import PhotoError
from facesearch.images.decode import decode_stream
from facesearch.images.types import DecodedPhoto

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


def decoded(data: bytes, max_side: int | None = None) -> DecodedPhoto:
    return decode_stream(io.BytesIO(data), max_side=max_side)


def tiff(samples: np.ndarray, **options: object) -> bytes:
    """A file with one page of ``samples``, (h, w), (h, w, n), or (n, h, w) in planes."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def samples_of(dtype: str, channels: int, seed: int = 0, shape: tuple[int, int] = (21, 35)):
    """Random samples over the whole range of the type, floats in [0, 1]."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.random((*shape, channels)).astype(dtype)
    bounds = np.iinfo(dtype)
    return rng.integers(bounds.min, bounds.max, (*shape, channels), dtype, endpoint=True)


def expected(samples: np.ndarray) -> np.ndarray:
    """The same in eight bits, the plain way."""
    if samples.dtype.kind == "f":
        return samples.astype(float) * 255
    bounds = np.iinfo(samples.dtype)
    span = float(bounds.max) - float(bounds.min)
    return (samples.astype(float) - float(bounds.min)) * 255 / span


DTYPES = ("u2", "i2", "u4", "i4", "f4", "f8", "u8", "i8", "f2", "i1")
TILES = {"strips": {}, "short strips": {"rowsperstrip": 4}, "tiles": {"tile": (16, 16)}}
ORDERS = ("<", ">")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_grey_of_every_kind(dtype: str, order: str, compression: str | None) -> None:
    samples = samples_of(dtype, 1)[..., 0]
    data = tiff(samples, photometric="minisblack", byteorder=order, compression=compression)
    pixels = decoded(data).pixels
    assert np.abs(pixels - expected(samples)[..., None]).max() <= 1.0


@settings(deadline=None, max_examples=80)
@given(
    kind=st.tuples(st.sampled_from(("u2", "u4", "f4")), st.sampled_from(ORDERS), st.integers(0, 9)),
    planes=st.booleans(),
    tiles=st.sampled_from(sorted(TILES)),
    packed=st.sampled_from(((None, False), ("zlib", False), ("zlib", True))),
    big=st.booleans(),
)
def test_colour_in_any_arrangement(
    kind: tuple[str, str, int],
    planes: bool,
    tiles: str,
    packed: tuple[str | None, bool],
    big: bool,
) -> None:
    dtype, order, seed = kind
    samples = samples_of(dtype, 3, seed)
    stored = np.moveaxis(samples, 2, 0).copy() if planes else samples
    compression, predictor = packed
    data = tiff(
        stored,
        photometric="rgb",
        planarconfig="separate" if planes else "contig",
        byteorder=order,
        compression=compression,
        predictor=predictor and dtype != "f4",
        bigtiff=big,
        **TILES[tiles],
    )
    back = tifffile.imread(io.BytesIO(data))
    assert np.array_equal(back, stored)
    assert np.abs(decoded(data).pixels - expected(samples)).max() <= 1.0


@pytest.mark.parametrize("codec", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_codecs_and_the_predictor_of_floats(codec: str) -> None:
    values = samples_of("f4", 1)[..., 0]
    options = {} if codec == "packbits" else {"tiffinfo": {317: 3}}
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "TIFF", compression=codec, **options)
    assert np.abs(decoded(buffer.getvalue()).pixels - expected(values)[..., None]).max() <= 1.0


@pytest.mark.parametrize("planes", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_grey_with_alpha(dtype: str, planes: bool) -> None:
    samples = samples_of(dtype, 2)
    samples[:10, :, 1] = np.iinfo(dtype).max
    samples[10:, :, 1] = 0
    stored = np.moveaxis(samples, 2, 0).copy() if planes else samples
    data = tiff(
        stored,
        photometric="minisblack",
        extrasamples=["unassalpha"],
        planarconfig="separate" if planes else "contig",
    )
    pixels = decoded(data).pixels
    assert np.abs(pixels[:10] - expected(samples[:10, :, :1])).max() <= 1.0
    assert (pixels[10:] == 255).all()


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha", "unspecified"])
def test_colour_with_a_fourth_plane(extra: str) -> None:
    samples = samples_of("u2", 4)
    samples[..., 3] = 65535
    if extra == "unspecified":
        samples[..., 3] = 0  # it may be anything, and says nothing of the others
    data = tiff(
        np.moveaxis(samples, 2, 0).copy(),
        photometric="rgb",
        extrasamples=[extra],
        planarconfig="separate",
    )
    assert np.abs(decoded(data).pixels - expected(samples[..., :3])).max() <= 1.0


def test_inks_in_planes_look_as_those_of_eight_bits() -> None:
    samples = samples_of("u2", 4)
    data = tiff(np.moveaxis(samples, 2, 0).copy(), photometric="separated", planarconfig="separate")
    plain = tiff((samples // 257).astype("u1"), photometric="separated")
    assert np.abs(decoded(data).pixels.astype(int) - decoded(plain).pixels).max() <= 2


@pytest.mark.parametrize("dtype", ["u2", "u4", "f4"])
def test_where_zero_is_white(dtype: str) -> None:
    samples = samples_of(dtype, 1)[..., 0]
    pixels = decoded(tiff(samples, photometric="miniswhite")).pixels
    assert np.abs(pixels - (255 - expected(samples))[..., None]).max() <= 1.0


def test_numbers_with_a_sign_that_are_never_negative() -> None:
    values = np.linspace(0, 32767, 60).astype("i2").reshape(6, 10)
    assert np.abs(decoded(tiff(values)).pixels[..., 0] - values / 128.498).max() <= 1.0
    wide = np.linspace(0, 65535, 60).astype("i4").reshape(6, 10)
    assert np.abs(decoded(tiff(wide)).pixels[..., 0] - wide / 257).max() <= 1.0


def test_a_deep_tiff_is_turned_and_dated() -> None:
    samples = samples_of("u2", 3)
    data = tiff(
        np.moveaxis(samples, 2, 0).copy(),
        photometric="rgb",
        planarconfig="separate",
        extratags=[(274, 3, 1, 6, True), (306, 2, 20, "2021:05:06 07:08:09", True)],
    )
    photo = decoded(data)
    assert (photo.width, photo.height) == (21, 35)
    assert np.abs(photo.pixels - np.rot90(expected(samples), -1)).max() <= 1.0
    assert photo.taken_at == "2021-05-06T07:08:09"


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_cut_deep_tiff_is_truncated(share: float) -> None:
    data = tiff(samples_of("u4", 3, shape=(64, 64)), photometric="rgb")
    with pytest.raises(PhotoError) as caught:
        decoded(data[: int(share * len(data))])
    assert caught.value.reason == "truncated"


SMALL, LARGE = np.full((30, 40, 3), 60, np.uint8), np.full((300, 400, 3), 200, np.uint8)


def pages(*written: tuple[np.ndarray, dict[str, object]]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for samples, options in written:
            writer.write(samples, metadata=None, photometric="rgb", **options)
    return buffer.getvalue()


def tags_of(orientation: int) -> dict[str, object]:
    return {"extratags": [(274, 3, 1, orientation, True)]}


def test_a_thumbnail_comes_first_in_the_chain() -> None:
    photo = decoded(pages((SMALL, {"subfiletype": 1}), (LARGE, {})))
    assert (photo.width, photo.height, int(photo.pixels.mean())) == (400, 300, 200)


def test_the_picture_lies_below_its_thumbnail() -> None:
    photo = decoded(pages((SMALL, {"subfiletype": 1, "subifds": 1} | tags_of(6)), (LARGE, {})))
    assert (photo.width, photo.height, int(photo.pixels.mean())) == (300, 400, 200)


def test_a_deep_picture_below_its_thumbnail() -> None:
    deep = np.full((300, 400, 3), 200 * 257, np.uint16)
    photo = decoded(pages((SMALL, {"subfiletype": 1, "subifds": 1} | tags_of(8)), (deep, {})))
    assert (photo.width, photo.height, int(photo.pixels.mean())) == (300, 400, 200)


def test_a_small_first_page_of_the_same_shape_is_a_thumbnail() -> None:
    assert decoded(pages((SMALL, {}), (LARGE, {}))).width == 400


def test_pages_of_other_shapes_are_no_thumbnails() -> None:
    photo = decoded(pages((SMALL, {}), (LARGE[:200], {})))
    assert (photo.width, photo.height) == (40, 30)
    reduced = decoded(pages((LARGE, {}), (SMALL, {"subfiletype": 1})))
    assert reduced.width == 400


def test_directories_in_a_circle_end() -> None:
    data = bytearray(pages((SMALL, {}), (LARGE, {})))
    first = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[first : first + 2], "little")
    following = first + 2 + 12 * count
    second = int.from_bytes(data[following : following + 4], "little")
    count = int.from_bytes(data[second : second + 2], "little")
    data[second + 2 + 12 * count : second + 6 + 12 * count] = data[4:8]
    assert decoded(bytes(data)).width == 400


@settings(deadline=None, max_examples=150)
@given(changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=6))))
def test_damaged_deep_tiffs_raise_nothing_but_photo_errors(
    changes: list[tuple[float, bytes]],
) -> None:
    data = bytearray(tiff(samples_of("u2", 3, shape=(6, 7)), photometric="rgb", tile=(16, 16)))
    for place, new in changes:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    try:
        decode_stream(io.BytesIO(bytes(data)), max_side=64)
    except PhotoError as error:
        assert error.detail
