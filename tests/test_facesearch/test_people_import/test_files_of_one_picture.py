"""Names noted with any file of a picture are read, and those that may be of several are not."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.common.raw_files import dng
from benchmarks.exchange.turned_pictures import stored_turned
from facesearch import import_names
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine import FaceEngine
from facesearch.gallery.gallery import Gallery
from facesearch.images.formats.extras import is_readable
from facesearch.images.formats.metadata import PhotoMetadata
from facesearch.images.formats.orientation import stored_box
from facesearch.people.store import PeopleStore
from facesearch.people_import.import_names import NamesImport
from facesearch.people_import.noted_names import NamedRegion
from facesearch.people_import.picture_folder import PictureFolder
from facesearch.people_import.placed_regions import place_region
from facesearch.report.xmp import NamedFace, regions_xml
from support.albums import face
from support.people_galleries import cluster
from support.videos.colour_engine import PEOPLE, ColourEngine

SIZE = (320, 240)
Box = tuple[float, float, float, float]
RED, BLUE = (40.0, 60.0, 100.0, 120.0), (200.0, 90.0, 260.0, 150.0)
ENGINE: FaceEngine = ColourEngine()  # type: ignore[assignment]
NOON = "2021:05:06 07:08:09"


def picture(*people: str, mark: str = "") -> Image.Image:
    """A picture of its own by ``mark``: copies of one photo have the same faces."""
    pixels = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    pixels[-1] = 100 + np.random.default_rng([*mark.encode()]).integers(0, 40, (SIZE[0], 3))
    for person, (x0, y0, x1, y1) in zip(people, (RED, BLUE), strict=False):
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = PEOPLE[person]
    return Image.fromarray(pixels)


def put(path: Path, *people: str, orientation: int = 1, xmp: bytes = b"") -> Path:
    """The picture, stored turned and stated to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image, exif = stored_turned(picture(*people, mark=path.name), orientation)
    exif[0x0132] = NOON
    more = {"xmp": xmp} if xmp else {}
    if path.suffix.lower() == ".heic":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_pillow(image).save(path, exif=exif.tobytes(), quality=90, **more)
    else:
        image.save(path, exif=exif, **more)
    return path


def packet(
    *named: tuple[str, Box],
    people: Sequence[str] = (),
    orientation: int = 1,
    size: tuple[int, int] = SIZE,
) -> bytes:
    """XMP with regions, and keywords of people, for a photo of that orientation."""
    faces = [NamedFace(name, face(n, Path("/a.jpg"), box)) for n, (name, box) in enumerate(named)]
    text = regions_xml(faces, size, orientation)
    keywords = "".join(f"<rdf:li>People/{name}</rdf:li>" for name in people)
    # Instead of the writer's own lists of names, which are tested elsewhere.
    start, end = text.index("<mwg-rs:Regions"), text.index("</mwg-rs:Regions>")
    body = text[start:end] + "</mwg-rs:Regions>" if named else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
        'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
        'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
        'xmlns:digiKam="http://www.digikam.org/ns/1.0/">'
        f"{body}<digiKam:TagsList><rdf:Seq>{keywords}</rdf:Seq></digiKam:TagsList>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def gallery_of(folder: Path) -> Gallery:
    gallery = Gallery.create(folder / "my.gallery", ENGINE.contract)
    embed_photos(gallery, ENGINE, [folder / "photos"], EmbedOptions(decoders=0, threads=1))
    cluster(gallery)
    return gallery


def ask(gallery: Gallery, **options: object) -> NamesImport:
    return import_names(gallery, engine=ENGINE, **options)  # type: ignore[arg-type]


def named_boxes(gallery: Gallery) -> dict[tuple[str, str], Box]:
    """The boxes of faces with names, by photo and name."""
    named = PeopleStore(gallery.folder).memberships()
    records = gallery.faces(named.ids, gallery.state())
    return {
        (each.photo.name, name): each.box for each, name in zip(records, named.names, strict=True)
    }


def problems_of(done: NamesImport) -> list[tuple[str, str]]:
    return sorted((Path(each.place).name, each.reason) for each in done.problems)


BOTH = (("Ada", RED), ("Bea", BLUE))


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("where", ["inside", "beside"])
def test_names_of_the_second_file_are_those_of_the_picture(
    tmp_path: Path, where: str, orientation: int
) -> None:
    """The JPEG was turned by a program, the HEIC is stored as the camera held it."""
    put(tmp_path / "photos" / "a.jpg", "red", "blue")
    noted = packet(*BOTH, orientation=orientation)
    heic = tmp_path / "photos" / "a.heic"
    put(heic, "red", "blue", orientation=orientation, xmp=noted if where == "inside" else b"")
    if where == "beside":
        heic.with_name("a.heic.xmp").write_bytes(noted)
    gallery = gallery_of(tmp_path)
    assert len(gallery.state().photos) == 1
    done = ask(gallery)
    assert (done.matched, done.drawn, done.problems, done.conflicts) == (2, 0, (), ())
    found = named_boxes(gallery)
    assert found["a.jpg", "Ada"] == pytest.approx(RED, abs=4)
    assert found["a.jpg", "Bea"] == pytest.approx(BLUE, abs=4)


@pytest.mark.parametrize("orientation", [1, 8])
@pytest.mark.parametrize("name", ["IMG.DNG.xmp", "IMG.xmp"])
def test_sidecars_of_a_raw_file_are_of_its_jpeg_too(
    tmp_path: Path, name: str, orientation: int
) -> None:
    """digiKam's and Adobe's, both of the raw file, which is turned another way than the JPEG."""
    if not is_readable("RAW"):
        pytest.skip("needs rawpy, of the extra raw")
    put(tmp_path / "photos" / "IMG.JPG", "red", "blue")
    stored, _ = stored_turned(picture("red", "blue"), orientation)
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG")
    raw = dng(np.asarray(stored), buffer.getvalue(), orientation=orientation)
    (tmp_path / "photos" / "IMG.DNG").write_bytes(raw)
    (tmp_path / "photos" / name).write_bytes(packet(*BOTH, orientation=orientation))
    gallery = gallery_of(tmp_path)
    assert len(gallery.state().photos) == 1
    done = ask(gallery)
    assert (done.matched, done.drawn, done.problems) == (2, 0, ())
    assert named_boxes(gallery)["IMG.JPG", "Ada"] == pytest.approx(RED, abs=4)


def test_a_second_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    photo = put(tmp_path / "photos" / "a.jpg", "red", "blue")
    heic = put(tmp_path / "photos" / "a.heic", "red")
    data = heic.read_bytes()
    assert NOON.encode() in data[: 1 << 17]
    heic.write_bytes(b"\0" * 16 + data[16:])
    photo.with_name("a.heic.xmp").write_bytes(packet(*BOTH))
    done = ask(gallery_of(tmp_path))
    assert done.matched == 2
    assert [place for place, _ in problems_of(done)] == ["a.heic"]


def test_a_second_file_of_another_part_is_said(tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.jpg", "red", "blue")
    heic = put(tmp_path / "photos" / "a.heic", "red", "blue")
    image = picture("red", "blue").crop((0, 0, 320, 160))
    exif = Image.Exif()
    exif[0x0132] = NOON
    pytest.importorskip("pillow_heif").from_pillow(image).save(heic, exif=exif.tobytes())
    heic.with_name("a.heic.xmp").write_bytes(packet(*BOTH, size=(320, 160)))
    done = ask(gallery_of(tmp_path))
    assert done.matched == 0
    assert problems_of(done) == [("a.heic.xmp", "other-shape")] * 2


def test_a_sidecar_of_two_pictures_names_neither(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    for name in ("a.png", "a.bmp", "b.png", "c.jpg", "c.jpg.png"):
        put(folder / name, "red")
    (folder / "a.xmp").write_bytes(packet(("Ada", RED)))
    (folder / "b.XMP").write_bytes(packet(("Bea", RED)))
    (folder / "c.jpg.xmp").write_bytes(packet(("Cleo", RED)))  # not the stem's of c.jpg.png
    gallery = gallery_of(tmp_path)
    done = ask(gallery)
    assert problems_of(done) == [("a.xmp", "ambiguous")]
    (problem,) = done.problems
    assert "a.bmp, a.png" in problem.detail
    assert set(named_boxes(gallery)) == {("b.png", "Bea"), ("c.jpg", "Cleo")}
    (folder / "a.xmp").write_bytes(packet())  # names nobody, so that nothing is lost
    assert ask(gallery).problems == ()
    (folder / "a.png.xmp").write_bytes(packet(("Bea", RED)))
    ask(gallery)
    assert set(named_boxes(gallery)) == {("a.png", "Bea"), ("b.png", "Bea"), ("c.jpg", "Cleo")}


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    names = ["a.jpg", "A.DNG", "a.xmp", "a.jpg.XMP", "b.png", "B.bmp", "b.xmp", ".c.jpg", "d"]
    for name in names:
        (tmp_path / name).touch()
    folder = PictureFolder(tmp_path, names, ["d"])
    assert folder.files_of("a.jpg") == ["a.jpg", "A.DNG"]
    assert folder.files_of("A.DNG") == ["A.DNG", "a.jpg"]
    assert [path.name for path in folder.sidecars("a.jpg")] == ["a.jpg.XMP"]
    assert folder.stem_sidecars("a.jpg") == [] and folder.sidecars("A.DNG") == []
    assert [path.name for path in folder.stem_sidecars("A.DNG")] == ["a.xmp"]
    assert folder.namesakes("A.DNG") == ["a.jpg"]
    assert folder.namesakes("b.png") == ["B.bmp", "b.png"]
    assert folder.files_of("d") == ["d"] and folder.files_of("elsewhere.jpg") == ["elsewhere.jpg"]
    assert folder.ini() is None


def test_a_file_that_is_a_photo_itself_keeps_its_names(tmp_path: Path) -> None:
    """Both files were asked for by name, so that both are photos of the gallery."""
    jpeg = put(tmp_path / "photos" / "a.jpg", "red")
    heic = put(tmp_path / "photos" / "a.heic", "red")
    heic.with_name("a.heic.xmp").write_bytes(packet(("Ada", RED)))
    gallery = Gallery.create(tmp_path / "my.gallery", ENGINE.contract)
    embed_photos(gallery, ENGINE, [jpeg, heic], EmbedOptions(decoders=0, threads=1))
    cluster(gallery)
    assert len(gallery.state().photos) == 2
    assert ask(gallery).matched == 1
    assert set(named_boxes(gallery)) == {("a.heic", "Ada")}


def test_a_keyword_beside_a_region(tmp_path: Path) -> None:
    """The name without a region is of the face without one, if there is one of each."""
    folder = tmp_path / "photos"
    ada, bea = BOTH
    cases = {
        "one-left": packet(ada, people=["Ada", "Bea"]),
        "two-left": packet(ada, people=["Ada", "Bea", "Cleo"]),
        "none-left": packet(ada, bea, people=["Cleo"]),
        "all-placed": packet(ada, bea, people=["Ada", "Bea"]),
        # Who is at the disputed place is not known, but not the third.
        "disputed": packet(ada, ("Bea", RED), people=["Cleo"]),
        # One of the faces may be Ada's.
        "cropped": packet(ada, people=["Bea"], size=(320, 120)),
    }
    for name, noted in cases.items():
        shown = ("red",) if name == "cropped" else ("red", "blue")
        photo = put(folder / f"{name}.png", *shown)
        photo.with_name(f"{name}.png.xmp").write_bytes(noted)
    gallery = gallery_of(tmp_path)
    done = ask(gallery)
    found = named_boxes(gallery)
    assert found["one-left.png", "Ada"] == pytest.approx(RED, abs=4)
    assert found["one-left.png", "Bea"] == pytest.approx(BLUE, abs=4)
    assert found["disputed.png", "Cleo"] == pytest.approx(BLUE, abs=4)
    assert done.by_keyword == 2
    assert {photo for photo, _ in found} == {
        *("one-left.png", "two-left.png", "none-left.png", "all-placed.png", "disputed.png")
    }
    assert problems_of(done) == [
        ("cropped.png", "no-place"),
        ("cropped.png.xmp", "other-shape"),
        ("none-left.png", "no-place"),
        ("two-left.png", "no-place"),
    ]
    details = {Path(each.place).name: each.detail for each in done.problems}
    assert "Bea, Cleo; the photo has 1 face without a region" in details["two-left.png"]
    assert "Cleo; the photo has 0 faces without a region" in details["none-left.png"]
    assert [Path(each.place).name for each in done.conflicts] == ["disputed.png"]


@pytest.mark.parametrize("stated", [True, False], ids=["with-size", "without-size"])
def test_collections_at_all_eight_orientations(tmp_path: Path, stated: bool) -> None:
    """Photos wider than high, stored in each way, with sidecars of the stored picture."""
    folder = tmp_path / "photos"
    kinds = ("jpg", "png", "tif", "webp")
    for orientation in range(1, 9):
        for kind in kinds:
            photo = put(folder / f"{orientation}.{kind}.{kind}", "red", "blue")
            put(photo, "red", "blue", orientation=orientation)
            noted = packet(*BOTH, orientation=orientation)
            if not stated:
                start, end = noted.index(b"<mwg-rs:AppliedTo"), noted.index(b"<mwg-rs:RegionList")
                noted = noted[:start] + noted[end:]
            photo.with_name(f"{photo.name}.xmp").write_bytes(noted)
    gallery = gallery_of(tmp_path)
    done = ask(gallery)
    assert (done.matched, done.drawn, done.problems, done.conflicts) == (64, 0, (), ())
    for (_, name), box in named_boxes(gallery).items():
        assert box == pytest.approx(dict(BOTH)[name], abs=4)


def test_a_region_moves_from_file_to_file() -> None:
    """In pixels of the photo, whatever the size and the turn of the file that it is of."""
    photo = PhotoMetadata((320, 240), 6, b"")
    shares = (RED[0] / 320, RED[1] / 240, RED[2] / 320, RED[3] / 240)
    for orientation in range(1, 9):
        for size in ((320, 240), (648, 484)):
            file = PhotoMetadata(size, orientation, b"")
            applied = size if orientation < 5 else size[::-1]
            region = NamedRegion("Ada", stored_box(shares, orientation), applied_to=applied)
            assert place_region(region, photo, file) == pytest.approx(RED)
    with pytest.raises(ValueError, match="another part"):
        place_region(NamedRegion("Ada", shares), photo, PhotoMetadata((320, 180), 1, b""))


def test_both_files_are_read_once_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        put(tmp_path / "photos" / f"{number}.png", "red")
    gallery = gallery_of(tmp_path)
    listed = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scan(path))
    ask(gallery)
    assert listed.count(tmp_path / "photos") == 1
