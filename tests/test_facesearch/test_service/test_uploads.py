"""Photos that are sent: answers about them, and what is refused before it costs anything."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesearch.api.session import GallerySession
from facesearch.gallery.gallery import Gallery
from facesearch.images.decode import DecodeLimits
from facesearch.images.walk.file_kinds import is_photo_name
from facesearch.service.pictures import PhotoDecoders
from support.fake_engine import FakeEngine, write_photo
from support.serving.services import (
    ServedTest,
    clustered_gallery,
    named_gallery,
    open_service,
    served,
)

API = "/api/v1/galleries/my"
LIMITS = DecodeLimits(pixels=4_000_000, file_bytes=300_000, memory_bytes=2 << 30)


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return named_gallery(folder)


@pytest.fixture(scope="module")
def site(folder: Path, gallery: Gallery) -> Iterator[ServedTest]:
    service = open_service(
        folder, gallery, upload_limits=LIMITS, upload_bytes=1_000_000, upload_photos=4
    )
    with served(service) as site:
        yield site


@pytest.fixture(scope="module")
def probe(folder: Path) -> Path:
    return write_photo(folder / "probe.png", [2, 3, 1], variant=99)


def ask(site: ServedTest, question: str, *files: tuple[str, bytes], **query: Any) -> Any:
    parts = [(field, (f"{number}.png", data)) for number, (field, data) in enumerate(files)]
    return site.client.post(f"{API}/{question}", files=parts, params=query, headers=site.local())


def test_answers_are_those_of_a_session(site: ServedTest, gallery: Gallery, probe: Path) -> None:
    session = GallerySession(gallery, FakeEngine())  # type: ignore[arg-type]
    data = probe.read_bytes()
    named = ask(site, "identify", ("photo", data)).json()["photos"]
    expected = session.identify(probe)
    assert [each["name"] for each in named[0]["faces"]] == [each.person for each in expected]
    for found, wanted in zip(named[0]["faces"], expected, strict=True):
        assert found["distance"] == pytest.approx(wanted.distance, abs=1e-6)
        assert tuple(found["box"]) == wanted.box
        assert (found["threshold"], found["threshold_from"]) == (
            wanted.threshold, wanted.threshold_from
        )  # fmt: skip
    searched = ask(site, "search", ("photo", data), k=3).json()["faces"]
    for found, face in zip(searched, session.search(probe, 3), strict=True):
        ids = [int(each["face"]["id"]) for each in found["matches"]]
        assert ids == [match.face.face_id for match in face.matches]
    other = (gallery.folder.parent / "photos" / "1-2.png").read_bytes()
    verdict = ask(site, "verify", ("first", data), ("second", other)).json()
    same = session.verify(probe, gallery.folder.parent / "photos" / "1-2.png")
    assert (verdict["same"], verdict["threshold"]) == (same.same, same.threshold)
    strict = ask(site, "identify", ("photo", data), threshold=0).json()["photos"][0]["faces"]
    assert {face["name"] for face in strict} == {None}


def test_several_photos_one_of_them_bad(site: ServedTest, probe: Path) -> None:
    files = [("photo", probe.read_bytes()), ("photo", b"no photo"), ("photo", probe.read_bytes())]
    photos = ask(site, "identify", *files).json()["photos"]
    assert [bool(each["problem"]) for each in photos] == [False, True, False]
    assert photos[0]["faces"] == photos[2]["faces"] != []


def png_bomb(width: int, height: int) -> bytes:
    """A small file that says that it is a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    start = b"\x89PNG\r\n\x1a\n"
    return start + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def large_png() -> bytes:
    data = io.BytesIO()
    Image.effect_noise((700, 700), 200).save(data, "PNG")
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (png_bomb(100_000, 100_000), 413, "too-large"),
        (png_bomb(3000, 3000), 413, "too-large"),
        (large_png(), 413, "too-large"),
        (b"", 422, "unreadable-photo"),
        (b"GIF89a", 422, "unreadable-photo"),
        (b"%PDF-1.7 no photo", 422, "unreadable-photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "unreadable-photo"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 1000, 422, "unreadable-photo"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 1000, 422, "unreadable-photo"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 1000, 415, "video"),
        (b"\x1aE\xdf\xa3" + b"\0" * 400_000, 415, "video"),  # also where it is too large
    ],
)
def test_bombs_and_what_is_no_photo(site: ServedTest, data: bytes, status: int, code: str) -> None:
    answer = ask(site, "search", ("photo", data))
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


def test_a_request_that_is_too_large_is_not_read(site: ServedTest, probe: Path) -> None:
    answer = ask(site, "search", ("photo", b"\0" * 1_100_000))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")

    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 50_000

    headers = {**site.local(), "Content-Type": "multipart/form-data; boundary=b"}
    answer = site.client.post(f"{API}/search", content=pieces(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    text = '{"name": "' + "A" * 1_200_000 + '"}'
    headers = {**site.local(), "Content-Type": "application/json"}
    answer = site.client.post(f"{API}/people/p1/name", content=text, headers=headers)
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [({}, 403, "csrf"), ({"Authorization": "Bearer fst_forged"}, 401, "unauthenticated")],
)
def test_photos_of_nobody_are_not_read(
    site: ServedTest, headers: dict[str, str], status: int, code: str
) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(10):
            sent += 1
            yield b"x" * 50_000

    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = site.client.post(f"{API}/search", content=pieces(), headers={**headers, **kind})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert sent <= 1, "the form was read before it was asked who sends it"


def test_too_many_photos_at_once(site: ServedTest, probe: Path) -> None:
    answer = ask(site, "identify", *[("photo", probe.read_bytes())] * 5)
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    ("question", "files", "status"),
    [
        ("search", [], 422),
        ("search", [("other", b"x")], 422),
        ("verify", [("first", b"x")], 422),
        ("identify", [], 422),
    ],
)
def test_forms_without_what_is_needed(
    site: ServedTest, question: str, files: list[tuple[str, bytes]], status: int
) -> None:
    answer = ask(site, question, *files)
    assert (answer.status_code, answer.json()["code"]) == (status, "invalid")


def test_nothing_is_kept_of_photos(site: ServedTest, probe: Path) -> None:
    ask(site, "identify", ("photo", probe.read_bytes()))
    ask(site, "search", ("photo", b"no photo"))
    assert [*(site.service.options.state / "uploads").iterdir()] == []


def test_a_photo_without_faces(site: ServedTest, folder: Path) -> None:
    empty = write_photo(folder / "empty.png", [], 1).read_bytes()
    assert ask(site, "search", ("photo", empty)).json() == {"faces": [], "unsearched": []}
    assert ask(site, "identify", ("photo", empty)).json()["photos"][0]["faces"] == []
    answer = ask(site, "verify", ("first", empty), ("second", empty))
    assert (answer.status_code, answer.json()["code"]) == (422, "no-face")


def test_nobody_has_a_name_yet(tmp_path: Path, probe: Path) -> None:
    with served(open_service(tmp_path, clustered_gallery(tmp_path))) as site:
        answer = ask(site, "identify", ("photo", probe.read_bytes()))
        assert (answer.status_code, answer.json()["code"]) == (409, "refused")
        assert "no person is enrolled" in answer.json()["detail"]
        assert str(tmp_path) not in answer.text


def test_videos_are_refused_with_what_to_do(site: ServedTest, probe: Path) -> None:
    video = b"RIFF\0\0\0\0AVI LIST" + b"\0" * 1000
    answer = ask(site, "search", ("photo", video)).json()
    assert (answer["code"], answer["reason"]) == ("video", "unsupported")
    assert "index the video" in answer["detail"] and "facesearch identify" in answer["detail"]
    photos = ask(site, "identify", ("photo", video), ("photo", probe.read_bytes())).json()["photos"]
    assert "it is a video" in photos[0]["problem"] and photos[1]["problem"] is None
    parts = [("photo", ("a.avi", video))]
    enrolled = site.client.post(
        f"{API}/enrol", files=parts, data={"name": "Ada"}, headers=site.local()
    )
    assert (enrolled.status_code, enrolled.json()["code"]) == (415, "video")
    kept = site.service.galleries[0].folder.resolve().with_name("my.enrolled")
    assert not kept.exists() or not any(kept.iterdir())


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.PNG", ".png"),
        ("a.nef", ".nef" if is_photo_name(".nef") else ""),
        ("a.sh", ""),
        ("../../evil.jpeg", ".jpeg"),
        ("a.png/..", ""),
        ("no ending", ""),
    ],
)
def test_the_ending_of_a_name_is_known_to_who_decodes(
    site: ServedTest, probe: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    """It alone tells raw files from TIFFs; nothing else of a name gets into a path."""
    seen: list[Path] = []
    decode = PhotoDecoders.decode

    def noted(decoders: PhotoDecoders, photo: Path, max_side: int | None) -> Any:
        seen.append(photo)
        return decode(decoders, photo, max_side)

    monkeypatch.setattr(PhotoDecoders, "decode", noted)
    files = {"photo": (name, probe.read_bytes())}
    answer = site.client.post(f"{API}/search", files=files, headers=site.local())
    assert answer.status_code == 200, answer.text
    (place,) = seen
    assert place.suffix == suffix and place.parent == site.service.options.state / "uploads"
