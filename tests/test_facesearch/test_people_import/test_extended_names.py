"""Names in the extended XMP of JPEGs become decisions; damaged ones are said, and cost no other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.clips.made_clips import ClipFormat, write_clip
from facesearch import import_names
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.engine import FaceEngine
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from facesearch.people_import.import_names import NamesImport
from facesearch.report.xmp import NamedFace, regions_xml, write_sidecars
from support.albums import album_of, face
from support.extended_xmp import guid_of, jpeg_with, naming_packet, pieces_of, plain_jpeg
from support.people_galleries import cluster
from support.videos.colour_engine import PEOPLE, ColourEngine, actor, grey_shot

SIZE = (320, 240)
RED, BLUE = (40.0, 60.0, 100.0, 120.0), (200.0, 90.0, 260.0, 150.0)
PERSON_IN_IMAGE = (
    "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Cleo</rdf:li></rdf:Bag>"
    "</Iptc4xmpExt:PersonInImage>"
)
ENGINE: FaceEngine = ColourEngine()  # type: ignore[assignment]


def picture(*people: str) -> bytes:
    pixels = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    for person, (x0, y0, x1, y1) in zip(people, (RED, BLUE), strict=False):
        pixels[int(y0) : int(y1), int(x0) : int(x1)] = PEOPLE[person]
    return plain_jpeg(pixels)


def regions(*named: tuple[str, tuple[float, float, float, float]]) -> bytes:
    faces = [NamedFace(name, face(n, Path("/a.jpg"), box)) for n, (name, box) in enumerate(named)]
    # Somebody's long description, for whose sake all this is done.
    return regions_xml(faces, SIZE, 1).encode() + b"<!-- " + b"x" * 70_000 + b" -->"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of two people, who are named in extended XMP."""
    folder = tmp_path / "photos"
    folder.mkdir()
    extended = regions(("Ada", RED), ("Bea", BLUE))
    both = folder / "both.jpg"
    both.write_bytes(
        jpeg_with(naming_packet(guid_of(extended)), pieces_of(extended), picture("red", "blue"))
    )
    return both


def gallery_of(photo: Path) -> Gallery:
    gallery = Gallery.create(photo.parents[1] / "my.gallery", ENGINE.contract)
    embed_photos(gallery, ENGINE, [photo.parent], EmbedOptions(decoders=0, threads=1))
    cluster(gallery)
    return gallery


def imported(gallery: Gallery) -> NamesImport:
    return import_names(gallery, engine=ENGINE)


def named_boxes(gallery: Gallery) -> dict[str, tuple[float, ...]]:
    named = PeopleStore(gallery.folder).memberships()
    records = gallery.faces(named.ids, gallery.state())
    return {name: each.box for each, name in zip(records, named.names, strict=True)}


def test_regions_in_extended_xmp_name_faces(photo: Path) -> None:
    gallery = gallery_of(photo)
    done = imported(gallery)
    assert (done.matched, done.drawn, done.problems, done.conflicts) == (2, 0, (), ())
    found = named_boxes(gallery)
    assert found["Ada"] == pytest.approx(RED, abs=3) and found["Bea"] == pytest.approx(BLUE, abs=3)


def test_damaged_extended_xmp_is_said_and_the_rest_is_read(photo: Path) -> None:
    extended = regions(("Ada", RED))
    one = photo.with_name("one.jpg")
    pieces = pieces_of(extended)
    assert len(pieces) == 2
    named = naming_packet(guid_of(extended), PERSON_IN_IMAGE)
    one.write_bytes(jpeg_with(named, pieces[:1], picture("red")))
    gallery = gallery_of(photo)
    done = imported(gallery)
    assert (done.matched, done.by_keyword) == (2, 1)
    ((place, reason, detail),) = [(each.place, each.reason, each.detail) for each in done.problems]
    assert (place, reason) == (str(one), "bad-xmp") and "missing" in detail
    assert set(named_boxes(gallery)) == {"Ada", "Bea", "Cleo"}


def test_writing_names_leaves_extended_xmp_alone(photo: Path) -> None:
    before = photo.read_bytes()
    album = album_of([face(0, photo, RED, photo_size=SIZE)], [0], {0: "Ada"})
    assert write_sidecars(album, None).written == 1
    assert photo.read_bytes() == before
    # The sidecar says the same of the same place: that is no second face, and no conflict.
    done = imported(gallery_of(photo))
    assert (done.matched, done.drawn, done.conflicts, done.problems) == (2, 0, (), ())


def test_a_video_under_any_name_is_no_photo_that_cannot_be_read(photo: Path) -> None:
    pytest.importorskip("av", reason="PyAV, the extra [video], is not installed")
    red = actor("red", (0.3, 0.5), (0.4, 0.5))
    write_clip(photo.parent / "clip.mpg", [grey_shot(1.0, red)], ClipFormat(codec="mpeg2video"))
    (photo.parent / "clip.mpg").rename(photo.parent / "clip.mod")  # as some cameras call it
    gallery = gallery_of(photo)
    assert gallery.state().face_count == 3
    found = imported(gallery)
    assert (found.photos, found.problems) == (1, ())
