"""The search of a large album in a real browser, from the disk: it finds what is on other pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.report import write_report
from support.albums import album_of, draw_photo, face
from support.pages.browser import chromium, needs_browser

sync_api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
pytestmark = needs_browser
BOX = (100.0, 80.0, 180.0, 180.0)
NASTY = '<img src=x onerror="document.title=1">'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pages: named people, unnamed ones, one seen once, and a face without a person."""
    folder = tmp_path_factory.mktemp("pages")
    photos = [folder / "photos" / f"IMG_{number:04}.jpg" for number in range(9)]
    for photo in photos:
        draw_photo(photo, [BOX])
    faces = [face(number, photo, BOX) for number, photo in enumerate(photos)]
    names = {0: "Ada", 1: NASTY}
    ids = {0: "p31", 1: "p5", 2: "p44", 3: "p7"}
    album = album_of(faces, [0, 0, 1, 1, 2, 2, 3, -1, -1], names, person_ids=ids)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("facesearch.report.page.PAGE_FACES", 2)
        write_report(album, folder / "report", workers=0)
    return folder / "report"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The first page; at its end, nothing went wrong and nothing was asked for but files."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    troubles, requests = [], []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: troubles.append(message.text) if message.type == "error" else None,
    )
    page.on("request", lambda request: requests.append(request.url))
    page.goto((report / "index.html").as_uri())
    page.requests = requests
    page.troubles = troubles
    yield page
    page.close()
    assert troubles == []
    assert all(url.startswith(("file:", "data:")) for url in requests)


def elsewhere(page: Any) -> Any:
    return page.get_by_role("region", name="On other pages")


def test_the_index_is_loaded_by_the_first_search_only(page: Any) -> None:
    def loaded() -> int:
        return sum(url.endswith("search-index.js") for url in page.requests)

    page.get_by_role("searchbox").wait_for()
    assert loaded() == 0
    page.get_by_role("searchbox").fill("p44")
    elsewhere(page).get_by_role("link", name="p44").wait_for()
    page.get_by_role("searchbox").fill("p7")
    elsewhere(page).get_by_role("link", name="p7").wait_for()
    assert loaded() == 1
    page.get_by_role("searchbox").press("Escape")
    elsewhere(page).wait_for(state="hidden")


def test_a_person_on_another_page_is_reached(page: Any) -> None:
    page.get_by_role("searchbox").fill("44")
    sync_api.expect(page.locator("#found")).to_have_text("Nothing found on this page")
    link = elsewhere(page).get_by_role("link", name="p44")
    assert link.text_content() == "p44 2 photos"
    assert link.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    link.click()
    page.wait_for_url("**/people-3.html#p44")
    assert page.locator("#p44").is_visible()
    assert page.get_by_role("searchbox").input_value() == ""


def test_a_photo_on_another_page_is_found_there(page: Any) -> None:
    page.get_by_role("searchbox").fill("img_0005")
    elsewhere(page).get_by_role("link", name="p44 IMG_0005.jpg").click()
    page.wait_for_url("**/people-3.html?q=img_0005#p44")
    sync_api.expect(page.locator("#found")).to_have_text("1 face in 1 group on this page")
    assert page.locator('a.face[data-file="IMG_0005.jpg"]').is_visible()
    # From there, on to somebody of another page.
    page.get_by_role("searchbox").fill("ada")
    elsewhere(page).get_by_role("link", name="Ada").click()
    page.wait_for_url("**/people-2.html#p31")


def test_a_photo_whose_face_is_in_no_group_is_found(page: Any) -> None:
    page.get_by_role("searchbox").fill("IMG_0008")
    link = elsewhere(page).get_by_role("link", name="Not grouped IMG_0008.jpg")
    link.click()
    page.wait_for_url("**/people-*.html?q=img_0008#noise")
    assert page.locator('a.face[data-file="IMG_0008.jpg"]').is_visible()


def test_named_people_come_first_and_names_are_text(page: Any) -> None:
    page.goto(page.url.replace("index.html", "people-4.html"))
    page.get_by_role("searchbox").fill("img")
    links = elsewhere(page).get_by_role("link")
    for place, label in enumerate((NASTY, "Ada", "p44", "Not grouped")):
        sync_api.expect(links.nth(place)).to_contain_text(label)
    assert page.locator("img[src='x']").count() == 0


def test_a_missing_index_is_said(page: Any, report: Path) -> None:
    index = report / "search-index.js"
    away = index.rename(report / "away.js")
    try:
        page.get_by_role("searchbox").fill("p44")
        elsewhere(page).get_by_text("search-index.js could not be loaded").wait_for()
    finally:
        away.rename(index)
    assert all("ERR_FILE_NOT_FOUND" in trouble for trouble in page.troubles)
    page.troubles.clear()
