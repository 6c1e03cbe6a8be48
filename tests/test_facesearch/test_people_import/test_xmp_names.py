"""XMP of other programs: every way to write it, and what is none."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.images.formats.metadata import PhotoMetadata
from facesearch.people_import.noted_names import NamedRegion
from facesearch.people_import.placed_regions import match_faces, place_region, same_places
from facesearch.people_import.safe_xml import parse_xml
from facesearch.people_import.xmp_names import names_in_xmp
from facesearch.report.xmp import NamedFace, regions_xml
from support.albums import face

HEAD = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/"
 xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#"
 xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#"
 xmlns:MP="http://ns.microsoft.com/photo/1.2/"
 xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#"
 xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"
 xmlns:lr="http://ns.adobe.com/lightroom/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">"""
TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def packet(body: str) -> bytes:
    return (HEAD + body + TAIL).encode()


def working_group(items: str, size: str = 'stDim:w="400" stDim:h="300"') -> bytes:
    return packet(
        f'<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions {size}/>'
        f"<mwg-rs:RegionList><rdf:Bag>{items}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
    )


AREA = 'stArea:x="0.5" stArea:y="0.25" stArea:w="0.2" stArea:h="0.1"'


@pytest.mark.parametrize(
    "item",
    [
        f'<rdf:li rdf:parseType="Resource"><mwg-rs:Area {AREA} stArea:unit="normalized"/>'
        "<mwg-rs:Name>Ada</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type></rdf:li>",
        # As Lightroom and digiKam write it: attributes of a description.
        '<rdf:li><rdf:Description mwg-rs:Name="Ada" mwg-rs:Type="Face">'
        f'<mwg-rs:Area {AREA} stArea:unit="normalized"/></rdf:Description></rdf:li>',
        '<rdf:li mwg-rs:Name="Ada"><mwg-rs:Area rdf:parseType="Resource"><stArea:x>0.5</stArea:x>'
        "<stArea:y>0.25</stArea:y><stArea:w>0.2</stArea:w><stArea:h>0.1</stArea:h>"
        "</mwg-rs:Area></rdf:li>",
        '<rdf:li mwg-rs:Name="Ada"><mwg-rs:Area stArea:x="200" stArea:y="75" stArea:w="80" '
        'stArea:h="30" stArea:unit="pixel"/></rdf:li>',
    ],
)
def test_every_way_to_write_a_region(item: str) -> None:
    (region,) = names_in_xmp(working_group(item), "a").regions
    assert (region.name, region.applied_to) == ("Ada", (400.0, 300.0))
    assert region.box == pytest.approx((0.4, 0.2, 0.6, 0.3))


def test_regions_that_are_of_nobody_and_that_make_no_sense() -> None:
    items = "".join(
        f'<rdf:li mwg-rs:Name="{name}" mwg-rs:Type="{kind}"><mwg-rs:Area stArea:x="{x}" '
        'stArea:y="0.5" stArea:w="0.1" stArea:h="0.1"/></rdf:li>'
        for name, kind, x in (
            *(("Rex", "Pet", "0.5"), ("", "Face", "0.5"), ("Ada", "Face", "NaN")),
            *(("Bea", "Face", "1.5"), ("Cleo", "Face", "x")),
        )
    )
    found = names_in_xmp(working_group(items + '<rdf:li mwg-rs:Name="Dora"/>'), "a")
    assert (found.regions, found.unnamed, len(found.unusable)) == ((), 1, 4)


def test_regions_of_microsoft_and_keywords() -> None:
    found = names_in_xmp(
        packet(
            '<MP:RegionInfo rdf:parseType="Resource"><MPRI:Regions><rdf:Bag>'
            '<rdf:li MPReg:Rectangle="0.1, 0.2, 0.3, 0.4" MPReg:PersonDisplayName="Ada"/>'
            '<rdf:li MPReg:PersonDisplayName="Bea"/><rdf:li MPReg:Rectangle="0.1, 0.2"'
            ' MPReg:PersonDisplayName="Cleo"/></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
            "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Dora</rdf:li></rdf:Bag>"
            "</Iptc4xmpExt:PersonInImage><lr:hierarchicalSubject><rdf:Bag><rdf:li>Places|Rome"
            "</rdf:li><rdf:li>People|Family</rdf:li><rdf:li>People|Family|Ella</rdf:li></rdf:Bag>"
            "</lr:hierarchicalSubject><digiKam:TagsList><rdf:Seq><rdf:li>People/Unknown</rdf:li>"
            "<rdf:li>people/Fay</rdf:li></rdf:Seq></digiKam:TagsList>"
        ),
        "a",
    )
    (region,) = found.regions
    assert region.box == pytest.approx((0.1, 0.2, 0.4, 0.6))
    assert found.people == ("Dora", "Bea", "Ella", "Fay")
    assert len(found.unusable) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no XML"),
        (b"<a>", "no XML"),
        (b"<a/>", "rdf:RDF"),
        (b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>', "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"<a>" * 200 + b"</a>" * 200, "too deep"),
        (b"\xff\xfe\x00", "no XML"),
    ],
)
def test_what_is_no_xmp_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        names_in_xmp(data, "a")


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=80), st.integers(0, 1200), st.integers(0, 1200))
def test_damaged_xmp_is_refused_or_read(noise: bytes, start: int, length: int) -> None:
    whole = working_group(f'<rdf:li mwg-rs:Name="Ada"><mwg-rs:Area {AREA}/></rdf:li>')
    with suppress(ValueError):  # nothing else may come out
        names_in_xmp(whole[:start] + noise + whole[start + length :], "a")


def test_names_of_elements_are_qualified() -> None:
    root = parse_xml(b'<a xmlns:n="u:v" n:k="1"><n:b/></a>')
    assert (root.tag, root.attrib, [each.tag for each in root]) == (
        "a",
        {"{u:v}k": "1"},
        ["{u:v}b"],
    )


corner, extent = st.integers(0, 400), st.integers(12, 200)


@settings(deadline=None, max_examples=80)
@given(st.tuples(corner, corner), st.tuples(extent, extent, extent, extent), st.integers(1, 8))
def test_a_region_comes_back_where_it_was(
    start: tuple[int, int], extents: tuple[int, int, int, int], orientation: int
) -> None:
    (x, y), (w, h, right, below) = start, extents
    size = (x + w + right, y + h + below)
    box = (float(x), float(y), float(x + w), float(y + h))
    written = regions_xml([NamedFace("Ada", face(0, Path("/a.jpg"), box))], size, orientation)
    (region,) = names_in_xmp(written.encode(), "a").regions
    placed = place_region(region, PhotoMetadata(size, orientation, b""))
    assert placed == pytest.approx(box, abs=0.01)


def test_the_shape_of_the_picture_that_a_region_is_for_counts() -> None:
    photo = PhotoMetadata((300, 400), 6, b"")
    box = (0.1, 0.2, 0.3, 0.4)
    upright = (30.0, 80.0, 90.0, 160.0)
    # Made for the upright picture, whatever the size.
    assert place_region(NamedRegion("A", box, applied_to=(150, 200)), photo) == pytest.approx(
        upright
    )
    stored = place_region(NamedRegion("A", box, applied_to=(400, 300)), photo)
    assert stored == pytest.approx((180.0, 40.0, 240.0, 120.0))
    with pytest.raises(ValueError, match="cropped"):
        place_region(NamedRegion("A", box, applied_to=(400, 400)), photo)


def test_faces_are_matched_by_the_best_overlap_in_all() -> None:
    faces = [(0.0, 0.0, 10.0, 10.0), (8.0, 0.0, 18.0, 10.0), (50.0, 0.0, 60.0, 10.0)]
    # The second region overlaps both first faces; the third lies around a face, with hair.
    places = [(8.0, 1.0, 18.0, 11.0), (1.0, 0.0, 12.0, 10.0), (44.0, -6.0, 66.0, 16.0)]
    assert match_faces(places, faces) == [1, 0, 2]
    assert match_faces([(30.0, 0.0, 40.0, 10.0)], faces) == [None]
    assert match_faces([], faces) == [] and match_faces(places, []) == [None] * 3


def test_regions_at_one_place_are_one() -> None:
    boxes = [(0.0, 0.0, 10.0, 10.0), (1.0, 1.0, 11.0, 11.0), (40.0, 0.0, 50.0, 10.0)]
    names = [("Ada", "in"), ("Ada", "beside"), ("Bea", "in")]
    one, other = same_places(boxes, names)
    assert (one.names, one.sources, other.names) == (("Ada",), ("in", "beside"), ("Bea",))
