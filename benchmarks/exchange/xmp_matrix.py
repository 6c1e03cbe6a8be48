"""Are regions where the faces are, whoever reads them, in every format and orientation?

    python -m benchmarks.exchange.xmp_matrix

Photos of one bright box are stored in eight orientations and six formats, and the box is written
as a region: into a sidecar by facesearch, and from there into the photo by exiftool. Two readers,
exiftool and facesearch, read both. What exiftool reads is turned as the photo is, by the
orientation that it states. Right is a region within a pixel of the box.
"""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

from benchmarks.common.record import record
from benchmarks.exchange.turned_pictures import stored_turned
from cluster.types import Clustering
from facesearch.album.model import Album, AlbumFace, AlbumInfo, build_album
from facesearch.images.formats.metadata import read_metadata
from facesearch.people_import.placed_regions import place_region
from facesearch.people_import.xmp_names import names_in_xmp
from facesearch.report.xmp import write_sidecars

Box = tuple[float, float, float, float]

SIZE = (160, 120)
BOX = (30.0, 20.0, 70.0, 80.0)
NAME = "Ada Löwe"
FORMATS = ("jpg", "png", "webp", "tif", "heic", "avif")
ORIENTATIONS = range(1, 9)
# Edges are rounded to pixels where a picture is turned to see where they are.
WITHIN = 1.01


def exiftool(*words: object) -> str:
    """What exiftool prints; raises RuntimeError for what it refuses."""
    ran = subprocess.run(
        ["exiftool", "-q", *map(str, words)], capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return ran.stdout


def write_turned(folder: Path, orientation: int, kind: str) -> Path:
    """A photo that is upright to who turns it, as phones write it: twice stated in HEIC, AVIF."""
    path = folder / f"{orientation}.{kind}"
    pixels = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    pixels[int(BOX[1]) : int(BOX[3]), int(BOX[0]) : int(BOX[2])] = (250, 250, 250)
    image, exif = stored_turned(Image.fromarray(pixels), orientation)
    if kind == "heic":
        pillow_heif.from_pillow(image).save(path, exif=exif.tobytes())
    else:
        image.save(path, exif=exif)
    if kind == "avif":  # Pillow turns it by the container alone
        exiftool("-overwrite_original", "-n", f"-Orientation={orientation}", path)
    return path


def seen_by_exiftool(read: dict[str, Any]) -> Box:
    """Where a program that turns the photo by EXIF shows the region, in pixels."""
    info = read["RegionInfo"]
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
    exif[0x0112] = read.get("Orientation", 1)
    Image.fromarray(marked).save(stored, "PNG", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(stored)))
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def seen_by_facesearch(packet: bytes, photo: Path) -> Box:
    """Where the import of names places the region of ``packet``."""
    (region,) = names_in_xmp(packet, str(photo)).regions
    return place_region(region, read_metadata(photo))


def read_everywhere(photos: list[Path]) -> dict[str, list[Box]]:
    """The region of each of ``photos`` by reader and place, once it is written to both."""
    if write_sidecars(_album_of(photos), None).written != len(photos):
        raise RuntimeError("not all sidecars were written")
    beside = [photo.with_name(f"{photo.name}.xmp") for photo in photos]
    turned = json.loads(exiftool("-j", "-n", "-Orientation", *photos))
    read = json.loads(exiftool("-j", "-struct", "-n", "-RegionInfo", *beside))
    # A reader of the sidecar turns it as it turns the photo, which may state nothing.
    stated = [{"Orientation": 1, **one, **other} for one, other in zip(turned, read, strict=True)]
    found = {
        "exiftool, sidecar": [seen_by_exiftool(each) for each in stated],
        "facesearch, sidecar": [
            seen_by_facesearch(sidecar.read_bytes(), photo)
            for photo, sidecar in zip(photos, beside, strict=True)
        ],
    }
    exiftool("-overwrite_original", "-tagsfromfile", "%d%f.%e.xmp", "-xmp:all", *photos)
    read = json.loads(exiftool("-j", "-struct", "-n", "-RegionInfo", "-Orientation", *photos))
    found["exiftool, photo"] = [seen_by_exiftool(each) for each in read]
    found["facesearch, photo"] = [
        seen_by_facesearch(read_metadata(photo).xmp, photo) for photo in photos
    ]
    return found


def _album_of(photos: list[Path]) -> Album:
    """One person, in the box of each photo."""
    faces = [
        AlbumFace(number, photo, photo.name, BOX, SIZE, 0.9, 0.9)
        for number, photo in enumerate(photos)
    ]
    count = len(faces)
    clustering = Clustering(
        np.arange(count, dtype=np.int64), np.zeros(count, np.int32), np.ones(count, np.float32)
    )
    vectors = np.ones((count, 2), np.float32) / np.sqrt(np.float32(2))
    about = AlbumInfo("Regions", "2026-01-01T00:00:00", "none", None, "none", count)
    return build_album(faces, vectors, clustering, {0: NAME}, about=about)


def matrix(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The largest distance of an edge, in pixels, by format, reader and orientation."""
    found = {}
    for kind in FORMATS:
        photos = [write_turned(folder, orientation, kind) for orientation in ORIENTATIONS]
        found[kind] = {
            reader: {
                str(orientation): round(max(abs(a - b) for a, b in zip(box, BOX, strict=True)), 3)
                for orientation, box in zip(ORIENTATIONS, boxes, strict=True)
            }
            for reader, boxes in read_everywhere(photos).items()
        }
    return found


def main() -> None:
    """Write, read and record."""
    with tempfile.TemporaryDirectory() as folder:
        results = matrix(Path(folder))
    packages = {"exiftool": exiftool("-ver").strip()}
    result = {"packages": packages, "within_pixels": WITHIN, "results": results}
    print(json.dumps(result, indent=2))
    print(record("xmp_matrix", result))


if __name__ == "__main__":
    main()
