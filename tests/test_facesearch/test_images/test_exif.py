"""Capture times: which tag wins, what a valid date is, and offsets."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from facesearch.images.decode import decode_stream
from facesearch.images.exif import iso_time

ORIGINAL, DIGITISED, CHANGED = "2021:05:06 07:08:09", "2022:01:02 03:04:05", "2023:01:01 00:00:00"
NEVER_SET = "0000:00:00 00:00:00"


def taken_at(tags: dict[int, str], capture: dict[int, str], kind: str = "JPEG") -> str:
    exif = Image.Exif()
    exif.update({0x0112: 6} | tags)  # as nearly every photo that has a time
    exif.get_ifd(0x8769).update(capture)
    buffer = io.BytesIO()
    # As bytes, since Pillow drops the nested directory of an Exif object when it writes a TIFF.
    Image.new("RGB", (8, 8)).save(buffer, kind, exif=exif.tobytes())
    return decode_stream(buffer).taken_at


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_original_time_wins(kind: str) -> None:
    capture = {0x9003: ORIGINAL, 0x9011: "+02:00", 0x9004: DIGITISED, 0x9012: "+05:30"}
    assert taken_at({0x0132: CHANGED}, capture, kind) == "2021-05-06T07:08:09+02:00"


def test_fall_backs() -> None:
    digitised = {0x9003: NEVER_SET, 0x9004: DIGITISED, 0x9012: "-05:30"}
    assert taken_at({0x0132: CHANGED}, digitised) == "2022-01-02T03:04:05-05:30"
    assert taken_at({0x0132: CHANGED}, {0x9010: "+01:00"}) == "2023-01-01T00:00:00+01:00"
    assert taken_at({0x0132: NEVER_SET}, {}) == ""
    assert taken_at({}, {}) == ""


@pytest.mark.parametrize(
    ("date", "offset", "expected"),
    [
        (ORIGINAL, None, "2021-05-06T07:08:09"),
        (ORIGINAL + "\0", "Z", "2021-05-06T07:08:09"),
        (ORIGINAL, "+99:00", "2021-05-06T07:08:09"),
        (b"2021-05-06T07:08:09", b"+01:00", "2021-05-06T07:08:09+01:00"),
        ("2021:05:06  9:05:01", "+01:00", "2021-05-06T09:05:01+01:00"),
        ("2021: 5: 6  9: 5: 1", None, "2021-05-06T09:05:01"),
        ("2021:05:06 9:05:01", None, "2021-05-06T09:05:01"),
        ("2021:05:06 24:00:00", "+01:00", "2021-05-07T00:00:00+01:00"),
        ("2020:12:31 24:00:00", None, "2021-01-01T00:00:00"),
        ("2016:12:31 23:59:60", None, "2017-01-01T00:00:00"),
        ("2021:05:06 07:08:60", None, "2021-05-06T07:09:00"),
        ("2021:05:06 07:08:61", None, ""),
        ("2021:05:06 07:60:00", None, ""),
        ("2021:05:06 24:00:01", None, ""),
        ("2021:05:06", "+01:00", "2021-05-06"),
        ("2021:05:06 ", None, "2021-05-06"),
        ("2021-05-06", None, "2021-05-06"),
        ("2021:05:06   :  :  ", None, "2021-05-06"),
        ("2021:05:06 07:08", None, "2021-05-06T07:08:00"),
        ("2021:05:06 07:08:09.25", None, "2021-05-06T07:08:09"),
        ("9999:12:31 24:00:00", None, ""),
        ("2021:05:061", None, ""),
        ("2021:05:06 noon", None, ""),
        ("    :05:06 07:08:09", None, ""),
        ("2021:02:30 07:08:09", None, ""),
        ("2021:05:06 25:08:09", "+01:00", ""),
        ("    :  :     :  :  ", None, ""),
        ("yesterday", None, ""),
        (20210506, None, ""),
        (None, "+01:00", ""),
    ],
)
def test_dates(date: object, offset: object, expected: str) -> None:
    assert iso_time(date, offset) == expected
