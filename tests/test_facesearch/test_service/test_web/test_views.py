"""Every view of the web application: readable for all (axe-core), bounded, safe, and by keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from facesearch.curation.editor import PeopleEditor
from facesearch.gallery.gallery import Gallery
from support.pages.answers import person_of
from support.pages.browser import DESKTOP, PHONE, WatchedPages, chromium, needs_browser
from support.people_galleries import index
from support.serving.services import PASSWORD, clustered_gallery, listening, open_service

pytestmark = [needs_browser, pytest.mark.timeout(1800)]

HOSTILE = '<img src=x onerror="document.title=1">'
VIEWS = {
    "people": "",
    "person": "person/p1",
    "the doubtful": "person/p1?order=doubt",
    "together": "people?q=Ada and Ben",
    "nobody": "nobody",
    "same person": "suggestions",
    "photo": "photo/PHOTO",
    "face": "photo/PHOTO?face=FACE",
    "photos": "photos?people=p1",
    "search": "search",
    "timeline": "timeline",
    "folders": "folders",
    "unread": "unread",
    "jobs": "jobs",
    "history": "history",
    "settings": "settings",
    "accounts": "accounts",
    "history of a person": "history?person=p1",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of people with names, one of them hostile, with decisions and a damaged file."""
    folder = tmp_path_factory.mktemp("web")
    gallery = clustered_gallery(folder)
    (folder / "photos" / "damaged.jpg").write_bytes(b"\xff\xd8\xff nothing")
    index(gallery, folder / "photos")
    for number, name in enumerate(("Ada", "Ben", HOSTILE), start=1):
        editor = PeopleEditor(gallery)
        editor.name(editor.find(f"p{number}"), name)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with listening(open_service(folder, Gallery.open(folder / "my.gallery"))) as address:
        yield address


@pytest.fixture
def pages(browser: Any, address: str) -> Iterator[WatchedPages]:
    with WatchedPages(browser, address) as pages:
        yield pages


def place_of(folder: Path, view: str) -> str:
    """The address of a view, with the ids that this gallery has."""
    gallery = Gallery.open(folder / "my.gallery")
    editor = PeopleEditor(gallery)
    record = editor.records(editor.find("Ada"))[0]
    place = VIEWS[view].replace("PHOTO", str(record.photo.photo_id))
    return "#/g/my/" + place.replace("FACE", str(record.face_id))


def settle(page: Any) -> None:
    """Wait until the view is there: nothing is loading."""
    page.locator("#main").wait_for()
    page.locator(".loading").first.wait_for(state="detached")
    page.locator("h1").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_axe_finds_no_violation(
    pages: WatchedPages, folder: Path, scheme: str, size: dict[str, int]
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="needs: pip install axe-playwright-python"
    ).Axe()
    page = pages.open(color_scheme=scheme, viewport=size)
    found = {}

    def check(name: str) -> None:
        settle(page)
        for violation in axe.run(page).response["violations"]:
            nodes = [node["html"][:120] for node in violation["nodes"]]
            found[f"{name}: {violation['id']}"] = nodes

    def visit(view: str) -> None:
        page.goto(page.url.partition("#")[0] + place_of(folder, view))

    for view in VIEWS:
        visit(view)
        check(view)
        width = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert width <= 0, f"{view} is wider than the screen"
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    check("keys")
    page.keyboard.press("Escape")
    visit("face")
    page.get_by_role("region", name="Face of Ada").wait_for()
    page.keyboard.press("d")
    page.get_by_role("application").wait_for()
    check("drawing")
    visit("person")
    page.get_by_role("list", name="Faces of Ada").get_by_role("link").first.focus()
    page.keyboard.press("Space")
    page.get_by_text("1 face selected").wait_for()
    check("selection")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="More about Ada").click()
    check("menu")
    page.get_by_role("menuitem", name="Forget…").click()
    page.get_by_text("faces: where each is").wait_for()
    check("forget")
    page.keyboard.press("Escape")
    with cards(page, 2):
        page.goto(page.url.partition("#")[0] + "#/g/my/suggestions?kind=doubt")
        page.goto(page.url.partition("#")[0] + "#/g/my/suggestions")
        page.get_by_role("button", name="Yes, one person").wait_for()
        check("card")
    assert found == {}


def test_names_are_text_and_never_markup(pages: WatchedPages) -> None:
    page = pages.open()
    page.get_by_text(HOSTILE, exact=True).first.wait_for()
    page.get_by_role("link", name=re.compile("^<img src=x")).click()
    page.get_by_role("heading", name=HOSTILE).wait_for()
    assert page.locator("img[src='x']").count() == 0


def card(number: int) -> dict[str, Any]:
    pair = [person_of(number), person_of(number + 1) | {"faces": 1}]
    return {
        "id": f"same-p{number}-p{number + 1}", "kind": "same", "people": pair, "faces": [],
        "probability": 0.8, "distance": 0.5, "gain": 1.0, "examples": [[], []],
    }  # fmt: skip


@contextmanager
def cards(page: Any, count: int) -> Iterator[list[tuple[str, str]]]:
    """Cards in place of the service's; yields what was answered."""
    waiting = {each["id"]: each for each in map(card, range(1, 2 * count, 2))}
    answers: list[tuple[str, str]] = []

    def answer(route: Any) -> None:
        if route.request.method == "POST":
            key = route.request.url.rpartition("/")[2]
            answers.append((key, json.loads(route.request.post_data)["answer"]))
            waiting.pop(key)
            result = {"version": "2", "person": None, "decisions": [], "superseded": []}
            route.fulfill(json={**result, "notes": [], "undo": None})
        else:
            shown = {"suggestions": [*waiting.values()], "next": None, "total": len(waiting)}
            route.fulfill(json={**shown, "stale": False, "computing": False})

    page.route(re.compile("/galleries/my/suggestions"), answer)
    yield answers


def test_cards_are_answered_by_one_key_each(pages: WatchedPages) -> None:
    page = pages.open("#/g/my/search")
    with cards(page, 4) as answers:
        page.get_by_role("link", name="Same person?").click()
        for number, key in zip((1, 3, 5, 7), "ynlx", strict=True):
            page.get_by_role("link", name=f"p{number} ").wait_for()
            page.keyboard.press(key)
        page.get_by_text("Nothing to ask").wait_for()
    expected = ["yes", "no", "later", "not-a-face"]
    assert [answer for _, answer in answers] == expected
    assert [key for key, _ in answers] == [
        f"same-p{number}-p{number + 1}" for number in (1, 3, 5, 7)
    ]


def test_a_card_that_was_put_off_is_not_under_the_next_key(pages: WatchedPages) -> None:
    """It comes back after the others, also while the page has only the list of before."""
    page = pages.open("#/g/my/search")

    listed, held = re.compile(r"/galleries/my/suggestions\?"), list[Any]()

    def hold(route: Any) -> None:  # Playwright marks what it calls, and takes no method of a list
        held.append(route)

    with cards(page, 2) as answers:
        page.get_by_role("link", name="Same person?").click()
        page.get_by_role("link", name="p1 ").wait_for()
        page.route(listed, hold)
        page.keyboard.press("l")
        while not held:  # what was answered is known to the page, and the next list is on its way
            page.wait_for_timeout(10)
        page.get_by_role("link", name="p3 ").wait_for()
        page.keyboard.press("y")
        page.get_by_role("link", name="p1 ").wait_for()
        assert answers == [("same-p1-p2", "later"), ("same-p3-p4", "yes")]
        page.unroute(listed)
        for route in held:
            route.fallback()
        page.get_by_text("Nothing to ask").wait_for()


def test_search_by_a_dropped_photo(pages: WatchedPages, folder: Path) -> None:
    page = pages.open("#/g/my/search")
    page.get_by_label("Photo to search with").set_input_files(folder / "photos" / "2-0.png")
    page.get_by_text("1 face found in the photo.").wait_for()
    page.get_by_role("heading", name="This is Ben.").wait_for()
    page.get_by_role("link", name="All photos of Ben").click()
    page.get_by_role("heading", name="Ben").wait_for()


@pytest.mark.parametrize("kind", ["image/png", ""])
def test_a_photo_dropped_anywhere_is_searched_with(
    pages: WatchedPages, folder: Path, kind: str
) -> None:
    page = pages.open()
    page.get_by_role("link", name=re.compile("^Ada, ")).wait_for()
    data = (folder / "photos" / "1-0.png").read_bytes()
    page.evaluate(
        """([bytes, type]) => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(bytes)], "a.png", { type }));
          document.body.dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }),
          );
        }""",
        [[*data], kind],
    )
    page.get_by_role("heading", name="This is Ada.").wait_for()


def test_people_together_are_found_by_their_names(pages: WatchedPages) -> None:
    page = pages.open()
    page.get_by_role("searchbox").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("ada and be")
    page.get_by_text("Ada and Ben are in no photo together.").wait_for()
    page.get_by_role("searchbox").fill("ada and zoe")
    page.get_by_text("Nobody is called zoe.").wait_for()


def test_photos_of_a_list_are_walked_through(pages: WatchedPages) -> None:
    page = pages.open("#/g/my/photos?people=p1")
    photos = page.get_by_role("list", name="Photos").get_by_role("link")
    photos.first.wait_for()
    names = [name.partition(",")[0] for name in photos.evaluate_all(
        "all => all.map((each) => each.ariaLabel)"
    )]  # fmt: skip
    assert len(names) == 3
    photos.first.click()
    walk = page.get_by_role("navigation", name="Other photos of the list")
    for place, name in enumerate(names, start=1):
        page.get_by_role("heading", name=name, exact=True).wait_for()
        walk.get_by_text(f"{place} of 3").wait_for()
        assert walk.get_by_role("link", name="Previous photo").count() == (place > 1)
        assert walk.get_by_role("link", name="Next photo").count() == (place < 3)
        if place == 1:
            walk.get_by_role("link", name="Next photo").click()
        else:
            page.keyboard.press("n")
    page.keyboard.press("p")
    walk.get_by_text("2 of 3").wait_for()
    # A face is chosen, and the place in the list stays.
    page.keyboard.press("ArrowRight")
    page.get_by_role("region", name="Face of Ada").wait_for()
    walk.get_by_text("2 of 3").wait_for()


def test_the_theme_is_kept(pages: WatchedPages) -> None:
    page = pages.open("#/g/my/settings", color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    button = page.get_by_role("button", name="Change the colours")
    button.click()
    page.get_by_text("Colours: light.").wait_for()
    assert page.evaluate(paper) == light
    button.click()
    page.get_by_text("Colours: dark.").wait_for()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    page.get_by_text("Colours: dark.").wait_for()
    assert page.evaluate(paper) == dark


def test_who_may_only_look_logs_in_and_decides_nothing(browser: Any, tmp_path: Path) -> None:
    service = open_service(tmp_path, clustered_gallery(tmp_path))
    service.accounts.add("eve", PASSWORD, "view")
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        page.get_by_label("Name").fill("eve")
        page.get_by_label("Password").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").get_by_text(re.compile(".+")).wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="p1, 3 photos").wait_for()
        assert page.get_by_role("button", name=re.compile("^(Name|Undo|Nothing)")).count() == 0
        page.keyboard.press("n")
        assert page.get_by_role("combobox", name=re.compile("^Name")).count() == 0
        page.get_by_role("button", name="More", exact=True).click()
        page.get_by_role("menuitem", name="Log out eve").click()
        page.get_by_label("Password").wait_for()
        # The browser itself notes answers that say no.
        pages.troubles[:] = [each for each in pages.troubles if "401" not in each]
