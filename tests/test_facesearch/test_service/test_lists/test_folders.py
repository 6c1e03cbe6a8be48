"""Who is in each photo of a folder of the server: a line each, as soon as it is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from facesearch.gallery.gallery import Gallery
from support.fake_engine import write_photo
from support.serving.services import (
    ServedTest,
    clustered_gallery,
    listening,
    local_client,
    named_gallery,
    open_service,
    served,
)

PATH = "/api/v1/galleries/my/identify-folder"


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    return named_gallery(folder)


@pytest.fixture(scope="module")
def asked(folder: Path) -> Path:
    """Photos of Ada and Ben, of a stranger, of nobody; a file that is none, and a folder below."""
    place = folder / "asked"
    write_photo(place / "a.png", [1, 2], 800)
    write_photo(place / "below" / "b.png", [77], 801)
    write_photo(place / "c.png", [], 802)
    (place / "d.png").write_text("no photo")
    (place / "notes.txt").write_text("left out")
    return place


def test_each_photo_is_a_line(site: ServedTest, asked: Path) -> None:
    answer = site.client.post(PATH, json={"folder": str(asked)}, headers=site.local())
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jsonl")
    lines = {line["name"]: line for line in map(json.loads, answer.text.splitlines())}
    assert [*lines] == ["a.png", "below/b.png", "c.png", "d.png"]
    assert {face["name"] for face in lines["a.png"]["faces"]} == {"Ada", "Ben"}
    assert [face["name"] for face in lines["below/b.png"]["faces"]] == [None]
    assert lines["c.png"]["faces"] == [] and lines["c.png"]["problem"] is None
    assert "not-an-image" in lines["d.png"]["problem"] and lines["d.png"]["faces"] == []
    assert str(asked) not in answer.text


def test_answers_are_those_about_photos_that_are_sent(site: ServedTest, asked: Path) -> None:
    answer = site.client.post(PATH, json={"folder": str(asked)}, headers=site.local())
    by_folder = {line["name"]: line for line in map(json.loads, answer.text.splitlines())}
    names = ("a.png", "below/b.png", "c.png", "d.png")
    files = [("photo", (name, (asked / name).read_bytes())) for name in names]
    sent = site.client.post(PATH.removesuffix("-folder"), files=files, headers=site.local()).json()[
        "photos"
    ]
    for name, photo in zip(names, sent, strict=True):
        assert by_folder[name]["faces"] == photo["faces"]


def test_the_threshold_decides(site: ServedTest, asked: Path) -> None:
    body = {"folder": str(asked), "threshold": 0.0001}
    answer = site.client.post(PATH, json=body, headers=site.local())
    first = json.loads(answer.text.splitlines()[0])
    assert {face["name"] for face in first["faces"]} == {None}


@pytest.mark.parametrize("folder_asked", ["relative", "/nowhere/at/all", "/tmp\0"])
def test_other_places_are_refused(site: ServedTest, folder_asked: str) -> None:
    answer = site.client.post(PATH, json={"folder": folder_asked}, headers=site.local())
    assert answer.status_code == 409 and answer.json()["action"]


def test_only_who_administers_looks_into_folders(
    folder: Path, gallery: Gallery, asked: Path, tmp_path: Path
) -> None:
    with served(open_service(tmp_path, gallery)) as site:
        body: dict[str, Any] = {"folder": str(asked)}
        for role, status in (("view", 403), ("decide", 403), ("administer", 200)):
            headers = site.as_role(role)  # type: ignore[arg-type]
            assert site.client.post(PATH, json=body, headers=headers).status_code == status


def test_nobody_has_a_name(tmp_path: Path, asked: Path) -> None:
    with served(open_service(tmp_path, clustered_gallery(tmp_path))) as site:
        answer = site.client.post(PATH, json={"folder": str(asked)}, headers=site.local())
        assert answer.status_code == 409


def test_the_client_has_them(folder: Path, gallery: Gallery, asked: Path, tmp_path: Path) -> None:
    with listening(open_service(tmp_path, gallery)) as url:
        photos = local_client(url).gallery("my").identify_folder(str(asked))
    assert [photo.name for photo in photos] == ["a.png", "below/b.png", "c.png", "d.png"]
    assert {face.name for face in photos[0].faces} == {"Ada", "Ben"}
