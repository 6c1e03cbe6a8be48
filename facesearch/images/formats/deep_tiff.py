"""TIFFs whose samples are not unsigned bytes, for Pillow scrambles many of them without a word.

It reads planes of 16 bits as if they were bytes, compressed big-endian numbers the wrong way
round, and whole numbers without a sign as if they had one. Here libtiff only unpacks the bytes, as
those of a grey picture of eight bits, and numpy reads them as what the file says they are.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from facesearch.errors import PhotoError
from facesearch.images.exif import exif_facts
from facesearch.images.formats.picture import Reading
from facesearch.images.formats.tiff_pages import (
    HEIGHT,
    ORIENTATION,
    PHOTOMETRIC,
    WIDTH,
    TiffFile,
    TiffPage,
)
from facesearch.images.to_rgb import Pixels, scaled_to_bytes, to_rgb

Samples = NDArray[Any]

_BITS, _COMPRESSION, _SAMPLES, _ROWS_PER_STRIP = 258, 259, 277, 278
_STRIP_OFFSETS, _STRIP_COUNTS, _TILE_WIDTH, _TILE_HEIGHT = 273, 279, 322, 323
_TILE_OFFSETS, _TILE_COUNTS = 324, 325
_FILL_ORDER, _PLANAR, _PREDICTOR, _EXTRA_SAMPLES, _FORMAT = 266, 284, 317, 338, 339
# None, LZW, deflate (two numbers), PackBits, LZMA, Zstandard: what is packed are plain bytes.
_BYTE_CODECS = (1, 5, 8, 32946, 32773, 34925, 50000)
_KINDS = {1: "u", 2: "i", 3: "f"}  # by SampleFormat
_SEPARATE = 2
_WHITE_IS_ZERO, _LAB = 0, 8
# By PhotometricInterpretation: the mode of Pillow's that is the same at eight bits.
_MODES = {0: "L", 1: "L", 2: "RGB", 5: "CMYK", _LAB: "LAB"}
_ASSOCIATED, _UNASSOCIATED = 1, 2


def is_deep(file: TiffFile, page: TiffPage) -> bool:
    """Whether a page has samples that are read here."""
    bits = page.numbers(_BITS) or (1,)
    layout = file.layout
    planes = page.number(_PLANAR, 1) == _SEPARATE and page.number(_SAMPLES, 1) == 2
    unread = layout.is_big and layout.order == ">"  # by Pillow, whatever is in it
    return (
        (bits[0] > 8 or page.number(_FORMAT, 1) == 2 or planes or unread)
        and bits[0] % 8 == 0
        and {*bits} == {bits[0]}
        and page.number(_COMPRESSION, 1) in _BYTE_CODECS
        and page.number(_FILL_ORDER, 1) == 1
        and page.number(PHOTOMETRIC, -1) in _MODES
    )


class DeepTiff:
    """A page of a TIFF for which :func:`is_deep` holds. ``size`` is not turned."""

    def __init__(self, file: TiffFile, page: TiffPage) -> None:
        self._file = file
        self._page = page
        self.size = page.size
        self.orientation = turned_by(page, file)

    def read(self, max_side: int | None) -> Reading:
        """All pixels; ``max_side`` reduces nothing, as the format has no reduced reading."""
        samples = _Samples(self._file, self._page)
        pixels = to_rgb(_image(samples.read(), self._page))
        return Reading(pixels, self.orientation, taken_at(self._file))


def turned_by(page: TiffPage, file: TiffFile) -> int:
    """The orientation of a page, 1 to 8; where it states none, that of the file's first page."""
    value = page.number(ORIENTATION, file.pages[0].number(ORIENTATION, 1))
    return value if 1 <= value <= 8 else 1


def taken_at(file: TiffFile) -> str:
    """When the photo was taken, of the file's first page: ISO 8601, or ""."""
    exif = Image.Exif()
    try:
        exif.load(file.data)
    except Exception:  # damaged EXIF is no reason to refuse a photo
        return ""
    return exif_facts(exif)[1]


class _Samples:
    """The samples of one page as the file has them."""

    def __init__(self, file: TiffFile, page: TiffPage) -> None:
        self._file = file
        self._page = page
        self._width, self._height = page.size
        self._count = page.number(_SAMPLES, 1)
        kind = _KINDS.get(page.number(_FORMAT, 1))
        size = page.number(_BITS, 8) // 8
        if kind is None or size not in ((2, 4, 8) if kind == "f" else (1, 2, 4, 8)):
            raise PhotoError("unsupported", f"TIFF: samples of {8 * size} bits of an unknown kind")
        self._dtype = np.dtype(f"{file.layout.order}{kind}{size}")

    def read(self) -> Samples:
        """(h, w, samples), in the byte order of this machine."""
        tiled = _TILE_WIDTH in self._page.tags
        offsets = self._page.numbers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
        counts = self._page.numbers(_TILE_COUNTS if tiled else _STRIP_COUNTS)
        planes = self._count if self._page.number(_PLANAR, 1) == _SEPARATE else 1
        each = len(offsets) // planes
        parts = [slice(plane * each, (plane + 1) * each) for plane in range(planes)]
        read = [self._plane(offsets[part], counts[part], self._count // planes) for part in parts]
        return np.concatenate(read, axis=2)

    def _plane(self, offsets: tuple[int, ...], counts: tuple[int, ...], samples: int) -> Samples:
        across = self._page.number(_TILE_WIDTH, self._width)
        padded = -(-self._width // across) * across
        length = samples * self._dtype.itemsize
        bytes_read = self._unpacked(offsets, counts, padded * length, across * length)
        columns = [
            self._restored(bytes_read[:, left : left + across * length], samples)
            for left in range(0, padded * length, across * length)
        ]
        return np.concatenate(columns, axis=1)[:, : self._width]

    def _unpacked(
        self, offsets: tuple[int, ...], counts: tuple[int, ...], width: int, tile_width: int
    ) -> NDArray[np.uint8]:
        """Bytes (h, width) of one plane, unpacked by libtiff as a grey picture's."""
        tags = {
            WIDTH: [width],
            HEIGHT: [self._height],
            _BITS: [8],
            _SAMPLES: [1],
            PHOTOMETRIC: [1],
            _COMPRESSION: [self._page.number(_COMPRESSION, 1)],
        }
        if _TILE_WIDTH in self._page.tags:
            tags[_TILE_WIDTH] = [tile_width]
            tags[_TILE_HEIGHT] = [self._page.number(_TILE_HEIGHT, self._height)]
            tags |= {_TILE_OFFSETS: [*offsets], _TILE_COUNTS: [*counts]}
        else:
            tags[_ROWS_PER_STRIP] = [min(self._height, self._page.number(_ROWS_PER_STRIP, 2**31))]
            tags |= {_STRIP_OFFSETS: [*offsets], _STRIP_COUNTS: [*counts]}
        image = TiffImageFile(io.BytesIO(self._file.with_page(tags)))
        image.load()
        return np.asarray(image)

    def _restored(self, packed: NDArray[np.uint8], samples: int) -> Samples:
        """Samples (h, columns, samples) of bytes (h, length) of one row of tiles, or all strips.

        Undoes the predictors of TIFF 6.0, section 14, and of Technical Note 3 (floating point).
        """
        predictor = self._page.number(_PREDICTOR, 1)
        height = len(packed)
        size = self._dtype.itemsize
        if predictor == 3:
            rows = np.cumsum(packed.reshape(height, -1, samples), axis=1, dtype=np.uint8)
            planes = rows.reshape(height, size, -1)  # the highest byte of all first
            values = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(f">f{size}")
            return values.reshape(height, -1, samples).astype(self._dtype.newbyteorder("="))
        values = np.ascontiguousarray(packed).view(self._dtype).reshape(height, -1, samples)
        values = values.astype(self._dtype.newbyteorder("="))
        if predictor == 2:
            whole = np.dtype(f"u{size}")
            values = np.cumsum(values.view(whole), axis=1, dtype=whole).view(values.dtype)
        return values


def _image(samples: Samples, page: TiffPage) -> Image.Image:
    """The samples at eight bits, as an image of Pillow's."""
    photometric = page.number(PHOTOMETRIC, 1)
    mode = _MODES[photometric]
    colours = Image.getmodebands(mode)
    if samples.shape[2] < colours:
        raise PhotoError("corrupt", f"TIFF: {mode} has {samples.shape[2]} samples a pixel")
    if photometric == _LAB:
        shift = 8 * (samples.dtype.itemsize - 1)
        shown = (samples.view(f"u{samples.dtype.itemsize}") >> shift).astype(np.uint8)[..., :3]
        return Image.fromarray(np.ascontiguousarray(shown), "LAB")
    shown = scaled_to_bytes(samples[..., :colours])
    if photometric == _WHITE_IS_ZERO:
        shown = 255 - shown
    extra = page.number(_EXTRA_SAMPLES, 0) if samples.shape[2] > colours else 0
    if extra not in (_ASSOCIATED, _UNASSOCIATED) or mode == "CMYK":
        return _with_mode(shown, mode)
    alpha = _alpha(samples[..., colours])
    rgb = np.repeat(shown, 3, axis=2) if colours == 1 else shown
    coloured = np.dstack([rgb, alpha])
    return _with_mode(coloured, "RGBa" if extra == _ASSOCIATED else "RGBA")


def _alpha(values: NDArray[Any]) -> Pixels:
    """How opaque each pixel is, uint8 (h, w), of values that are 1 or the highest where it is."""
    highest = 1.0 if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
    scaled = np.nan_to_num(values.astype(np.float64)) * (255.0 / highest)
    return np.asarray(np.clip(scaled + 0.5, 0.0, 255.0), np.uint8)


def _with_mode(pixels: Pixels, mode: str) -> Image.Image:
    size = (pixels.shape[1], pixels.shape[0])
    image = Image.frombytes(mode, size, np.ascontiguousarray(pixels).tobytes())
    return image.convert("RGBA") if mode == "RGBa" else image
