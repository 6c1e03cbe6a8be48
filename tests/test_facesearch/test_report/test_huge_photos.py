"""Regions of pictures beyond 179 megapixels, which Pillow takes for bombs, are turned too.

The pictures are small files whose headers say that they are large: no pixel is needed to know how
a picture lies.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from facesearch.images.formats.metadata import read_metadata
from facesearch.images.formats.orientation import stored_box
from facesearch.people_import.placed_regions import place_region
from facesearch.people_import.xmp_names import names_in_xmp
from facesearch.report.xmp import write_sidecars
from support.albums import album_of, face

STORED = (20_000, 9_500)  # 190 megapixels
BOX = (1_000.0, 2_000.0, 1_400.0, 2_500.0)


def small(kind: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = io.BytesIO()
    Image.new("L", (64, 48), 90).save(data, kind, exif=exif)
    return data.getvalue()


def huge_jpeg(orientation: int) -> bytes:
    data = bytearray(small("JPEG", orientation))
    at = data.index(b"\xff\xc0") + 5  # start of frame: its length and precision come first
    data[at : at + 4] = struct.pack(">HH", STORED[1], STORED[0])
    return bytes(data)


def huge_png(orientation: int) -> bytes:
    data = bytearray(small("PNG", orientation))
    data[16:24] = struct.pack(">II", *STORED)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def huge_tiff(orientation: int) -> bytes:
    data = bytearray(small("TIFF", orientation))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from("<HH", data, at)
        if tag in (256, 257):
            struct.pack_into("<H" if kind == 3 else "<I", data, at + 8, STORED[tag - 256])
    return bytes(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "make"), [("jpg", huge_jpeg), ("png", huge_png), ("tif", huge_tiff)]
)
def test_their_regions_are_where_the_faces_are(
    tmp_path: Path, kind: str, make: Callable[[int], bytes], orientation: int
) -> None:
    photo = tmp_path / f"wide.{kind}"
    photo.write_bytes(make(orientation))
    upright = STORED if orientation < 5 else STORED[::-1]
    found = read_metadata(photo)
    assert (found.size, found.orientation) == (upright, orientation)
    album = album_of([face(0, photo, BOX, photo_size=upright)], [0], {0: "Ada"})
    written = write_sidecars(album, None)
    assert (written.written, written.skipped) == (1, ())
    (region,) = names_in_xmp(Path(f"{photo}.xmp").read_bytes(), "a").regions
    shares = tuple(edge / upright[n % 2] for n, edge in enumerate(BOX))
    assert region.applied_to == STORED
    expected = stored_box(shares, orientation)  # type: ignore[arg-type]
    assert region.box == pytest.approx(expected, abs=2e-6)
    # Six decimal places of 20,000 pixels.
    assert place_region(region, found) == pytest.approx(BOX, abs=0.05)
