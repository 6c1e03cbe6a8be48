"""Decisions over HTTP: what they enter, once each, by whom, and in what order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from facesearch.people.store import PeopleStore
from support.made_folders import MadeFolder
from support.people_galleries import halved_people_gallery, photos_of_people
from support.serving.services import PASSWORD, ServedTest, clustered_gallery, open_service, served

API = "/api/v1/galleries/my"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MadeFolder:
    return MadeFolder(tmp_path_factory.mktemp("people"), clustered_gallery)


@pytest.fixture
def gallery(made: MadeFolder) -> Gallery:
    return Gallery.open(made.fresh() / "my.gallery")


@pytest.fixture
def site(tmp_path: Path, gallery: Gallery) -> Iterator[ServedTest]:
    with served(open_service(tmp_path, gallery)) as site:
        yield site


def post(site: ServedTest, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = site.client.post(API + path, json=body, headers={**site.local(), **named})
    assert answer.status_code == status, answer.text
    return answer.json()


def get(site: ServedTest, path: str, **query: Any) -> Any:
    answer = site.client.get(API + path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def faces_of(site: ServedTest, person: str) -> list[str]:
    return [each["id"] for each in get(site, f"/people/{person}/faces")["faces"]]


def test_each_decision_is_that_of_the_editor(site: ServedTest, gallery: Gallery) -> None:
    named = post(site, "/people/p1/name", {"name": " Ada  Lovelace "})
    assert named["person"]["name"] == "Ada Lovelace"
    assert named["undo"]["text"] == "p1 named Ada Lovelace, with 3 faces"
    merged = post(site, "/people/p1/merge", {"others": ["p2"]})
    assert merged["person"]["faces"] == 6
    assert get(site, "/people/p2")["id"] == "p1"
    assert get(site, "/people/p1")["merged_from"] == ["p2"]
    faces = faces_of(site, "p1")
    split = post(site, "/people/p1/split", {"faces": faces[:2], "name": "Ben"})
    assert (split["person"]["name"], split["person"]["faces"]) == ("Ben", 2)
    rejected = post(site, "/people/p3/reject", {"faces": faces_of(site, "p3")[:1]})
    assert rejected["person"]["faces"] == 2
    nobody = [each["id"] for each in get(site, "/nobody/faces")["faces"]]
    assert len(nobody) == 1
    post(site, "/people/p4/add", {"faces": nobody})
    made = post(site, "/people", {"faces": [faces_of(site, "p4")[0]], "name": "Cid"}, 201)
    assert made["person"]["name"] == "Cid"
    post(site, "/people/p3/hide")
    assert "p3" not in {each["id"] for each in get(site, "/people")["people"]}
    assert [each["id"] for each in get(site, "/people", hidden="true")["people"]] == ["p3"]
    post(site, "/people/p3/unhide")
    editor = PeopleEditor(gallery)
    shown = {each["label"]: each["faces"] for each in get(site, "/people")["people"]}
    assert shown == {person.label: len(editor.now.faces(person.id)) for person in editor.now.people}
    history = get(site, "/history")["decisions"]
    assert [each["id"] for each in history] == [*range(len(history), 0, -1)]
    assert {each["by"] for each in history} == {"this machine"}


def test_undo_goes_back_step_by_step(site: ServedTest, gallery: Gallery) -> None:
    before = photos_of_people(gallery)
    post(site, "/people/p1/name", {"name": "Ada"})
    batch = post(site, "/people/p2/merge", {"others": ["p3", "p4"]})["undo"]["batch"]
    preview = get(site, "/undo")
    assert preview["batch"] == batch and len(preview["decisions"]) == 2
    moves = {(m["source"]["id"], m["target"]["id"]): m["faces"] for m in preview["moves"]}
    assert moves == {("p2", "p3"): 3, ("p2", "p4"): 3}
    wrong = post(site, "/undo", {"batch": 1}, 409)
    assert wrong["code"] == "changed"
    undone = post(site, "/undo", {"batch": batch})
    assert all(each["undone"] for each in undone["decisions"])
    post(site, "/undo", {})
    assert photos_of_people(gallery) == before
    assert post(site, "/undo", {}, 404)["code"] == "nothing-to-undo"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/people/p1/name", {"name": ""}, 422, "invalid"),
        ("/people/p1/name", {"name": "   "}, 409, "refused"),
        ("/people/p1/name", {"name": "p7"}, 409, "refused"),
        ("/people/p1/name", {"name": "A\u0000da"}, 409, "refused"),
        ("/people/p1/name", {"nome": "Ada"}, 422, "invalid"),
        ("/people/p1/name", [], 422, "invalid"),
        ("/people/p99/name", {"name": "Ada"}, 404, "no-such-person"),
        ("/people/Ada/name", {"name": "Ada"}, 422, "invalid"),
        ("/people/p1/merge", {"others": ["p1"]}, 409, "refused"),
        ("/people/p1/merge", {"others": []}, 422, "invalid"),
        ("/people/p1/merge", {"others": ["p98"]}, 404, "no-such-person"),
        ("/people/p1/split", {"faces": ["999"]}, 404, "no-such-face"),
        ("/people/p1/add", {"faces": ["-1"]}, 422, "invalid"),
        ("/people/p1/add", {"faces": ["9223372036854775808"]}, 422, "invalid"),
        ("/people/p1/add", {"faces": [True]}, 422, "invalid"),
        ("/people/p1/add", {"faces": [1.5]}, 422, "invalid"),
        ("/people/p1/unhide", None, 409, "refused"),
    ],
)
def test_mistakes_say_what_to_do(
    site: ServedTest, gallery: Gallery, *, path: str, body: Any, status: int, code: str
) -> None:
    problem = post(site, path, body, status)
    assert problem["code"] == code and problem["detail"]
    assert str(gallery.folder) not in str(problem)
    assert PeopleStore(gallery.folder).decisions() == []


def test_a_name_that_is_taken_says_whose_it_is(site: ServedTest) -> None:
    post(site, "/people/p1/name", {"name": "Ada"})
    problem = post(site, "/people/p2/name", {"name": "Ada"}, 409)
    assert (problem["code"], problem["person"]) == ("name-taken", "p1")
    made = post(site, "/people", {"faces": faces_of(site, "p3")[:1], "name": "Ada"}, 409)
    assert made["person"] == "p1"


def test_faces_of_others_are_not_split_off(site: ServedTest) -> None:
    for action in ("split", "reject"):
        problem = post(site, f"/people/p1/{action}", {"faces": faces_of(site, "p2")[:1]}, 409)
        assert problem["code"] == "changed"
    everything = post(site, "/people/p1/reject", {"faces": faces_of(site, "p1")}, 409)
    assert everything["code"] == "refused"


def test_the_same_request_is_entered_once(site: ServedTest, gallery: Gallery) -> None:
    key = {"Idempotency_Key": "one request"}
    first = post(site, "/people/p1/name", {"name": "Ada"}, **key)
    again = post(site, "/people/p1/name", {"name": "Ada"}, **key)
    assert again["decisions"] == first["decisions"] and again["person"] == first["person"]
    assert len(PeopleStore(gallery.folder).decisions()) == 1
    other = post(site, "/people/p2/name", {"name": "Ben"}, 422, **key)
    assert other["code"] == "invalid"
    undo_key = {"Idempotency_Key": "undo request"}
    post(site, "/people/p2/name", {"name": "Ben"})
    post(site, "/undo", {}, **undo_key)
    post(site, "/undo", {}, **undo_key)
    assert get(site, "/people/p1")["name"] == "Ada"
    assert post(site, "/people/p1/hide", None, 422, Idempotency_Key="short")["code"] == "invalid"


def test_a_request_is_known_after_a_restart(tmp_path: Path, gallery: Gallery) -> None:
    for _ in range(2):
        with served(open_service(tmp_path, gallery)) as site:
            post(site, "/people/p1/merge", {"others": ["p2"]}, Idempotency_Key="merge once")
    assert len(PeopleStore(gallery.folder).decisions()) == 1


def test_names_are_not_in_what_is_kept_of_requests(site: ServedTest, gallery: Gallery) -> None:
    post(site, "/people/p1/name", {"name": "Adalbert"}, Idempotency_Key="Adalbert once")
    PeopleStore(gallery.folder).forget_name("Adalbert")
    for path in (gallery.folder / "people.sqlite", site.service.database.path):
        assert b"Adalbert" not in path.read_bytes()


def test_many_at_once_with_one_key_are_one(site: ServedTest, gallery: Gallery) -> None:
    def name(_: int) -> int:
        headers = {**site.local(), "Idempotency-Key": "all at once"}
        body = {"name": "Ada"}
        return int(
            site.client.post(f"{API}/people/p1/name", json=body, headers=headers).status_code
        )

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(name, range(16))} == {200}
    assert len(PeopleStore(gallery.folder).decisions()) == 1


def test_many_at_once_are_all_entered(site: ServedTest, gallery: Gallery) -> None:
    def name(number: int) -> int:
        path = f"{API}/people/p{number}/name"
        body = {"name": f"Name {number}"}
        return int(site.client.post(path, json=body, headers=site.local()).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(name, range(1, 5))] == [200] * 4
    names = {each.name for each in PeopleStore(gallery.folder).decided().people.values()}
    assert names == {f"Name {number}" for number in range(1, 5)}


def test_who_has_seen_another_state_is_refused(site: ServedTest) -> None:
    seen = get(site, "")["version"]
    post(site, "/people/p1/name", {"name": "Ada"}, If_Match=f'"{seen}"')
    problem = post(site, "/people/p2/name", {"name": "Ben"}, 412, If_Match=f'"{seen}"')
    assert problem["code"] == "precondition"
    now = get(site, "")["version"]
    post(site, "/people/p2/name", {"name": "Ben"}, If_Match=f'W/"{now}"')


def test_the_ledger_says_who_decided(site: ServedTest, gallery: Gallery) -> None:
    site.service.accounts.add("ada", PASSWORD, "administer")
    token, _ = site.service.tokens.make("the archive", "decide", "ada", None)
    headers = {"Authorization": f"Bearer {token}"}
    body = {"name": "Ben"}
    answer = site.client.post(f"{API}/people/p1/name", json=body, headers=headers)
    assert answer.json()["decisions"][0]["by"] == "the archive"
    assert {each.name for each in PeopleStore(gallery.folder).authors().values()} == {"the archive"}


def test_the_history_of_a_person_is_what_was_decided_about_them(site: ServedTest) -> None:
    post(site, "/people/p2/name", {"name": "Ben"})
    post(site, "/people/p1/name", {"name": "Ada"})
    post(site, "/people/p3/hide")
    batch = post(site, "/people/p1/merge", {"others": ["p2"]})["undo"]["batch"]

    def actions(person: str) -> list[str]:
        found = get(site, "/history", person=person)
        assert found["total"] == len(found["decisions"])
        return [each["action"] for each in found["decisions"]]

    assert actions("p1") == actions("p2") == ["merge", "name", "name"]
    assert actions("p3") == ["hide"]
    post(site, "/undo", {"batch": batch})
    assert actions("p1") == ["undo", "merge", "name"]
    assert actions("p2") == ["undo", "merge", "name"]
    assert actions("p4") == []
    page = get(site, "/history", person="p1", limit=2)
    rest = get(site, "/history", person="p1", limit=2, cursor=page["next"])
    assert [each["action"] for each in page["decisions"] + rest["decisions"]] == actions("p1")


def test_names_are_completed_by_the_beginnings_of_words(site: ServedTest) -> None:
    post(site, "/people/p1/name", {"name": "Zoë van der Berg"})
    post(site, "/people/p2/name", {"name": "Ada Zola"})
    for text, found in (
        ("zo", {"p1", "p2"}),
        ("ZOE", {"p1"}),
        ("ber zoë", {"p1"}),
        ("an", set()),
        ("p2", {"p2"}),
        ("ada berg", set()),
    ):
        assert {each["id"] for each in get(site, "/people", q=text)["people"]} == found
    assert {each["id"] for each in get(site, "/people", named=True)["people"]} == {"p1", "p2"}
    assert get(site, "/people", order="recent")["people"][0]["id"] == "p2"


def test_a_cover_is_chosen_and_taken_back(site: ServedTest) -> None:
    faces = faces_of(site, "p1")
    usual = get(site, "/people/p1")["cover"]
    other = next(face for face in faces if face != usual["face"])
    path = f"{API}/people/p1/cover"
    chosen = site.client.put(path, json={"face": other}, headers=site.local()).json()
    assert chosen["person"]["cover"] == {"face": other, "chosen": True}
    listed = {each["id"]: each for each in get(site, "/people")["people"]}
    assert listed["p1"]["cover"]["face"] == other
    foreign = site.client.put(path, json={"face": faces_of(site, "p2")[0]}, headers=site.local())
    assert foreign.status_code == 409
    post(site, "/people/p1/reject", {"faces": [other]})
    assert get(site, "/people/p1")["cover"]["chosen"] is False
    post(site, "/undo", {})
    post(site, "/undo", {})
    assert get(site, "/people/p1")["cover"] == {"face": usual["face"], "chosen": False}


def test_what_is_no_face_is_shown_nowhere(site: ServedTest) -> None:
    face = faces_of(site, "p1")[0]
    photo = get(site, f"/faces/{face}")["photo"]["id"]
    said = post(site, "/faces/not-a-face", {"faces": [face]})
    assert said["person"] is None and "said to be none" in said["undo"]["text"]
    assert face not in faces_of(site, "p1")
    assert site.client.get(f"{API}/faces/{face}").status_code == 404
    assert get(site, f"/photos/{photo}")["faces"] == 0
    assert get(site, "/nobody/faces")["total"] == 0
    assert get(site, "")["faces"] == 11
    near = get(site, f"/faces/{faces_of(site, 'p1')[0]}/neighbours", k=50)["matches"]
    assert face not in {each["face"]["id"] for each in near}
    post(site, "/undo", {})
    assert face in faces_of(site, "p1")


def test_faces_are_confirmed(site: ServedTest) -> None:
    faces = faces_of(site, "p1")
    post(site, "/people/p1/confirm", {"faces": faces[:1]})
    assert [each["id"] for each in get(site, "/people/p1/faces", confirmed=True)["faces"]] == [
        faces[0]
    ]
    assert post(site, "/people/p1/confirm", {})["person"]["confirmed"] == 3
    assert post(site, "/people/p1/confirm", {}, 409)["code"] == "refused"


def suggestions(site: ServedTest, **query: Any) -> Any:
    """The suggestions, once they are made."""
    until = time.monotonic() + 240
    while (found := get(site, "/suggestions", **query))["computing"] or not found["total"]:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found["suggestions"]


def test_suggestions_are_answered_once(tmp_path: Path) -> None:
    """Each person in two clusters, as by too strict a threshold: they may be one."""
    gallery = halved_people_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        asked = suggestions(site, kind="same")
        pairs = {tuple(sorted(p["id"] for p in each["people"])) for each in asked}
        assert pairs == {("p1", "p2"), ("p3", "p4"), ("p5", "p6"), ("p7", "p8")}
        assert all(len(each["examples"]) == 2 for each in asked)
        by_pair = {tuple(sorted(p["id"] for p in each["people"])): each["id"] for each in asked}
        yes, no, later = (by_pair[pair] for pair in (("p1", "p2"), ("p3", "p4"), ("p5", "p6")))
        unseen = post(site, f"/suggestions/{yes}", {"answer": "not-a-face"}, 409)
        assert unseen["code"] == "refused" and len(faces_of(site, "p2")) == 3
        assert post(site, f"/suggestions/{yes}", {"answer": "yes"})["person"]["faces"] == 6
        apart = post(site, f"/suggestions/{no}", {"answer": "no"})
        assert "not the same" in apart["decisions"][0]["text"]
        post(site, f"/suggestions/{later}", {"answer": "later"})
        left = get(site, "/suggestions", kind="same")["suggestions"]
        assert [each["id"] for each in left] == [by_pair["p7", "p8"], later]
        assert [each["postponed"] for each in left] == [False, True]
        again = post(site, f"/suggestions/{yes}", {"answer": "yes"}, 404)
        assert again["code"] == "no-such-suggestion"
        assert post(site, f"/suggestions/{later}", {"answer": "perhaps"}, 422)["code"] == "invalid"


def test_a_drawn_face_is_a_face(site: ServedTest, gallery: Gallery) -> None:
    (photo,) = get(site, "/photos", people="p1", order="name")["photos"][:1]
    path = f"/photos/{photo['id']}/faces"
    before = get(site, f"/photos/{photo['id']}")
    ids = gallery.state().live_ids()
    vectors = gallery.vectors(ids)
    drawn = post(site, path, {"box": [0.0, 20.0, 16.0, 40.0], "name": "Ada"}, 201)
    assert drawn["face"]["label"] == "Ada" and drawn["face"]["confirmed"]
    assert drawn["face"]["box"] == [0.0, 20.0, 16.0, 40.0]
    after = get(site, f"/photos/{photo['id']}")
    assert after["faces"] == before["faces"] + 1
    state = gallery.state()
    assert {*state.live_ids().tolist()} == {*ids.tolist(), int(drawn["face"]["id"])}
    assert (gallery.vectors(ids) == vectors).all()
    crop = site.client.get(f"{API}/faces/{drawn['face']['id']}/crop")
    assert crop.status_code == 200
    twice = post(site, path, {"box": [1.0, 20.0, 16.0, 41.0]}, 409)
    assert drawn["face"]["id"] in twice["detail"]
    theirs = post(site, path, {"box": [20.0, 20.0, 40.0, 40.0], "person": "p2"}, 201)
    assert theirs["face"]["person"] == "p2"
    unnamed = post(site, path, {"box": [20.0, 0.0, 40.0, 15.0]}, 201)
    assert unnamed["face"]["person"] is None and unnamed["decision"] is None
    for box in ([0, 0, 2, 2], [30, 30, 10, 10], [100, 100, 200, 200]):
        assert post(site, path, {"box": box}, 409)["code"] == "refused"
    assert post(site, path, {"box": [0, 0, "Infinity", 9]}, 422)["code"] == "invalid"
