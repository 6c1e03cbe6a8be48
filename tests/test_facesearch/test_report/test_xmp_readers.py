"""A matrix of eight orientations, six formats and four readers: exiftool and this program, of the
sidecars beside the photos and of what was copied from them into the photos."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from facesearch.images import decode_photo
from facesearch.images.formats.metadata import read_metadata
from facesearch.people_import.placed_regions import place_region
from facesearch.people_import.xmp_names import names_in_xmp
from facesearch.report.xmp import write_sidecars
from support.albums import album_of, face

pytestmark = pytest.mark.skipif(
    shutil.which("exiftool") is None, reason="needs exiftool on the PATH"
)
SIZE = (160, 120)
BOX = (30.0, 20.0, 70.0, 80.0)
NAME = "Ada Löwe"
FORMATS = ("jpg", "png", "webp", "tif", "heic", "avif")
# What undoes each orientation, by Pillow.
UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def exiftool(*words: object) -> str:
    ran = subprocess.run(
        ["exiftool", "-q", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def write_turned(folder: Path, orientation: int, kind: str) -> Path:
    """A photo that is upright to who turns it, as phones write it: twice stated in HEIC, AVIF."""
    path = folder / f"{orientation}.{kind}"
    pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    pixels[int(BOX[1]) : int(BOX[3]), int(BOX[0]) : int(BOX[2])] = (250, 250, 250)
    image = Image.fromarray(pixels)
    if orientation in UNDO:
        image = image.transpose(UNDO[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    if kind == "heic":
        pillow_heif = pytest.importorskip("pillow_heif")
        heif = pillow_heif.from_pillow(image)
        heif.save(path, exif=exif.tobytes())
    else:
        image.save(path, exif=exif)
    if kind == "avif":  # Pillow turns it by the container alone
        exiftool("-overwrite_original", "-n", f"-Orientation={orientation}", path)
    return path


def seen_by(read: dict[str, object]) -> tuple[float, ...]:
    """Where a program that turns the photo by EXIF shows the region, in pixels."""
    info = read["RegionInfo"]
    assert isinstance(info, dict)
    size = (int(info["AppliedToDimensions"]["W"]), int(info["AppliedToDimensions"]["H"]))
    (region,) = info["RegionList"]
    x, y, w, h = (float(region["Area"][key]) for key in "XYWH")
    marked = np.zeros((size[1], size[0]), np.uint8)
    edges = [(x - w / 2) * size[0], (y - h / 2) * size[1]]
    edges += [(x + w / 2) * size[0], (y + h / 2) * size[1]]
    x0, y0, x1, y1 = (round(edge) for edge in edges)
    marked[y0:y1, x0:x1] = 255
    stored = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = read["Orientation"]
    Image.fromarray(marked).save(stored, "PNG", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(stored)))
    assert shown.shape == (SIZE[1], SIZE[0])
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def check_sidecars(photos: list[Path]) -> None:
    """Both readers see the regions of sidecars where the faces are."""
    beside = [photo.with_name(f"{photo.name}.xmp") for photo in photos]
    turned = json.loads(exiftool("-j", "-n", "-Orientation", *photos))
    read = json.loads(exiftool("-j", "-struct", "-n", "-RegionInfo", *beside))
    assert len(read) == len(turned) == len(photos)
    for photo, sidecar, found, stated in zip(photos, beside, read, turned, strict=True):
        # A reader of the sidecar turns it as it turns the photo, which may state nothing.
        assert seen_by({"Orientation": 1, **stated, **found}) == pytest.approx(BOX, abs=1.01), photo
        (region,) = names_in_xmp(sidecar.read_bytes(), "a").regions
        assert place_region(region, read_metadata(photo)) == pytest.approx(BOX, abs=0.01), photo


@pytest.mark.parametrize(
    "orientations",
    [(1, 6), pytest.param(tuple(range(1, 9)), marks=pytest.mark.slow)],
    ids=["two", "eight"],
)
def test_regions_and_names_round_trip(tmp_path: Path, orientations: tuple[int, ...]) -> None:
    kinds = [kind for kind in FORMATS if kind != "avif" or features.check("avif")]
    photos = [write_turned(tmp_path, each, kind) for each in orientations for kind in kinds]
    for photo in photos:
        pixels = decode_photo(photo).pixels
        assert pixels.shape == (SIZE[1], SIZE[0], 3)
        assert pixels[50, 50].min() > 220 and pixels[100, 100].max() < 120, photo
    faces = [
        face(number, photo, BOX, photo_size=SIZE, name=photo.name)
        for number, photo in enumerate(photos)
    ]
    written = write_sidecars(album_of(faces, [0] * len(faces), {0: NAME}), None)
    assert (written.written, written.skipped) == (len(photos), ())
    check_sidecars(photos)
    exiftool("-overwrite_original", "-tagsfromfile", "%d%f.%e.xmp", "-xmp:all", *photos)
    tags = ("RegionInfo", "Orientation", "PersonInImage", "Subject", "HierarchicalSubject")
    wanted = [f"-{tag}" for tag in (*tags, "TagsList")]
    read = json.loads(exiftool("-j", "-struct", "-n", *wanted, *photos))
    assert len(read) == len(photos)
    for photo, found in zip(photos, read, strict=True):
        assert seen_by(found) == pytest.approx(BOX, abs=1.01), photo
        assert found["PersonInImage"] == [NAME]
        listed = (found["Subject"], found["HierarchicalSubject"], found["TagsList"])
        assert [each if isinstance(each, str) else each[0] for each in listed] == [
            *(NAME, f"People|{NAME}", f"People/{NAME}")
        ]
        metadata = read_metadata(photo)
        names = names_in_xmp(metadata.xmp, str(photo))
        (region,) = names.regions
        assert (region.name, names.people) == (NAME, (NAME,))
        assert place_region(region, metadata) == pytest.approx(BOX, abs=0.01), photo
