"""What one page's search knows of the others, and that the crowd comes last in every list."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facesearch.album.model import Album
from facesearch.report import search_index as search_index_module
from facesearch.report import write_report
from facesearch.report.crops import Pictures
from facesearch.report.page import Page
from facesearch.report.pagination import AlbumPage, volumes_of
from facesearch.report.search_index import search_index
from facesearch.report.timeline import periods_of
from support.albums import album_of, draw_photo, face


def read(script: str) -> Any:
    """The value that the script sets."""
    begin, end = "var facesearchIndex = ", ";\n"
    assert script.startswith(begin) and script.endswith(end)
    return json.loads(script.removeprefix(begin).removesuffix(end))


def crowded(album: Album, *keys: str) -> Album:
    """``album``, of whose people those with ``keys`` stood in the crowd."""
    people = tuple(replace(each, crowd=each.key in keys) for each in album.people)
    return replace(album, people=people)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1, 8), st.integers(0, 20)), min_size=1, max_size=60),
    st.integers(1, 20),
)
def test_every_person_and_photo_of_every_page_is_in_it(
    raw: list[tuple[int, int]], most: int
) -> None:
    labels = np.unique([-1, *(label for label, _ in raw)], return_inverse=True)[1][1:] - 1
    faces = [face(n, Path(f"/p/{photo}.jpg")) for n, (_, photo) in enumerate(raw)]
    album = album_of(faces, labels.tolist(), {0: "Ada"})
    volumes = volumes_of(album, most)
    found = read(search_index(volumes, {n: f"crops/{n}.jpg" for n in range(len(raw))}))

    page_of = {person.key: volume.number for volume in volumes for person in volume.people}
    assert [each[1] for each in found["people"]] == [p.key for v in volumes for p in v.people]
    by_key = {person.key: person for person in album.people}
    for label, key, named, page, photos, crop in found["people"]:
        person = by_key[key]
        assert (label, named, page) == (person.label, person.name is not None, page_of[key])
        assert (photos, crop) == (person.photo_count, f"crops/{person.cover.face_id}.jpg")

    expected: dict[str, set[str | int]] = {}
    for person in album.people:
        for each in person.faces:
            expected.setdefault(each.name, set()).add(person.key)
    for volume in volumes:
        for each in volume.noise:
            expected.setdefault(each.name, set()).add(-volume.number)
    keys = [each[1] for each in found["people"]]
    assert {
        name: {place if place < 0 else keys[place] for place in places}
        for name, *places in found["photos"]
    } == expected


def test_the_index_of_five_thousand_people_is_small() -> None:
    """Some 150 bytes a person with their photos, most of it the names of files and crops."""
    faces = [face(n, Path(f"/p/IMG_{n // 2:05}.jpg")) for n in range(20_000)]
    labels = [n % 5000 for n in range(20_000)]
    album = album_of(faces, labels, {n: f"Alexandra Papadopoulou {n}" for n in range(0, 5000, 2)})
    crops = {n: f"crops/{n:032x}.jpg" for n in range(20_000)}
    script = search_index(volumes_of(album, 5000), crops)
    assert len(script.encode()) < 1_500_000
    assert len(read(script)["people"]) == 5000


def test_too_many_photos_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    album = album_of([face(n, Path(f"/p/{n}.jpg")) for n in range(4)], [0, 0, 1, 1])
    monkeypatch.setattr(search_index_module, "MOST_PHOTOS", 4)
    assert len(read(search_index(volumes_of(album, 2), {}))["photos"]) == 4
    monkeypatch.setattr(search_index_module, "MOST_PHOTOS", 3)
    found = read(search_index(volumes_of(album, 2), {}))
    assert found["photos"] is None and len(found["people"]) == 2


def test_names_are_data_and_nothing_else() -> None:
    nasty = '__proto__"};alert(1);//</script>\u2028'
    album = album_of([face(0, Path("/p/0.jpg"), name=nasty)], [0], {0: nasty})
    found = read(search_index(volumes_of(album, 1), {}))
    assert found["people"][0][0] == album.people[0].label
    assert found["photos"] == [[album.people[0].faces[0].name, 0]]


def test_only_albums_of_several_pages_have_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "photos" / "a.jpg"
    draw_photo(photo, [(100, 80, 180, 180)])
    album = album_of([face(0, photo), face(1, photo)], [0, 1])
    report = tmp_path / "report"
    with monkeypatch.context() as patched:
        patched.setattr("facesearch.report.page.PAGE_FACES", 1)
        text = write_report(album, report, workers=0).read_text("utf-8")
    assert "'strict-dynamic'" in text.replace("&#39;", "'")
    assert len(read((report / "search-index.js").read_text("utf-8"))["people"]) == 2
    text = write_report(album, report, workers=0).read_text("utf-8")
    assert "strict-dynamic" not in text and "elsewhere-title" not in text
    assert not (report / "search-index.js").exists()


def test_the_crowd_comes_after_people_whom_the_owner_knows(tmp_path: Path) -> None:
    """In the sections, on the pages, in the first row and in each month."""
    labels = [0] * 5 + [1] * 4 + [2] * 3 + [3] * 2 + [4]
    faces = [
        face(n, Path(f"/p/{n}.jpg"), taken_at="2024-06-01T10:00:00") for n in range(len(labels))
    ]
    album = crowded(album_of(faces, labels, {3: "Ada"}), "person-1", "person-3")
    ordered = ["person-4", "person-2", "person-1", "person-3", "person-5"]

    def keys(volumes: list[AlbumPage]) -> list[str]:
        return [person.key for volume in volumes for person in volume.people]

    assert keys(volumes_of(album, 100)) == ordered
    assert keys(volumes_of(album, 5)) == ordered
    page = Page(album, Pictures(), tmp_path)
    assert [view.person.key for view in page.unnamed] == ["person-2", "person-1", "person-3"]
    front = [view.person.key for view in page.front]
    assert front == ["person-2", "person-4", "person-5", "person-1", "person-3"]
    (june,) = periods_of(album.people)
    assert [each.person.key for each in june.people] == front
