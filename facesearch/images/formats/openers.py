"""Which reader opens which format.

The plugins are called by name, not through Image.open: nothing but these formats can be tried (no
PostScript interpreter is ever run), and the pixel limit is ours rather than a global.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from facesearch.errors import PhotoError
from facesearch.images.formats.deep_tiff import DeepTiff, is_deep, taken_at, turned_by
from facesearch.images.formats.jpeg_xl import JpegXl
from facesearch.images.formats.picture import Picture, PillowPicture
from facesearch.images.formats.raw import RawPicture
from facesearch.images.formats.tiff_pages import ORIENTATION, TiffFile
from facesearch.images.sniff import RAW_EXTENSIONS


def open_picture(kind: str, stream: BinaryIO, suffix: str = "") -> Picture:
    """The picture in ``stream``, of a ``kind`` of :func:`facesearch.images.sniff.sniff`.

    ``suffix`` is that of the file's name: raw files of many cameras look like any TIFF.
    Raises PhotoError for what cannot be read here, and whatever a plugin does on damage.
    """
    if kind == "TIFF" and suffix.lower() in RAW_EXTENSIONS:
        return RawPicture(stream)
    return _OPENERS[kind](stream)


def _by_pillow(plugin: Callable[[BinaryIO], ImageFile.ImageFile]) -> Callable[[BinaryIO], Picture]:
    return lambda stream: PillowPicture(plugin(stream))


def _open_bmp(stream: BinaryIO) -> Picture:
    # Many programs write 32 bits a pixel and leave the fourth byte zero, whatever the header says.
    return PillowPicture(BmpImagePlugin.BmpImageFile(stream), opaque_if_clear=True)


def _open_tiff(stream: BinaryIO) -> Picture:
    file = TiffFile.read(stream)
    if file.is_raw:
        return RawPicture(stream)
    page = file.picture
    if page is not None and is_deep(file, page):
        return DeepTiff(file, page)
    if page is None or page is file.pages[0]:
        stream.seek(0)
        return PillowPicture(TiffImagePlugin.TiffImageFile(stream))
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(file.starting_with(page)))
    turned = 1 if ORIENTATION in page.tags else turned_by(page, file)
    return PillowPicture(image, elsewhere=(turned, taken_at(file)))


def _open_heif(stream: BinaryIO) -> Picture:
    # Imported at the first HEIC photo: most folders have none, and libheif is large.
    import pillow_heif  # noqa: PLC0415

    pillow_heif.options.DECODE_THREADS = 1  # the workers are the parallelism
    return PillowPicture(pillow_heif.HeifImageFile(stream))  # type: ignore[no-untyped-call]


def _open_avif(stream: BinaryIO) -> Picture:
    try:
        from PIL import AvifImagePlugin  # noqa: PLC0415
    except ImportError as error:
        raise PhotoError(
            "unsupported", "AVIF is read by Pillow 11.3 or newer: pip install -U Pillow"
        ) from error
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return PillowPicture(AvifImagePlugin.AvifImageFile(stream))


_OPENERS: dict[str, Callable[[BinaryIO], Picture]] = {
    "JPEG": _by_pillow(JpegImagePlugin.JpegImageFile),
    "PNG": _by_pillow(PngImagePlugin.PngImageFile),
    "WEBP": _by_pillow(WebPImagePlugin.WebPImageFile),
    "GIF": _by_pillow(GifImagePlugin.GifImageFile),
    "BMP": _open_bmp,
    "TIFF": _open_tiff,
    "HEIF": _open_heif,
    "AVIF": _open_avif,
    "PPM": _by_pillow(PpmImagePlugin.PpmImageFile),
    "JPEG2000": _by_pillow(Jpeg2KImagePlugin.Jpeg2KImageFile),
    "JXL": JpegXl,
    "RAW": RawPicture,
}
