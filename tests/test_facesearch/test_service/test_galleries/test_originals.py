"""Files of photos as they are: streamed, in ranges, and never anything but what was indexed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from facesearch.gallery.gallery import Gallery
from facesearch.service import stored_photos
from facesearch.service.server import byte_ranges
from facesearch.service.server.byte_ranges import PIECE_BYTES, requested_range
from facesearch.service.server.problems import ProblemError
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import index
from support.serving.services import ServedTest, open_service, served

API = "/api/v1/galleries/my"
SIZE = 3 * PIECE_BYTES + 1234


@pytest.fixture(scope="module")
def photo(folder: Path) -> Path:
    """A PNG that has much behind its pixels."""
    path = write_photo(folder / "photos" / "large.png", [1], 1)
    with path.open("ab") as file:
        file.write(random.Random(3).randbytes(SIZE - path.stat().st_size))
    return path


@pytest.fixture(scope="module")
def gallery(folder: Path, photo: Path) -> Gallery:
    gallery = Gallery.create(folder / "my.gallery", FakeEngine().contract)
    index(gallery, photo.parent)
    return gallery


def address(site: ServedTest) -> str:
    (listed,) = site.client.get(f"{API}/photos").json()["photos"]
    return f"{API}/photos/{listed['id']}/original"


def asked(site: ServedTest, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client.get(address(site), headers=names)


def test_the_whole_file(site: ServedTest, photo: Path) -> None:
    answer = asked(site)
    assert answer.status_code == 200 and answer.content == photo.read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["accept-ranges"] == "bytes"
    again = asked(site, If_None_Match=answer.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-", 0, SIZE - 1),
        ("bytes=-1", SIZE - 1, SIZE - 1),
        (f"bytes=-{10 * SIZE}", 0, SIZE - 1),
        (f"bytes={PIECE_BYTES - 1}-{PIECE_BYTES}", PIECE_BYTES - 1, PIECE_BYTES),
        (f"bytes=100-{10 * SIZE}", 100, SIZE - 1),
        (f"bytes={SIZE - 1}-", SIZE - 1, SIZE - 1),
        (f"bytes=5-{2 * PIECE_BYTES + 7}", 5, 2 * PIECE_BYTES + 7),
    ],
)
def test_a_range(site: ServedTest, photo: Path, given: str, first: int, last: int) -> None:
    answer = asked(site, Range=given)
    assert answer.status_code == 206
    assert answer.content == photo.read_bytes()[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("given", [f"bytes={SIZE}-", f"bytes={10**17}-{10**17 + 1}", "bytes=-0"])
def test_a_range_behind_the_end(site: ServedTest, given: str) -> None:
    answer = asked(site, Range=given)
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "no-such-range"


@pytest.mark.parametrize(
    "given",
    ["bytes=5-3", "bytes=", "bytes=a-b", "bytes=0-1,5-6", "lines=0-1", "0-1", "bytes=--1",
     "bytes=0-0x5", f"bytes={'9' * 60}-"],
)  # fmt: skip
def test_what_is_no_range_is_the_whole_file(site: ServedTest, given: str) -> None:
    answer = asked(site, Range=given)
    assert (answer.status_code, len(answer.content)) == (200, SIZE)
    assert "content-range" not in answer.headers


def test_a_range_of_the_same_file_only(site: ServedTest) -> None:
    tag = asked(site).headers["etag"]
    assert asked(site, Range="bytes=0-9", If_Range=tag).status_code == 206
    for other in (f"W/{tag}", '"another"', "Wed, 21 Oct 2015 07:28:00 GMT", ""):
        assert asked(site, Range="bytes=0-9", If_Range=other).status_code == 200


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 50),
    text=st.from_regex(r"bytes ?= ?[0-9]{0,3}-[0-9]{0,3}", fullmatch=True) | st.text(max_size=20),
)
def test_ranges_are_those_of_a_plain_reading(size: int, text: str) -> None:
    """Against slices of Python, which count from the end as ranges do."""
    whole = bytes(range(size))
    encoded = text.encode("latin-1", "replace")
    request = Request({"type": "http", "headers": [(b"range", encoded)]})
    first, _, last = text.partition("=")[2].strip().partition("-")
    plain = text.startswith("bytes") and (first + last).isascii() and (first + last).isdigit()
    if not plain or (first and last and int(last) < int(first)):
        expected = None
    elif first:
        expected = whole[int(first) : int(last) + 1 if last else None]
    else:
        expected = whole[-int(last) :] if int(last) else b""
    try:
        found = requested_range(request, size, '"tag"')
    except ProblemError as error:
        assert error.status == 416 and expected == b""
        return
    if found is None:
        assert expected is None
    else:
        assert whole[found.first : found.first + found.length] == expected
        assert found.length > 0


def test_no_more_than_a_piece_is_read_at_once(
    site: ServedTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    read = byte_ranges._pieces

    def counted(*arguments: Any) -> Iterator[bytes]:
        for piece in read(*arguments):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr(byte_ranges, "_pieces", counted)
    assert len(asked(site).content) == SIZE
    assert max(pieces) <= PIECE_BYTES and sum(pieces) == SIZE


def test_files_are_closed(site: ServedTest, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    open_plain = stored_photos.open_plain

    def noted(path: Path) -> Any:
        opened.append(open_plain(path))
        return opened[-1]

    tag = asked(site).headers["etag"]
    monkeypatch.setattr(stored_photos, "open_plain", noted)
    for headers in ({}, {"Range": "bytes=0-5"}, {"Range": f"bytes={SIZE}-"},
                    {"If-None-Match": tag}):  # fmt: skip
        asked(site, **headers)
    assert [each.closed for each in opened] == [True] * 4


@pytest.mark.parametrize("role", ["view", "decide", "administer"])
def test_whoever_may_look(site: ServedTest, role: Any) -> None:
    headers = site.as_role(role)
    found = site.client.get(f"{API}/photos", headers=headers).json()["photos"][0]["id"]
    assert site.client.get(f"{API}/photos/{found}/original").status_code == 401
    answer = site.client.get(f"{API}/photos/{found}/original", headers=headers)
    assert answer.status_code == 200
    for token in site.service.tokens.all():
        site.service.tokens.revoke(token.id)


def test_what_took_its_place_is_not_shown(tmp_path: Path) -> None:
    photos, secret = tmp_path / "photos", tmp_path / "secret.png"
    names = ("link.png", "pipe.png", "folder.png", "shorter.png", "text.png", "gone.png")
    for number, name in enumerate(names, start=1):
        write_photo(photos / name, [number], number)
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    index(gallery, photos)
    with served(open_service(tmp_path, gallery)) as site:
        listed = site.client.get(f"{API}/photos").json()["photos"]
        places = {each["name"]: f"{API}/photos/{each['id']}/original" for each in listed}
        found = (photos / "link.png").stat()
        secret.write_bytes((photos / "link.png").read_bytes())
        os.utime(secret, ns=(found.st_atime_ns, found.st_mtime_ns))  # alike but for its place
        for name in names:
            (photos / name).unlink()
        (photos / "link.png").symlink_to(secret)
        os.mkfifo(photos / "pipe.png")
        (photos / "folder.png").mkdir()
        (photos / "shorter.png").write_bytes(b"\x89PNG")
        write_photo(photos / "text.png", [99], 99)
        for name, code in (("link.png", 403), ("pipe.png", 410), ("folder.png", 410),
                           ("shorter.png", 410), ("text.png", 410), ("gone.png", 410)):  # fmt: skip
            answer = site.client.get(places[name], headers={"Range": "bytes=0-3"})
            assert answer.status_code == code, (name, answer.text)
            assert str(tmp_path) not in answer.text


def test_a_link_in_the_moment_of_opening_is_refused(
    site: ServedTest, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write to the folders swaps a file between the look at it and its opening."""
    place = address(site)
    kept = tmp_path / "kept.png"
    looked_at = stored_photos.place_of_photo

    def swapped(*arguments: Any) -> Path:
        found = looked_at(*arguments)
        photo.rename(kept)
        photo.symlink_to(kept)
        return found

    monkeypatch.setattr(stored_photos, "place_of_photo", swapped)
    try:
        answer = site.client.get(place)
    finally:
        photo.unlink()
        kept.rename(photo)
    assert answer.status_code == 410
