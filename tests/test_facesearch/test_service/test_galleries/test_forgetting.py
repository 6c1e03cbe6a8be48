"""Whose faces are forgotten is settled when it is asked for, not when the job runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.people_galleries import photos_of_people
from support.serving.services import ServedTest, named_gallery, open_service, served

API = "/api/v1/galleries/my"
SECONDS = 120.0


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return named_gallery(tmp_path)


@pytest.fixture
def site(tmp_path: Path, gallery: Gallery) -> Iterator[ServedTest]:
    with served(open_service(tmp_path, gallery)) as site:
        yield site


def ask(site: ServedTest, dry_run: bool = False, **what: Any) -> Any:
    answer = site.client.post(
        f"{API}/forget", json={**what, "dry_run": dry_run}, headers=site.local()
    )
    assert answer.status_code in (200, 202), answer.text
    return answer.json()


def ended(site: ServedTest, job: Any) -> Any:
    done = site.service.jobs.wait(int(job["id"]), SECONDS)
    assert done.state == "done", done
    return done.result


def editor(gallery: Gallery) -> PeopleEditor:
    return PeopleEditor(gallery)


def test_who_gets_the_name_meanwhile_is_not_forgotten(site: ServedTest, gallery: Gallery) -> None:
    ada = "p1"
    preview = ask(site, dry_run=True, people=[ada])
    with gallery.writing():  # the job waits
        job = ask(site, people=[ada])
        deciding = editor(gallery)
        deciding.name(deciding.find(ada), "Eve")
        deciding.name(deciding.find("p3"), "Ada")
    result = ended(site, job)
    assert result["faces"] == preview["faces"] == 3 and result["left"] == 0
    left = photos_of_people(gallery)
    assert left == {
        "Ada": {"3-0.png", "3-1.png", "3-2.png"},
        "Ben": {"2-0.png", "2-1.png", "2-2.png"},
        "p4": {"4-0.png", "4-1.png", "4-2.png"},
    }
    kept = (gallery.folder / "people.sqlite").read_bytes()
    assert b"Eve" not in kept and b"Ada" in kept
    names = {(each.person, each.name) for each in PeopleStore(gallery.folder).decisions()}
    assert (1, "Ada") not in names and (3, "Ada") in names


def test_a_face_given_to_them_meanwhile_stays_without_their_name(
    site: ServedTest, gallery: Gallery
) -> None:
    with gallery.writing():
        job = ask(site, people=["p1"])
        deciding = editor(gallery)
        deciding.add(deciding.find("p1"), [9])
    assert ended(site, job)["faces"] == 3
    assert 9 in gallery.state().live_ids()
    assert b"Ada" not in (gallery.folder / "people.sqlite").read_bytes()


def test_a_face_taken_from_them_meanwhile_is_forgotten_as_was_asked(
    site: ServedTest, gallery: Gallery
) -> None:
    with gallery.writing():
        job = ask(site, people=["p1"])
        deciding = editor(gallery)
        deciding.add(deciding.find("Ben"), [0])
    assert ended(site, job)["faces"] == 3
    assert {0, 1, 2}.isdisjoint(gallery.state().live_ids().tolist())
    assert b"Ben" in (gallery.folder / "people.sqlite").read_bytes()


def test_names_of_who_was_merged_into_them_go_too(site: ServedTest, gallery: Gallery) -> None:
    deciding = editor(gallery)
    deciding.merge(deciding.find("Ada"), [deciding.find("Ben")])
    preview = ask(site, dry_run=True, people=["p1"])
    assert preview["faces"] == 6
    result = ended(site, ask(site, people=["p2"]))  # who is p1 by now
    assert result["faces"] == 6 and result["left"] == 0
    kept = (gallery.folder / "people.sqlite").read_bytes()
    assert b"Ada" not in kept and b"Ben" not in kept


def test_people_without_a_name_photos_and_faces(site: ServedTest, gallery: Gallery) -> None:
    (photo,) = (
        each["id"]
        for each in site.client.get(f"{API}/photos").json()["photos"]
        if each["name"] == "2-1.png"
    )
    what = {"people": ["p4"], "photos": [photo], "faces": ["6"]}
    preview = ask(site, dry_run=True, **what)
    assert (preview["faces"], preview["decided"], preview["clustered"]) == (5, 0, 3)
    job = ask(site, **what)
    assert ended(site, job)["faces"] == 5
    assert sorted(gallery.state().live_ids().tolist()) == [0, 1, 2, 3, 5, 7, 8]
    stored = site.service.jobs.find(int(job["id"]))
    assert stored is not None and stored.arguments == {}
    assert "Ada" not in json.dumps(job)


def test_the_job_of_a_name_is_done_once_and_goes_on(site: ServedTest, gallery: Gallery) -> None:
    """A job that was killed after the name was gone is done again, and finds nothing wrong."""
    first, second = ask(site, people=["p1"]), ask(site, people=["p2"])
    assert ended(site, first)["faces"] == 3
    assert ended(site, second)["faces"] == 3
    from facesearch.erasure.forget import SelectedFaces, forget

    again = forget(gallery, SelectedFaces(gallery.state().live_ids()[:0], numbers=(1, 2)))
    assert (again.faces, again.found) == (0, [])


def test_what_was_looked_at_is_what_is_forgotten(site: ServedTest, gallery: Gallery) -> None:
    """Who has seen a preview may ask for that, and for nothing that came after."""
    version = site.client.get(API).json()["version"]
    headers = {**site.local(), "If-Match": f'"{version}"'}
    body = {"people": ["p1"], "dry_run": True}
    assert site.client.post(f"{API}/forget", json=body, headers=headers).status_code == 200
    deciding = editor(gallery)
    deciding.add(deciding.find("p1"), [9])
    for dry_run in (True, False):
        changed = {**body, "dry_run": dry_run}
        answer = site.client.post(f"{API}/forget", json=changed, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (412, "precondition")
    assert not any(job.kind == "forget" for job in site.service.jobs.all())


def test_the_digest_of_a_preview_is_for_what_it_showed(site: ServedTest, gallery: Gallery) -> None:
    """What else changed does no harm, unlike with If-Match; what was shown must be as it was."""
    shown = ask(site, dry_run=True, people=["p1"])
    deciding = editor(gallery)
    deciding.hide(deciding.find("p4"))
    assert ask(site, dry_run=True, people=["p1"]) == shown
    deciding = editor(gallery)
    deciding.add(deciding.find("p1"), [9])
    body = {"people": ["p1"], "dry_run": False, "digest": shown["digest"]}
    answer = site.client.post(f"{API}/forget", json=body, headers=site.local())
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition")
    assert answer.json()["action"]
    assert not any(job.kind == "forget" for job in site.service.jobs.all())
    now = ask(site, dry_run=True, people=["p1"])
    assert (now["faces"], now["digest"] == shown["digest"]) == (4, False)
    assert ended(site, ask(site, people=["p1"], digest=now["digest"]))["faces"] == 4
