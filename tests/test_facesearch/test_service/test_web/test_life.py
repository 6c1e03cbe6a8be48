"""The life of an album in the browser, by clicks and keys: each step is asked of the database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.gallery.gallery import Gallery
from support.fake_engine import FakeEngine, write_photo
from support.pages.album_user import AlbumUser
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.serving.services import listening, open_service

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(1800)]

NAMES = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jule"]
PEOPLE, EACH = 12, 4


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Photos of twelve people, and a gallery that has none of them yet."""
    for person in range(1, PEOPLE + 1):
        for number in range(EACH):
            photo = tmp_path / "photos" / f"{person:02d}-{number}.png"
            write_photo(photo, [person], 10 * person + number)
    Gallery.create(tmp_path / "my.gallery", FakeEngine().contract)
    return tmp_path


def test_the_life_of_an_album(browser: Any, folder: Path) -> None:
    gallery = Gallery.open(folder / "my.gallery")
    with (
        listening(open_service(folder, gallery)) as address,
        WatchedPages(browser, address) as pages,
    ):
        user = AlbumUser(pages.open(), gallery.folder)
        index_and_cluster(user, folder)
        name_ten(user)
        merge_two(user)
        reject_one(user)
        split_by_keys(user)
        choose_a_cover(user)
        hide_and_show(user)
        draw_a_face(user)
        find_together(user)
        say_that_it_is_no_face(user)
        cluster_again(user)
        forget_a_person(user)


def index_and_cluster(user: AlbumUser, folder: Path) -> None:
    page = user.page
    page.get_by_role("link", name="Find faces in photos").click()
    page.get_by_label("Photos of another folder").fill(str(folder / "photos"))
    user.job("Find faces there")
    user.job("Group faces into people")
    expected = [{f"{person:02d}-{number}.png" for number in range(EACH)} for person in range(1, 13)]
    assert sorted(user.people.values(), key=min) == expected


def name_ten(user: AlbumUser) -> None:
    """Names are typed one after the other: a key begins, Enter goes on to the next person."""
    page = user.page
    user.go("People")
    user.tile("p1").wait_for()
    page.keyboard.press("n")
    for name in NAMES:
        page.keyboard.type(name)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    user.expect(f"named {NAMES[-1]}")
    user.tile(NAMES[-1]).wait_for()
    assert user.names == {*NAMES}
    assert all(len(user.people[name]) == EACH for name in NAMES)


def merge_two(user: AlbumUser) -> None:
    """One by dragging, taken back; then the same by the menu of the person."""
    page = user.page
    nameless = next(label for label in user.people if label not in NAMES)
    photos = user.people[nameless]
    user.tile(nameless).drag_to(user.tile("Ada"))
    user.expect("merged into Ada")
    assert photos < user.people["Ada"]
    page.keyboard.press("u")
    user.expect_undone("merged into Ada")
    user.tile(nameless).wait_for()
    assert user.people[nameless] == photos

    user.tile(nameless).click()
    page.get_by_role("button", name=f"More about {nameless}").click()
    page.get_by_role("menuitem", name="Merge with…").click()
    page.get_by_role("dialog").wait_for()
    page.keyboard.type("ad")
    page.get_by_role("option", name="Ada").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Ada").wait_for()
    assert photos < user.people["Ada"]
    assert nameless not in user.people


def reject_one(user: AlbumUser) -> None:
    """An undo brings the face back; the second time it stays out."""
    page = user.page
    user.go("People")
    user.tile("Ben").click()
    page.get_by_role("heading", name="Ben").wait_for()
    before = user.people["Ben"]
    photo = min(before)
    for step in ("taken back", "kept"):
        page.get_by_role("button", name=f"Select the face in {photo}").click()
        page.get_by_role("button", name="Not Ben").click()
        user.expect("removed from Ben")
        assert user.people["Ben"] == before - {photo}
        if step == "taken back":
            page.locator(".toasts").get_by_role("button", name="Undo", exact=True).click()
            user.expect_undone("removed from Ben")
            assert user.people["Ben"] == before


def split_by_keys(user: AlbumUser) -> None:
    """Two of Emil's faces become a new person, who gets a name; no click after the first."""
    page = user.page
    user.go("People")
    user.tile("Emil").click()
    page.get_by_role("heading", name="Emil").wait_for()
    before = user.people["Emil"]
    page.get_by_role("list", name="Faces of Emil").get_by_role("link").first.focus()
    for key in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_text("2 faces selected").wait_for()
    page.keyboard.press("s")
    page.get_by_role("heading", name=re.compile(r"^p\d+$")).wait_for()
    assert len(user.people["Emil"]) == len(before) - 2
    page.keyboard.press("n")
    page.keyboard.type("Emma")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Emma").wait_for()
    people = user.people
    assert people["Emma"] | people["Emil"] == before
    assert len(people["Emma"]) == 2


def draw_a_face(user: AlbumUser) -> None:
    """On a photo of Cleo: a box by the mouse, then whose face it is."""
    page = user.page
    user.go("People")
    user.tile("Cleo").click()
    page.get_by_role("heading", name="Cleo").wait_for()
    photo = min(user.people["Cleo"])
    page.get_by_role("link", name=re.compile(f"^{photo}")).click()
    page.get_by_role("button", name="Draw a face").click()
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Add this face").click()
    page.get_by_role("region", name="Face of nobody").wait_for()
    page.get_by_role("combobox", name="Name").fill("Dora")
    page.get_by_role("option", name="Dora").click()
    page.get_by_role("region", name="Face of Dora").wait_for()
    page.get_by_role("button", name="Face of Dora").wait_for()
    assert photo in user.people["Dora"]
    assert photo in user.people["Cleo"]


def choose_a_cover(user: AlbumUser) -> None:
    """A face of Gus stands for him, on his page and among the people."""
    page = user.page
    user.go("People")
    user.tile("Gus").click()
    page.get_by_role("heading", name="Gus").wait_for()
    link = page.get_by_role("list", name="Faces of Gus").get_by_role("link").nth(EACH - 1)
    face = re.search(r"face=(\d+)", link.get_attribute("href") or "")
    assert face is not None
    assert user.cover("Gus") is None
    link.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Use as cover").click()
    user.expect("another face shows Gus")
    page.locator(f".cover img[src*='/faces/{face[1]}/']").wait_for()
    assert user.cover("Gus") == int(face[1])
    user.go("People")
    user.tile("Gus").locator(f"img[src*='/faces/{face[1]}/']").wait_for()


def hide_and_show(user: AlbumUser) -> None:
    """Hidden by a key in the grid, shown again among the hidden."""
    page = user.page
    user.go("People")
    user.tile("Ivo").focus()
    page.keyboard.press("h")
    user.tile("Ivo").wait_for(state="detached")
    assert user.hidden == {"Ivo"}
    page.get_by_role("link", name="Hidden").click()
    user.tile("Ivo").click()
    page.get_by_role("button", name="More about Ivo").click()
    page.get_by_role("menuitem", name="Show again").click()
    user.expect("shown again")
    assert user.hidden == set()
    user.go("People")
    user.tile("Ivo").wait_for()


def find_together(user: AlbumUser) -> None:
    """The photo on which a face was drawn shows two people."""
    page = user.page
    user.go("People")
    page.get_by_role("searchbox").fill("cleo and dora")
    page.get_by_text("Cleo and Dora are together in 1 photo.").wait_for()
    both = user.people["Cleo"] & user.people["Dora"]
    page.get_by_role("link", name=re.compile(f"^{re.escape(min(both))}, 2 faces")).wait_for()
    page.get_by_role("searchbox").fill("")
    user.tile("Cleo").wait_for()


def say_that_it_is_no_face(user: AlbumUser) -> None:
    """One of Fay's faces goes; the history says so, and takes it back."""
    page = user.page
    user.go("People")
    user.tile("Fay").click()
    page.get_by_role("heading", name="Fay").wait_for()
    before = user.people["Fay"]
    photo = min(before)
    page.get_by_role("button", name=f"Select the face in {photo}").click()
    page.get_by_role("button", name="Not a face").click()
    user.expect("1 face said to be none")
    assert user.people["Fay"] == before - {photo}
    user.more("History")
    entry = page.get_by_role("listitem").filter(has_text="1 face said to be none").first
    entry.get_by_role("button", name="Undo").click()
    user.expect_undone("1 face said to be none")
    assert user.people["Fay"] == before
    entry.get_by_text("undone").wait_for()


def cluster_again(user: AlbumUser) -> None:
    """Decisions are kept."""
    before = user.people
    user.more("Jobs")
    user.job("Group faces into people")
    after = user.people
    assert {name: after[name] for name in NAMES} == {name: before[name] for name in NAMES}


def forget_a_person(user: AlbumUser) -> None:
    page = user.page
    photos = user.people["Jule"]
    user.go("People")
    user.tile("Jule").click()
    page.get_by_role("button", name="More about Jule").click()
    page.get_by_role("menuitem", name="Forget…").click()
    dialog = page.get_by_role("dialog", name="Forget Jule")
    dialog.get_by_text(f"{EACH} faces: where each is").wait_for()
    forget = dialog.get_by_role("button", name="Forget Jule")
    assert forget.is_disabled()
    dialog.get_by_label("I want to delete this").check()
    forget.click()
    user.more("Jobs")
    page.locator('.job[data-state="done"]', has_text="Forget").wait_for()
    user.go("People")
    user.tile("Hana").wait_for()
    user.tile("Jule").wait_for(state="detached")
    assert "Jule" not in user.people
    assert not photos & set().union(*user.people.values())
