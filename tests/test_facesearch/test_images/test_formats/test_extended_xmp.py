"""Extended XMP is put together from its pieces, or refused in words; nothing is believed."""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.errors import PhotoError
from facesearch.images.formats.extended_xmp import MOST_BYTES, ExtendedXmp, read_extended_xmp
from facesearch.images.formats.metadata import read_metadata
from facesearch.people_import.xmp_names import names_in_xmp
from facesearch.report.xmp import NamedFace, regions_xml
from support.albums import face
from support.extended_xmp import (
    EXTENSION,
    guid_of,
    jpeg_with,
    naming_packet,
    piece,
    pieces_of,
    plain_jpeg,
)

MANY = 400  # regions, which are more than 64 KiB


def read(packet: bytes, pieces: list[bytes]) -> ExtendedXmp:
    return read_extended_xmp(io.BytesIO(jpeg_with(packet, pieces)), packet)


def many_regions() -> bytes:
    faces = [
        NamedFace(f"Person {n}", face(n, Path("/a.jpg"), (float(n), 10.0, n + 20.0, 40.0)))
        for n in range(MANY)
    ]
    return regions_xml(faces, (640, 480), 1).encode()


def expected_names() -> list[str]:
    return [f"Person {n}" for n in range(MANY)]


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.integers(1, 199), max_size=6),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_pieces_in_any_order_make_the_packet(
    packet: bytes, cuts: list[int], order: random.Random, as_element: bool
) -> None:
    pieces = pieces_of(packet, cuts)
    order.shuffle(pieces)
    guid = guid_of(packet)
    named = naming_packet(guid)
    if as_element:
        named = named.replace(
            b'xmpNote:HasExtendedXMP="' + guid + b'">',
            b"><xmpNote:HasExtendedXMP>" + guid.lower() + b"</xmpNote:HasExtendedXMP>",
        )
    assert read(named, pieces) == ExtendedXmp(packet)


def test_a_jpeg_without_extended_xmp_has_none() -> None:
    assert read(naming_packet(b""), []) == ExtendedXmp()
    assert read(b"", []) == ExtendedXmp()


WHOLE = bytes(range(100))
GUID = guid_of(WHOLE)
FIRST, SECOND = piece(GUID, 100, 0, WHOLE[:60]), piece(GUID, 100, 60, WHOLE[60:])


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ([FIRST], "60 to 100 are missing"),
        ([SECOND], "0 to 60 are missing"),
        ([FIRST, FIRST, SECOND], "two pieces for byte 0"),
        ([FIRST, piece(GUID, 100, 59, WHOLE[59:])], "two pieces for byte 59"),
        ([FIRST, piece(GUID, 100, 61, WHOLE[61:])], "60 to 61 are missing"),
        ([FIRST, piece(GUID, 90, 60, WHOLE[60:])], "of a whole of 100 and of 90 bytes"),
        ([FIRST, piece(GUID, 100, 60, WHOLE[60:] + b"x")], "ends at byte 101 of 100"),
        ([piece(GUID, 2**32 - 1, 0, WHOLE)], f"more than {MOST_BYTES} bytes"),
        ([piece(GUID, 100, 2**32 - 1, WHOLE)], "0 to 4294967295 are missing"),
        ([piece(guid_of(b"other"), 100, 0, WHOLE)], "found 1 of another number"),
        ([], "found none"),
        ([EXTENSION + GUID], "found none"),  # too short to be a piece
    ],
)
def test_damage_is_said(pieces: list[bytes], words: str) -> None:
    found = read(naming_packet(GUID), pieces)
    assert found.packet == b"" and words in found.problem


def test_pieces_that_no_packet_names_are_said() -> None:
    for packet in (b"", naming_packet(b"not a number")):
        assert "2 pieces" in read(packet, [FIRST, SECOND]).problem


def test_no_more_is_read_than_is_allowed() -> None:
    """A whole that says that it is small, in far too many pieces."""
    full = piece(GUID, 100, 0, b"x" * 65_000)
    assert "more than" in read(naming_packet(GUID), [full] * 300).problem


def test_a_segment_that_the_end_of_the_file_cuts_is_no_piece() -> None:
    packet = naming_packet(GUID)
    data = jpeg_with(packet, [FIRST, SECOND])
    cut = data[: data.index(WHOLE[60:]) + 10]
    assert "60 to 100 are missing" in read_extended_xmp(io.BytesIO(cut), packet).problem


@given(st.binary(max_size=30), st.integers(0, 700), st.integers(0, 60))
def test_whatever_is_damaged_nothing_else_is_raised(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, start: int, length: int
) -> None:
    data = jpeg_with(naming_packet(GUID), [FIRST, SECOND])
    path = tmp_path_factory.mktemp("noise") / "a.jpg"
    path.write_bytes(data[:start] + noise + data[start + length :])
    with suppress(PhotoError):
        found = read_metadata(path).extended
        assert not (found.packet and found.problem)


def test_names_beyond_64_kib_are_read(tmp_path: Path) -> None:
    extended = many_regions()
    assert len(extended) > 100_000
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg_with(naming_packet(guid_of(extended)), pieces_of(extended)))
    found = read_metadata(path)
    assert found.extended == ExtendedXmp(extended)
    regions = names_in_xmp(found.extended.packet, "a").regions
    assert [each.name for each in regions] == expected_names()


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="needs exiftool on the PATH")
def test_exiftool_agrees_both_ways(tmp_path: Path) -> None:
    extended = many_regions()
    ours, theirs = tmp_path / "ours.jpg", tmp_path / "theirs.jpg"
    ours.write_bytes(jpeg_with(naming_packet(guid_of(extended)), pieces_of(extended)))
    read = exiftool("-j", "-struct", "-n", "-RegionInfo", ours)
    info = json.loads(read)[0]["RegionInfo"]
    assert [each["Name"] for each in info["RegionList"]] == expected_names()
    # And what exiftool writes, which cuts it into segments itself.
    theirs.write_bytes(plain_jpeg())
    (tmp_path / "regions.json").write_text(json.dumps([{"SourceFile": "*", "RegionInfo": info}]))
    exiftool("-overwrite_original", "-struct", f"-json={tmp_path / 'regions.json'}", theirs)
    assert EXTENSION in theirs.read_bytes()
    found = read_metadata(theirs)
    assert not found.extended.problem
    regions = names_in_xmp(found.extended.packet, "a").regions
    assert [each.name for each in regions] == expected_names()
    for number, region in enumerate(regions):
        assert region.applied_to == (640, 480)
        assert region.box == pytest.approx(
            (number / 640, 10 / 480, (number + 20) / 640, 40 / 480), abs=1e-5
        )


def exiftool(*words: object) -> str:
    ran = subprocess.run(
        ["exiftool", "-q", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
