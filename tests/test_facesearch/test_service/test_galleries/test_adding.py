"""Galleries that administrators make and remove while the service runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from facesearch.errors import InputError
from facesearch.gallery.gallery import Gallery
from facesearch.service.announcement import FILE, announced, read_address
from facesearch.service.database import ServiceDatabase
from facesearch.service.gallery_registry import GalleryRegistry
from support.fake_engine import write_photo
from support.serving.services import (
    ROLES,
    ServedTest,
    clustered_gallery,
    listening,
    local_client,
    open_service,
    served,
)

API = "/api/v1"
SECONDS = 120.0


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """Where galleries may be made."""
    folder = tmp_path / "galleries"
    folder.mkdir()
    return folder


@pytest.fixture
def site(tmp_path: Path, allowed: Path) -> Iterator[ServedTest]:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery, galleries_folder=allowed)) as site:
        yield site


def create(site: ServedTest, headers: dict[str, str] | None = None, **body: Any) -> Any:
    sent = site.local() if headers is None else headers
    return site.client.post(f"{API}/galleries", json=body, headers=sent)


def ids(site: ServedTest) -> list[str]:
    return [each["id"] for each in site.client.get(f"{API}/galleries").json()["galleries"]]


def test_a_gallery_is_made_indexed_and_served(
    site: ServedTest, allowed: Path, tmp_path: Path
) -> None:
    assert site.client.get(f"{API}/galleries").json()["can_add"] is True
    for number in range(3):
        write_photo(tmp_path / "more" / f"{number}.png", [number + 1], 50 + number)
    answer = create(site, name="Été  à Rome", roots=[str(tmp_path / "more")])
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["gallery"]["id"], made["gallery"]["title"]) == ("ete-a-rome", "Été à Rome")
    assert answer.headers["location"] == "galleries/ete-a-rome"
    job = site.service.jobs.wait(int(made["job"]["id"]), SECONDS)
    assert job.state == "done" and job.result is not None and job.result["faces"] == 3, job
    found = site.client.get(f"{API}/galleries/ete-a-rome").json()
    assert (found["faces"], found["roots"]) == (3, [str(tmp_path / "more")])
    assert [each.name for each in allowed.iterdir()] == ["Été à Rome.gallery"]
    assert Gallery.open(allowed / "Été à Rome.gallery").state().face_count == 3
    assert ids(site) == ["my", "ete-a-rome"]


def test_an_empty_gallery_can_be_looked_at(site: ServedTest) -> None:
    made = create(site, name="empty").json()
    assert made["job"] is None and made["gallery"]["faces"] == 0
    for path in ("", "/people", "/photos", "/timeline", "/folders", "/settings", "/history"):
        answer = site.client.get(f"{API}/galleries/empty{path}")
        assert answer.status_code == 200, (path, answer.text)


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../evil", "a/b", "/etc", "a\\b", ".hidden", "-rf", " ", "\t", "a\0b", "x\u202e",
     "é" * 100, ".gallery", "../../my"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(
    site: ServedTest, allowed: Path, name: str, tmp_path: Path
) -> None:
    before = {*tmp_path.iterdir()}
    answer = create(site, name=name)
    assert answer.status_code in (409, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert str(tmp_path) not in answer.text
    assert {*tmp_path.iterdir()} == before and [*allowed.iterdir()] == []
    assert ids(site) == ["my"]


def test_what_is_there_is_not_taken(site: ServedTest, allowed: Path, tmp_path: Path) -> None:
    (allowed / "full.gallery").mkdir()
    (allowed / "full.gallery" / "letter.txt").write_text("mine")
    (allowed / "link.gallery").symlink_to(tmp_path / "elsewhere")
    for name, text in (("full", "exists and is not a gallery"), ("link", "link")):
        answer = create(site, name=name)
        assert answer.status_code == 409 and text in answer.json()["detail"]
        assert str(tmp_path) not in answer.text
    assert create(site, name="one").status_code == 201
    again = create(site, name="one")
    assert again.status_code == 409 and "twice" in again.json()["detail"]
    other = create(site, name="o-n-e!")
    assert other.json()["gallery"]["id"] == "o-n-e"
    assert not (tmp_path / "elsewhere").exists()


def test_folders_that_are_not_there_make_no_gallery(site: ServedTest, allowed: Path) -> None:
    for root in ("relative", "/no/such/folder", "/etc/passwd\0"):
        assert create(site, name="new", roots=[root]).status_code == 409
    assert [*allowed.iterdir()] == []


@pytest.mark.parametrize("role", ROLES)
def test_galleries_are_made_by_who_administers(site: ServedTest, role: Any) -> None:
    headers = site.as_role(role)
    status = create(site, headers, name="new").status_code
    assert status == (201 if role == "administer" else 403)
    listed = site.client.get(f"{API}/galleries", headers=headers).json()
    assert listed["can_add"] == (role == "administer")
    if role != "administer":
        answer = site.client.delete(f"{API}/galleries/my", headers=headers)
        assert answer.status_code == 403


def test_without_a_folder_none_are_made(tmp_path: Path) -> None:
    with served(open_service(tmp_path, clustered_gallery(tmp_path))) as site:
        assert site.client.get(f"{API}/galleries").json()["can_add"] is False
        answer = create(site, name="new")
        assert answer.status_code == 409 and "--galleries-folder" in answer.json()["detail"]


def test_a_gallery_is_removed_and_comes_back_as_it_was(site: ServedTest, allowed: Path) -> None:
    create(site, name="new")
    path = f"{API}/galleries/new"
    assert site.client.delete(path, headers=site.local()).status_code == 204
    assert ids(site) == ["my"]
    assert site.client.get(path).status_code == 404
    assert site.client.delete(path, headers=site.local()).status_code == 404
    (allowed / "new.gallery" / "note.txt").write_text("kept")
    assert create(site, name="new").status_code == 201
    assert (allowed / "new.gallery" / "note.txt").read_text() == "kept"
    named = site.client.delete(f"{API}/galleries/my", headers=site.local())
    assert named.status_code == 409 and "without naming it" in named.json()["detail"]
    assert ids(site) == ["my", "new"]


def test_a_gallery_with_a_job_stays(site: ServedTest, tmp_path: Path) -> None:
    write_photo(tmp_path / "more" / "a.png", [1], 1)
    create(site, name="new")
    with Gallery.open(site.service.gallery("new").folder).writing():  # type: ignore[union-attr]
        answer = site.client.post(
            f"{API}/galleries/new/jobs",
            json={"kind": "index", "roots": [str(tmp_path / "more")]},
            headers=site.local(),
        )
        refused = site.client.delete(f"{API}/galleries/new", headers=site.local())
        assert (refused.status_code, refused.json()["code"]) == (409, "busy")
        job = int(answer.json()["id"])
        site.client.post(f"{API}/jobs/{job:06d}/cancel", headers=site.local())
        site.service.jobs.wait(job, SECONDS)
    assert site.client.delete(f"{API}/galleries/new", headers=site.local()).status_code == 204


def test_galleries_are_served_again_at_the_next_start(tmp_path: Path, allowed: Path) -> None:
    with served(open_service(tmp_path, galleries_folder=allowed)) as site:
        for name in ("b", "a", "c"):
            create(site, name=name)
        site.client.delete(f"{API}/galleries/c", headers=site.local())
    with served(open_service(tmp_path, galleries_folder=allowed)) as site:
        assert ids(site) == ["b", "a"]
        assert site.client.delete(f"{API}/galleries/b", headers=site.local()).status_code == 204
    (allowed / "a.gallery").rename(tmp_path / "gone")
    with served(open_service(tmp_path, galleries_folder=allowed)) as site:
        assert ids(site) == []  # and the service starts
    with pytest.raises(InputError, match="folder for new galleries"):
        open_service(tmp_path, galleries_folder=tmp_path / "nowhere")


def test_commands_and_pages_hear_of_it(tmp_path: Path, allowed: Path) -> None:
    service = open_service(tmp_path, galleries_folder=allowed)
    with (
        listening(service) as url,
        announced(service, "127.0.0.1", int(url.rpartition(":")[2])),
    ):
        client = local_client(url)
        made = client.create_gallery("new")
        place = allowed / "new.gallery"
        address = read_address(place)
        assert address is not None and address.gallery == made.gallery.id == "new"
        client.remove_gallery("new")
        assert not (place / FILE).exists()
        client.create_gallery("new")
    assert not (place / FILE).exists()
    heard = [event for event in service.events._recent if event.name == "galleries"]
    assert [event.data["galleries"] for event in heard] == [["new"], [], ["new"]]


def test_the_database_of_an_earlier_version_gets_the_table(tmp_path: Path) -> None:
    database = ServiceDatabase(tmp_path)
    secret = database.secret("requests")
    database.close()
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript("DROP TABLE gallery; PRAGMA user_version = 1")
    again = ServiceDatabase(tmp_path)
    assert again.secret("requests") == secret
    GalleryRegistry(again, None, lambda *_: None).add_kept()  # type: ignore[arg-type, return-value]
    again.close()
