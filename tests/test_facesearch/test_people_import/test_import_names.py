"""Names from made collections with truth, as digiKam and Picasa keep them, become decisions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesearch import import_names
from facesearch.cli.main import main
from facesearch.curation.editor import PeopleEditor
from facesearch.engine import FaceEngine
from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.images.formats.orientation import stored_box
from facesearch.people.store import PeopleStore
from facesearch.people_import.import_names import NamesImport
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, index

SIDE = 48
NAMES = {1: "Ada", 2: "Bea", 3: "Cleo", 4: "Dora"}
ENGINE: FaceEngine = FakeEngine()  # type: ignore[assignment]
Box = tuple[float, float, float, float]
UNDO: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda pixels: pixels,
    3: lambda pixels: pixels[::-1, ::-1],
    6: np.rot90,
    8: lambda pixels: np.rot90(pixels, -1),
}


def face_box(place: int) -> Box:
    """Where the fake engine finds the face at ``place`` of a photo."""
    return 4.0 * place, 2.0, 4.0 * place + 3.0 + place, 6.0 + place


def turned_photo(path: Path, people: Sequence[int], variant: int, orientation: int) -> Path:
    """A photo that is stored turned, and stated to be."""
    write_photo(path, people, variant)
    pixels = np.asarray(Image.open(path))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(UNDO[orientation](pixels))).save(path, exif=exif)
    return path


def shares(box: Box, orientation: int = 1) -> Box:
    x0, y0, x1, y1 = (edge / SIDE for edge in box)
    return stored_box((x0, y0, x1, y1), orientation)


def sidecar(photo: Path, named: Sequence[tuple[str, Box]], more: str = "") -> None:
    """As digiKam writes it beside a photo; boxes are shares of the photo as stored."""
    items = "".join(
        f'<rdf:li><rdf:Description mwg-rs:Name="{name}" mwg-rs:Type="Face"><mwg-rs:Area '
        f'stArea:x="{(x0 + x1) / 2}" stArea:y="{(y0 + y1) / 2}" stArea:w="{x1 - x0}" '
        f'stArea:h="{y1 - y0}" stArea:unit="normalized"/></rdf:Description></rdf:li>'
        for name, (x0, y0, x1, y1) in named
    )
    photo.with_name(f"{photo.name}.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
        'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
        'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
        'xmlns:digiKam="http://www.digikam.org/ns/1.0/">'
        '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions '
        f'stDim:w="{SIDE}" stDim:h="{SIDE}" stDim:unit="pixel"/><mwg-rs:RegionList><rdf:Bag>'
        f"{items}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>{more}</rdf:Description>"
        "</rdf:RDF></x:xmpmeta>",
        encoding="utf-8",
    )


def tag(name: str) -> str:
    return f"<digiKam:TagsList><rdf:Seq><rdf:li>People/{name}</rdf:li></rdf:Seq></digiKam:TagsList>"


def new_gallery(folder: Path) -> Gallery:
    gallery = Gallery.create(folder / "my.gallery", FakeEngine().contract)
    index(gallery, folder / "photos")
    cluster(gallery)
    return gallery


def collection(folder: Path) -> dict[str, list[int]]:
    """Sixteen photos of two of four people, stored in four ways; who is on each, by name."""
    truth = {}
    for number in range(16):
        people = [1 + number % 4, 1 + (number + 1 + number // 8) % 4]
        orientation = (1, 3, 6, 8)[number // 4]
        path = folder / "photos" / f"{number:02d}.png"
        turned_photo(path, people, number, orientation)
        truth[path.name] = people
    return truth


def names_of_faces(gallery: Gallery) -> dict[tuple[str, Box], str]:
    """The confirmed name of each face, by photo and box."""
    named = PeopleStore(gallery.folder).memberships()
    records = gallery.faces(named.ids, gallery.state())
    return {
        (each.photo.name, each.box): name for each, name in zip(records, named.names, strict=True)
    }


def expected(truth: dict[str, list[int]]) -> dict[tuple[str, Box], str]:
    return {
        (photo, face_box(place)): NAMES[person]
        for photo, people in truth.items()
        for place, person in enumerate(people)
    }


def ask(gallery: Gallery, **options: object) -> NamesImport:
    return import_names(gallery, engine=ENGINE, **options)  # type: ignore[arg-type]


def test_a_collection_of_digikam(tmp_path: Path) -> None:
    truth = collection(tmp_path)
    for number, (name, people) in enumerate(truth.items()):
        orientation = (1, 3, 6, 8)[number // 4]
        named = [
            (NAMES[person], shares(face_box(place), orientation))
            for place, person in enumerate(people)
        ]
        sidecar(tmp_path / "photos" / name, named)
    gallery = new_gallery(tmp_path)
    before = PeopleStore(gallery.folder).decisions()
    asked = ask(gallery, dry_run=True)
    assert (asked.matched, asked.drawn, asked.conflicts, asked.problems) == (32, 0, (), ())
    assert [each.name for each in asked.people] == sorted(NAMES.values())
    assert PeopleStore(gallery.folder).decisions() == before
    done = ask(gallery)
    assert (done.photos, done.matched, done.dry_run) == (16, 32, False)
    assert names_of_faces(gallery) == expected(truth)
    # The clusters that the faces were in are theirs.
    assert {each.name for each in PeopleEditor(gallery).now.people} == {*NAMES.values()}
    again = ask(gallery)
    assert (again.matched, again.known, again.people) == (0, 32, ())
    PeopleStore(gallery.folder).undo()
    assert names_of_faces(gallery) == {}


def picasa_rect(box: Box) -> str:
    number = 0
    for edge in box:
        number = number << 16 | round(edge * 0xFFFF)
    return f"rect64({number:x})"  # without leading zeros, as Picasa writes it


def test_a_collection_of_picasa(tmp_path: Path) -> None:
    truth = collection(tmp_path)
    lines = ["[Contacts2]", "a1=Ada;;", "b2=Bea;;", "[Picasa]", "name=photos"]
    contacts = {1: "a1", 2: "b2", 3: "c3", 4: "d4"}
    for number, (name, people) in enumerate(truth.items()):
        orientation = (1, 3, 6, 8)[number // 4]
        faces = [
            f"{picasa_rect(shares(face_box(place), orientation))},{contacts[person]}"
            for place, person in enumerate(people)
        ]
        faces.append(f"{picasa_rect((0.5, 0.5, 0.9, 0.9))},ffffffffffffffff")
        lines += [f"[{name.upper()}]", "star=yes", f"faces={';'.join(faces)}"]
    (tmp_path / "photos" / ".picasa.ini").write_text("\r\n".join(lines))
    gallery = new_gallery(tmp_path)
    without = ask(gallery, dry_run=True)
    assert {each.name for each in without.people} == {"Ada", "Bea"}
    assert len(without.problems) == 16 and without.unnamed == 16
    assert {each.reason for each in without.problems} == {"bad-region"}
    book = tmp_path / "contacts.xml"
    book.write_text(
        '<contacts><contact id="C3" name="Cleo"/><contact id="d4" display="Dora"/></contacts>'
    )
    done = ask(gallery, picasa_contacts=book)
    assert (done.matched, done.problems, done.conflicts) == (32, (), ())
    assert names_of_faces(gallery) == expected(truth)


def test_regions_without_a_face_become_faces(tmp_path: Path) -> None:
    photos = [tmp_path / "photos" / f"{name}.png" for name in "ab"]
    for number, photo in enumerate(photos):
        turned_photo(photo, [1, 2], number, 6)
    missed = (0.0, 20.0, 16.0, 40.0)
    tiny = (30.0, 30.0, 34.0, 34.0)
    sidecar(photos[0], [("Cleo", shares(missed, 6)), ("Bea", shares(face_box(1), 6))])
    sidecar(photos[1], [("Cleo", shares(missed, 6)), ("Dora", shares(tiny, 6))])
    gallery = new_gallery(tmp_path)
    ids = gallery.state().live_ids()
    vectors = gallery.vectors(ids)
    left = ask(gallery, draw=False, dry_run=True)
    assert (left.matched, left.drawn) == (1, 0)
    assert [each.reason for each in left.problems] == ["no-face"] * 3
    done = ask(gallery)
    assert (done.matched, done.drawn) == (1, 2)
    assert [(each.reason, "Dora" in each.detail) for each in done.problems] == [("not-drawn", True)]
    assert (gallery.vectors(ids) == vectors).all()
    named = names_of_faces(gallery)
    assert named == {
        ("a.png", missed): "Cleo",
        ("b.png", missed): "Cleo",
        ("a.png", face_box(1)): "Bea",
    }
    assert gallery.state().face_count == len(ids) + 2
    assert ask(gallery).known == 3
    # An undo takes the names; the faces stay, and are found the next time.
    PeopleStore(gallery.folder).undo()
    assert ask(gallery).matched == 3


def test_decisions_stay_and_contradictions_are_reported(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / "photos" / f"{n}.png", [1, 2], n) for n in range(5)]
    ada, bea = shares(face_box(0)), shares(face_box(1))
    for photo in photos[:3]:
        sidecar(photo, [("Ada", ada), ("Bea", bea)])
    sidecar(photos[3], [("Ada", ada), ("Ada", bea)])
    sidecar(photos[4], [("Ada", ada), ("Cleo", ada)])
    gallery = new_gallery(tmp_path)
    ids = {
        (each.photo.name, each.box): each.face_id
        for each in gallery.faces(gallery.state().live_ids(), gallery.state())
    }
    editor = PeopleEditor(gallery)
    editor.make_person([ids["0.png", face_box(0)]], "Ella")
    editor.not_faces([ids["1.png", face_box(1)]])
    done = ask(gallery)
    reasons = sorted((Path(each.place).name, each.reason) for each in done.conflicts)
    assert reasons == [
        *(("0.png", "decided"), ("1.png", "decided"), ("3.png", "twice"), ("3.png", "twice")),
        ("4.png", "several-names"),
    ]
    assert any("Ella" in each.detail for each in done.conflicts)
    named = names_of_faces(gallery)
    assert named["0.png", face_box(0)] == "Ella"
    assert named["1.png", face_box(0)] == "Ada" and named["2.png", face_box(1)] == "Bea"
    assert not any(photo in ("3.png", "4.png") for photo, _ in named)
    assert done.matched == 4


def test_a_name_without_a_place_is_of_the_only_face(tmp_path: Path) -> None:
    alone = write_photo(tmp_path / "photos" / "alone.png", [1], 1)
    both = write_photo(tmp_path / "photos" / "both.png", [1, 2], 2)
    for photo in (alone, both):
        sidecar(photo, [], tag("Ada"))
    gallery = new_gallery(tmp_path)
    assert ask(gallery, people_tags=("Friends",)).by_keyword == 0
    done = ask(gallery)
    assert (done.by_keyword, done.matched) == (1, 0)
    assert [(Path(each.place).name, each.reason) for each in done.problems] == [
        ("both.png", "no-place")
    ]
    assert names_of_faces(gallery) == {("alone.png", face_box(0)): "Ada"}


def test_exports_of_immich_and_osxphotos(tmp_path: Path) -> None:
    turned_photo(tmp_path / "photos" / "trip" / "a.png", [1, 2], 1, 6)
    write_photo(tmp_path / "photos" / "home" / "a.png", [3], 2)
    x0, y0, x1, y1 = face_box(0)
    immich = tmp_path / "immich.json"
    asset = {
        "originalPath": "/data/upload/trip/a.png",
        "originalFileName": "a.png",
        "people": [
            {
                "name": "Ada",
                "faces": [
                    {
                        **{"imageWidth": 480, "imageHeight": 480},
                        **{"boundingBoxX1": 10 * x0, "boundingBoxX2": 10 * x1},
                        **{"boundingBoxY1": 10 * y0, "boundingBoxY2": 10 * y1},
                    },
                    {"imageWidth": 0, "imageHeight": 0},
                ],
            },
            {"name": "", "faces": [{}]},
        ],
    }
    unknown = {"originalPath": "/x/q.png", "originalFileName": "q.png", "people": [{"name": "Z"}]}
    nowhere = {**asset, "originalPath": "/elsewhere/a.png"}
    immich.write_text(json.dumps({"assets": {"items": [asset, unknown, nowhere]}}))
    left, top, right, bottom = shares(face_box(1), 6)
    apple = tmp_path / "apple.json"
    area = {
        **{"x": (left + right) / 2, "y": (top + bottom) / 2},
        **{"w": right - left, "h": bottom - top},
    }
    photo = {
        "path": str(tmp_path / "photos" / "trip" / "a.png"),
        "original_filename": "IMG_1.PNG",
        "persons": ["Bea", "_UNKNOWN_"],
        "faces": [{"name": "Bea", "mwg_rs_area": area}, {"name": "_UNKNOWN_"}],
    }
    apple.write_text(json.dumps([photo]))
    gallery = new_gallery(tmp_path)
    done = ask(gallery, files=False, exports=[immich, apple])
    assert done.matched == 2 and done.unnamed == 2
    assert sorted(each.reason for each in done.problems) == [
        *("ambiguous", "bad-region", "not-in-gallery")
    ]
    assert names_of_faces(gallery) == {
        ("trip/a.png", face_box(0)): "Ada",
        ("trip/a.png", face_box(1)): "Bea",
    }
    for text in ("[]", "[1]", '[{"a": 1}]', "{", "nonsense"):
        apple.write_text(text)
        with pytest.raises(InputError, match=r"apple\.json"):
            ask(gallery, files=False, exports=apple)
    with pytest.raises(InputError, match="got neither"):
        ask(gallery, files=False)


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / "photos" / f"{n}.png", [1], n) for n in range(4)]
    gallery = new_gallery(tmp_path)
    photos[0].unlink()
    write_photo(photos[1], [1], 1, side=64)
    sidecar(photos[1], [("Ada", shares(face_box(0)))])
    photos[2].with_suffix(".XMP").write_text("<!DOCTYPE a><a/>")
    photos[3].with_name("3.png.xmp").symlink_to(tmp_path / "elsewhere")
    done = ask(gallery)
    found = sorted((Path(each.place).name, each.reason) for each in done.problems)
    assert found == [
        ("0.png", "unreadable"),
        ("1.png", "changed"),
        ("2.XMP", "bad-xmp"),
        ("3.png.xmp", "unreadable"),
    ]
    assert done.people == ()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = write_photo(tmp_path / "photos" / "a.png", [1, 2], 1)
    sidecar(photo, [("Ada", shares(face_box(0))), ("", shares(face_box(1)))])
    gallery = new_gallery(tmp_path)
    command = ["people", "import", str(gallery.folder), "--from-xmp"]
    assert main([*command, "--dry-run"]) == 0
    assert "faces to be named" in capsys.readouterr().out
    assert names_of_faces(gallery) == {}
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["matched"], found["unnamed"], found["problems"]) == (1, 1, [])
    assert [each["name"] for each in found["people"]] == ["Ada"]
    assert main(["people", "import", str(gallery.folder)]) == 2
    assert "--from-xmp" in capsys.readouterr().err
