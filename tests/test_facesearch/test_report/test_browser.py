"""The page in a real browser: overlay geometry, keyboard, search, phone width, no JavaScript."""

from __future__ import annotations

import io
import itertools
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from facesearch.album.advice import Advice, DoubtAdvice
from facesearch.album.model import FailedPhoto
from facesearch.report import write_report
from support.albums import album_of, draw_photo, face

sync_api = pytest.importorskip("playwright.sync_api", reason="needs: pip install playwright")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium on the PATH")

WIDE, TALL = (640, 480), (480, 640)
BOX = (100.0, 80.0, 180.0, 180.0)
OTHER = (400.0, 200.0, 520.0, 340.0)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An album with every section: photos of each kind, turned, gone, and with an odd name."""
    folder = tmp_path_factory.mktemp("album")
    photos = folder / "photos"
    turned, scan = photos / "turned.jpg", photos / "scan.tif"
    pair, odd = photos / "two people #1 100%.jpg", photos / "od\udce9 ü.png"
    draw_photo(turned, [BOX], TALL, orientation=6)
    draw_photo(scan, [BOX])
    draw_photo(pair, [BOX, OTHER])
    try:
        draw_photo(odd, [BOX])
    except OSError:  # a file system that only takes UTF-8 names
        odd = photos / "odd ü.png"
        draw_photo(odd, [BOX])
    faces = [
        face(0, turned, BOX, photo_size=TALL),
        face(1, scan, BOX),
        face(2, pair, BOX),
        face(3, odd, BOX),
        face(4, pair, OTHER),
        face(5, photos / "gone.jpg", BOX),
    ]
    labels = [0, 0, 0, 0, 1, 2]
    for number in range(40):
        photo = photos / f"IMG_{number:04}.jpg"
        draw_photo(photo, [BOX])
        faces.append(face(100 + number, photo, BOX))
        labels.append(1 if number < 30 else number if number < 35 else -1)
    labels = [2 + (label - 30) if label >= 30 else label for label in labels]
    failed = (FailedPhoto("a/rather/deep/folder/with_a_long_name_0001.jpg", "empty", "0 bytes"),)
    album = album_of(faces, labels, {0: "Ada"}, failed, title="Summer")
    return write_report(album, folder / "report", workers=0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # Containers often run as root, where Chromium refuses its sandbox; the page is our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, index: Path) -> Iterator[Any]:
    """Opens the page and, at the end, wants no error and no request beyond files and data."""
    contexts, troubles, requests = [], [], []

    def opened(**options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: (
                troubles.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.on("request", lambda request: requests.append(request.url))
        page.goto(index.as_uri())
        return page

    opened.troubles = troubles  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert not troubles
    assert all(url.startswith(("file:", "data:")) for url in requests)


def shown_box(page: Any) -> tuple[float, float, float, float]:
    """The drawn box in pixels of the upright photo, from where both are on screen."""
    page.wait_for_selector("#viewer-box", state="visible")
    return tuple(
        page.evaluate(
            """() => {
                const photo = document.querySelector("#viewer-photo");
                const p = photo.getBoundingClientRect();
                const b = document.querySelector("#viewer-box").getBoundingClientRect();
                const scale = photo.naturalWidth / p.width;
                return [b.left - p.left, b.top - p.top, b.right - p.left, b.bottom - p.top]
                    .map((edge) => edge * scale);
            }"""
        )
    )


def open_face(page: Any, file: str) -> None:
    page.locator(f'a.face[data-file*="{file}"]').first.click()


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844), (844, 390)])
def test_the_box_lies_on_the_face(open_page: Any, width: int, height: int) -> None:
    page = open_page(viewport={"width": width, "height": height})
    for file, size in (("turned", TALL), ("scan", WIDE), ("two people", WIDE), ("ü", WIDE)):
        open_face(page, file)
        assert shown_box(page) == pytest.approx(BOX, abs=1.5), file
        natural = page.evaluate(
            "(({naturalWidth, naturalHeight}) => [naturalWidth, naturalHeight])"
            "(document.querySelector('#viewer-photo'))"
        )
        assert tuple(natural) == size, file
        # Photo, box and controls are all on screen.
        for selector in ("#viewer-photo", "#viewer-box", "#viewer-tag", "#viewer-close"):
            place = page.locator(selector).bounding_box()
            assert place["x"] >= 0 and place["y"] >= 0, (file, selector)
            assert place["x"] + place["width"] <= width + 0.5, (file, selector)
            assert place["y"] + place["height"] <= height + 0.5, (file, selector)
        page.keyboard.press("Escape")


def test_the_pixels_under_the_box_are_the_face(open_page: Any) -> None:
    """Not only the arithmetic: the browser must have turned the photo upright as we did."""
    page = open_page()
    open_face(page, "turned")
    shown_box(page)
    picture = page.locator("#viewer-box").screenshot()
    middle = Image.open(io.BytesIO(picture)).convert("RGB")
    pixel = middle.getpixel((middle.width // 2, middle.height // 2))
    assert pixel[0] > 150 and max(pixel[1:]) < 90  # the first face is drawn red


def test_the_keyboard_alone_reaches_and_leaves_a_face(open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    focused = "document.activeElement.dataset.file"
    opener = page.evaluate(focused)
    assert opener is not None
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    assert page.locator("#viewer").is_visible()
    assert page.evaluate("document.querySelector('#viewer').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert page.evaluate(focused) == opener


def test_arrow_keys_walk_the_faces_of_one_person(open_page: Any) -> None:
    page = open_page()
    page.locator("#person-2 .cover a.face").click()
    place = page.locator("#viewer-place")
    total = page.locator("#person-2 a.face").count()
    assert place.text_content() == f"1 of {total}"
    page.keyboard.press("ArrowLeft")
    assert place.text_content() == f"1 of {total}"
    for step in range(2, total + 2):
        page.keyboard.press("ArrowRight")
        assert place.text_content() == f"{min(step, total)} of {total}"
    assert page.locator("#viewer-label").text_content() == "Ada"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    files = page.locator("#person-2 a.face").evaluate_all("all => all.map(a => a.dataset.file)")
    assert page.evaluate("document.activeElement.dataset.file") == files[-2]


def test_other_faces_of_the_photo_can_be_chosen(open_page: Any) -> None:
    page = open_page()
    page.locator('#person-2 a.face[data-file*="two people"]').click()
    shown_box(page)
    other = page.get_by_role("button", name="Show Unnamed 1 in this photo")
    other.click()
    sync_api.expect(page.locator("#viewer-label")).to_have_text("Unnamed 1")
    assert shown_box(page) == pytest.approx(OTHER, abs=1.5)


def test_a_photo_that_is_gone_is_reported(open_page: Any) -> None:
    page = open_page()
    page.locator("#once summary").click()
    open_face(page, "gone")
    failure = page.locator("#viewer-failure")
    failure.wait_for(state="visible")
    assert "gone.jpg cannot be shown" in failure.text_content()
    assert all("ERR_FILE_NOT_FOUND" in trouble for trouble in open_page.troubles)
    open_page.troubles.clear()


def test_search_finds_people_and_files_and_can_be_cleared(open_page: Any) -> None:
    page = open_page()
    visible = "() => [...document.querySelectorAll('a.face')].filter(a => a.checkVisibility())"
    before = page.evaluate(f"({visible})().length")
    found = page.locator("#found")

    page.fill("#query", "ADA")
    sync_api.expect(found).to_have_text("4 faces in 1 group")
    assert page.locator("article:visible").count() == 1

    page.fill("#query", "IMG_0029")  # in the folded part of its person
    sync_api.expect(found).to_have_text("1 face in 1 group")
    assert page.locator('a.face[data-file="IMG_0029.jpg"]').is_visible()

    page.fill("#query", "no such thing")
    sync_api.expect(found).to_have_text("Nothing found")

    page.locator("#query").press("Escape")
    sync_api.expect(found).to_have_text("")
    assert page.evaluate(f"({visible})().length") == before


def wait_until_in_sight(page: Any, heading: str) -> None:
    """Wait until a heading is wholly between the bar and the lower edge of the window."""
    page.wait_for_function(
        """(heading) => {
            const place = document.querySelector(heading).getBoundingClientRect();
            const bar = document.querySelector(".bar").getBoundingClientRect();
            return place.top >= bar.bottom - 1 && place.bottom <= innerHeight;
        }""",
        arg=heading,
    )


def test_each_part_is_reached_from_the_bar(open_page: Any) -> None:
    page = open_page()
    for part in ("once", "named", "noise", "unnamed", "failed"):  # none next to the one before
        page.locator(f'.bar a[href="#{part}"]').click()
        wait_until_in_sight(page, f"#{part}-title")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(open_page: Any, scheme: str) -> None:
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    small = page.locator(".bar a, summary, a.face").evaluate_all(
        "all => all.map(a => a.getBoundingClientRect()).filter(r => r.width < 36 || r.height < 36)"
    )
    assert not small  # targets a thumb can hit


def test_every_part_is_in_sight_on_a_phone(browser: Any, tmp_path: Path) -> None:
    photos = [tmp_path / "photos" / f"{number}.jpg" for number in range(6)]
    for photo in photos:
        draw_photo(photo, [BOX])
    faces = [face(n, photo, BOX, taken_at="2024-06-01T10:00") for n, photo in enumerate(photos)]
    failed = (FailedPhoto("a.jpg", "empty", "0 bytes"),)
    album = album_of(faces, [0, 0, 1, 1, 2, -1], {0: "Ada"}, failed)
    album = replace(album, advice=Advice(doubts=(DoubtAdvice("person-1", 1, "person-2", 0.5),)))
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(write_report(album, tmp_path / "report", workers=0).as_uri())
    parts = page.locator(".bar nav a")
    assert parts.count() == 7
    for place in (part.bounding_box() for part in parts.all()):
        assert place["x"] >= 0 and place["x"] + place["width"] <= 390
    page.locator('.bar a[href="#check"]').click()
    wait_until_in_sight(page, "#check-title")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(open_page: Any, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1 for the page's text colours on each of its backgrounds."""
    page = open_page(color_scheme=scheme)
    ratios = page.evaluate(
        """() => {
            const style = getComputedStyle(document.documentElement);
            const luminance = (name) => {
                const hex = style.getPropertyValue(name).trim();
                const [r, g, b] = [1, 3, 5].map((at) => {
                    const v = parseInt(hex.slice(at, at + 2), 16) / 255;
                    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const out = {};
            for (const text of ["--ink", "--soft", "--accent"])
                for (const ground of ["--paper", "--raised"]) {
                    const [a, b] = [luminance(text), luminance(ground)].sort((x, y) => y - x);
                    out[`${text} on ${ground}`] = (a + 0.05) / (b + 0.05);
                }
            return out;
        }"""
    )
    assert min(ratios.values()) >= 4.5, ratios


def test_the_page_reads_without_javascript(open_page: Any, index: Path) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#person-1").is_visible()
    assert not page.locator("#query").is_visible()
    page.locator("#once summary").click()
    assert page.locator("#once a.face").first.is_visible()
    page.locator('a.face[data-file*="two people"]').first.click()
    page.wait_for_url("**/photos/two%20people%20%231%20100%25.jpg")


def test_landmarks_and_headings_make_an_outline(open_page: Any) -> None:
    page = open_page()
    for role in ("main", "contentinfo", "search"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).all_text_contents() == ["Summer"]
    levels = page.locator("h1, h2, h3").evaluate_all(
        "all => all.filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]))"
    )
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    nameless = page.locator("img:not([alt]), a:not(:has(img, svg)):empty, button:not([aria-label])")
    assert nameless.count() == 0
