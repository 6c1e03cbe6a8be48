"""Sidecars: where regions lie on the stored pixels, and that nothing of others is touched."""

from __future__ import annotations

import json
import shutil
import subprocess
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.exchange.turned_pictures import stored_turned
from facesearch.images import decode_photo
from facesearch.report.xmp import NamedFace, regions_xml, write_sidecars
from support.albums import COLOURS, album_of, draw_photo, face

SIZE = (640, 480)
BOX = (100.0, 80.0, 180.0, 200.0)
NAMESPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
}


def stored_photo(path: Path, orientation: int) -> np.ndarray:
    """Write a photo that shows BOX in red to a reader who turns it; the pixels as stored."""
    upright = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    upright[int(BOX[1]) : int(BOX[3]), int(BOX[0]) : int(BOX[2])] = COLOURS[0]
    image, exif = stored_turned(Image.fromarray(upright), orientation)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, exif=exif)
    return np.asarray(image)


def regions(path: Path) -> tuple[tuple[int, int], list[tuple[str, list[float]]]]:
    """Dimensions, and the name and x, y, w, h of each region, as a parser reads them."""
    root = ET.parse(path).getroot()

    def value(element: ET.Element, prefix: str, name: str) -> str:
        return element.attrib[f"{{{NAMESPACES[prefix]}}}{name}"]

    size = root.find(".//mwg-rs:AppliedToDimensions", NAMESPACES)
    assert size is not None and value(size, "stDim", "unit") == "pixel"
    found = []
    for item in root.findall(".//mwg-rs:RegionList/rdf:Bag/rdf:li", NAMESPACES):
        area = item.find("mwg-rs:Area", NAMESPACES)
        assert area is not None and value(area, "stArea", "unit") == "normalized"
        assert item.findtext("mwg-rs:Type", None, NAMESPACES) == "Face"
        name = item.findtext("mwg-rs:Name", None, NAMESPACES) or ""
        found.append((name, [float(value(area, "stArea", key)) for key in "xywh"]))
    return (int(value(size, "stDim", "w")), int(value(size, "stDim", "h"))), found


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_the_region_covers_the_face_on_the_stored_pixels(
    tmp_path: Path, orientation: int, kind: str
) -> None:
    photo = tmp_path / f"a.{kind}"
    pixels = stored_photo(photo, orientation)
    assert decode_photo(photo).pixels[140, 140].tolist() == list(COLOURS[0])  # upright, as indexed
    album = album_of([face(0, photo, BOX)], [0], {0: "Ada"})
    assert write_sidecars(album, tmp_path / "xmp").written == 1
    size, ((name, (x, y, w, h)),) = regions(tmp_path / "xmp" / f"a.{kind}.xmp")
    assert size == (pixels.shape[1], pixels.shape[0])
    red = (pixels == COLOURS[0]).all(axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    found = [
        (x - w / 2) * size[0],
        (y - h / 2) * size[1],
        (x + w / 2) * size[0],
        (y + h / 2) * size[1],
    ]
    assert found == pytest.approx(edges, abs=0.01)
    assert name == "Ada"


@settings(deadline=None)
@given(
    st.tuples(*[st.floats(-200, 900) for _ in range(4)]),
    st.integers(1, 8),
)
def test_areas_lie_inside_the_photo(edges: tuple[float, ...], orientation: int) -> None:
    x0, x1 = sorted(edges[:2])
    y0, y1 = sorted(edges[2:])
    packet = regions_xml(
        [NamedFace("A", face(0, Path("/a.jpg"), (x0, y0, x1, y1)))], SIZE, orientation
    )
    area = ET.fromstring(packet.encode()).find(".//mwg-rs:Area", NAMESPACES)
    assert area is not None
    x, y, w, h = (float(area.attrib[f"{{{NAMESPACES['stArea']}}}{key}"]) for key in "xywh")
    margin = 2e-6  # areas have six decimal places
    assert -margin <= x - w / 2 <= x + w / 2 <= 1 + margin
    assert -margin <= y - h / 2 <= y + h / 2 <= 1 + margin


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_name_makes_well_formed_xml(name: str) -> None:
    packet = regions_xml([NamedFace(name, face(0, Path("/a.jpg")))], SIZE, 1)
    root = ET.fromstring(packet.encode("utf-8"))
    text = root.findtext(".//mwg-rs:Name", "", NAMESPACES)
    assert len(text) == len(name) or "\r" in name  # XML reads a carriage return as a line feed


def album_in(folder: Path) -> tuple[Path, Path, object]:
    """Two photos below a folder, the first with two people of whom one has a name."""
    one, two = folder / "photos" / "trip" / "a.jpg", folder / "photos" / "b.jpg"
    for photo in (one, two):
        draw_photo(photo, [BOX, (400, 200, 520, 340)])
    faces = [
        face(0, one, BOX, name="trip/a.jpg"),
        face(1, one, (400, 200, 520, 340), name="trip/a.jpg"),
        face(2, two, BOX, name="b.jpg"),
    ]
    return one, two, album_of(faces, [0, 1, 1], {0: "Ada & <Bo>"})


def test_only_named_people_have_regions_and_photos_are_untouched(tmp_path: Path) -> None:
    one, two, album = album_in(tmp_path)
    before = {photo: photo.read_bytes() for photo in (one, two)}
    done = write_sidecars(album, tmp_path / "xmp")
    assert (done.written, done.removed, done.skipped) == (1, 0, ())
    files = sorted(path for path in (tmp_path / "xmp").rglob("*") if path.is_file())
    assert files == [tmp_path / "xmp" / "trip" / "a.jpg.xmp"]
    _, ((name, _),) = regions(files[0])
    assert name == "Ada & <Bo>"
    assert {photo: photo.read_bytes() for photo in (one, two)} == before
    assert sorted(path.name for path in one.parent.iterdir()) == ["a.jpg"]


def test_beside_photos_a_foreign_sidecar_is_left_alone(tmp_path: Path) -> None:
    one, two, album = album_in(tmp_path)
    foreign = one.with_name("a.jpg.xmp")
    foreign.write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='XMP Core 6.0'/>")
    before = foreign.read_bytes()
    done = write_sidecars(album, None)
    assert done.written == 0 and foreign.read_bytes() == before
    assert [photo.reason for photo in done.skipped] == ["foreign-sidecar"]
    foreign.unlink()
    assert write_sidecars(album, None).written == 1
    assert write_sidecars(album, None).written == 1  # ours is replaced
    unnamed = replace(album, people=tuple(replace(p, name=None) for p in album.people))
    assert write_sidecars(unnamed, None).removed == 1
    assert not foreign.exists() and two.exists()


def test_a_sidecar_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    one, _, album = album_in(tmp_path)
    target = tmp_path / "elsewhere.xmp"
    write_sidecars(album, tmp_path / "xmp")
    shutil.copy(tmp_path / "xmp" / "trip" / "a.jpg.xmp", target)
    before = target.read_bytes()
    one.with_name("a.jpg.xmp").symlink_to(target)
    assert [each.reason for each in write_sidecars(album, None).skipped] == ["foreign-sidecar"]
    assert target.read_bytes() == before


def test_a_folder_forgets_names_that_were_taken_back(tmp_path: Path) -> None:
    _, _, album = album_in(tmp_path)
    write_sidecars(album, tmp_path / "xmp")
    (tmp_path / "xmp" / "notes.txt").write_text("mine")
    unnamed = replace(album, people=tuple(replace(p, name=None) for p in album.people))
    assert write_sidecars(unnamed, tmp_path / "xmp").removed == 1
    assert [path.name for path in (tmp_path / "xmp").iterdir()] == ["notes.txt"]


def test_equal_names_below_two_folders_have_a_sidecar_each(tmp_path: Path) -> None:
    photos = [tmp_path / folder / "a.jpg" for folder in ("one", "two")]
    for photo in photos:
        draw_photo(photo, [BOX])
    album = album_of(
        [face(n, photo, BOX, name="a.jpg") for n, photo in enumerate(photos)], [0, 0], {0: "Ada"}
    )
    assert write_sidecars(album, tmp_path / "xmp").written == 2
    assert len(list((tmp_path / "xmp").rglob("a.jpg.xmp"))) == 2


def test_photos_that_changed_or_went_are_reported(tmp_path: Path) -> None:
    one, two, album = album_in(tmp_path)
    named = replace(album, people=tuple(replace(p, name="Ada") for p in album.people))
    draw_photo(one, [], size=(300, 200))
    two.unlink()
    done = write_sidecars(named, tmp_path / "xmp")
    assert sorted(each.reason for each in done.skipped) == ["changed", "missing"]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool on the PATH")
def test_exiftool_reads_the_regions(tmp_path: Path) -> None:
    _, _, album = album_in(tmp_path)
    write_sidecars(album, tmp_path / "xmp")
    done = subprocess.run(
        ["exiftool", "-j", "-struct", "-RegionInfo", str(tmp_path / "xmp" / "trip" / "a.jpg.xmp")],
        check=True,
        capture_output=True,
        text=True,
    )
    info = json.loads(done.stdout)[0]["RegionInfo"]
    assert info["AppliedToDimensions"] == {"W": 640, "H": 480, "Unit": "pixel"}
    (region,) = info["RegionList"]
    assert (region["Type"], region["Name"]) == ("Face", "Ada & <Bo>")
    area = [float(region["Area"][key]) for key in ("X", "Y", "W", "H")]
    assert area == pytest.approx([140 / 640, 140 / 480, 80 / 640, 120 / 480], abs=1e-5)
