"""One portrait in every kind of file that people keep and a program here can write."""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import tifffile
from numpy.typing import NDArray
from PIL import Image

from benchmarks.clips.made_clips import ClipFormat, ClipShot, write_clip
from benchmarks.common.raw_files import dng
from facesearch.images.formats.extras import is_readable
from facesearch.video.reader import can_read_videos

Pixels = NDArray[np.uint8]
# Mean difference of a pixel from the portrait that a kind's coding may make.
EXACT, LOSSY, VIDEO, COARSE = 1.0, 8.0, 10.0, 25.0


@dataclass(frozen=True)
class KindOfFile:
    """One file: its bytes and what is to become of it.

    ``became`` is "read", "partial", the reason of a failure, or the kind of files skipped.
    ``difference`` is the mean one from the portrait that is allowed, of a file that is read or is a
    video; of a ``grey`` one, from the portrait without its colours.
    """

    name: str
    data: bytes
    became: str = "read"
    difference: float = EXACT
    grey: bool = False


def kinds_of_files(portrait: Pixels) -> list[KindOfFile]:
    """Every kind that can be written here; ``portrait`` RGB uint8 (h, w, 3), sides even."""
    made = [
        *_jpegs(portrait),
        *_common(portrait),
        *_tiffs(portrait),
        *_modern(portrait),
        *_raw(portrait),
        *_groups(portrait),
        *_no_photos(portrait),
    ]
    return [*made, *_videos(portrait)]


def write_kinds(folder: Path, kinds: list[KindOfFile]) -> None:
    """Write them; each in its place."""
    for each in kinds:
        path = folder / each.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(each.data)


def _saved(picture: Pixels | Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(buffer, **options)
    else:
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(samples: NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, metadata=None, **options)
    return buffer.getvalue()


def _exif(orientation: int = 1, time: str = "2021:05:06 07:08:09") -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = orientation, time
    return exif.tobytes()


def grey_of(portrait: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(portrait).convert("L"))


_MOTION = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(3000)


def _jpegs(portrait: Pixels) -> Iterator[KindOfFile]:
    image = Image.fromarray(portrait)
    jpeg = partial(_saved, kind="JPEG", quality=92)
    plain = jpeg(portrait, exif=_exif())
    for orientation, turns in ((3, 2), (6, 1), (8, 3)):
        stored = np.ascontiguousarray(np.rot90(portrait, turns))
        yield KindOfFile(
            f"turned-{orientation}.jpg", jpeg(stored, exif=_exif(orientation)), "read", LOSSY
        )
    yield KindOfFile("plain.jpg", plain, "read", LOSSY)
    yield KindOfFile("progressive.jpg", jpeg(portrait, progressive=True), "read", LOSSY)
    yield KindOfFile("inks.jpg", jpeg(image.convert("CMYK")), "read", LOSSY)
    yield KindOfFile("grey.jpg", jpeg(image.convert("L")), "read", LOSSY, grey=True)
    yield KindOfFile("no-end-marker.jpg", jpeg(portrait)[:-2], "read", LOSSY)
    whole = jpeg(portrait)
    yield KindOfFile("three-quarters.jpg", whole[: len(whole) * 3 // 4], "partial", 80.0)
    yield KindOfFile("motion-photo.jpg", jpeg(portrait, optimize=True) + _MOTION, "read", LOSSY)
    several = {"save_all": True, "append_images": [Image.fromarray(255 - portrait)]}
    yield KindOfFile("several.mpo", _saved(portrait, "MPO", quality=91, **several), "read", LOSSY)
    yield KindOfFile("really-a-jpeg.png", jpeg(portrait, quality=90), "read", LOSSY)
    yield KindOfFile("without-an-ending", jpeg(portrait, quality=89), "read", LOSSY)


def _common(portrait: Pixels) -> Iterator[KindOfFile]:
    image = Image.fromarray(portrait)
    deep = portrait.astype(np.uint16) * 257
    opaque = np.dstack([portrait, np.full(portrait.shape[:2], 255, np.uint8)])
    motion = {"save_all": True, "append_images": [Image.fromarray(255 - portrait)]}
    yield KindOfFile("plain.png", _saved(portrait, "PNG"))
    yield KindOfFile("deep.png", bytes(cv2.imencode(".png", deep[..., ::-1])[1]))
    yield KindOfFile("palette.png", _saved(image.quantize(256), "PNG"), "read", COARSE)
    yield KindOfFile("alpha.png", _saved(Image.fromarray(opaque), "PNG"))
    deep_grey = Image.fromarray(grey_of(portrait).astype(np.uint16) * 257)
    yield KindOfFile("deep-grey.png", _saved(deep_grey, "PNG"), "read", EXACT, grey=True)
    yield KindOfFile("animated.png", _saved(image, "PNG", **motion))
    yield KindOfFile("animated.gif", _saved(image, "GIF", **motion), "read", COARSE)
    yield KindOfFile("lossy.webp", _saved(portrait, "WEBP", quality=92), "read", LOSSY)
    yield KindOfFile("lossless.webp", _saved(portrait, "WEBP", lossless=True))
    yield KindOfFile("plain.bmp", _saved(portrait, "BMP"))
    yield KindOfFile("clear-alpha.bmp", _bmp_of_32_bits(portrait))
    yield KindOfFile("plain.ppm", _saved(portrait, "PPM"))
    yield KindOfFile("plain.pgm", _saved(image.convert("L"), "PPM"), "read", EXACT, grey=True)


def _bmp_of_32_bits(portrait: Pixels) -> bytes:
    """With a header of version 5 that has alpha, which is zero in every pixel."""
    height, width = portrait.shape[:2]
    clear = np.zeros((height, width, 1), np.uint8)
    data = np.concatenate([portrait[::-1, :, ::-1], clear], axis=2).tobytes()
    info = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 32, 3, len(data), 0, 0, 0, 0)
    info += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(68)
    return b"BM" + struct.pack("<IHHI", 138 + len(data), 0, 0, 138) + info + data


def _tiffs(portrait: Pixels) -> Iterator[KindOfFile]:
    image = Image.fromarray(portrait)
    deep = portrait.astype(np.uint16) * 257
    planes = np.moveaxis(deep, 2, 0).copy()
    grey = grey_of(portrait)
    small = np.asarray(image.resize((64, 64)))
    yield KindOfFile("plain.tif", _saved(portrait, "TIFF"))
    yield KindOfFile("lzw.tif", _saved(portrait, "TIFF", compression="tiff_lzw"))
    yield KindOfFile(
        "jpeg.tif", _saved(portrait, "TIFF", compression="jpeg", quality=92), "read", LOSSY
    )
    yield KindOfFile("inks.tif", _saved(image.convert("CMYK"), "TIFF"))
    yield KindOfFile("lab.tif", _saved(image.convert("LAB"), "TIFF"), "read", LOSSY)
    yield KindOfFile("deep.tif", _tiff(deep, photometric="rgb"))
    yield KindOfFile("deep-planes.tif", _tiff(planes, photometric="rgb", planarconfig="separate"))
    big = {"bigtiff": True, "byteorder": ">", "compression": "zlib"}
    yield KindOfFile(
        "big-endian.tif", _tiff(planes, photometric="rgb", planarconfig="separate", **big)
    )
    floats = (portrait / 255).astype(np.float32)
    yield KindOfFile("float.tif", _tiff(floats, photometric="rgb"))
    wide = grey.astype(np.uint32) * 16843009
    yield KindOfFile(
        "unsigned-32.tif", _tiff(wide, photometric="minisblack"), "read", EXACT, grey=True
    )
    signed = (grey.astype(np.int32) * 257 - 32768).astype(np.int16)
    yield KindOfFile(
        "signed-16.tif", _tiff(signed, photometric="minisblack"), "read", EXACT, grey=True
    )
    yield KindOfFile("thumbnail-first.tif", _pages((small, {"subfiletype": 1}), (portrait, {})))
    yield KindOfFile("pages.tif", _pages((portrait, {}), (255 - portrait[:64], {})))


def _pages(*written: tuple[Pixels, dict[str, Any]]) -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for samples, options in written:
            writer.write(samples, metadata=None, photometric="rgb", **options)
    return buffer.getvalue()


def _modern(portrait: Pixels) -> Iterator[KindOfFile]:
    yield KindOfFile("phone.heic", _saved(portrait, "HEIF", quality=80), "read", LOSSY)
    stored = np.ascontiguousarray(np.rot90(portrait))
    yield KindOfFile(
        "turned.heic", _saved(stored, "HEIF", quality=80, exif=_exif(6)), "read", LOSSY
    )
    yield KindOfFile("plain.avif", _saved(portrait, "AVIF", quality=85), "read", LOSSY)
    yield KindOfFile("plain.jp2", _saved(portrait, "JPEG2000"))
    yield KindOfFile("stream.j2k", _saved(portrait, "JPEG2000", no_jp2=True))
    if is_readable("JXL"):
        import pillow_jxl  # noqa: F401 - an extra, which registers its writer

        yield KindOfFile("plain.jxl", _saved(portrait, "JXL", quality=92), "read", LOSSY)
    else:
        yield KindOfFile("plain.jxl", b"\xff\x0a" + bytes(100), "jpeg-xl")


def _raw(portrait: Pixels) -> Iterator[KindOfFile]:
    became = "read" if is_readable("RAW") else "raw"
    preview = _saved(portrait, "JPEG", quality=92)
    yield KindOfFile("developed.dng", dng(portrait), became, COARSE)
    yield KindOfFile("preview.dng", dng(portrait, preview), became, LOSSY)
    turned = np.ascontiguousarray(np.rot90(portrait))
    yield KindOfFile("sensor-turned.dng", dng(turned, orientation=6), became, COARSE)
    tif = "read" if is_readable("RAW") else "unsupported"
    yield KindOfFile("a-camera's.tif", dng(portrait, orientation=1) + b"\0", tif, COARSE)


def _groups(portrait: Pixels) -> Iterator[KindOfFile]:
    """Files that are one picture, and copies."""
    darker = np.asarray(portrait * 0.9, np.uint8)
    first = _saved(darker, "JPEG", quality=92, exif=_exif())
    yield KindOfFile("camera/IMG_1.JPG", first, "read", COARSE)
    yield KindOfFile("camera/IMG_1.DNG", dng(darker), "second-file")
    phone = _saved(darker, "HEIF", quality=85, exif=_exif(time="2021:05:06 07:08:10"))
    yield KindOfFile("phone/IMG_2.HEIC", phone, "read", COARSE)
    live = _MOTION + b"com.apple.quicktime.content.identifier"
    yield KindOfFile("phone/IMG_2.MOV", live, "live-photo")
    yield KindOfFile("camera/@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_XL.jpg", first, "thumbnails")
    yield KindOfFile("#recycle/IMG_1.JPG", first, "trash")
    yield KindOfFile(".thumbnails/normal/1.png", _saved(darker[:64, :64], "PNG"), "thumbnails")
    yield KindOfFile("Catalog Previews.lrdata/1.jpg", first, "previews")
    yield KindOfFile("my.gallery/gallery.json", b'{"format": "facesearch-gallery"}', "gallery")
    yield KindOfFile("my.gallery/report/crops/1.jpg", first, "gallery")
    yield KindOfFile(".hidden.jpg", first, "hidden")


def _no_photos(portrait: Pixels) -> Iterator[KindOfFile]:
    png = _saved(portrait, "PNG", compress_level=1)
    yield KindOfFile("cut.png", png[: len(png) // 2], "truncated")
    yield KindOfFile("empty.jpg", b"", "empty")
    yield KindOfFile("text.jpg", b"This is a letter, not a photo.\n", "not-an-image")
    yield KindOfFile("drawing.jpg", b"8BPS\0\1" + bytes(90), "unsupported")
    yield KindOfFile("IMG_1.xmp", b"<x:xmpmeta/>", "sidecar")
    yield KindOfFile("IMG_2.AAE", b"<plist/>", "sidecar")
    yield KindOfFile("notes.txt", b"notes", "document")
    yield KindOfFile("tickets.pdf", b"%PDF-1.7", "document")
    yield KindOfFile("all.zip", b"PK\3\4" + bytes(50), "archive")
    yield KindOfFile("memo.m4a", b"\0\0\0\x18ftypM4A ", "sound")
    yield KindOfFile("layers.psd", b"8BPS\0\1" + bytes(90), "other")
    yield KindOfFile("Thumbs.db", b"\xd0\xcf\x11\xe0" + bytes(60), "other")


# By codec. OpenCV and facesearch both read the frames, and both turn RGB into YUV as video has it.
_CLIPS = {
    "clip.mp4": "libx264",
    "clip.mov": "mpeg4",
    "clip.mkv": "libx264",
    "clip.avi": "mpeg4",
    "clip.webm": "libvpx-vp9",
}


def _videos(portrait: Pixels) -> Iterator[KindOfFile]:
    """Where PyAV is installed; half a second that shows the portrait, standing still."""
    if not can_read_videos():
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in _CLIPS.items():
            path = Path(folder, name)
            best = (("b", "4000000"),) if codec != "libx264" else (("crf", "16"),)
            form = ClipFormat(fps=10, codec=codec, options=best)
            write_clip(path, [ClipShot(0.5, portrait, ())], form)
            yield KindOfFile(name, path.read_bytes(), "video", VIDEO)
