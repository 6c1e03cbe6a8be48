"""Lists of faces are sorted once for each state, and a walk through pages misses nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facesearch.curation.editor import PeopleEditor
from facesearch.erasure.forget import Selection, forget
from facesearch.gallery.gallery import Gallery
from facesearch.service.routes import photos as photo_routes
from facesearch.service.views import face_orders
from facesearch.service.views.kept_orders import KeptOrders
from facesearch.service.views.paging import WantedPage, page_of
from support.fake_engine import write_photo
from support.people_galleries import index
from support.serving.services import ServedTest, clustered_gallery, open_service, served

API = "/api/v1/galleries/my"


@given(
    st.lists(st.integers(0, 6), max_size=40),
    st.integers(1, 30),
    st.integers(1, 4),
)
def test_what_is_kept_is_what_was_made(names: list[int], most_rows: int, most_lists: int) -> None:
    orders, made = KeptOrders(most_rows, most_lists), list[int]()

    def make(name: int) -> Any:
        made.append(name)
        return np.arange(name, 3 * name)

    recent: list[int] = []  # the plain model: names, the last one used at the end
    for name in names:
        is_kept = name in recent
        before = len(made)
        assert orders.rows(name, lambda: make(name)).tolist() == [*range(name, 3 * name)]  # noqa: B023
        assert (len(made) == before) == is_kept
        recent = [*(each for each in recent if each != name), name]
        while len(recent) > 1 and (
            sum(2 * each for each in recent) > most_rows or len(recent) > most_lists
        ):
            recent.pop(0)


@given(
    st.lists(st.integers(-50, 50), unique=True, max_size=30), st.integers(1, 7), st.integers(0, 40)
)
def test_pages_of_rows_are_those_of_a_list(rows: list[int], limit: int, start: int) -> None:
    rows.sort()
    view = memoryview(np.array(rows, np.int64))
    for wanted in (WantedPage(limit), WantedPage(limit, start=start)):
        page = page_of(view, lambda row: (row,), wanted)
        assert page == page_of(rows, lambda row: (row,), wanted)
        assert all(type(row) is int for row in page.items)
    collected, cursor = [], None
    while True:
        page = page_of(view, lambda row: (row,), WantedPage(limit, cursor))
        collected += page.items
        cursor = page.following
        if cursor is None:
            break
    assert collected == rows


def crowd(folder: Path, people: int = 40) -> Gallery:
    """Four people with three faces each, and beside them ``people`` whom nobody grouped yet."""
    gallery = clustered_gallery(folder)
    for number in range(people):
        write_photo(
            folder / "photos" / f"new-{number:02d}.png",
            [20 + number],
            900 + number,
            quality=1 - (number * 7 % 11) / 255,  # several of one quality
        )
    index(gallery, folder / "photos")
    return gallery


def get(site: ServedTest, path: str, **query: Any) -> Any:
    answer = site.client.get(f"{API}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


class Counter:
    """Counts the calls of a function of a module."""

    def __init__(self, patch: pytest.MonkeyPatch, module: Any, name: str) -> None:
        self.calls = 0
        self._function = getattr(module, name)
        patch.setattr(module, name, self)

    def __call__(self, *arguments: Any) -> Any:
        self.calls += 1
        return self._function(*arguments)


def test_faces_are_sorted_once_for_each_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = crowd(tmp_path)
    sorting = Counter(monkeypatch, face_orders, "_sorted")
    with served(open_service(tmp_path, gallery)) as site:
        for order, total in (("quality", 1), ("time", 2), ("quality", 2)):
            for start in range(0, 40, 8):
                get(site, "/nobody/faces", order=order, limit=8, start=start)
            assert sorting.calls == total
        for _ in range(3):
            get(site, "/people/p1/faces", order="doubt")
            get(site, "/people/p1/faces", order="doubt", confirmed=False)
        assert sorting.calls == 4
        PeopleEditor(gallery).hide(PeopleEditor(gallery).find("p4"))
        site.service.galleries[0].refresh()
        for start in range(0, 40, 8):
            get(site, "/nobody/faces", limit=8, start=start)
        assert sorting.calls == 5


def test_photos_are_sorted_once_for_each_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = crowd(tmp_path)
    ranking = Counter(monkeypatch, photo_routes, "_in_order")
    with served(open_service(tmp_path, gallery)) as site:
        for _ in range(3):
            get(site, "/photos", limit=5, start=10)
        assert ranking.calls == 1
        for query in ({"order": "name"}, {"nobody": True}, {"people": "p1"}, {"people": "p2"}):
            first = get(site, "/photos", limit=2, **query)
            assert get(site, "/photos", limit=2, **query) == first
        assert ranking.calls == 5


@pytest.mark.parametrize("order", ["quality", "time"])
@pytest.mark.parametrize("seed", range(3))
def test_a_walk_misses_nothing_while_faces_come_and_go(
    tmp_path: Path, order: str, seed: int
) -> None:
    """Faces that are nobody's all the while are each seen once, in order; others at most once."""
    draw = random.Random(seed)
    gallery = crowd(tmp_path)
    with served(open_service(tmp_path, gallery)) as site:

        def nobodys() -> set[str]:
            return {each["id"] for each in get(site, "/nobody/faces", limit=500)["faces"]}

        always = nobodys()
        assert len(always) == 40
        seen: list[dict[str, Any]] = []
        cursor, number = None, 0
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = get(site, "/nobody/faces", limit=4, order=order, **more)
            seen += page["faces"]
            cursor = page["next"]
            if cursor is None:
                break
            number += 1
            some = draw.sample(sorted(nobodys(), key=int), 2)
            change(gallery, draw.randrange(4), list(map(int, some)), number)
            site.service.galleries[0].refresh()
            always &= nobodys()
        shown = [each["id"] for each in seen]
        assert len(shown) == len(set(shown))
        assert always <= set(shown) and len(always) < 40
        keys = [
            (each["photo"]["taken_at"] or "", each["photo"]["name"], int(each["id"]))
            if order == "time"
            else (-each["quality"], int(each["id"]))
            for each in seen
        ]
        assert keys == sorted(keys)


def change(gallery: Gallery, what: int, faces: list[int], number: int) -> None:
    """Give faces to somebody, say that they are none, delete them, or find new ones."""
    editor = PeopleEditor(gallery)
    if what == 0:
        editor.add(editor.find("p1"), faces)
    elif what == 1:
        editor.not_faces(faces)
    elif what == 2:
        forget(gallery, Selection(ids=tuple(faces)))
    else:
        folder = gallery.folder.parent / "photos"
        for place in range(2):
            name = f"late-{number:02d}-{place}.png"
            write_photo(folder / name, [100 + 2 * number + place], 2000 + 2 * number + place)
        index(gallery, folder)
