"""The page says what was not searched while a part of a cluster is away, and nothing otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.gallery.gallery import Gallery
from support.cluster.parted_searches import PartedSearches, parted_searches
from support.fake_engine import write_photo
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.people_galleries import index
from support.serving.services import listening, named_gallery, open_service

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(600)]

NOTICE = "Not all of the gallery was searched: 4 faces are out of reach. Try again later."
NOTICES = "#main .notice"


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Four people in two shards, twelve faces in the first and four in the second."""
    gallery = named_gallery(tmp_path)
    for person in (1, 2, 3, 4):
        write_photo(tmp_path / "late" / f"{person}.png", [person], 70 + person)
    index(gallery, tmp_path / "late")
    return gallery


@pytest.fixture
def searches() -> Iterator[PartedSearches]:
    with parted_searches() as searches:
        yield searches


@pytest.fixture
def page(gallery: Gallery, searches: PartedSearches, tmp_path: Path) -> Iterator[Any]:
    with (
        listening(open_service(tmp_path, gallery, open_search=searches.open)) as url,
        chromium() as browser,
        WatchedPages(browser, url) as pages,
    ):
        yield pages.open("#/g/my/search")


def search(page: Any, photo: Path) -> None:
    """Search by a photo, and wait for the answer."""
    for view in ("folders", "search"):  # which begins again
        page.goto(page.url.partition("#")[0] + f"#/g/my/{view}")
        page.get_by_role("heading", level=1).first.wait_for()
    page.get_by_text("Drop a photo anywhere").wait_for()
    page.get_by_label("Photo to search with").set_input_files(photo)
    page.get_by_text("The most similar faces").wait_for()


def look_at_person(page: Any, photo: Path) -> None:
    """The page of somebody, who resembles others."""
    page.goto(page.url.partition("#")[0] + "#/g/my/search")
    with page.expect_response(lambda answer: "/people/p1/similar" in answer.url):
        page.goto(page.url.partition("#")[0] + "#/g/my/person/p1")
    page.get_by_role("heading", name="Similar people").wait_for()


def look_at_face(page: Any, photo: Path) -> None:
    """A face of a photo, and who it may be."""
    page.goto(page.url.partition("#")[0] + "#/g/my/person/p1")
    page.get_by_role("list", name="Faces of Ada").get_by_role("link").first.click()
    page.get_by_role("list", name="The nearest people").wait_for()


LOOKS: list[Callable[[Any, Path], None]] = [search, look_at_person, look_at_face]


@pytest.mark.parametrize("look", LOOKS)
def test_a_part_that_is_away_is_noticed(
    page: Any, searches: PartedSearches, tmp_path: Path, look: Callable[[Any, Path], None]
) -> None:
    photo = tmp_path / "photos" / "2-0.png"
    search(page, photo)
    assert page.locator(NOTICES).count() == 0
    searches.lose(1)
    look(page, photo)
    page.locator(NOTICES).first.wait_for()
    assert page.locator(NOTICES).all_inner_texts() == [NOTICE]
    searches.find_again()
    page.reload()
    look(page, photo)
    page.locator(NOTICES).first.wait_for(state="detached")
