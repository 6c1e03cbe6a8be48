"""The report as the service shows it: to who is logged in, with its pictures and all pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facesearch.album.build import gallery_album
from facesearch.clustering.current_people import last_run
from facesearch.report import write_report
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.serving.services import PASSWORD, clustered_gallery, listening, open_service

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as browser:
        yield browser


def test_a_report_of_several_pages_is_whole(
    browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = clustered_gallery(tmp_path)
    monkeypatch.setattr("facesearch.report.page.PAGE_FACES", 4)
    monkeypatch.setattr("facesearch.report.page.INLINE_CROPS", 0)
    run = last_run(gallery)
    assert run is not None
    album = gallery_album(gallery, gallery.state(), run, "My album")
    write_report(album, gallery.folder / "report", workers=0)
    service = open_service(tmp_path, gallery)
    service.accounts.add("eve", PASSWORD, "view")
    with listening(service) as address, WatchedPages(browser, address) as pages:
        page = pages.open()
        page.get_by_label("Name").fill("eve")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="p1, 3 photos").wait_for()

        page.goto(f"{address}/api/v1/galleries/my/report/")
        page.get_by_role("heading", name="My album").wait_for()
        picture = page.locator(".cover img").first
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

        page.get_by_role("link", name="Page 2").first.click()
        page.wait_for_url("**/report/people-2.html")
        page.get_by_role("searchbox").fill("p1")
        page.get_by_role("region", name="On other pages").get_by_role("link", name="p1").click()
        page.wait_for_url("**/report/index.html#p1")

        # Nothing can be asked of the service from there.
        asked = "fetch('/api/v1/auth').then(() => 'answered', () => 'refused')"
        assert page.evaluate(asked) == "refused"
        refused = [each for each in pages.troubles if "Content Security Policy" in each]
        assert refused
        pages.troubles[:] = [each for each in pages.troubles if each not in refused]
