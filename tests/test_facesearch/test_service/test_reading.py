"""What is shown of a gallery: lists in pages, one by one, and pictures, against the gallery."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facesearch.curation.editor import PeopleEditor
from facesearch.embed import EmbedOptions, embed_photos
from facesearch.erasure.forget import PICTURES, Selection, forget
from facesearch.gallery.gallery import Gallery
from facesearch.service.views.served_gallery import ServedGallery
from support.fake_engine import FakeEngine, write_photo
from support.people_galleries import cluster, index
from support.serving.services import ServedTest, clustered_gallery, open_service, served

API = "/api/v1/galleries/my"


def dated(path: Path, taken_at: str) -> None:
    """Give a photo a time."""
    image = Image.open(path)
    exif = Image.Exif()
    exif[0x0132] = taken_at.replace("-", ":").replace("T", " ")
    image.save(path, exif=exif)


@pytest.fixture(scope="module")
def gallery(folder: Path) -> Gallery:
    """Four people with three photos each; together in two; folders, times, and a failed file."""
    photos = folder / "photos"
    gallery = clustered_gallery(folder)
    for number, people in enumerate(([1, 2], [1, 2, 3])):
        path = write_photo(photos / "trips" / "2019" / f"{number}.png", people, 500 + number)
        dated(path, f"2019-07-0{number + 1}T10:00:00")
    dated(write_photo(photos / "trips" / "later.png", [4], 600), "2021-01-05T08:00:00")
    write_photo(photos / "trips" / "nobody.png", [], 601)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    index(gallery, photos)
    cluster(gallery)
    return gallery


def get(site: ServedTest, path: str, **query: Any) -> Any:
    answer = site.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def pages(site: ServedTest, path: str, key: str, limit: int, **query: Any) -> list[Any]:
    """All items of a list, page after page."""
    items, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = get(site, path, limit=limit, **query, **more)
        assert len(page[key]) <= limit
        items += page[key]
        cursor = page["next"]
        if cursor is None:
            assert len(items) == page["total"]
            return items


def test_the_gallery_is_summed_up(site: ServedTest, gallery: Gallery) -> None:
    found = get(site, "")
    state = gallery.state()
    assert found["faces"] == state.face_count == 18
    assert (found["photos"], found["photos_failed"]) == (17, 1)
    assert found["photos_without_faces"] == 1
    assert (found["people"], found["people_named"], found["faces_of_nobody"]) == (4, 0, 0)
    assert found["roots"] == [str(gallery.folder.parent / "photos")]
    assert found["undo"] is None and found["outdated"] == ""


def test_people_are_those_of_the_editor(site: ServedTest, gallery: Gallery) -> None:
    editor = PeopleEditor(gallery)
    found = {each["id"]: each for each in pages(site, "/people", "people", 3)}
    assert {*found} == {person.key for person in editor.now.people}
    for person in editor.now.people:
        records = editor.records(person)
        assert found[person.key]["faces"] == len(records)
        assert found[person.key]["photos"] == len({each.photo.location for each in records})
        faces = pages(site, f"/people/{person.key}/faces", "faces", 2)
        assert [int(each["id"]) for each in faces] == [each.face_id for each in records]
        taken = sorted(each.taken_at for each in records if each.taken_at)
        assert found[person.key]["first_taken"] == (taken[0] if taken else None)
        assert found[person.key]["last_taken"] == (taken[-1] if taken else None)


@pytest.mark.parametrize("limit", [1, 2, 5, 500])
@pytest.mark.parametrize(
    ("path", "key", "query"),
    [
        ("/people", "people", {"order": "faces"}),
        ("/people", "people", {"order": "name"}),
        ("/people", "people", {"order": "recent"}),
        ("/photos", "photos", {"order": "time"}),
        ("/photos", "photos", {"order": "-time"}),
        ("/photos", "photos", {"order": "name"}),
        ("/people/p1/faces", "faces", {"order": "time"}),
        ("/people/p1/faces", "faces", {"order": "doubt"}),
        ("/people/p1/faces", "faces", {"order": "sureness"}),
    ],
)
def test_pages_are_the_whole_list(
    site: ServedTest, path: str, key: str, query: dict[str, str], limit: int
) -> None:
    assert pages(site, path, key, limit, **query) == pages(site, path, key, 100, **query)


@pytest.mark.parametrize(
    ("path", "key"),
    [("/people", "people"), ("/photos", "photos"), ("/people/p1/faces", "faces")],
)
def test_any_part_of_a_list_is_there_at_once(site: ServedTest, path: str, key: str) -> None:
    whole = pages(site, path, key, 100)
    for start in range(len(whole) + 2):
        page = get(site, path, limit=3, start=start)
        assert page[key] == whole[start : start + 3]
        assert page["total"] == len(whole)
        assert (page["next"] is None) == (start + 3 >= len(whole))
        if page["next"]:
            assert (
                get(site, path, limit=3, cursor=page["next"])[key] == whole[start + 3 : start + 6]
            )
    both = {"start": 1, "cursor": get(site, path, limit=1)["next"]}
    assert site.client.get(API + path, params=both).status_code == 409


def test_photos_come_in_the_order_of_time(site: ServedTest) -> None:
    names = [each["name"] for each in pages(site, "/photos", "photos", 4, order="time")]
    assert names[:3] == ["trips/2019/0.png", "trips/2019/1.png", "trips/later.png"]
    assert names[3:] == sorted(names[3:])
    latest = [each["name"] for each in pages(site, "/photos", "photos", 4)]
    assert latest == [names[2], names[1], names[0], *names[3:]]


def test_several_people_together(site: ServedTest) -> None:
    photos = get(site, "/photos", people="p1,p2", order="name")["photos"]
    assert [each["name"] for each in photos] == ["trips/2019/0.png", "trips/2019/1.png"]
    photos = get(site, "/photos", people="p3,p1,p2")["photos"]
    assert [each["name"] for each in photos] == ["trips/2019/1.png"]
    assert get(site, "/photos", people="p1,p4")["total"] == 0


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"month": "2019-07"}, {"trips/2019/0.png", "trips/2019/1.png"}),
        ({"from": "2019-07-02"}, {"trips/2019/1.png", "trips/later.png"}),
        ({"from": "2019", "to": "2019"}, {"trips/2019/0.png", "trips/2019/1.png"}),
        ({"to": "2019-07-01"}, {"trips/2019/0.png"}),
        ({"folder": "trips/2019"}, {"trips/2019/0.png", "trips/2019/1.png"}),
        (
            {"folder": "trips", "month": "undated"},
            {"trips/nobody.png"},
        ),
        ({"status": "faceless"}, {"trips/nobody.png"}),
        ({"status": "failed"}, {"broken.jpg"}),
        ({"status": "failed", "folder": "trips"}, set()),
    ],
)
def test_photos_are_filtered(site: ServedTest, query: dict[str, str], names: set[str]) -> None:
    assert {each["name"] for each in get(site, "/photos", **query)["photos"]} == names


def test_failed_files_have_their_reasons(site: ServedTest) -> None:
    (failed,) = get(site, "/photos", status="failed")["photos"]
    assert failed["id"] is None and failed["reason"] in ("corrupt", "truncated")
    assert failed["detail"]


def test_a_photo_has_its_faces(site: ServedTest) -> None:
    (photo,) = get(site, "/photos", people="p1,p2,p3")["photos"]
    found = get(site, f"/photos/{photo['id']}")
    assert found["faces"] == len(found["found"]) == 3
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (face["box"] for face in found["found"])]
    assert areas == sorted(areas, reverse=True)
    assert {face["person"] for face in found["found"]} == {"p1", "p2", "p3"}
    assert found["locations"] == [photo["name"]]


def test_time_and_folders(site: ServedTest) -> None:
    months = get(site, "/timeline")
    assert months["months"] == [
        {"month": "2019-07", "photos": 2, "faces": 5},
        {"month": "2021-01", "photos": 1, "faces": 1},
    ]
    assert months["undated"] == {"photos": 13, "faces": 12}
    one = get(site, "/timeline", person="p4")
    assert [each["month"] for each in one["months"]] == ["2021-01"]
    top = get(site, "/folders")
    assert top["photos"] == 12
    assert top["folders"] == [
        {"path": "trips", "name": "trips", "photos": 4, "faces": 6, "folders": 1}
    ]
    below = get(site, "/folders", under="trips", person="p1")
    assert [each["path"] for each in below["folders"]] == ["trips/2019"]
    assert site.client.get(f"{API}/folders", params={"under": "../.."}).status_code == 404


def test_who_resembles_whom(site: ServedTest, gallery: Gallery) -> None:
    near = get(site, "/people/p1/similar")["people"]
    assert {each["person"]["id"] for each in near} == {"p2", "p3", "p4"}
    distances = [each["distance"] for each in near]
    assert distances == sorted(distances)
    face = get(site, "/people/p2/faces")["faces"][0]["id"]
    who = get(site, f"/faces/{face}/candidates")["people"]
    assert who[0]["person"]["id"] == "p2"
    matches = get(site, f"/faces/{face}/neighbours", k=5)["matches"]
    assert len(matches) == 5 and face not in {each["face"]["id"] for each in matches}
    vectors = gallery.vectors(np.array([int(face), int(matches[0]["face"]["id"])]))
    expected = float(np.sum((vectors[0] - vectors[1]) ** 2))
    assert matches[0]["distance"] == pytest.approx(expected, abs=1e-3)


def test_unchanged_answers_are_not_sent_again(site: ServedTest) -> None:
    first = site.client.get(f"{API}/people")
    tag = first.headers["etag"]
    again = site.client.get(f"{API}/people", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = site.client.get(f"{API}/people?limit=1", headers={"If-None-Match": tag})
    assert other.status_code == 200


def test_pictures_show_the_photo(site: ServedTest, gallery: Gallery) -> None:
    face = get(site, "/people/p1/faces")["faces"][0]
    for size in (160, 320):
        crop = site.client.get(f"{API}/faces/{face['id']}/crop?size={size}")
        assert Image.open(io.BytesIO(crop.content)).size == (size, size)
        assert "immutable" in crop.headers["cache-control"]
        kept = site.client.get(f"{API}/faces/{face['id']}/crop?size={size}")
        assert kept.content == crop.content
    assert len([*(gallery.folder / PICTURES).glob("*/*.jpg")]) >= 2
    thumbnail = site.client.get(f"{API}/photos/{face['photo']['id']}/thumbnail?size=320")
    assert Image.open(io.BytesIO(thumbnail.content)).size == (48, 48)  # never enlarged
    original = site.client.get(f"{API}/photos/{face['photo']['id']}/original")
    assert original.headers["content-type"] == "image/png"
    path = gallery.folder.parent / "photos" / face["photo"]["name"]
    assert original.content == path.read_bytes()
    for query in ("crop?size=161", "crop?size=99999", "crop?size=-1"):
        assert site.client.get(f"{API}/faces/{face['id']}/{query}").status_code == 422


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/people/p77", "no-such-person"),
        ("/people/p77/faces", "no-such-person"),
        ("/faces/77", "no-such-face"),
        ("/faces/77/crop", "no-such-face"),
        ("/faces/77/candidates", "no-such-face"),
        ("/photos/7777", "no-such-photo"),
        ("/photos/7777/original", "no-such-photo"),
        ("/undo", "nothing-to-undo"),
        ("/people/../../etc", "no-such-gallery"),
        ("/report/index.html", "not-found"),
    ],
)
def test_what_is_not_there(site: ServedTest, path: str, code: str) -> None:
    answer = site.client.get(API + path)
    assert answer.status_code == 404 and answer.json()["code"] == code
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "cursor", ["x", "bm9uZQ", "W10", "WzEsMiwzLDQsNSw2LDdd", "e30", "WyJ4Iiwge31d", "[1]"]
)
@pytest.mark.parametrize("path", ["/people", "/photos", "/people/p1/faces", "/history"])
def test_foreign_cursors_are_refused(site: ServedTest, path: str, cursor: str) -> None:
    answer = site.client.get(API + path, params={"cursor": cursor})
    assert answer.status_code in (200, 409), answer.text
    if answer.status_code == 409:
        assert "cursor" in answer.json()["detail"]


def test_a_cursor_outlives_changes(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path, people=6, each=2)
    with served(open_service(tmp_path, gallery)) as site:
        first = get(site, "/people", limit=3)
        gone = first["people"][0]["id"]
        merged = site.client.post(
            f"{API}/people/{first['people'][1]['id']}/hide", headers=site.local()
        )
        assert merged.status_code == 200
        rest = get(site, "/people", limit=3, cursor=first["next"])
        shown = {each["id"] for each in first["people"] + rest["people"]}
        assert len(rest["people"]) == 3 and len(shown) == 6 and gone in shown


def test_a_photo_that_is_gone_or_changed_is_not_shown(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    photos = tmp_path / "photos"
    with served(open_service(tmp_path, gallery)) as site:
        ids = {each["name"]: each["id"] for each in get(site, "/photos")["photos"]}
        (photos / "1-0.png").unlink()
        write_photo(photos / "1-1.png", [9], 77)
        secret = tmp_path / "secret.png"
        write_photo(secret, [8], 78)
        (photos / "1-2.png").unlink()
        (photos / "1-2.png").symlink_to(secret)
        for name, codes in (("1-0.png", {"gone"}), ("1-1.png", {"gone"}), ("1-2.png", {"outside"})):
            for picture in ("thumbnail", "original"):
                answer = site.client.get(f"{API}/photos/{ids[name]}/{picture}")
                assert answer.json()["code"] in codes, (name, picture, answer.text)


def test_links_out_of_the_folders_are_not_followed(tmp_path: Path) -> None:
    outside = write_photo(tmp_path / "outside" / "a.png", [5], 1)
    photos = tmp_path / "photos"
    write_photo(photos / "b.png", [6], 2)
    (photos / "a.png").symlink_to(outside)
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    index(gallery, photos)
    with served(open_service(tmp_path, gallery)) as site:
        by_name = {each["name"]: each["id"] for each in get(site, "/photos")["photos"]}
        answer = site.client.get(f"{API}/photos/{by_name['a.png']}/original")
        assert (answer.status_code, answer.json()["code"]) == (403, "outside")
        assert str(tmp_path) not in answer.text
        assert site.client.get(f"{API}/photos/{by_name['b.png']}/original").status_code == 200


def test_pictures_of_forgotten_faces_are_removed(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        for face in get(site, "/people/p1/faces")["faces"]:
            assert site.client.get(f"{API}/faces/{face['id']}/crop").status_code == 200
        kept = gallery.folder / PICTURES
        assert any(kept.glob("*/*.jpg"))
        forget(gallery, Selection(ids=(int(face["id"]),)))
        assert not kept.exists()
        assert site.client.get(f"{API}/faces/{face['id']}/crop").status_code == 404


def test_roots_of_one_name_are_distinguished(tmp_path: Path) -> None:
    for number in range(3):
        name = "photos" if number < 2 else "more"
        write_photo(tmp_path / str(number) / name / "a.png", [number + 1], number)
    gallery = Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    roots = [tmp_path / "0" / "photos", tmp_path / "1" / "photos", tmp_path / "2" / "more"]
    engine: Any = FakeEngine()
    embed_photos(gallery, engine, roots, EmbedOptions(decoders=0, threads=1))
    with served(open_service(tmp_path, gallery)) as site:
        names = {each["name"] for each in get(site, "/photos")["photos"]}
        assert names == {"photos-1/a.png", "photos-2/a.png", "more/a.png"}


def test_what_others_do_is_seen(tmp_path: Path) -> None:
    gallery = clustered_gallery(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:
        before = get(site, "")
        editor = PeopleEditor(gallery)
        editor.name(editor.find("p1"), "Ada")
        after = get(site, "")
        assert after["people_named"] == 1 and after["version"] != before["version"]
        assert [each["id"] for each in get(site, "/people", q="ad")["people"]] == ["p1"]
        (entry,) = get(site, "/history")["decisions"]
        assert entry["by"] is None and entry["text"] == "p1 named Ada, with 3 faces"


def test_a_read_does_not_wait_for_a_refresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the next snapshot is being made, readers get the last one."""
    gallery = clustered_gallery(tmp_path)
    kept = ServedGallery("my", gallery.folder, lambda gallery: FakeEngine())  # type: ignore[arg-type, return-value]
    before = kept.snapshot()
    editor = PeopleEditor(gallery)
    editor.name(editor.find("p1"), "Ada")
    monkeypatch.setattr("facesearch.service.views.served_gallery._PATIENCE", 0.0)
    with kept._refreshing:
        assert kept.snapshot() is before
    assert kept.refresh().row_of_person[1].person.name == "Ada"
