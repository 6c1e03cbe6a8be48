"""A folder of files as bad as photos get, each with the reason it must be refused with.

Made from scratch, so that nothing has to be shipped: wrong, cut, damaged, oversized and odd
files, and names and places that a walk stumbles over. Needs no test framework.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image

from benchmarks.exchange.turned_pictures import stored_turned

Pixels = NDArray[np.uint8]
Expected = dict[str, str | None]

# Top left red, top right green, bottom left blue, bottom right white: no turn looks like another.
CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))

_FORMATS = {
    "jpg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "tif": "TIFF",
    "bmp": "BMP",
    "gif": "GIF",
    "heic": "HEIF",
    "avif": "AVIF",
}


def corner_picture(width: int = 96, height: int = 64) -> Pixels:
    """RGB uint8 (height, width, 3), a quarter of it in each colour of ``CORNERS``."""
    picture = np.empty((height, width, 3), np.uint8)
    for index, colour in enumerate(CORNERS):
        rows = slice(0, height // 2) if index < 2 else slice(height // 2, None)
        columns = slice(0, width // 2) if index % 2 == 0 else slice(width // 2, None)
        picture[rows, columns] = colour
    return picture


def noisy_picture(width: int = 160, height: int = 120) -> Pixels:
    """RGB uint8 (height, width, 3) that compresses badly, so that half a file is half a photo."""
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(picture: Pixels, kind: str, **options: object) -> bytes:
    """``picture`` as a file of Pillow's format ``kind``."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(buffer, **options)
    else:
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def encoded_corners(kind: str) -> bytes:
    """The corner picture in the format ``kind``, as true to colour as that allows."""
    return encoded(corner_picture(), kind, **({"quality": 95} if kind != "PNG" else {}))


def png_of(width: int, height: int, chunks: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """A PNG that declares grey pixels of this size, with these chunks between IHDR and IEND."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    every = ((b"IHDR", header), *chunks, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in every
    )


def write_hostile_photos(folder: Path) -> Expected:
    """Write the files and return, by path relative to ``folder``, the reason of each (None: it
    decodes). Every path is one that ``find_photos`` yields. ``folder`` is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    expected: Expected = {}
    for contents in (_cut, _oversized, _misnamed, _damaged, _odd_modes, _turned, _odd_shapes):
        for name, (data, reason) in contents().items():
            (folder / name).write_bytes(data)
            expected[name] = reason
    expected |= _odd_names(folder)
    expected |= _odd_places(folder)
    return expected


def remove_hostile_photos(folder: Path) -> None:
    """Give back the permissions that would keep ``folder`` from being deleted."""
    for name in ("locked.jpg", "locked-folder"):
        with contextlib.suppress(OSError):
            (folder / name).chmod(0o700)


Contents = dict[str, tuple[bytes, str | None]]


def _cut() -> Contents:
    files: Contents = {"zero-bytes.jpg": (b"", "empty"), "zero-bytes.heic": (b"", "empty")}
    for suffix, kind in _FORMATS.items():
        data = encoded(noisy_picture(), kind)
        reason = None if kind == "JPEG" else "truncated"  # of a JPEG the upper half is shown
        files[f"cut-half.{suffix}"] = (data[: len(data) // 2], reason)
    jpeg = encoded(noisy_picture(), "JPEG")
    files["cut-after-signature.jpg"] = (jpeg[:4], "truncated")
    files["cut-last-tenth.jpg"] = (jpeg[: len(jpeg) * 9 // 10], None)
    files["cut-end-marker.jpg"] = (jpeg[:-2], None)
    files["three-bytes.png"] = (b"\x89PN", "not-an-image")
    return files


def _oversized() -> Contents:
    pixels = zlib.compress(bytes(1000))
    text = b"Comment\0\0" + zlib.compress(bytes(32 << 20), 9)
    profile = b"icc\0\0" + zlib.compress(bytes(32 << 20), 9)
    jpeg = bytearray(encoded(corner_picture(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    tags = ((256, 100_000), (257, 100_000), (258, 8), (259, 1), (262, 1), (273, 8), (279, 1))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    tiff = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    bmp = bytearray(encoded(corner_picture(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    gif = bytearray(encoded(corner_picture(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    heif = bytearray(encoded(corner_picture(), "HEIF"))
    extent = heif.index(b"ispe") + 8
    heif[extent : extent + 8] = struct.pack(">II", 60_000, 60_000)
    return {
        "bomb-declares-60000x60000.png": (
            png_of(60_000, 60_000, ((b"IDAT", pixels),)),
            "too-large",
        ),
        "bomb-in-text.png": (png_of(8, 8, ((b"zTXt", text), (b"IDAT", pixels))), "too-large"),
        "bomb-in-profile.png": (png_of(8, 8, ((b"iCCP", profile), (b"IDAT", pixels))), "too-large"),
        "bomb.jpg": (bytes(jpeg), "too-large"),
        "bomb.tif": (tiff, "too-large"),
        "bomb.bmp": (bytes(bmp), "too-large"),
        "bomb.gif": (bytes(gif), "too-large"),
        "bomb.heic": (bytes(heif), "too-large"),
    }


def _misnamed() -> Contents:
    return {
        "really-a-jpeg.png": (encoded_corners("JPEG"), None),
        "really-a-png.jpg": (encoded_corners("PNG"), None),
        "really-a-webp.jpg": (encoded_corners("WEBP"), None),
        "really-a-heic.jpg": (encoded_corners("HEIF"), None),
        "photo-without-extension": (encoded_corners("JPEG"), None),
        "photo.backup": (encoded_corners("PNG"), None),
        "text.jpg": (b"This is a letter, not a photo.\n" * 20, "not-an-image"),
        "bm-text.bmp": (b"BMW and other makes, a list of all that I drove.\n", "not-an-image"),
        "document.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "not-an-image"),
        "not-found-page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not-an-image"),
        "archive.jpg": (b"PK\x03\x04" + bytes(60), "not-an-image"),
        "video.heic": (b"\0\0\0\x18ftypisom\0\0\2\0isommp41", "not-an-image"),
        "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported"),
        "jpeg2000.jpg": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50), "corrupt"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported"),
        "only-zeros.jpg": (bytes(4096), "not-an-image"),
    }


def _damaged() -> Contents:
    jpeg = encoded(noisy_picture(), "JPEG")
    broken_header = bytearray(jpeg)
    tables = broken_header.index(b"\xff\xc4")
    broken_header[tables + 4 : tables + 60] = b"\xff" * 56
    garbage = bytearray(jpeg)
    middle = len(garbage) // 2
    garbage[middle : middle + 400] = np.random.default_rng(3).bytes(400).replace(b"\xff", b"\xfe")
    png = bytearray(encoded(noisy_picture(), "PNG"))
    png[len(png) // 2 : len(png) // 2 + 50] = bytes(50)
    heif = bytearray(encoded(noisy_picture(), "HEIF"))
    coded = heif.index(b"mdat") + 8
    heif[coded : coded + 60] = b"\xff" * 60
    picture = corner_picture()
    return {
        "damaged-tables.jpg": (bytes(broken_header), "corrupt"),
        # JPEG has no checksums: wrong pixels are all that shows, and the rest is still a photo.
        "damaged-middle.jpg": (bytes(garbage), None),
        "damaged-middle.png": (bytes(png), "corrupt"),
        "damaged-pixels.heic": (bytes(heif), "corrupt"),
        "damaged-exif.jpg": (encoded(picture, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), None),
        "damaged-icc.jpg": (encoded(picture, "JPEG", icc_profile=b"no profile" * 20), None),
        "damaged-icc.png": (encoded(picture, "PNG", icc_profile=b"\0\1\2" * 50), None),
        "garbage-after-end.jpg": (encoded_corners("JPEG") + bytes(5000), None),
        "header-only.gif": (b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0), "truncated"),
        "no-pixels.png": (png_of(8, 8, ()), "corrupt"),
        "zero-size.png": (png_of(0, 0, ((b"IDAT", zlib.compress(b"")),)), "corrupt"),
        "negative-width.bmp": (
            b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, -5, 5, 1, 24, *([0] * 6)),
            "too-large",  # read without a sign, as the format has no negative widths
        ),
    }


def _odd_modes() -> Contents:
    picture = corner_picture()
    image = Image.fromarray(picture)
    deep = picture.astype(np.uint16) * 257
    ramp = np.linspace(0, 1, 96 * 64).reshape(64, 96)
    transparent = np.dstack([picture, np.full((64, 96), 255, np.uint8)])
    transparent[:32, :48, 3] = 0
    palette = image.quantize(8)
    frames = [image, Image.fromarray(255 - picture)]
    motion = {"save_all": True, "append_images": frames[1:]}
    return {
        "cmyk.jpg": (_saved(image.convert("CMYK"), "JPEG", quality=95), None),
        "cmyk.tif": (_saved(image.convert("CMYK"), "TIFF"), None),
        "grey.jpg": (_saved(image.convert("L"), "JPEG"), None),
        "progressive.jpg": (_saved(image, "JPEG", progressive=True), None),
        "grey-16-bit.png": (_saved(Image.fromarray((ramp * 65535).astype("u2")), "PNG"), None),
        "grey-16-bit.tif": (_saved(Image.fromarray((ramp * 65535).astype("u2")), "TIFF"), None),
        "rgb-16-bit.png": (_saved_by_opencv(deep, ".png"), None),
        "rgb-16-bit.tif": (_saved_by_opencv(deep, ".tif"), None),
        "grey-float.tif": (_saved(Image.fromarray(ramp.astype("f4")), "TIFF"), None),
        "rgb-float.tif": (_saved_by_opencv(np.float32(picture), ".tif"), None),
        "grey-32-bit.tif": (_saved(Image.fromarray((ramp * 65535).astype("i4")), "TIFF"), None),
        "one-bit.png": (_saved(image.convert("1"), "PNG"), None),
        "one-bit-fax.tif": (_saved(image.convert("1"), "TIFF", compression="group4"), None),
        "palette.gif": (_saved(palette, "GIF"), None),
        "palette-transparent.png": (_saved(palette, "PNG", transparency=0), None),
        "grey-alpha.png": (_saved(image.convert("LA"), "PNG"), None),
        "alpha.png": (_saved(Image.fromarray(transparent), "PNG"), None),
        "alpha.webp": (_saved(Image.fromarray(transparent), "WEBP", lossless=True), None),
        "key-colour.png": (_saved(image, "PNG", transparency=CORNERS[0]), None),
        "ycbcr.tif": (_saved(image.convert("YCbCr"), "TIFF"), None),
        "lab.tif": (_saved(_lab(image), "TIFF"), None),
        "pages.tif": (_saved(image, "TIFF", **motion), None),
        "animated.gif": (_saved(image, "GIF", **motion), None),
        "animated.webp": (_saved(image, "WEBP", lossless=True, **motion), None),
        "animated.png": (_saved(image, "PNG", **motion), None),
        "several.mpo": (_saved(image, "MPO", **motion), None),
        "plain.avif": (encoded_corners("AVIF"), None),
        "plain.bmp": (encoded_corners("BMP"), None),
    }


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _saved_by_opencv(picture: NDArray[np.generic], suffix: str) -> bytes:
    """For the depths that Pillow cannot write."""
    return bytes(cv2.imencode(suffix, picture[:, :, ::-1])[1])


def _lab(image: Image.Image) -> Image.Image:
    return image.convert("LAB")


def oriented(orientation: int) -> bytes:
    """A JPEG that shows the corner picture upright once ``orientation`` (1 to 8) is applied."""
    stored, exif = stored_turned(Image.fromarray(corner_picture()), orientation)
    return _saved(stored, "JPEG", exif=exif.tobytes(), quality=95)


def _turned() -> Contents:
    return {f"turned-{value}.jpg": (oriented(value), None) for value in range(1, 9)}


def _odd_shapes() -> Contents:
    return {
        "one-pixel.png": (encoded(np.full((1, 1, 3), 9, np.uint8), "PNG"), None),
        "one-pixel.jpg": (encoded(np.full((1, 1, 3), 9, np.uint8), "JPEG"), None),
        "one-row.png": (encoded(np.zeros((1, 70_000, 3), np.uint8), "PNG"), None),
        "one-column.jpg": (encoded(np.zeros((60_000, 1, 3), np.uint8), "JPEG"), None),
    }


def _odd_names(folder: Path) -> Expected:
    """Names that are hard to print, to quote or to encode; all hold good photos."""
    names = [
        "with\nnewline.jpg",
        " leading and trailing .jpg",
        "-rf.jpg",
        "quote'\"`$(x).jpg",
        "ünï-写真.jpg",
        "UPPER.JPG",
        "b" * 240 + ".jpg",
        os.fsdecode(b"not-utf8-\xff\xfe\xe9.jpg"),
    ]
    expected: Expected = {}
    for name in names:
        with contextlib.suppress(OSError):  # some file systems take nothing but UTF-8
            # Unlike the others in content, as copies are found by their digest.
            (folder / name).write_bytes(encoded_corners("JPEG") + os.fsencode(name))
            expected[name] = None
    return expected


def _odd_places(folder: Path) -> Expected:
    """Links, pipes, sockets and folders where photos are expected; loops that end nowhere."""
    good = encoded_corners("PNG")
    (folder / "folder.jpg").mkdir(exist_ok=True)
    (folder / "folder.jpg" / "inside.png").write_bytes(good + b"1")
    (folder / "round").mkdir(exist_ok=True)
    (folder / "round" / "photo.png").write_bytes(good + b"2")
    (folder / "round" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "round" / "self").symlink_to(".", target_is_directory=True)
    (folder / "link-to-nothing.jpg").symlink_to("is-not-there.jpg")
    (folder / "link-to-itself.jpg").symlink_to("link-to-itself.jpg")
    os.mkfifo(folder / "pipe.jpg")
    expected: Expected = {
        "folder.jpg/inside.png": None,
        "round/photo.png": None,
        "link-to-nothing.jpg": "unreadable",
        "link-to-itself.jpg": "unreadable",
        "pipe.jpg": "unreadable",
    }
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(folder / "socket.jpg"))  # fails where the path is too long
        expected["socket.jpg"] = "unreadable"
    (folder / "device.jpg").symlink_to("/dev/zero")
    expected["device.jpg"] = "unreadable"
    if os.geteuid() != 0:  # root may read everything
        (folder / "locked.jpg").write_bytes(good)
        (folder / "locked.jpg").chmod(0)
        (folder / "locked-folder").mkdir()
        (folder / "locked-folder").chmod(0)
        expected |= {"locked.jpg": "unreadable", "locked-folder": "unreadable"}
    return expected
