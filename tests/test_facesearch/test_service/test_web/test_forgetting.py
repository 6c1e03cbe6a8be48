"""Forgetting somebody by clicks: what the dialog showed is what is deleted, or nothing is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facesearch.curation.editor import PeopleEditor
from support.pages.browser import WatchedPages, chromium, needs_browser
from support.serving.services import listening, named_gallery, open_service

pytestmark = [needs_browser, pytest.mark.slow, pytest.mark.timeout(600)]


def test_what_changed_behind_the_dialog_is_shown_first(tmp_path: Path) -> None:
    gallery = named_gallery(tmp_path)
    with (
        listening(open_service(tmp_path, gallery)) as url,
        chromium() as browser,
        WatchedPages(browser, url) as pages,
    ):
        page = pages.open("#/g/my/person/p1")
        page.get_by_role("button", name="More about Ada").click()
        page.get_by_role("menuitem", name="Forget…").click()
        page.get_by_text("3 faces: where each is").wait_for()
        editor = PeopleEditor(gallery)
        editor.add(editor.find("Ada"), [9])
        page.get_by_label("I want to delete this").check()
        button = page.get_by_role("button", name="Forget Ada")
        button.click()
        alert = page.get_by_text("What would be deleted is no longer what the preview showed.")
        alert.wait_for()
        page.get_by_text("4 faces: where each is").wait_for()
        assert not page.get_by_label("I want to delete this").is_checked()
        assert gallery.state().face_count == 12
        page.get_by_label("I want to delete this").check()
        button.click()
        page.get_by_text("Ada is being forgotten.").wait_for()
        page.get_by_role("link", name=re.compile("^Ada, ")).wait_for(state="detached")
        for _ in range(600):
            if gallery.state().face_count == 8:
                break
            page.wait_for_timeout(100)
        assert gallery.state().face_count == 8
        # The browser itself notes answers that say no.
        pages.troubles[:] = [each for each in pages.troubles if "412" not in each]
