"""Lists of thousands in the browser: what is asked for, what is in the page, where keys lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.curation.editor import PeopleEditor
from support.pages.answers import face_of, person_of, serve_list
from support.pages.browser import PHONE, WatchedPages, chromium, needs_browser
from support.serving.services import clustered_gallery, listening, open_service

sync_api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(1800)]

CELLS = ".grid > li"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("lists")
    with listening(open_service(folder, clustered_gallery(folder))) as address:
        yield address


@pytest.fixture
def pages(browser: Any, address: str) -> Iterator[WatchedPages]:
    with WatchedPages(browser, address) as pages:
        yield pages


def open_people(pages: WatchedPages, total: int, named: int = 0) -> tuple[Any, list[int]]:
    """The list of ``total`` people, of whom the first ``named`` have names; what is asked for."""
    page = pages.open("#/g/my/search")
    asked = serve_list(
        page, "people", "people", total,
        lambda number: person_of(number, f"Person {number}" if number <= named else None),
        more=lambda begin: {"unnamed": max(begin, named) if named < total else None},
    )  # fmt: skip
    page.get_by_role("link", name="People", exact=True).click()
    page.locator(CELLS).first.get_by_role("link").wait_for()
    return page, asked


def open_faces(
    pages: WatchedPages, total: int, pause: float = 0.0, **options: Any
) -> tuple[Any, list[int]]:
    """The list of ``total`` faces of nobody, and what is asked for."""
    page = pages.open("#/g/my/search", **options)
    asked = serve_list(page, "nobody/faces", "faces", total, face_of, pause=pause)
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Faces of nobody").click()
    face(page, 1).wait_for()
    return page, asked


def person(page: Any, number: int) -> Any:
    return page.get_by_role("link", name=re.compile(rf"^(p|Person ){number}, 100 photos$"))


def face(page: Any, number: int) -> Any:
    return page.get_by_role("link", name=re.compile(rf"^{number}\.jpg"))


def test_the_end_of_five_thousand_people_takes_few_requests(pages: WatchedPages) -> None:
    expect = sync_api.expect
    page, asked = open_people(pages, 5000)
    assert asked == [0]
    person(page, 1).focus()
    most = page.locator(CELLS).count()
    steps = [
        ("End", 5000), ("ArrowLeft", 4999), ("Home", 1), ("ArrowRight", 2), ("End", 5000)
    ]  # fmt: skip
    for key, expected in steps:
        page.keyboard.press(key)
        expect(person(page, expected)).to_be_focused()
        most = max(most, page.locator(CELLS).count())
    assert most < 200
    assert set(asked) <= {0, 4600, 4800} and len(asked) <= 3
    assert page.locator(CELLS).first.get_attribute("aria-setsize") == "5000"
    for key, lower in (("PageUp", True), ("PageDown", False)):
        before = int(page.evaluate("document.activeElement.closest('li').dataset.index"))
        page.keyboard.press(key)
        page.wait_for_function(
            "before => Number(document.activeElement.closest('li')?.dataset.index) !== before",
            arg=before,
        )
        now = int(page.evaluate("document.activeElement.closest('li').dataset.index"))
        assert (now < before) == lower


def test_who_drags_through_half_a_million_faces_loads_only_where_they_stop(
    pages: WatchedPages,
) -> None:
    page, asked = open_faces(pages, 500_000, pause=0.05)
    page.evaluate(
        """async () => {
          const height = document.documentElement.scrollHeight;
          for (let step = 1; step <= 60; step++) {
            scrollTo(0, (height * step) / 60);
            await new Promise(requestAnimationFrame);
          }
        }"""
    )
    face(page, 500_000).wait_for()
    assert page.locator(CELLS).count() < 400
    # Of the places passed on the way only those are loaded whose turn came while they were seen.
    assert len(asked) < 45
    before = len(asked)
    face(page, 500_000).focus()
    for key, expected in (("Home", 1), ("End", 500_000)):
        page.keyboard.press(key)
        sync_api.expect(face(page, expected)).to_be_focused()
    assert len(asked) - before <= 6


def test_a_list_higher_than_browsers_can_is_reached_to_its_end(pages: WatchedPages) -> None:
    total = 3_000_000
    page, _ = open_faces(pages, total, viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000_000
    place = "Number(document.querySelector('.grid > li').dataset.index)"
    for share in (0.25, 0.5, 0.75):
        page.evaluate("share => scrollTo(0, share * document.documentElement.scrollHeight)", share)
        page.locator(f"{CELLS} a").first.wait_for()
        page.wait_for_function(f"() => Math.abs({place} / {total} - {share}) < 0.01")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    face(page, total).wait_for()
    box = face(page, total).bounding_box()
    assert box is not None and box["y"] + box["height"] <= PHONE["height"]
    face(page, total).focus()
    for key, expected in (("Home", 1), ("End", total), ("ArrowLeft", total - 1)):
        page.keyboard.press(key)
        sync_api.expect(face(page, expected)).to_be_focused()
        box = face(page, expected).bounding_box()
        assert box is not None and 0 <= box["y"] <= PHONE["height"]


def test_keys_go_on_where_they_were_after_scrolling_away(pages: WatchedPages) -> None:
    page, _ = open_people(pages, 5000)
    person(page, 3).focus()
    page.evaluate("scrollTo(0, 100000)")
    person(page, 3).wait_for(state="detached")
    assert page.evaluate("document.activeElement.className") == "grid"
    page.keyboard.press("ArrowRight")
    sync_api.expect(person(page, 4)).to_be_focused()


def test_all_up_to_a_face_are_selected_across_pages(pages: WatchedPages) -> None:
    page, asked = open_faces(pages, 1000)
    face(page, 1).focus()
    page.keyboard.press("Space")
    page.get_by_text("1 face selected").wait_for()
    page.keyboard.press("End")
    sync_api.expect(face(page, 1000)).to_be_focused()
    page.keyboard.press("Shift+Space")
    page.get_by_text("1,000 faces selected").wait_for()
    assert sorted(asked) == [0, 200, 400, 600, 800]


@pytest.mark.parametrize(("named", "last"), [(20, None), (450, 400), (4250, 4200)])
def test_the_first_unnamed_person_is_named_wherever_they_are(
    pages: WatchedPages, named: int, last: int | None
) -> None:
    """The service says where that is: no list is read up to there."""
    page, asked = open_people(pages, 5000, named=named)
    page.keyboard.press("n")
    field = page.get_by_role("combobox", name=f"Name of p{named + 1}")
    sync_api.expect(field).to_be_focused()
    sync_api.expect(field).to_be_in_viewport()
    # Beside the place only what is near it on the screen.
    near = {last - 200, last, last + 200} if last else {0}
    assert set(asked) <= {0, 200, *near} and (last or 0) in asked


def test_where_all_have_names_no_field_is_opened(pages: WatchedPages) -> None:
    page, asked = open_people(pages, 5000, named=5000)
    page.keyboard.press("n")
    for _ in range(200):
        if len(asked) > 1:
            break
        page.wait_for_timeout(50)
    assert sorted(asked) == [0, 200]  # the second only says that there is nobody
    assert page.get_by_role("combobox", name=re.compile("^Name of")).count() == 0


def test_after_a_decision_only_what_is_looked_at_is_loaded_again(pages: WatchedPages) -> None:
    page, asked = open_people(pages, 5000)
    person(page, 1).focus()
    page.keyboard.press("End")
    sync_api.expect(person(page, 5000)).to_be_focused()
    hidden: list[str] = []

    def answer(route: Any) -> None:
        hidden.append(route.request.url)
        result = {"version": "2", "person": None, "decisions": [], "superseded": []}
        route.fulfill(json={**result, "notes": [], "undo": None})

    page.route("**/hide", answer)
    before = len(asked)
    with page.expect_response(lambda response: "/people?" in response.url):
        page.keyboard.press("h")
    assert hidden[0].endswith("/people/p5000/hide")
    assert set(asked[before:]) <= {4600, 4800}


def test_a_list_that_fails_says_so(pages: WatchedPages) -> None:
    page = pages.open("#/g/my/search")
    problem = {"title": "No", "detail": "The gallery cannot be read.", "action": "Look at it."}
    page.route("**/galleries/my/people?*", lambda route: route.fulfill(status=503, json=problem))
    page.get_by_role("link", name="People", exact=True).click()
    alert = page.get_by_role("alert")
    alert.get_by_text("The gallery cannot be read.").wait_for()
    alert.get_by_text("Look at it.").wait_for()
    pages.troubles[:] = [each for each in pages.troubles if "503" not in each]


def test_what_happened_while_the_service_was_away_is_seen(pages: WatchedPages) -> None:
    """The stream of events ends; when there is one again, what is shown is loaded again."""
    page = pages.open("#/g/my/people")
    streams: list[str] = []

    def answer(route: Any) -> None:
        streams.append(route.request.url)
        if len(streams) == 1:
            route.fulfill(body="retry: 100\n\n", content_type="text/event-stream")
        else:
            route.continue_()

    page.route("**/events?*", answer)
    asked = serve_list(page, "people", "people", 3, person_of)
    page.reload()
    person(page, 3).wait_for()
    for _ in range(200):
        if len(asked) > 1 and len(streams) > 1:
            break
        page.wait_for_timeout(50)
    assert len(streams) == 2 and len(asked) == 2


def test_who_walks_through_photos_reads_their_list_once(browser: Any, tmp_path: Path) -> None:
    """Until something changes; then what is beside the photo is read again."""
    gallery = clustered_gallery(tmp_path)
    asked: list[str] = []

    def note(request: Any) -> None:
        if "/galleries/my/photos?" in request.url:
            asked.append(request.url)

    with (
        listening(open_service(tmp_path, gallery)) as address,
        WatchedPages(browser, address) as pages,
    ):
        page = pages.open("#/g/my/photos")
        page.on("request", note)
        page.get_by_role("list", name="Photos").get_by_role("link").first.click()
        walk = page.get_by_role("navigation", name="Other photos of the list")

        def walked(keys: str) -> int:
            """How often the list is read while keys are pressed."""
            before = len(asked)
            for key in keys:
                place = int(walk.get_by_text(" of 12").inner_text().split()[0])
                page.keyboard.press(key)
                walk.get_by_text(f"{place + (1 if key == 'n' else -1)} of 12").wait_for()
            return len(asked) - before

        walk.get_by_text("1 of 12").wait_for()

        def settled() -> bool:
            """Once the page hears of changes, and of the last one, nothing is read again."""
            return any(walked("np") == 0 for _ in range(50))

        assert settled() and walked("nnnnnp") == 0
        before = len(asked)
        PeopleEditor(gallery).hide(PeopleEditor(gallery).find("p4"))
        for _ in range(600):
            if len(asked) > before:
                break
            page.wait_for_timeout(50)
        assert len(asked) > before
        assert settled() and walked("nn") == 0
